"""Changed inputs: bytes of any kind, tokens of text, members of archives, objects of HDF5."""

from __future__ import annotations

import gzip
import io
import random
import re
import zipfile
import zlib
from collections.abc import Callable, Sequence

import h5py
import numpy as np

Mutation = Callable[[random.Random, bytes, Sequence[bytes]], bytes]

SIZE_MAX = 1 << 21
"""Bytes of a changed input: what grows in every step ends."""

_WIDTHS = (1, 2, 4, 8)
_NUMBERS = (
    0,
    1,
    -1,
    2,
    7,
    8,
    127,
    128,
    255,
    256,
    32767,
    32768,
    65535,
    2**31 - 1,
    2**31,
    2**62,
    2**63,
)
_TOKENS = (  # noqa: SIM905 a list of these would be a page
    "0 1 -1 2 3.5 1e309 -0.0 nan inf null true false 99999999999999999999 0x10 1_000 [ ] { } ( ) "
    ", : ; = ' \" \\ # @ ? \t \n \r\n \r \x00 \x1b \ufeff \u2028 \u202e \ud7ff é 漢 "
    "label inputs name"
).split(" ")  # fmt: skip
_LONG = ("1" * 5000, "[" * 3000, "{" * 3000, "a." * 3000, '"' * 3000, "a" * 70_000, "1," * 30_000)
_MARKS = re.compile(
    rb"TREE|HEAP|SNOD|GCOL|OHDR|OCHK|FRHP|FSHD|BTHD|BTLF|\x89HDF|PK\x01\x02|PK\x05\x06|PK\x03\x04"
)


def any_bytes(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Change bytes anywhere, or near what begins a structure of HDF5 or of an archive."""
    made = bytearray(content)
    marks = [found.start() for found in _MARKS.finditer(content)]
    for _ in range(rng.choice((1, 1, 1, 2, 2, 4, 8, 24))):
        if not made:
            return rng.randbytes(rng.randrange(64))
        at = rng.randrange(len(made))
        if marks and rng.random() < 0.6:
            at = min(rng.choice(marks) + rng.randrange(96), len(made) - 1)
        end = min(at + 1 + int(rng.expovariate(1 / 24)), len(made))
        change = rng.randrange(9)
        if change == 0:
            made[at] ^= 1 << rng.randrange(8)
        elif change == 1:
            made[at] = rng.randrange(256)
        elif change in {2, 3}:
            width = rng.choice(_WIDTHS)
            number = rng.choice(_NUMBERS) % (1 << 8 * width)
            made[at : at + width] = number.to_bytes(width, rng.choice(("little", "big")))
        elif change == 4:
            del made[at:end]
        elif change == 5:
            made[at:at] = rng.randbytes(rng.randrange(1, 17))
        elif change == 6:
            made[at:at] = made[at:end] * rng.choice((1, 1, 2, 100))
        elif change == 7:
            other = rng.choice(others)
            begin = rng.randrange(len(other) + 1)
            made[at:end] = other[begin : begin + rng.randrange(256)]
        elif rng.random() < 0.2:
            del made[at:]
    return bytes(made[:SIZE_MAX])


def tokens(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Change words, numbers and signs of a text, its lines and its encoding."""
    if rng.random() < 0.1:
        return any_bytes(rng, content, others)
    parts = re.findall(r"\w+|\s|.", content.decode("utf-8", "replace"), re.DOTALL) or [""]
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        at = rng.randrange(len(parts))
        change = rng.randrange(8)
        if change < 3:
            parts[at] = rng.choice(_TOKENS)
        elif change == 3:
            parts[at] = ""
        elif change == 4:
            parts.insert(at, rng.choice(_TOKENS))
        elif change == 5:
            other = rng.randrange(len(parts))
            parts[at], parts[other] = parts[other], parts[at]
        elif change == 6:
            parts[at:at] = parts[at : at + rng.randrange(1, 30)] * rng.choice((1, 1, 1, 2, 50, 500))
        elif rng.random() < 0.1:
            parts[at] = rng.choice(_LONG)
        else:
            parts[at] = str(rng.choice(_NUMBERS))
    text = "".join(parts)[:SIZE_MAX]
    encoding = rng.choice(("utf-8",) * 12 + ("utf-8-sig", "utf-16", "latin-1", "utf-32"))
    return text.encode(encoding, "replace")


def archive(inner: Mutation) -> Mutation:
    """Change one member of a zip by ``inner``, and pack it with a right checksum."""

    def change(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
        if rng.random() < 0.3:
            return any_bytes(rng, content, others)
        with zipfile.ZipFile(io.BytesIO(content)) as given:
            members = [[name, given.read(name)] for name in given.namelist()]
        chosen = rng.choice(members)
        action = rng.randrange(10)
        if action < 7:
            # The first bytes are the header of an npy, where most of what is read is said.
            chosen[1] = inner(rng, bytes(chosen[1]), [bytes(body) for _, body in members])
        elif action == 7:
            members.remove(chosen)
        elif action == 8:
            chosen[0] = rng.choice(members)[0] + rng.choice(("", "x", "/", "../", "\x00"))
        else:
            members.append([chosen[0], rng.choice(members)[1]])
        packed = io.BytesIO()
        how = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
        with zipfile.ZipFile(packed, "w", how) as made:
            for name, body in members:
                made.writestr(str(name), body)
        return packed.getvalue()

    return change


def header(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Change the text of an npy's header, whose length stays right, or any bytes."""
    if content[:6] != b"\x93NUMPY" or rng.random() < 0.4:
        return any_bytes(rng, content, others)
    size = int.from_bytes(content[8:10], "little")
    text = tokens(rng, content[10 : 10 + size].rstrip(), others)[:60_000] + b"\n"
    return content[:8] + len(text).to_bytes(2, "little") + text + content[10 + size :]


def gzipped(inner: Mutation) -> Mutation:
    """Change what a gzip holds, or its bytes."""

    def change(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
        if rng.random() < 0.4:
            return any_bytes(rng, content, others)
        return gzip.compress(inner(rng, gzip.decompress(content), others), 1)

    return change


def hdf5(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Change objects of an HDF5 file by the library itself, or any bytes."""
    if rng.random() < 0.7:
        return any_bytes(rng, content, others)
    buffer = io.BytesIO(content)
    with h5py.File(buffer, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        for _ in range(rng.choice((1, 1, 2))):
            _object(rng, file, rng.choice(names))
    return buffer.getvalue()[:SIZE_MAX]


def _object(rng: random.Random, file: h5py.File, name: str) -> None:
    if file.get(name) is None:
        return
    found = file[name]
    change = rng.randrange(8)
    if change < 3 and isinstance(found, h5py.Dataset):
        _values(rng, file, name, found)
    elif change == 3 and len(found.attrs):
        key = rng.choice(list(found.attrs))
        found.attrs[key] = rng.choice(
            (1, -1, 2**62, 0.5, float("nan"), "x\x1b[2J", [1, 2], b"\xff")
        )
    elif change == 4:
        del file[name]
    elif change == 5:
        del file[name]
        file[name] = rng.choice(
            (h5py.SoftLink("/"), h5py.SoftLink("/nowhere"), h5py.ExternalLink("a.h5", "/"))
        )
    elif change == 6:
        file.require_group(f"{name}~").attrs["x"] = 1
    else:
        other: list[str] = []
        file.visit(other.append)
        target = file.get(rng.choice(other)) if other else None
        del file[name]
        if target is not None:
            file[name] = target


def _values(rng: random.Random, file: h5py.File, name: str, found: h5py.Dataset) -> None:
    shape, kind = found.shape or (), found.dtype
    # A change before this one may have declared billions.
    near = tuple(min(size, 64) for size in shape)
    attributes = dict(found.attrs)
    del file[name]
    change = rng.randrange(6)
    if change == 0:
        declared = tuple(rng.choice((0, 1, 3, 2**20, 2**40)) for _ in range(len(shape) or 1))
        try:
            file.create_dataset(name, declared, kind, chunks=True, compression="gzip")
        except (ValueError, TypeError, OSError):
            file[name] = 0
    elif change == 1:
        file[name] = np.full(near, rng.choice((0, 1, -1, 2**62, -(2**62))), np.int64)
    elif change == 2:
        file[name] = np.full(near, rng.choice((0.5, np.nan, np.inf, -1e300)), np.float64)
    elif change == 3:
        file[name] = rng.choice(("text", b"bytes", np.bool_(True), np.complex64(1j)))
    elif change == 4:
        sizes = tuple(size + rng.randrange(-1, 2) for size in near if size)
        file[name] = np.zeros(sizes, np.int32)
    else:
        data = zlib.compress(rng.randbytes(rng.randrange(1, 400)))
        one = file.create_dataset(name, (64,), np.int32, chunks=(16,), compression="gzip")
        one.id.write_direct_chunk((16 * rng.randrange(4),), data)
    for key, value in attributes.items():
        file[name].attrs[key] = value
