"""The file below a trace, for the HDF5 library, which crashes where a file cannot be written.

The library only ever hears that its writes succeeded. The first that fails is remembered, it and
all later ones are kept in memory, so that what the library reads back is what it wrote, and the
error is raised where Python continues, before the next array.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from ..export.files import naming


class TraceStorage(io.RawIOBase):
    """A new file that ``h5py.File`` writes to; nothing that the library calls raises.

    Parameters
    ----------
    path
        The file, opened for reading and writing.
    name
        The file that error messages speak of.
    """

    def __init__(self, path: Path, name: str | os.PathLike[str]) -> None:
        super().__init__()
        self._file = path.open("w+b", buffering=0)
        self._name, self._temporary = name, path
        self._position = 0
        self._end = 0
        self._failed: OSError | None = None
        self._kept: list[tuple[int, bytes]] = []

    def check(self) -> None:
        """Raise what went wrong so far.

        Raises
        ------
        OSError
            A write failed; with the file's name and the bytes that it needs at least.
        """
        if self._failed is not None:
            with naming(self._name, self._temporary, self._end):
                raise OSError(self._failed.errno, self._failed.strerror)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position, and return it."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._end}[whence]
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer from the position on; zeros where nothing was written."""
        view = memoryview(buffer).cast("B")
        start, stop = self._position, self._position + len(view)
        self._file.seek(start)
        found = self._file.read(len(view)) or b""
        view[:] = found.ljust(len(view), b"\0")
        for at, content in self._kept:
            first, last = max(start, at), min(stop, at + len(content))
            if first < last:
                view[first - start : last - start] = content[first - at : last - at]
        self._position = stop
        return len(view)

    def write(self, content: Any) -> int:
        """Write at the position, into memory after the first failure."""
        view = memoryview(content).cast("B")
        if self._failed is None:
            try:
                self._file.seek(self._position)
                rest = view
                while rest:
                    rest = rest[self._file.write(rest) :]
            except OSError as error:
                self._failed = error
        if self._failed is not None:
            self._kept.append((self._position, bytes(view)))
        self._position += len(view)
        if view:
            self._end = max(self._end, self._position)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Set the file's length."""
        self._end = self._position if size is None else size
        self._kept = [(at, content[: max(self._end - at, 0)]) for at, content in self._kept]
        try:
            self._file.truncate(self._end)
        except OSError as error:
            self._failed = self._failed or error
        return self._end

    def close(self) -> None:
        """Close the file itself; the library has its own notion of closing."""
        self._file.close()
        super().close()
