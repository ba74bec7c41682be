"""Where the four commands start: Ctrl-C ends them with one line from the first import on."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from importlib import import_module
from typing import Any

from .exits import guarded


def start(prog: str, module: str) -> int:
    """Import ``module``, run its ``main()`` and return the exit code."""
    watched = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if watched:
        sys.unraisablehook = _again
    code = guarded(prog, lambda: _main(module), debug="--debug" in sys.argv[1:])
    if watched:
        # All is done and printed; what is left is taking Python down.
        signal.signal(signal.SIGINT, lambda *_: os._exit(code))
    return code


def _main(module: str) -> int:
    try:
        return import_module(module).main()
    except SystemExit as done:
        # argparse has printed already, and ends with a number.
        if not isinstance(done.code, int):
            raise
        return done.code


def _again(unraisable: Any) -> None:
    """Raise Ctrl-C again where it was lost, such as in a callback of the import system."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        threading.Timer(0.01, _thread.interrupt_main).start()
    else:
        sys.__unraisablehook__(unraisable)
