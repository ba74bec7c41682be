"""Archives and arrays from outside: zip, npz, npy, gzip, tar, WAV and MATLAB files.

Every size that a file declares is compared with what is there, or with ``limits.py``, before
anything is allocated.
"""

from __future__ import annotations

import gzip
import io
import math
import os
import re
import sys
import tarfile
import warnings
import wave
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from .files import existing, refusing
from .limits import HEADER_BYTES_MAX, OBJECTS_MAX, check_bytes

_PIECE = 1 << 20
_NPY = b"\x93NUMPY"
_ENCRYPTED = 1
"""Bit of the flags of a member of a zip."""
_ENTRY = b"PK\x01\x02"
_DIRECTORY_BYTES = 1 << 25
"""Where the entries of a zip's directory are counted before zipfile makes an object of each."""


@contextmanager
def zip_members(
    file: IO[bytes], where: object, error: type[InputError] = InputError
) -> Iterator[tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]]:
    """Yield an archive and its members by name; nothing is inflated.

    Raises
    ------
    InputError
        Too many members, two of one name, an encrypted one, or one of a foreign compression.
    """
    _check_directory(file, where, error)
    with zipfile.ZipFile(file) as archive:
        members: dict[str, zipfile.ZipInfo] = {}
        for one in archive.infolist():
            if one.filename in members:
                raise error(f"{where}: has two members {one.filename!r}")
            if one.flag_bits & _ENCRYPTED:
                raise error(f"{where}: {one.filename!r} is encrypted")
            if one.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                raise error(f"{where}: {one.filename!r} is compressed by other than deflate")
            members[one.filename] = one
        yield archive, members


def _check_directory(file: IO[bytes], where: object, error: type[InputError]) -> None:
    size = file.seek(0, os.SEEK_END)
    tail = min(size, _DIRECTORY_BYTES)
    file.seek(size - tail)
    count = file.read(tail).count(_ENTRY)
    file.seek(0)
    if count > OBJECTS_MAX:
        raise error(f"{where}: {count:,} members, at most {OBJECTS_MAX:,}")


def is_zip(file: IO[bytes]) -> bool:
    """Return whether a file begins as a zip does; it is left at its beginning."""
    found = file.read(4) == b"PK\x03\x04"
    file.seek(0)
    return found


def member_bytes(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytearray:
    """Return a member of a zip; never more is inflated than it declares.

    Raises
    ------
    InputError
        It holds less.
    zipfile.BadZipFile, zlib.error, ...
        It is damaged.
    """
    content, size = bytearray(), member.file_size
    with archive.open(member) as stream:
        # Piece by piece: read() without a size inflates all that is there, whatever is declared,
        # and what is declared and not there takes no memory.
        while part := stream.read(min(_PIECE, size - len(content))):
            content += part
    if len(content) < size:
        raise InputError(f"{member.filename}: holds {len(content):,} bytes, not {size:,}")
    return content


def read_npz(
    path: str | os.PathLike[str],
    names: Collection[str] | None = None,
    error: type[InputError] = InputError,
) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of an ``.npz`` file, all or those of ``names`` that it holds.

    Raises
    ------
    InputError
        No complete file of plain arrays, or one that asks for too much.
    """
    file = existing(path, error)
    arrays: dict[str, npt.NDArray[Any]] = {}
    with (
        refusing(path, "a complete .npz file of plain arrays", error),
        file.open("rb") as opened,
        zip_members(opened, path, error) as (archive, members),
    ):
        chosen = {
            name.removesuffix(".npy"): one
            for name, one in members.items()
            if name.endswith(".npy") and (names is None or name.removesuffix(".npy") in names)
        }
        total = sum(one.file_size for one in chosen.values())
        check_bytes(total, file.stat().st_size, str(path), error)
        for name, one in chosen.items():
            # As a whole: zipfile checks the checksum only at the end of a member.
            arrays[name] = array_from(member_bytes(archive, one), f"{path}: {name}", error)
    return arrays


def read_npy(
    path: str | os.PathLike[str], error: type[InputError] = InputError
) -> npt.NDArray[Any]:
    """Return the array of an ``.npy`` file.

    Raises
    ------
    InputError
        No such file, or one of Python objects, or that declares more than it holds.
    """
    file = existing(path, error)
    with refusing(path, "a complete .npy file of a plain array", error):
        return array_from(bytearray(file.read_bytes()), str(path), error)


def array_from(
    raw: bytearray, where: str, error: type[InputError] = InputError
) -> npt.NDArray[Any]:
    """Return the array in the bytes of an ``.npy`` file; it shares their memory."""
    stream = io.BytesIO(raw)
    version = np.lib.format.read_magic(stream)
    header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if header is None:
        raise error(f"{where}: an .npy file of version {version}; save it with np.save")
    begin = stream.tell() + (2 if version == (1, 0) else 4)
    length = int.from_bytes(raw[stream.tell() : begin], "little")
    # Python's parser takes seconds on some damaged text of a few thousand characters.
    text = bytes(raw[begin : begin + length]).strip()
    if len(text) > HEADER_BYTES_MAX or not (text.isascii() and text.decode("ascii").isprintable()):
        raise error(
            f"{where}: is not a complete .npy: its header is not a line of at most "
            f"{HEADER_BYTES_MAX} characters"
        )
    with warnings.catch_warnings():
        # Of headers that Python 2 wrote, and of what Python's parser finds odd in damaged ones.
        warnings.simplefilter("ignore")
        shape, fortran, dtype = header(stream)
    if dtype.hasobject:
        raise error(f"{where}: holds Python objects, which are not loaded; save plain arrays")
    if dtype.itemsize == 0 or any(n < 0 for n in shape):
        raise error(f"{where}: {dtype} {shape} is no array")
    count, at = math.prod(shape), stream.tell()
    if count * dtype.itemsize > len(raw) - at:
        raise error(
            f"{where}: declares {dtype} {shape}, {count * dtype.itemsize:,} bytes, and holds "
            f"{len(raw) - at:,}; it is cut off or damaged"
        )
    flat = np.frombuffer(raw, dtype, count, at) if count else np.empty(0, dtype)
    if dtype.kind == "U" and count:
        codes = flat.view(np.dtype(np.uint32).newbyteorder(dtype.byteorder))
        if codes.max() > sys.maxunicode:
            raise error(f"{where}: holds text of characters that do not exist; it is damaged")
    return flat.reshape(shape, order="F" if fortran else "C")


def is_npy(path: Path) -> bool:
    """Return whether a file begins as an ``.npy`` file does."""
    with path.open("rb") as file:
        return file.read(len(_NPY)) == _NPY


def gunzip(content: bytes, where: str, error: type[InputError] = InputError) -> bytes:
    """Return what gzip compressed, of any number of members.

    Raises
    ------
    InputError
        Not a complete gzip file, or one that inflates beyond the limit.
    """
    plain = bytearray()
    with (
        refusing(where, "a complete gzip file", error),
        gzip.GzipFile(fileobj=io.BytesIO(content)) as file,
    ):
        while part := file.read(_PIECE):
            check_bytes(len(plain) + len(part), len(content), where, error)
            plain += part
    return bytes(plain)


def tar_files(
    content: bytes, named: re.Pattern[str], where: str, error: type[InputError] = InputError
) -> list[tuple[str, bytes]]:
    """Return name and content of the files of a ``.tar.gz`` whose names match.

    Raises
    ------
    InputError
        Not a complete archive, or one that inflates beyond the limit.
    """
    files: list[tuple[str, bytes]] = []
    plain = gunzip(content, where, error)
    with (
        refusing(where, "a complete archive", error),
        tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as archive,
    ):
        for count, member in enumerate(archive):
            if count >= OBJECTS_MAX:
                raise error(f"{where}: more than {OBJECTS_MAX:,} members")
            # Links, and files with holes, take more than the archive holds.
            if named.search(member.name) and member.isreg() and not member.issparse():
                stream = archive.extractfile(member)
                assert stream is not None
                files.append((member.name, stream.read()))
    return files


def read_wav(
    content: bytes, where: str, error: type[InputError] = InputError
) -> tuple[tuple[int, int, int], bytes]:
    """Return channels, bytes of a sample and sample rate of a WAV file, and its frames.

    Raises
    ------
    InputError
        Not a complete WAV file.
    """
    with refusing(where, "a complete WAV file", error), wave.open(io.BytesIO(content)) as file:
        form = (file.getnchannels(), file.getsampwidth(), file.getframerate())
        # A header may declare more frames than there are.
        return form, file.readframes(min(file.getnframes(), len(content)))


def read_mat(content: bytes, where: str, error: type[InputError] = InputError) -> dict[str, Any]:
    """Return the variables of a MATLAB file.

    Raises
    ------
    InputError
        Not such a file.
    """
    from scipy.io import loadmat

    with refusing(where, "a MATLAB file", error):
        return loadmat(io.BytesIO(content))
