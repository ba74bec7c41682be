"""TensorBoard's event file, written record by record.

``torch.utils.tensorboard`` writes from a thread, which on a full disk prints a traceback of its own
and leaves half a record.
"""

from __future__ import annotations

import io
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from ..export.files import Appended

Log: TypeAlias = Callable[[str, float, int], None]

FOLDER = "tensorboard"


@contextmanager
def scalars(folder: Path, epoch: int, *, writes: bool = True) -> Iterator[Log]:
    """Yield a logger of (name, value, step), or one that does nothing if it must not or cannot.

    The file is made with the first value. ``epoch``: what an earlier run of the folder logged after
    it is void.

    Raises
    ------
    OSError
        A value cannot be written; with the file's name. The file ends with the last whole record.
    """
    events = _events() if writes else None
    if events is None:
        yield lambda _name, _value, _step: None
        return
    log = _EventFile(folder / FOLDER, epoch + 1, *events)
    try:
        yield log.add
    finally:
        log.close()


def _events() -> tuple[Any, Any] | None:
    """Return TensorBoard's message and what puts it into a record; None without TensorBoard."""
    try:
        from tensorboard.compat.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]
        from tensorboard.summary.writer.record_writer import RecordWriter
    except ImportError:
        return None
    return Event, RecordWriter


class _EventFile:
    """An event file in ``folder``; values from step ``purge_step`` on of earlier ones are void."""

    def __init__(self, folder: Path, purge_step: int, event: Any, record_writer: Any) -> None:
        self._folder, self._purge_step = folder, purge_step
        self._event, self._record_writer = event, record_writer
        self._file: Appended | None = None

    def add(self, name: str, value: float, step: int) -> None:
        if self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = self._opened()
            start = {"file_version": "brain.Event:2"}, {"session_log": {"status": "START"}}
            self._append(*({"step": self._purge_step, **what} for what in start))
        self._append({"step": step, "summary": {"value": [{"tag": name, "simple_value": value}]}})

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _opened(self) -> Appended:
        """Return a new file, under the name that TensorBoard looks for."""
        start = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}"
        number = 0
        while True:
            try:
                return Appended(self._folder / f"{start}.{number}", new=True)
            except FileExistsError:
                number += 1

    def _append(self, *messages: dict[str, Any]) -> None:
        records = io.BytesIO()
        for content in messages:
            message = self._event(wall_time=time.time(), **content)
            self._record_writer(records).write(message.SerializeToString())
        assert self._file is not None
        self._file.append(records.getvalue())
