"""Stopping a run between two batches, so that it can be saved."""

from __future__ import annotations

import errno
import os
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Stopped(KeyboardInterrupt):
    """Ctrl-C, SIGTERM or SIGHUP: the run was saved and can be resumed."""


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C, SIGTERM or SIGHUP into a request to stop after the batch.

    A second Ctrl-C or SIGTERM aborts. Where SIGHUP is ignored, as under nohup, it stays ignored.
    """
    asked = insisted = False
    hangup = getattr(signal, "SIGHUP", None)

    def handle(number: int, _frame: FrameType | None) -> None:
        nonlocal asked, insisted
        asked = True
        if number == hangup:
            _silence_lost_terminals()
        elif insisted:
            raise KeyboardInterrupt
        else:
            insisted = True

    numbers = [signal.SIGINT, signal.SIGTERM]
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        numbers.append(hangup)
    try:
        old = {number: signal.signal(number, handle) for number in numbers}
    except ValueError:
        # Signals can be handled only in the main thread; elsewhere the caller's handlers stay.
        old = {}
    try:
        yield lambda: asked
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


@contextmanager
def outliving_the_terminal() -> Iterator[None]:
    """Go on where a terminal that is gone refuses what is printed; SIGHUP may come a little later.

    What is printed from then on goes nowhere.
    """
    try:
        yield
    except OSError as error:
        if error.errno != errno.EIO or error.filename is not None:
            raise
        _silence_lost_terminals()


def _silence_lost_terminals() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for output in (1, 2):
        # A terminal that is gone is a device still, and no terminal any more.
        if stat.S_ISCHR(os.fstat(output).st_mode) and not os.isatty(output):
            os.dup2(nowhere, output)
    os.close(nowhere)
