"""The folder of a run: one training at a time writes into it.

An OS lock on a file in it is held while a run lasts, so that a killed process holds nothing. Who
holds it stands in a second file, since opening a lock may empty it. The file of the lock stays when
the run has ended: else a training that has just opened it and one that makes a new one would each
hold one.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ..export.errors import InputError
from ..export.files import making_folders, remove_parts

LOCK, HOLDER = ".lock", ".holder"
CHECKPOINT, MODEL, METRICS = "checkpoint.pt", "model.pt", "metrics.csv"


@dataclass(frozen=True)
class RunFolder:
    """A folder that this process holds, or that another process of the same run holds for it.

    ``lock``: device and inode of the lock file; None in a process that writes nothing.
    """

    path: Path
    lock: tuple[int, int] | None

    def check(self) -> None:
        """Refuse to write where the folder is not the one that was locked.

        Raises
        ------
        InputError
            It was removed or moved, or another one stands there.
        """
        if self.lock is None:
            return
        with suppress(OSError):
            if _identity(self.path / LOCK) == self.lock:
                return
        raise InputError(
            f"{self.path}: was removed or moved while the training wrote there, so that it cannot "
            "be saved; start it again"
        )


_held: ContextVar[tuple[RunFolder, ...]] = ContextVar("held", default=())


@contextmanager
def holding(folder: Path, *, writes: bool = True) -> Iterator[RunFolder]:
    """Make a run's folder if it is missing, and keep every other training out of it.

    Within a block that holds the folder already, nothing is done. A folder that was made for
    nothing is removed again.

    Parameters
    ----------
    folder
        The folder of the run.
    writes
        False in a process that does not write the files: another one of the run holds the folder.

    Raises
    ------
    InputError
        Another training holds it, with its process, host and start; or it is a file.
    """
    from filelock import FileLock, Timeout

    check_folder(folder)
    path = folder.resolve()
    outer = next((one for one in _held.get() if one.path.resolve() == path), None)
    if outer is not None or not writes:
        yield outer or RunFolder(folder, None)
        return
    new = not folder.exists()
    lock = FileLock(folder / LOCK)
    with making_folders(folder):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise InputError(
                f"{folder}: another training writes there{_holder(folder)}; wait until it ends, "
                "stop it, or choose another folder"
            ) from None
        run = RunFolder(folder, _identity(folder / LOCK))
        token = _held.set((*_held.get(), run))
        try:
            _write_holder(folder)
            for name in (CHECKPOINT, MODEL, METRICS):
                remove_parts(folder / name)
            yield run
        finally:
            _held.reset(token)
            (folder / HOLDER).unlink(missing_ok=True)
            if new and folder.exists() and os.listdir(folder) == [LOCK]:
                (folder / LOCK).unlink()
            lock.release()


def check_folder(folder: Path) -> None:
    """Refuse a run's folder that cannot be one, before anything takes time.

    Raises
    ------
    InputError
        It is a file, or lies below one.
    """
    for one in (folder, *folder.parents):
        if one.is_dir():
            return
        if os.path.lexists(one):
            raise InputError(f"{folder}: {one} is not a folder; name a folder for the run")


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _write_holder(folder: Path) -> None:
    since = datetime.now().astimezone().isoformat(" ", "seconds")
    text = f"process {os.getpid()} on {socket.gethostname()} since {since}"
    # Whoever is refused reads it; a disk without room for it does not stop a run.
    with suppress(OSError):
        (folder / HOLDER).write_text(text, encoding="utf-8")


def _holder(folder: Path) -> str:
    try:
        text = (folder / HOLDER).read_bytes()[:200].decode("utf-8", "replace")
    except OSError:
        return ""
    return f" ({''.join(c for c in text if c.isprintable())})" if text else ""
