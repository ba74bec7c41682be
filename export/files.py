"""Writing files whole: a killed process or a full disk leaves the old file or the new one, no part.

Whatever fails, the error names the file that was to be written, and nothing else stays behind: no
temporary file, no empty folder that was made for it. SIGKILL may leave a temporary file,
``.NAME.xxxxxxxx.part``, which nothing reads.
"""

from __future__ import annotations

import errno
import glob
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

PathLike: TypeAlias = "str | os.PathLike[str]"

_PART = ".part"

STORAGE_ERRORS = frozenset(
    getattr(errno, name) for name in ("ENOSPC", "EFBIG", "EDQUOT") if hasattr(errno, name)
)
"""What the system says of a write for which there is no room; such an error carries no name."""


@contextmanager
def replacing(path: PathLike) -> Iterator[Path]:
    """Yield a temporary path next to ``path``; rename it onto ``path`` when the block succeeds.

    Missing folders are made, and removed again if the block fails. What was written is on the disk
    before it is renamed. A link is followed. A device or pipe would be replaced by a file, and is
    refused.

    Raises
    ------
    OSError
        A folder, device or pipe is there, or nothing can be written; ``filename`` is ``path``.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if target.exists() and not target.is_file():
        raise OSError(errno.EINVAL, "is a device or a pipe, needs a file", str(path))
    with making_folders(target.parent):
        with naming(path):
            handle, name = tempfile.mkstemp(
                dir=target.parent, prefix=_part_prefix(target), suffix=_PART
            )
            os.close(handle)
        temporary = Path(name)
        try:
            with naming(path, temporary):
                yield temporary
                umask = os.umask(0)
                os.umask(umask)
                temporary.chmod(0o666 & ~umask)
                _sync(temporary)
                temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    _sync_folder(target.parent)


def replace_file(path: PathLike, content: bytes | str) -> None:
    """Write ``path``, atomically; as ``replace_files``."""
    replace_files({path: content})


def replace_files(contents: Mapping[PathLike, bytes | str]) -> None:
    """Write several files: all bytes are on the disk before the first file gets its name.

    Text is written as ``utf8``.

    Raises
    ------
    OSError
        As ``replacing``; with the number of bytes that the file needs.
    """
    with ExitStack() as stack:
        for path, content in contents.items():
            temporary = stack.enter_context(replacing(path))
            with naming(path, temporary, len(content)):
                temporary.write_bytes(utf8(content) if isinstance(content, str) else content)
                _sync(temporary)


def remove_parts(path: PathLike) -> None:
    """Remove temporary files of ``path`` that killed processes left; only where none writes it."""
    target = Path(os.path.realpath(path))
    for part in target.parent.glob(f"{glob.escape(_part_prefix(target))}*{_PART}"):
        part.unlink(missing_ok=True)


def _part_prefix(target: Path) -> str:
    return f".{target.name[:100]}."


def utf8(text: str) -> bytes:
    r"""Return text as UTF-8; bytes of a file's name that are no text become ``\udcff``."""
    return text.encode(errors="backslashreplace")


@contextmanager
def making_folders(folder: Path) -> Iterator[None]:
    """Make a folder with those above it; remove those that were made if the block fails."""
    missing = []
    for one in (folder, *folder.parents):
        if one.exists():
            break
        missing.append(one)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for one in missing:
            # One that something else was put into stays.
            with suppress(OSError):
                one.rmdir()
        raise


@contextmanager
def naming(
    path: PathLike, temporary: Path | None = None, needed: int | None = None
) -> Iterator[None]:
    """Give ``path`` as the file of an error of storage, in the place of none or of ``temporary``.

    ``needed``: the bytes of the whole file, if they are known.
    """
    try:
        yield
    except OSError as error:
        # Without a size the block does more than write this file.
        nameless = error.filename is None and (needed is not None or error.errno in STORAGE_ERRORS)
        if error.errno is None or not (nameless or _is_part(error.filename, temporary)):
            raise
        text = error.strerror or os.strerror(error.errno)
        if needed is not None and error.errno in STORAGE_ERRORS:
            text += f"; the file needs {needed:,} bytes"
        raise OSError(error.errno, text, os.fspath(path)) from error


def _is_part(name: object, temporary: Path | None) -> bool:
    if temporary is None:
        return isinstance(name, str) and name.endswith(_PART)
    return isinstance(name, (str, os.PathLike)) and Path(name) == temporary


class Appended:
    """A file that whole records are appended to; after a failed write it ends as before.

    Parameters
    ----------
    path
        The file; made if it is missing, and removed if not even the first record can be written.
    new
        Refuse a file that is there.

    Raises
    ------
    OSError
        It cannot be opened.
    """

    def __init__(self, path: PathLike, *, new: bool = False) -> None:
        self._path = path
        self._made = not os.path.lexists(path)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | (os.O_EXCL if new else 0)
        self._file = os.open(path, flags | getattr(os, "O_BINARY", 0), 0o666)

    def __enter__(self) -> Appended:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, record: bytes) -> None:
        """Write a record.

        Raises
        ------
        OSError
            It cannot be written; with the file's name.
        """
        before = os.fstat(self._file).st_size
        with naming(self._path, None, before + len(record)):
            try:
                rest = memoryview(record)
                while rest:
                    rest = rest[os.write(self._file, rest) :]
            except OSError:
                # A pipe or a terminal has no end to go back to.
                with suppress(OSError):
                    os.ftruncate(self._file, before)
                    if self._made and not before:
                        os.unlink(self._path)
                raise

    def close(self) -> None:
        """Close the file; what was appended is there already."""
        os.close(self._file)


def _sync(path: Path) -> None:
    """Wait until the content of a file is on the disk; a full disk may say so only here."""
    file = os.open(path, os.O_RDWR)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _sync_folder(folder: Path) -> None:
    """Wait until a name is on the disk, where the system can: the file itself is there already."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
