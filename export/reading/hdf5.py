"""HDF5 from outside: what may be in a file, checked before the HDF5 library reads it.

The library follows links into other files, loads filters as plug-ins, inflates a chunk to whatever
it holds, and never returns from some damaged heaps. ``opened`` gives a file of which nothing but
plain data inside it can be read.
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from .files import existing, refusing
from .limits import CHUNKS_MAX, OBJECTS_MAX, check_bytes

if TYPE_CHECKING:
    import h5py  # takes long, so that it is imported where a file is opened

_DEFLATE, _SHUFFLE, _FLETCHER32 = 1, 2, 3
_DEFLATE_RATIO = 1032
"""Deflate inflates to at most so many times its size (zlib's technical details)."""
_PIECE = 1 << 20
_AT_ONCE = 1 << 24
"""Bytes of variable length that are read at a time: many elements may point to one large value."""
_UNSTORED = 1 << 24
"""Bytes that may be declared and not stored; they read as zero."""
_ATTRIBUTES_MAX = 1000
_ENTRY = 16
"""Bytes of an entry of text or a list of variable length: what stands for it in a dataset."""
_HDF5 = b"\x89HDF\r\n\x1a\n"
_HEAP = b"GCOL\x01\x00\x00\x00"


@contextmanager
def opened(
    path: str | os.PathLike[str],
    what: str = "a readable HDF5 file",
    error: type[InputError] = InputError,
) -> Iterator[Hdf5File]:
    """Yield a file that can be read safely; the errors of the block are those of ``refusing``.

    Raises
    ------
    InputError
        No such file, damaged, foreign, or it asks for what ``Hdf5File`` refuses.
    """
    file_path = existing(path, error)
    with refusing(path, what, error):
        import h5py

        _check_root(file_path, what, error)
        with h5py.File(file_path, "r") as file:
            yield Hdf5File(file, file_path, file_path.stat().st_size, error)


@dataclass
class Hdf5File:
    """An open file of which only plain data in the file itself is read.

    Paths are absolute. Refused: soft and external links, virtual datasets, data in other files,
    filters other than deflate, shuffle and Fletcher-32 or one of them twice, types other than
    numbers, strings and lists of numbers, damaged heaps, and more objects, chunks or bytes than
    ``limits.py`` allows.
    """

    file: h5py.File
    path: Path
    size: int
    error: type[InputError]
    _declared: int = 0
    _objects: int = 0
    _heaps_checked: bool = False
    _largest: int = 0
    _checked: set[str] = field(default_factory=set)

    def groups(self, path: str = "/") -> list[str]:
        """Return the names of the groups in a group."""
        return [name for name, is_group in self._members(path) if is_group]

    def datasets(self, path: str = "/") -> list[str]:
        """Return the names of the datasets in a group."""
        return [name for name, is_group in self._members(path) if not is_group]

    def entry(self, path: str) -> h5py.Group | h5py.Dataset | None:
        """Return what is at a path; None where nothing is, or neither a group nor a dataset."""
        import h5py

        group: Any = self.file
        for name in filter(None, path.split("/")):
            if not isinstance(group, h5py.Group) or name not in group:
                return None
            self.check_link(group, name, path)
            group = group[name]
        return group if isinstance(group, (h5py.Group, h5py.Dataset)) else None

    def check_link(self, group: h5py.Group, name: str, path: str) -> None:
        """Refuse a link that is not hard; counts the objects that are asked for."""
        from h5py import h5l  # pyright: ignore[reportAttributeAccessIssue]

        kind = group.id.links.get_info(name.encode()).type
        if kind != h5l.TYPE_HARD:
            raise self.error(f"{path}: is a soft or external link; data must be in this file")
        self.count_object(path)

    def count_object(self, path: str, more: int = 1) -> None:
        """Count objects that are read, and refuse too many."""
        self._objects += more
        if self._objects > OBJECTS_MAX:
            raise self.error(f"{path}: more than {OBJECTS_MAX:,} groups, datasets and names")

    def dataset(self, path: str, axes: int | None = None) -> h5py.Dataset | None:
        """Return a dataset that may be read, in parts if wanted by ``rows``; None if there is none.

        ``axes``: only one of so many axes.
        """
        import h5py

        found = self.entry(path)
        if not isinstance(found, h5py.Dataset) or axes not in {None, found.ndim}:
            return None
        self.check(found, path)
        return found

    def read(self, dataset: h5py.Dataset, path: str) -> Any:
        """Check and read a dataset as a whole: an array, or a single value."""
        self.check(dataset, path)
        if dataset.dtype.kind != "O" or not dataset.shape:
            return dataset[()]
        return self.rows(dataset, path, 0, len(dataset))

    def rows(self, dataset: h5py.Dataset, path: str, start: int, stop: int) -> npt.NDArray[Any]:
        """Read rows of a checked dataset; what lists and strings hold counts when it is read."""
        if dataset.dtype.kind != "O":
            return np.asarray(dataset[start:stop])
        row = math.prod(dataset.shape[1:]) * max(1, self._largest)
        check_bytes(self._declared + row, self.size, path, self.error)
        step, parts = max(1, _AT_ONCE // max(1, row)), []
        for at in range(start, min(stop, len(dataset)), step):
            part = np.asarray(dataset[at : min(at + step, stop)], dtype=object)
            self._declare(sum(getattr(one, "nbytes", len(one)) for one in part.flat), path)
            parts.append(part)
        return np.concatenate(parts) if parts else np.empty((0, *dataset.shape[1:]), dtype=object)

    def check(self, dataset: h5py.Dataset, path: str) -> None:
        """Refuse a dataset that cannot be read safely; its declared size counts once."""
        import h5py

        if path in self._checked:
            return
        self._checked.add(path)
        made = dataset.id.get_create_plist()
        layout = made.get_layout()
        if layout == h5py.h5d.VIRTUAL or made.get_external_count():
            raise self.error(f"{path}: its data are in other files; they must be in this one")
        kind = dataset.id.get_type()
        self._check_type(kind, path)
        # In memory, text of variable length is a pointer.
        size = _ENTRY if _listed(kind) else kind.get_size()
        declared = math.prod(dataset.shape or (0,)) * size
        self._declare(declared, path)
        if layout == h5py.h5d.CHUNKED:
            self._check_chunks(dataset, made, size, path)
        elif _listed(kind):
            self._check_entries(self._contiguous(dataset, declared, path), kind, path)
        if declared > dataset.id.get_storage_size() * _DEFLATE_RATIO + _UNSTORED:
            raise self.error(f"{path}: declares {declared:,} bytes that the file does not hold")

    def attributes(self, path: str, name: str | None = None) -> dict[str, npt.NDArray[Any]]:
        """Return the attributes of a group, or the one of that name: numbers and text.

        Text of variable length is refused; it is as if it were not there where one is asked for.
        """
        import h5py

        group = self.entry(path) if path != "/" else self.file
        if group is None:
            return {}
        if len(group.attrs) > _ATTRIBUTES_MAX:
            raise self.error(f"{path}: more than {_ATTRIBUTES_MAX} attributes")
        found = {}
        for one in group.attrs if name is None else {name} & set(group.attrs):
            where = f"{path} attribute {one}"
            self.count_object(where)
            attribute = h5py.h5a.open(group.id, one.encode())
            kind = attribute.get_type()
            if _listed(kind):
                # The library takes memory for whatever length such text claims to have.
                if name is not None:
                    continue
                raise self.error(f"{where}: text of variable length; store it at a fixed length")
            self._check_type(kind, where)
            self._declare(math.prod(attribute.shape or (0,)) * kind.get_size(), where)
            found[one] = np.asarray(group.attrs[one])
        return found

    def _members(self, path: str) -> Iterator[tuple[str, bool]]:
        import h5py
        from h5py import h5l, h5o  # pyright: ignore[reportAttributeAccessIssue]

        group = self.file if path == "/" else self.entry(path)
        if not isinstance(group, h5py.Group):
            return
        if len(group) > OBJECTS_MAX:
            raise self.error(f"{path}: {len(group):,} entries, at most {OBJECTS_MAX:,}")
        for name in map(str, group):
            if group.id.links.get_info(name.encode()).type == h5l.TYPE_HARD:
                kind = h5o.get_info(group.id, name.encode()).type
                if kind in {h5o.TYPE_GROUP, h5o.TYPE_DATASET}:
                    yield name, kind == h5o.TYPE_GROUP

    def _declare(self, count: int, path: str) -> None:
        self._declared += count
        check_bytes(self._declared, self.size, path, self.error)

    def _check_type(self, kind: Any, path: str) -> None:
        import h5py

        plain = {h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING, h5py.h5t.ENUM}
        of = kind.get_class()
        if of == h5py.h5t.VLEN:
            inner = kind.get_super().get_class()
            if inner not in {h5py.h5t.INTEGER, h5py.h5t.FLOAT}:
                raise self.error(f"{path}: holds lists of no numbers")
        elif of not in plain:
            raise self.error(f"{path}: holds neither numbers nor strings; needs numbers")
        if _listed(kind):
            self._check_heaps()

    def _check_chunks(self, dataset: h5py.Dataset, made: Any, size: int, path: str) -> None:
        filters = [made.get_filter(index)[0] for index in range(made.get_nfilters())]
        foreign = set(filters) - {_DEFLATE, _SHUFFLE, _FLETCHER32}
        if foreign or len(set(filters)) < len(filters):
            said = f"filter {foreign.pop()}" if foreign else "a filter twice"
            raise self.error(
                f"{path}: has {said}; deflate, shuffle and Fletcher-32 are read, each once"
            )
        if [one for one in filters if one != _FLETCHER32] == [_DEFLATE, _SHUFFLE]:
            raise self.error(f"{path}: is compressed before it is shuffled; store it again")
        chunk = made.get_chunk()
        count = math.prod(-(-n // m) for n, m in zip(dataset.shape, chunk, strict=True))
        if count > CHUNKS_MAX:
            raise self.error(
                f"{path}: {count:,} chunks of {chunk}, at most {CHUNKS_MAX:,}; store it in larger "
                "chunks"
            )
        held = math.prod(chunk) * size
        check_bytes(held, self.size, f"{path}: a chunk", self.error)
        stored: list[tuple[tuple[int, ...], int, int]] = []
        dataset.id.chunk_iter(
            lambda one: stored.append((one.chunk_offset, one.filter_mask, one.size))
        )
        if sum(one[2] for one in stored) > self.size:
            raise self.error(f"{path}: its chunks share bytes of the file")
        for offset, skipped, length in stored:
            self._check_chunk(dataset, filters, offset, skipped, length, held, path)

    def _check_chunk(  # noqa: PLR0917
        self,
        dataset: h5py.Dataset,
        filters: list[int],
        offset: tuple[int, ...],
        skipped: int,
        length: int,
        held: int,
        path: str,
    ) -> None:
        """Refuse a chunk that is not exactly as long as declared: the library trusts that it is.

        It inflates again; of a chunk with too few bytes it reads beyond them.
        """
        used = [one for index, one in enumerate(filters) if not skipped >> index & 1]
        checksum = 4 if _FLETCHER32 in used else 0
        found = length - checksum
        if _DEFLATE in used:
            raw = dataset.id.read_direct_chunk(offset)[1]
            inside = used.index(_FLETCHER32) < used.index(_DEFLATE) if checksum else False
            found = _inflated(raw if inside or not checksum else raw[:-4], held + checksum)
            found -= checksum if inside else 0
        if _listed(dataset.id.get_type()):
            raw = dataset.id.read_direct_chunk(offset)[1]
            plain = zlib.decompress(raw) if _DEFLATE in used and found == held else raw
            if _SHUFFLE in used:
                plain = np.frombuffer(plain[:held], np.uint8).reshape(_ENTRY, -1).T.tobytes()
            self._check_entries(plain[:held], dataset.id.get_type(), path)
        if found != held:
            more = "inflates beyond" if found > held else f"holds {found:,} of"
            raise self.error(f"{path}: a chunk {more} its {held:,} bytes")

    def _contiguous(self, dataset: h5py.Dataset, declared: int, path: str) -> bytes:
        start = dataset.id.get_offset()
        if start is None:
            if dataset.id.get_storage_size():
                raise self.error(f"{path}: text or lists in an object's header; store it again")
            return b""
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(declared)

    def _check_entries(self, raw: bytes, kind: Any, path: str) -> None:
        """Refuse an entry that claims to be longer than all that the heaps hold.

        The library takes memory for the length that stands in the entry, before it looks where the
        entry points: length in 4 bytes, address in 8, index in 4 (HDF5 file format, IV.A.2.d).
        """
        import h5py

        if self.file.id.get_create_plist().get_sizes() != (8, 8):
            raise self.error(f"{path}: text or lists at addresses that are not of 8 bytes")
        item = kind.get_super().get_size() if kind.get_class() == h5py.h5t.VLEN else 1
        lengths = np.frombuffer(raw[: len(raw) // _ENTRY * _ENTRY], "<u4")[:: _ENTRY // 4]
        if lengths.size and int(lengths.max()) * item > self._largest:
            raise self.error(f"{path}: an entry of more bytes than the file holds of text or lists")

    def _check_heaps(self) -> None:
        """Refuse a damaged global heap, which holds strings and lists of variable length.

        The HDF5 library (2.0.0) never returns from a heap whose free space has size 0. A heap is
        "GCOL", version 1, three zeros, its size in 8 bytes, then objects: index and reference count
        in 2 bytes each, 4 zeros, size in 8 bytes, data padded to 8 (HDF5 file format, III.E).
        """
        if self._heaps_checked:
            return
        self._heaps_checked = True
        # Not mapped: a file that another program cuts off would end this process.
        raw = self.path.read_bytes()
        # Heaps that overlap would make this quadratic.
        left = len(raw) // 16 + 1
        start = raw.find(_HEAP)
        while start >= 0:
            end = start + int.from_bytes(raw[start + 8 : start + 16], "little")
            at = start + 16
            while at + 16 <= end <= len(raw):
                index = int.from_bytes(raw[at : at + 2], "little")
                size = int.from_bytes(raw[at + 8 : at + 16], "little")
                left -= 1
                if (index == 0 and size == 0) or at + size > end or left < 0:
                    raise self.error(f"damaged string heap at byte {start}")
                if index:
                    self._largest = max(self._largest, size)
                at += size if index == 0 else 16 + (size + 7) // 8 * 8
            start = raw.find(_HEAP, start + 1)


def _check_root(path: Path, what: str, error: type[InputError]) -> None:
    """Refuse a file whose outermost group lies where its superblock does.

    The HDF5 library (2.0.0) takes a gigabyte and a second of time for that. In a superblock of
    version 0 the address is at byte 64 (HDF5 file format, II.A).
    """
    with path.open("rb") as file:
        head = file.read(72)
    if head.startswith(_HDF5) and head[8:9] == b"\0" and not any(head[64:72]):
        raise error(
            f"{path}: not {what}, truncated, damaged or foreign (it has no outermost group)"
        )


def _listed(kind: Any) -> bool:
    """Whether what has this type is of variable length."""
    import h5py

    of = kind.get_class()
    return of == h5py.h5t.VLEN or (of == h5py.h5t.STRING and kind.is_variable_str())


def _inflated(raw: bytes, limit: int) -> int:
    """Return how many bytes a chunk inflates to, counted up to above ``limit``."""
    inflate, total = zlib.decompressobj(), 0
    while raw and not inflate.eof and total <= limit:
        total += len(inflate.decompress(raw, _PIECE))
        raw = inflate.unconsumed_tail
    return total
