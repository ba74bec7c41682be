"""HDF5 below a ``.net`` file: plain values by path, written deterministically, read defensively.

No other module uses HDF5 objects of a ``.net`` file. Files are written with HDF5's own checksums:
small values are in object headers (version 2, checksummed), larger ones in chunks with the
Fletcher-32 filter. Damage causes an error, never a wrong number.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .errors import InputError
from .netx_values import Contents, Value
from .reading.hdf5 import Hdf5File, opened
from .reading.limits import GROUPS_DEEP_MAX

if TYPE_CHECKING:
    import h5py  # takes long, so that it is imported where a file is opened

_COMPACT_BYTES = 1 << 15
_CHUNK_BYTES = 1 << 20


def root_entries(path: str | os.PathLike[str]) -> tuple[set[str], set[str], str]:
    """Return the names of the root's groups and of its datasets, and its attribute ``format``.

    Links that leave the file are neither; the attribute is empty where it is no text.

    Raises
    ------
    InputError
        The file cannot be read.
    """
    with opened(path) as file:
        form = file.attributes("/", "format").get("format")
        text = form is not None and form.dtype.kind in "SUO" and form.size == 1
        return (
            set(file.groups()),
            set(file.datasets()),
            _text(form, "format") if text else "",
        )


def read_attributes(path: str | os.PathLike[str], group: str) -> dict[str, Value] | None:
    """Return the attributes of a root group, or None if the file has no such group.

    Raises
    ------
    InputError
        The file cannot be read, or an attribute is neither a number nor a string.
    """
    with opened(path) as file:
        if file.entry(f"/{group}") is None:
            return None
        return {
            name: _text(value, f"/{group} attribute {name}") if value.dtype.kind in "SUO" else value
            for name, value in file.attributes(f"/{group}").items()
        }


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
        The file cannot be read; an object linked twice, a type other than numbers and single
        strings, or what ``reading/hdf5.py`` refuses.
    """
    contents = Contents({}, set())
    with opened(path) as file:
        walk = _Walk(file, contents, without, lists_of_text)
        for part in parts:
            if part in file.file:
                walk.enter(file.file, part, "", 0)
    return contents


@dataclass
class _Walk:
    file: Hdf5File
    contents: Contents
    without: str
    lists_of_text: bool
    seen: set[int] = field(default_factory=set)

    def enter(self, group: h5py.Group, name: str, prefix: str, depth: int) -> None:
        import h5py
        from h5py import h5o  # pyright: ignore[reportAttributeAccessIssue]

        path = f"{prefix}/{name}"
        if path == self.without:
            return
        self.file.check_link(group, name, path)
        found = h5o.open(group.id, name.encode())
        address = h5o.get_info(found).addr
        if address in self.seen:
            raise InputError(f"{path}: the same object is linked twice")
        self.seen.add(address)
        if depth > GROUPS_DEEP_MAX:
            raise InputError(f"{path}: more than {GROUPS_DEEP_MAX} levels of groups")
        if isinstance(found, h5py.h5g.GroupID):
            self.contents.groups.add(path)
            inside = h5py.Group(found)
            for inner in map(str, inside):
                self.enter(inside, inner, path, depth + 1)
        elif isinstance(found, h5py.h5d.DatasetID):
            self.contents.values[path] = self._read(h5py.Dataset(found), path)
        else:
            raise InputError(f"{path}: is neither a group nor a dataset")

    def _read(self, dataset: h5py.Dataset, path: str) -> Value:
        shape, dtype = dataset.shape, dataset.dtype
        self.file.check(dataset, path)
        if shape is None or 0 in shape:
            if self.lists_of_text:
                return np.zeros(shape or 0)
            raise InputError(f"{path}: is empty")
        if dtype.kind in "SO":
            if self.lists_of_text and shape:
                self.file.count_object(path, math.prod(shape))
                found = self.file.read(dataset, path)
                texts = [_text(item, path) for item in np.asarray(found).reshape(-1)]
                return np.array(texts, dtype=object).reshape(shape)
            if math.prod(shape) != 1:
                raise InputError(f"{path}: {math.prod(shape)} strings, needs one")
            return _text(dataset[()], path)
        if dtype.kind not in "biuf" or dtype.itemsize > 8:
            raise InputError(f"{path}: holds {dtype}, needs real numbers or a string")
        return np.asarray(self.file.read(dataset, path))


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
