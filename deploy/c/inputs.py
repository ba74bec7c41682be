"""The encoder that a network stores as C: raw samples in, rows of inputs out, and a stream of them.

The forms are those of ``tasks/stream_encoders.py``, in float64: the one stage of a network with a
sensor that computes with floating-point numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...export.errors import InputError
from ...tasks.encoders import Graded, LevelCrossing, SlidingWindow, Slope, Unencoded
from .program import Program
from .tables import commented, filled


@dataclass(frozen=True)
class _Form:
    """What an encoder is in C.

    ``members`` of its state, ``tables``, statements of ``push`` and ``end``, which return the
    number of rows; ``rows``: the largest of these; ``maths``: whether it needs ``math.h``.
    """

    members: tuple[str, ...]
    tables: tuple[str, ...]
    push: tuple[str, ...]
    end: tuple[str, ...] = ("(void)e, (void)rows;", "return 0;")
    rows: int = 1
    maths: bool = False


@dataclass(frozen=True)
class PrintedEncoder:
    """The texts of an encoder: header, source, and a program that reads samples from its input."""

    header: str
    source: str
    stream: str


def printed_encoder(program: Program) -> PrintedEncoder | None:
    """Return the network's encoder as C; None where it stores none, or none that streams."""
    from ...tasks.encoders import encoder_from_plain
    from ...tasks.stream_encoders import stream_encoder

    stored = program.network.task.get("encoder")
    if not stored:
        return None
    try:
        encoder = stream_encoder(encoder_from_plain(stored), program.network.input_size)
    except InputError:
        return None
    form = _FORMS[type(encoder.encoder)](encoder.encoder, encoder.channels)
    names = {"p": program.prefix, "m": program.macro, "version": program.version}
    return PrintedEncoder(
        _HEADER.format(
            **names,
            settings=commented(", ".join(f"{k} {v}" for k, v in sorted(stored.items()))),
            channels=encoder.channels,
            rows=form.rows,
            members="\n".join(f"    {line}" for line in (*form.members, "uint32_t seen;")),
        ),
        _SOURCE.format(
            **names,
            includes="#include <math.h>\n" if form.maths else "",
            tables="\n".join(form.tables) + ("\n" if form.tables else ""),
            push="\n".join(f"    {line}" for line in form.push),
            end="\n".join(f"    {line}" for line in form.end),
        ),
        _stream(program, encoder.channels),
    )


_HEADER = """\
/* The encoder of {p}, printed by srnn {version}: {settings}.
 *
 *     static {p}_encoder e;
 *     {p}_encoder_reset(&e);
 *     for (;;) {{
 *         double sample[{m}_CHANNELS];    (in the unit of the training)
 *         {p}_input rows[{m}_ROWS * {m}_INPUTS];
 *         ...
 *         int32_t count = {p}_encode(&e, sample, rows);
 *         for (int32_t i = 0; i < count; i++) {{
 *             label = {p}_step(&s, rows + i * {m}_INPUTS);
 *         }}
 *     }}
 *
 * It computes in float64, as the training did; the network itself computes with integers alone.
 */
#ifndef {m}_ENCODER_H
#define {m}_ENCODER_H

#include "{p}.h"

#ifdef __cplusplus
extern "C" {{
#endif

#define {m}_CHANNELS {channels}
#define {m}_ROWS {rows}

typedef struct {{
{members}
}} {p}_encoder;

/* Before the first sample. */
void {p}_encoder_reset({p}_encoder *e);

/* Takes a sample; returns the number of rows of inputs that it completes, at most {m}_ROWS. */
int32_t {p}_encode({p}_encoder *e, const double *sample, {p}_input *rows);

/* The remaining rows, at the end of a recording. */
int32_t {p}_encode_end({p}_encoder *e, {p}_input *rows);

#ifdef __cplusplus
}}
#endif

#endif
"""

_SOURCE = """\
/* The encoder of {p}; {p}_encoder.h says what it is and how to use it. */
#include "{p}_encoder.h"

{includes}#include <string.h>

enum {{ CHANNELS = {m}_CHANNELS, INPUTS = {m}_INPUTS }};
typedef {p}_encoder encoder;
typedef {p}_input input;

{tables}
void {p}_encoder_reset(encoder *e)
{{
    memset(e, 0, sizeof *e);
}}

int32_t {p}_encode(encoder *e, const double *sample, input *rows)
{{
{push}
}}

int32_t {p}_encode_end(encoder *e, input *rows)
{{
{end}
}}
"""

_STREAM = """\
/* Reads samples from standard input, numbers separated by commas or white space, and prints step
 * and label as they come: what srnn-simulate --stream prints. */
#ifndef ARDUINO

#include "{p}_encoder.h"

#include <stdio.h>

static const char *const classes[] = {{
{classes}
}};
static {p}_state s;
static {p}_encoder e;
static {p}_input rows[{m}_ROWS * {m}_INPUTS];

static void steps(int32_t count)
{{
    int32_t i;
    for (i = 0; i < count; i++) {{
        const int32_t label = {p}_step(&s, rows + i * {m}_INPUTS);
        printf("%lu\\t%s\\n", (unsigned long)(s.steps - 1), label < 0 ? "-" : classes[label]);
    }}
}}

int main(void)
{{
    double sample[{m}_CHANNELS];
    int channel = 0;
    {p}_reset(&s);
    {p}_encoder_reset(&e);
    while (scanf(" %lf ,", &sample[channel]) == 1) {{
        if (++channel == {m}_CHANNELS) {{
            channel = 0;
            steps({p}_encode(&e, sample, rows));
        }}
    }}
    steps({p}_encode_end(&e, rows));
    return 0;
}}

#endif
"""


def _stream(program: Program, channels: int) -> str:
    readout = program.network.readout
    names = readout.classes or tuple(map(str, range(program.network.class_count)))
    return _STREAM.format(
        p=program.prefix,
        m=program.macro,
        channels=channels,
        classes=filled(f'"{_quoted(name)}"' for name in names),
    )


def _quoted(text: str) -> str:
    """Return the inside of a string of C: printable ASCII as it is, other bytes in octal."""
    plain = set(map(chr, range(32, 127))) - set('"\\?')
    return "".join(
        c if c in plain else "".join(f"\\{byte:03o}" for byte in c.encode()) for c in text
    )


def _doubles(name: str, values: Any) -> str:
    numbers = np.asarray(values, np.float64).reshape(-1)
    return (
        f"static const double {name}[{numbers.size}] = {{\n"
        + filled(float(number).hex() for number in numbers)
        + "\n};\n"
    )


def _per_channel(values: tuple[float, ...], channels: int) -> Any:
    return np.broadcast_to(np.asarray(values, np.float64), (channels,))


_BOTH_WAYS = (
    "static void both_ways(input *row, int channel, double difference)\n"
    "{\n"
    "    row[2 * channel] = (input)(difference >= threshold[channel]);\n"
    "    row[2 * channel + 1] = (input)(-difference >= threshold[channel]);\n"
    "}\n"
)
_EACH = "for (c = 0; c < CHANNELS; c++) {"


def _unencoded(encoder: Unencoded, channels: int) -> _Form:  # noqa: ARG001
    return _Form(
        (),
        (),
        ("int c;", _EACH, "    rows[c] = (input)sample[c];", "}", "e->seen++;", "return 1;"),
    )


def _graded(encoder: Graded, channels: int) -> _Form:
    limit = f"{float((1 << encoder.bits) - 1)!r}"
    return _Form(
        (),
        (
            _doubles("offset", _per_channel(encoder.offsets, channels)),
            _doubles("scale", _per_channel(encoder.scales, channels)),
        ),
        (
            "int c;",
            _EACH,
            "    const double x = rint((sample[c] - offset[c]) / scale[c]);",
            f"    rows[c] = (input)(x > {limit} ? {limit} : x < -{limit} ? -{limit} : x);",
            "}",
            "e->seen++;",
            "return 1;",
        ),
        maths=True,
    )


def _level_crossing(encoder: LevelCrossing, channels: int) -> _Form:
    return _Form(
        (f"double reference[{channels}];",),
        (_doubles("threshold", _per_channel(encoder.thresholds, channels)), _BOTH_WAYS),
        (
            "int c;",
            "if (e->seen == 0) {",
            "    memcpy(e->reference, sample, sizeof e->reference);",
            "}",
            "e->seen = 1;",
            _EACH,
            "    both_ways(rows, c, sample[c] - e->reference[c]);",
            "    if (rows[2 * c]) {",
            "        e->reference[c] += threshold[c];",
            "    } else if (rows[2 * c + 1]) {",
            "        e->reference[c] -= threshold[c];",
            "    }",
            "}",
            "return 1;",
        ),
    )


def _slope(encoder: Slope, channels: int) -> _Form:
    window = encoder.window if encoder.filter == "savitzky_golay" else 1
    half = window // 2
    tables = [_doubles("threshold", _per_channel(encoder.thresholds, channels)), _BOTH_WAYS]
    if half:
        from scipy.signal import savgol_coeffs

        middle, fit = savgol_coeffs(window, encoder.order), _fit(window, encoder.order)
        # SciPy adds in pairs what is this symmetric, and so does the printed sum.
        assert (np.abs(middle - middle[::-1]) <= np.finfo(np.float64).eps).all()
        tables += [
            f"enum {{ WINDOW = {window}, HALF = {half} }};\n",
            _doubles("filter", middle),
            _MIDDLE,
            _doubles("begin", fit[:half]),
            _doubles("finish", fit[window - half :]),
            _FITTED,
        ]
    tables.append(_SLOPES)
    return _Form(
        (
            f"double window[{window}][{channels}];",
            f"double last[{channels}];",
            "uint32_t smoothed;",
        ),
        tuple(tables),
        _SLOPE_PUSH if half else _PLAIN_PUSH,
        _SLOPE_END if half else _PLAIN_END,
        half + 1,
    )


def _fit(window: int, order: int) -> Any:
    """Return the matrix whose rows give the fitted polynomial at each place of a window."""
    x = np.arange(window) - window // 2
    powers = np.vander(x / max(window // 2, 1), order + 1)
    basis, _ = np.linalg.qr(powers)
    return basis @ basis.T


_MIDDLE = """\
/* The smoothed value in the middle of the window, added in the order of SciPy. */
static double middle(const encoder *e, int c)
{
    int k;
    double sum = e->window[HALF][c] * filter[HALF];
    for (k = 0; k < HALF; k++) {
        const double pair = e->window[k][c] + e->window[WINDOW - 1 - k][c];
        const double product = pair * filter[WINDOW - 1 - k];
        sum += product;
    }
    return sum;
}
"""
_FITTED = """\
/* The polynomial fitted to the window, at one of its places. */
static double fitted(const encoder *e, int c, const double *row)
{
    double sum = 0.0;
    int k;
    for (k = 0; k < WINDOW; k++) {
        const double product = row[k] * e->window[k][c];
        sum += product;
    }
    return sum;
}
"""
_SLOPES = """\
/* Takes the next smoothed value of a channel; whether its slope is a row. */
static int slope(encoder *e, int c, double value, input *row)
{
    if (e->smoothed > 0) {
        both_ways(row, c, value - e->last[c]);
    }
    e->last[c] = value;
    return e->smoothed > 0;
}
"""
_PLAIN_PUSH = (
    "int c, made = 0;",
    _EACH,
    "    e->window[0][c] = sample[c];",
    "    made = slope(e, c, sample[c], rows);",
    "}",
    "e->smoothed = 1;",
    "e->seen = 1;",
    "return made;",
)
_PLAIN_END = (
    "memset(rows, 0, INPUTS * sizeof *rows);",
    "return e->seen > 0;",
)
_SLOPE_PUSH = (
    "int c, k, made = 0;",
    "memmove(e->window[0], e->window[1], (WINDOW - 1) * sizeof e->window[0]);",
    "memcpy(e->window[WINDOW - 1], sample, sizeof e->window[0]);",
    "if (e->seen < WINDOW) {",
    "    e->seen++;",
    "}",
    "if (e->seen < WINDOW) {",
    "    return 0;",
    "}",
    "for (k = e->smoothed > 0 ? HALF : 0; k <= HALF; k++) {",
    "    int row = 0;",
    "    for (c = 0; c < CHANNELS; c++) {",
    "        const double y = k < HALF ? fitted(e, c, begin + k * WINDOW) : middle(e, c);",
    "        row = slope(e, c, y, rows + made * INPUTS);",
    "    }",
    "    made += row;",
    "    e->smoothed = 1;",
    "}",
    "return made;",
)
_SLOPE_END = (
    "int c, k;",
    "if (e->seen < WINDOW) {",
    "    return 0;",
    "}",
    "for (k = 0; k < HALF; k++) {",
    "    for (c = 0; c < CHANNELS; c++) {",
    "        slope(e, c, fitted(e, c, finish + k * WINDOW), rows + k * INPUTS);",
    "    }",
    "}",
    "memset(rows + HALF * INPUTS, 0, INPUTS * sizeof *rows);",
    "return HALF + 1;",
)


_COPY = (
    "for (c = 0; c < INPUTS; c++) {",
    "    rows[c] = (input)e->pixels[c];",
    "}",
)


def _sliding_window(encoder: SlidingWindow, channels: int) -> _Form:  # noqa: ARG001
    code = "pixel"
    if encoder.binarise is not None:
        least = int(np.argmax(np.arange(257) / encoder.full > encoder.binarise))
        code = f"pixel >= {least}.0"
    return _Form(
        (f"uint8_t pixels[{encoder.window}];",),
        (f"enum {{ FULL = {encoder.full} }};\n",),
        (
            "int c;",
            "const double most = FULL;",
            "const double pixel = *sample < 0.0 ? 0.0 : *sample > most ? most : *sample;",
            "memmove(e->pixels, e->pixels + 1, (INPUTS - 1) * sizeof *e->pixels);",
            f"e->pixels[INPUTS - 1] = (uint8_t)({code});",
            "e->seen += e->seen < INPUTS;",
            *_COPY,
            "return e->seen == INPUTS;",
        ),
        (
            "int c, count;",
            "if (e->seen < INPUTS) {",
            "    return 0;",
            "}",
            "for (count = 0; count < INPUTS - 1; count++, rows += INPUTS) {",
            *(f"    {line}" for line in _COPY),
            "}",
            "return INPUTS - 1;",
        ),
        rows=encoder.window,
    )


_FORMS: dict[type, Callable[[Any, int], _Form]] = {
    Unencoded: _unencoded,
    Graded: _graded,
    LevelCrossing: _level_crossing,
    Slope: _slope,
    SlidingWindow: _sliding_window,
}


def encoder_files(program: Program) -> dict[str, str]:
    """Return the files of a network's encoder; none where it has no streaming form."""
    printed = printed_encoder(program)
    if printed is None:
        return {}
    p = program.prefix
    return {
        f"{p}_encoder.h": printed.header,
        f"{p}_encoder.c": printed.source,
        f"{p}_stream.c": printed.stream,
    }
