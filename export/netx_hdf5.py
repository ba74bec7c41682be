"""HDF5 below a ``.net`` file: plain values by path, written deterministically, read defensively.

No other module uses HDF5 objects of a ``.net`` file. Files are written with HDF5's own checksums:
small values are in object headers (version 2, checksummed), larger ones in chunks with the
Fletcher-32 filter. Damage causes an error, never a wrong number.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .errors import InputError
from .netx_values import Contents, Value, located

if TYPE_CHECKING:
    import h5py  # takes long, so that it is imported where a file is opened

BYTES_MAX = 1 << 30
"""Largest total size that the values of a file may declare, checked before allocation."""
OBJECTS_MAX = 100_000
DEPTH_MAX = 8
_COMPACT_BYTES = 1 << 15
_CHUNK_BYTES = 1 << 20
_HEAP = b"GCOL\x01\x00\x00\x00"

# Errors of h5py on damaged files, found by flipping bytes; the HDF5 library itself raises
# RuntimeError and OSError.
_LIBRARY_ERRORS = (
    OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, MemoryError,
    OverflowError, NotImplementedError, SystemError, IndexError,
)  # fmt: skip


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[h5py.File]:
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file")
    import h5py

    try:
        with located(path), h5py.File(path, "r") as file:
            yield file
    except InputError:
        raise
    except _LIBRARY_ERRORS as error:
        reason = (str(error).strip("'\"").splitlines() or [type(error).__name__])[0][:160]
        raise InputError(
            f"{path}: not a readable HDF5 file, truncated, damaged or foreign ({reason})"
        ) from None


def root_entries(path: str | os.PathLike[str]) -> tuple[set[str], set[str], str]:
    """Return the names of the root's groups and of its datasets, and its attribute ``format``.

    Links that leave the file are neither; the attribute is empty where it is no text.

    Raises
    ------
    InputError
        The file cannot be read.
    """
    import h5py

    with _opened(path) as file:
        names = map(str, file)
        hard = [n for n in names if isinstance(file.get(n, getlink=True), h5py.HardLink)]
        groups = {name for name in hard if file.get(name, getclass=True) is h5py.Group}
        datasets = {name for name in hard if file.get(name, getclass=True) is h5py.Dataset}
        form = file.attrs.get("format", "")
        return groups, datasets, form if isinstance(form, str) else ""


def read_attributes(path: str | os.PathLike[str], group: str) -> dict[str, Value] | None:
    """Return the attributes of a root group, or None if the file has no such group.

    Raises
    ------
    InputError
        The file cannot be read, or an attribute is neither a number nor a string.
    """
    with _opened(path) as file:
        import h5py

        if group not in list(file):
            return None
        if not isinstance(file.get(group, getlink=True), h5py.HardLink):
            raise InputError(f"/{group}: is a soft or external link; data must be in this file")
        attributes: dict[str, Value] = {}
        for name in file[group].attrs:
            if file[group].attrs.get_id(name).dtype.kind == "O":
                _check_heaps(Path(path))
            value = np.asarray(file[group].attrs[name])
            is_text = value.dtype.kind in "SUO"
            attributes[name] = _text(value, f"/{group} attribute {name}") if is_text else value
        return attributes


def read_contents(
    path: str | os.PathLike[str],
    parts: tuple[str, ...],
    without: str = "",
    lists_of_text: bool = False,
) -> Contents:
    """Read everything below the root groups ``parts``, except the group ``without``.

    With ``lists_of_text`` an array of strings becomes an array of ``str`` with dtype object, and an
    empty dataset an empty array, as in NIR files.

    Raises
    ------
    InputError
        The file cannot be read; a link that is not a plain hard link, an object linked twice, data
        kept in other files, a type other than numbers and single strings, or more bytes, objects or
        levels than allowed.
    """
    contents = Contents({}, set())
    walk = _Walk(contents, without, lists_of_text)
    with _opened(path) as file:
        for part in parts:
            if part in list(file):
                walk.enter(file, part, "", 0)
    return contents


@dataclass
class _Walk:
    contents: Contents
    without: str
    lists_of_text: bool
    seen: set[int] = field(default_factory=set)
    declared: int = 0
    heaps_checked: bool = False

    def enter(self, group: h5py.Group, name: str, prefix: str, depth: int) -> None:
        import h5py

        path = f"{prefix}/{name}"
        if path == self.without:
            return
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise InputError(f"{path}: is a soft or external link; data must be in this file")
        found = group[name]
        address = h5py.h5o.get_info(found.id).addr  # pyright: ignore[reportAttributeAccessIssue]
        if address in self.seen:
            raise InputError(f"{path}: the same object is linked twice")
        self.seen.add(address)
        if len(self.seen) > OBJECTS_MAX or depth > DEPTH_MAX:
            raise InputError(
                f"{path}: more than {OBJECTS_MAX} objects or {DEPTH_MAX} levels of groups"
            )
        if isinstance(found, h5py.Group):
            self.contents.groups.add(path)
            for inner in found.keys():  # noqa: SIM118
                self.enter(found, inner, path, depth + 1)
        elif isinstance(found, h5py.Dataset):
            self.contents.values[path] = self._read(found, path)
        else:
            raise InputError(f"{path}: is neither a group nor a dataset")

    def _read(self, dataset: h5py.Dataset, path: str) -> Value:
        import h5py

        if dataset.is_virtual or dataset.external:
            raise InputError(f"{path}: its data are in other files; they must be in this one")
        if dataset.shape is None or 0 in dataset.shape:
            if self.lists_of_text:
                return np.zeros(dataset.shape or 0)
            raise InputError(f"{path}: is empty")
        count = math.prod(dataset.shape)
        self.declared += count * dataset.dtype.itemsize
        if self.declared > BYTES_MAX:
            raise InputError(
                f"{path}: shape {dataset.shape} brings the file to {self.declared} bytes, above "
                f"{BYTES_MAX}"
            )
        text = h5py.check_string_dtype(dataset.dtype)
        if text is not None:
            if text.length is None and not self.heaps_checked:
                _check_heaps(Path(dataset.file.filename))
                self.heaps_checked = True
            if self.lists_of_text and dataset.shape:
                texts = [_text(item, path) for item in np.asarray(dataset[()]).reshape(-1)]
                return np.array(texts, dtype=object).reshape(dataset.shape)
            if count != 1:
                raise InputError(f"{path}: {count} strings, needs one")
            return _text(dataset[()], path)
        if dataset.dtype.kind not in "biuf" or dataset.dtype.itemsize > 8:
            raise InputError(f"{path}: holds {dataset.dtype}, needs real numbers or a string")
        return np.asarray(dataset[()])


def _check_heaps(path: Path) -> None:
    """Refuse a damaged global heap, which holds strings of variable length.

    The HDF5 library (2.0.0) never returns from a heap whose free space has size 0. A heap is
    "GCOL", version 1, three zeros, its size in 8 bytes, then objects: index and reference count in
    2 bytes each, 4 zeros, size in 8 bytes, data padded to 8 (HDF5 file format, III.E).
    """
    raw = path.read_bytes()
    start = raw.find(_HEAP)
    while start >= 0:
        end = start + int.from_bytes(raw[start + 8 : start + 16], "little")
        at = start + 16
        while at + 16 <= end <= len(raw):
            index = int.from_bytes(raw[at : at + 2], "little")
            size = int.from_bytes(raw[at + 8 : at + 16], "little")
            if (index == 0 and size == 0) or at + size > end:
                raise InputError(f"damaged string heap at byte {start}")
            at += size if index == 0 else 16 + (size + 7) // 8 * 8
        start = raw.find(_HEAP, start + 1)


def _text(value: Any, path: str) -> str:
    single = np.asarray(value, dtype=object).reshape(-1)[0]
    if isinstance(single, str):
        return single
    try:
        return bytes(single).decode("utf-8")
    except (UnicodeDecodeError, TypeError):
        raise InputError(f"{path}: holds a string that is not UTF-8") from None


def file_bytes(values: Mapping[str, Value], attributes: Mapping[str, Mapping[str, Value]]) -> bytes:
    """Return a file of values and of attributes of groups, the same bytes for equal values.

    Readable by HDF5 1.10 and later.
    """
    import h5py

    # In memory: the HDF5 library crashes where a file that it closes cannot be written.
    content = io.BytesIO()
    with h5py.File(content, "w", libver=("v110", "v110")) as file:
        for name in sorted(values):
            _write(file, name, values[name])
        for group, entries in attributes.items():
            for name, value in sorted(entries.items()):
                file[group].attrs[name] = _stored(value)
    return content.getvalue()


def _stored(value: Value) -> npt.NDArray[Any]:
    return np.asarray(np.bytes_(value.encode("ascii")) if isinstance(value, str) else value)


def _write(file: h5py.File, name: str, value: Value) -> None:
    array = _stored(value)
    if array.nbytes <= _COMPACT_BYTES:
        _write_compact(file, name, array)
        return
    array = array.reshape(array.shape or (1,))
    row = max(1, array.nbytes // array.shape[0])
    chunk = (min(array.shape[0], max(1, _CHUNK_BYTES // row)), *array.shape[1:])
    file.create_dataset(
        name, data=array, chunks=chunk, compression="gzip", shuffle=True, fletcher32=True
    )


def _write_compact(file: h5py.File, name: str, array: npt.NDArray[Any]) -> None:
    import h5py

    # h5py's create_dataset ignores the layout of a scalar, hence the low-level interface.
    folder, _, leaf = name.rpartition("/")
    layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    layout.set_layout(h5py.h5d.COMPACT)
    layout.set_obj_track_times(False)
    dataset = h5py.h5d.create(
        file.require_group(folder).id,
        leaf.encode("ascii"),
        h5py.h5t.py_create(array.dtype, logical=True),
        h5py.h5s.create_simple(array.shape) if array.shape else h5py.h5s.create(h5py.h5s.SCALAR),
        layout,
    )
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(array).reshape(array.shape))
