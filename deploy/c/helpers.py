"""The functions that printed files share, each printed where it is used."""

from __future__ import annotations

import re

from ...export.grid import DECAY_BITS, STATE_BITS, STATE_MAX

_HALF, _FULL = 1 << (STATE_BITS - 1), 1 << STATE_BITS

_SCALARS = {
    "shifted": """\
/* The floor of x / 2^k. */
static inline int32_t shifted(int32_t x, int32_t k)
{
    return x < 0 ? ~(~x >> k) : x >> k;
}
""",
    "shifted64": """\
/* The floor of x / 2^k. */
static inline int64_t shifted64(int64_t x, int32_t k)
{
    return x < 0 ? ~(~x >> k) : x >> k;
}
""",
    "truncated": """\
/* x / 2^k, truncated toward zero. */
static inline int32_t truncated(int32_t x, int32_t k)
{
    return x < 0 ? -(-x >> k) : x >> k;
}
""",
    "truncated64": """\
/* x / 2^k, truncated toward zero. */
static inline int64_t truncated64(int64_t x, int32_t k)
{
    return x < 0 ? -(-x >> k) : x >> k;
}
""",
    "decayed_up": f"""\
/* x factor / 2^{DECAY_BITS} for x >= 0 and factors of 0 to 2^{DECAY_BITS}, in 32 bits. */
static inline int32_t decayed_up(int32_t x, int32_t factor)
{{
    return (x >> {DECAY_BITS}) * factor + ((x & {(1 << DECAY_BITS) - 1}) * factor >> {DECAY_BITS});
}}
""",
    "decayed": """\
/* The same for any x, truncated toward zero. */
static inline int32_t decayed(int32_t x, int32_t factor)
{
    return x < 0 ? -decayed_up(-x, factor) : decayed_up(x, factor);
}
""",
    "capped": f"""\
static inline int32_t capped(int32_t x)
{{
    return x > {STATE_MAX} ? {STATE_MAX} : x;
}}
""",
    "capped64": f"""\
static inline int32_t capped64(int64_t x)
{{
    return x > {STATE_MAX} ? {STATE_MAX} : (int32_t)x;
}}
""",
    "sat": f"""\
/* Saturated to 24 bits. */
static inline int32_t sat(int32_t x)
{{
    return x > {STATE_MAX} ? {STATE_MAX} : x < -{STATE_MAX} ? -{STATE_MAX} : x;
}}
""",
    "sat64": f"""\
/* Saturated to 24 bits. */
static inline int32_t sat64(int64_t x)
{{
    return x > {STATE_MAX} ? {STATE_MAX} : x < -{STATE_MAX} ? -{STATE_MAX} : (int32_t)x;
}}
""",
    "wrap24": f"""\
/* Wrapped once at 24 bits; +2^23 stays. */
static inline int32_t wrap24(int32_t x)
{{
    return x > {_HALF} ? x - {_FULL} : x <= -{_HALF} ? x + {_FULL} : x;
}}
""",
    "wrap2464": f"""\
/* Wrapped once at 24 bits; +2^23 stays. */
static inline int64_t wrap2464(int64_t x)
{{
    return x > {_HALF} ? x - {_FULL} : x <= -{_HALF} ? x + {_FULL} : x;
}}
""",
    "held": """\
/* A state that nothing else limits; beyond 32 bits the run is no longer valid. */
static int32_t held(int64_t x, uint8_t *overflowed)
{
    if (x > INT32_MAX || x < -INT32_MAX) {
        *overflowed = 1;
        return x < 0 ? -INT32_MAX : INT32_MAX;
    }
    return (int32_t)x;
}
""",
    "before": """\
/* The row of a ring that was written `delay` steps before `row`. */
static inline uint32_t before(uint32_t row, uint32_t delay, uint32_t rows)
{
    return row >= delay ? row - delay : row + rows - delay;
}
""",
    "code8": """\
/* The code of a weight, of 8 bits. */
static inline int32_t code8(const uint32_t *row, uint32_t at)
{
    return (int32_t)(row[at / 4] >> 8 * (at % 4) & 255);
}
""",
    "code4": """\
/* The code of a weight, of 4 bits. */
static inline int32_t code4(const uint32_t *row, uint32_t at)
{
    return (int32_t)(row[at / 8] >> 4 * (at % 8) & 15);
}
""",
    "pair8": """\
/* Two sums of 16 bits, to which the bytes 0 and 2 of a word are added; `pair8_high`: 1 and 3. */
#if defined(__ARM_FEATURE_SIMD32) && defined(__thumb2__)
static inline uint32_t pair8(uint32_t sums, uint32_t word)
{
    __asm__("uxtab16 %0, %1, %2" : "=r"(sums) : "r"(sums), "r"(word));
    return sums;
}

static inline uint32_t pair8_high(uint32_t sums, uint32_t word)
{
    __asm__("uxtab16 %0, %1, %2, ror #8" : "=r"(sums) : "r"(sums), "r"(word));
    return sums;
}
#else
static inline uint32_t pair8(uint32_t sums, uint32_t word)
{
    return sums + (word & 0x00FF00FFu);
}

static inline uint32_t pair8_high(uint32_t sums, uint32_t word)
{
    return sums + (word >> 8 & 0x00FF00FFu);
}
#endif
""",
}

_ROWS8 = """\
/* Adds the rows of weights of `count` sources, eight targets at a time in sums of 16 bits. */
static void add_rows8(SUM *sums, const uint32_t *weights, uint32_t stride, const SOURCE *from,
                      uint32_t count, int32_t low, int32_t unit)
{
    while (count > 0) {
        const uint32_t some = count < CHUNK8 ? count : CHUNK8;
        const int32_t lowest = low * (int32_t)some;
        uint32_t word;
        for (word = 0; word < stride; word += 2) {
            const uint32_t *column = weights + word;
            const SOURCE *source = from, *end = from + some;
            uint32_t a = 0, b = 0, c = 0, d = 0;
            SUM *target = sums + 4 * word;
            do {
                const uint32_t *row = column + *source++ * stride;
                const uint32_t x = row[0], y = row[1];
                a = pair8(a, x);
                b = pair8_high(b, x);
                c = pair8(c, y);
                d = pair8_high(d, y);
            } while (source != end);
            target[0] += unit * ((int32_t)(a & 0xFFFFu) + lowest);
            target[1] += unit * ((int32_t)(b & 0xFFFFu) + lowest);
            target[2] += unit * ((int32_t)(a >> 16) + lowest);
            target[3] += unit * ((int32_t)(b >> 16) + lowest);
            target[4] += unit * ((int32_t)(c & 0xFFFFu) + lowest);
            target[5] += unit * ((int32_t)(d & 0xFFFFu) + lowest);
            target[6] += unit * ((int32_t)(c >> 16) + lowest);
            target[7] += unit * ((int32_t)(d >> 16) + lowest);
        }
        from += some;
        count -= some;
    }
}
"""
_ROWS4 = """\
/* Adds the rows of weights of 4 bits of `count` sources, eight targets at a time. */
static void add_rows4(SUM *sums, const uint32_t *weights, uint32_t stride, const SOURCE *from,
                      uint32_t count, int32_t low, int32_t unit)
{
    while (count > 0) {
        const uint32_t some = count < CHUNK4 ? count : CHUNK4;
        const int32_t lowest = low * (int32_t)some;
        uint32_t word;
        for (word = 0; word < stride; word++) {
            const uint32_t *column = weights + word;
            const SOURCE *source = from, *end = from + some;
            uint32_t a = 0, b = 0, c = 0, d = 0;
            SUM *target = sums + 8 * word;
            do {
                const uint32_t x = column[*source++ * stride];
                a += x & 0x000F000Fu;
                b += x >> 4 & 0x000F000Fu;
                c += x >> 8 & 0x000F000Fu;
                d += x >> 12 & 0x000F000Fu;
            } while (source != end);
            target[0] += unit * ((int32_t)(a & 0xFFFFu) + lowest);
            target[1] += unit * ((int32_t)(b & 0xFFFFu) + lowest);
            target[2] += unit * ((int32_t)(c & 0xFFFFu) + lowest);
            target[3] += unit * ((int32_t)(d & 0xFFFFu) + lowest);
            target[4] += unit * ((int32_t)(a >> 16) + lowest);
            target[5] += unit * ((int32_t)(b >> 16) + lowest);
            target[6] += unit * ((int32_t)(c >> 16) + lowest);
            target[7] += unit * ((int32_t)(d >> 16) + lowest);
        }
        from += some;
        count -= some;
    }
}
"""
_ROW = """\
/* Adds a row of weights of BITS bits times x, word by word. */
static void add_rowBITS(SUM *sums, const uint32_t *row, uint32_t words, int32_t low, SUM x)
{
    uint32_t i;
    for (i = 0; i < words; i++, sums += LANES) {
        const uint32_t word = row[i];
ADDED
    }
}
"""
_ADDED = "        sums[{lane}] += x * ((int32_t)(word >> {shift} & {mask}u) + low);"
_LATE = """\
/* Adds a row of weights of BITS bits times x to the rows of a ring in which they arrive. */
static void add_lateBITS(SUM *ring, uint32_t now, uint32_t rows, const uint8_t *delays,
                      const uint32_t *row, uint32_t columns, int32_t low, SUM x)
{
    uint32_t i;
    for (i = 0; i < columns; i++) {
        const uint32_t at = now + delays[i] < rows ? now + delays[i] : now + delays[i] - rows;
        ring[at * columns + i] += x * (codeBITS(row, i) + low);
    }
}
"""
_CONVOLUTION = """\
/* Adds what a source delivers through a kernel of BITS bits. */
static void convolveBITS(SUM *sums, const convolution *c, uint32_t source, int32_t low, SUM x)
{
    const uint32_t column = source % c->columns, row = source / c->columns % c->rows;
    const uint32_t channel = source / c->columns / c->rows, share = channel % c->share;
    const uint32_t first = channel / c->share * c->channels_out;
    uint32_t tap_row, tap_column, o;
    for (tap_row = 0; tap_row < c->tap_rows; tap_row++) {
        const uint32_t down = row + c->padding_rows - tap_row * c->dilation_rows;
        const uint32_t to_row = down / c->stride_rows;
        if (tap_row * c->dilation_rows > row + c->padding_rows || to_row >= c->rows_out ||
            to_row * c->stride_rows != down) {
            continue;
        }
        for (tap_column = 0; tap_column < c->tap_columns; tap_column++) {
            const uint32_t along = column + c->padding_columns - tap_column * c->dilation_columns;
            const uint32_t to_column = along / c->stride_columns;
            const uint32_t tap = (share * c->tap_rows + tap_row) * c->tap_columns + tap_column;
            if (tap_column * c->dilation_columns > column + c->padding_columns ||
                to_column >= c->columns_out || to_column * c->stride_columns != along) {
                continue;
            }
            for (o = 0; o < c->channels_out; o++) {
                const uint32_t block = (first + o) * c->rows_out + to_row;
                const uint32_t *weights = c->kernel + (tap * c->groups + first / c->channels_out)
                                          * c->stride;
                sums[block * c->columns_out + to_column] += x * (codeBITS(weights, o) + low);
            }
        }
    }
}
"""
CONVOLUTION_FIELDS = (
    "stride", "rows", "columns", "share", "groups", "channels_out", "rows_out", "columns_out",
    "tap_rows", "tap_columns", "stride_rows", "stride_columns", "padding_rows", "padding_columns",
    "dilation_rows", "dilation_columns",
)  # fmt: skip
"""Fields of the struct ``convolution`` after ``kernel``."""

_STRUCT = (
    "/* A convolution: the kernel's words, words of a row; sources, channels in of a group,\n"
    " * groups, channels out of one; targets, taps, stride, padding, dilation. */\n"
    "typedef struct {\n    const uint32_t *kernel;\n    uint32_t "
    + ", ".join(CONVOLUTION_FIELDS[:8])
    + ",\n        "
    + ", ".join(CONVOLUTION_FIELDS[8:14])
    + ",\n        "
    + ", ".join(CONVOLUTION_FIELDS[14:])
    + ";\n} convolution;\n"
)

TYPES = {"convolution": _STRUCT}
"""Types that tables use, by name."""


def helpers(body: str, sum_type: str, source_type: str, chunks: dict[int, int]) -> list[str]:
    """Return the functions that a body calls, and those that they call, in order.

    ``chunks``: sources whose codes of so many bits are added before a sum of 16 bits is full.
    """
    delivering = {f"add_rows{bits}": text for bits, text in ((8, _ROWS8), (4, _ROWS4))}
    for bits in (8, 4):
        for name, text in (("add_row", _ROW), ("add_late", _LATE), ("convolve", _CONVOLUTION)):
            lanes = [
                _ADDED.format(lane=lane, shift=lane * bits, mask=(1 << bits) - 1)
                for lane in range(32 // bits)
            ]
            made = text.replace("ADDED", "\n".join(lanes)).replace("LANES", str(32 // bits))
            delivering[f"{name}{bits}"] = made.replace("BITS", str(bits))
    words = {"SUM": sum_type, "SOURCE": source_type}
    words |= {f"CHUNK{bits}": f"{chunk}u" for bits, chunk in chunks.items()}
    known = dict(_SCALARS)
    for name, text in delivering.items():
        known[name] = re.sub("|".join(words), lambda found: words[found[0]], text)
    used: set[str] = set()
    queue = [body]
    while queue:
        called = re.sub(r"/\*.*?\*/", "", queue.pop(), flags=re.DOTALL)
        for name in set(re.findall(r"\b([a-z]\w*)\(", called)) & known.keys() - used:
            used.add(name)
            queue.append(known[name])
    return [text for name, text in known.items() if name in used]
