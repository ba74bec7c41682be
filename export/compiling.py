"""Compiling as the user sees it: said once, shown as it goes on, and part of no measured time.

Nothing here needs the compilers; ``kernel.py`` and ``train/cuda`` report what theirs do.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from .terminal import on_terminal, say

_LOCK, _SAYING = threading.RLock(), threading.Lock()
_SPENT = [0.0]
_SAID: set[str] = set()
_ONCE = "compiling kernels, once on this machine: "


def clock() -> float:
    """Return the seconds of ``time.perf_counter`` without those spent in ``untimed``.

    A difference of two readings is the time of the work alone, whether or not kernels were
    compiled or loaded between them.
    """
    return time.perf_counter() - _SPENT[0]


@contextmanager
def untimed() -> Iterator[None]:
    """Take turns with other threads, and keep the time of the block out of ``clock``."""
    with _LOCK:
        before, spent = time.perf_counter(), _SPENT[0]
        try:
            yield
        finally:
            # Set, not added: blocks within this one have been counted.
            _SPENT[0] = spent + time.perf_counter() - before


def say_once(topic: str, line: str) -> None:
    """Print a line on standard error, one of a topic in a process."""
    with _SAYING:
        if topic not in _SAID:
            say(sys.stderr, line)
        _SAID.add(topic)


@contextmanager
def compiling(names: Sequence[str], *, kept: bool = True) -> Iterator[Callable[[str], None]]:
    """Say that kernels are being compiled, and on a terminal show how far it is.

    Parameters
    ----------
    names
        The kernels, as they are called for people.
    kept
        Whether they will be found compiled by the next process.

    Yields
    ------
    callable
        To be called with a kernel's name before it is compiled.
    """
    if kept:
        line = _ONCE + ", ".join(dict.fromkeys(names))
    else:
        line = (
            "compiling kernels, in every run: there is no folder to keep them in; set "
            "NUMBA_CACHE_DIR to one that can be written"
        )
    say_once("compiling", line)
    if not on_terminal(sys.stderr):
        yield lambda _name: None
        return
    # Imported here: most processes compile nothing.
    from rich.console import Console
    from rich.progress import (
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task(f"compiling {names[0]}", total=len(names), completed=-1)
        yield lambda name: progress.update(bar, description=f"compiling {name}", advance=1)


@contextmanager
def late_report(name: str, seconds: float = 0.5) -> Iterator[None]:
    """Keep a block out of ``clock``, and say that it compiles if it lasts.

    For compilers that do not tell beforehand whether they keep what is asked for: to load it takes
    milliseconds.
    """
    timer = threading.Timer(seconds, say_once, ["compiling", _ONCE + name])
    timer.daemon = True
    with untimed():
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


@contextmanager
def stoppable() -> Iterator[Callable[[], None]]:
    """Let Ctrl-C end compiling at the next call of what is yielded, and at the end of the block.

    An exception raised by the signal itself may be raised inside a callback of LLVM, where it is
    printed and lost.
    """
    stopped = False

    def note(_number: int, _frame: Any) -> None:
        nonlocal stopped
        stopped = True

    def check() -> None:
        if stopped:
            raise KeyboardInterrupt

    with ExitStack() as stack:
        if threading.current_thread() is threading.main_thread():
            stack.callback(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, note))
        yield check
        check()
