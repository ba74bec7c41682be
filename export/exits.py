"""How a command ends: its exit code, and one line for every error.

docs/EXIT_CODES.md lists the codes. Light on purpose: a command's start imports nothing else.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable

from .terminal import give_up, put, say

EXIT_OK, EXIT_NO, EXIT_BAD_INPUT, EXIT_FAULT, EXIT_STOPPED = 0, 1, 2, 70, 130
"""``EXIT_NO``: it ran and the answer is no. ``EXIT_FAULT`` is EX_SOFTWARE of sysexits.h."""


def exit_codes(no: str) -> str:
    """Return what ``--help`` says of exit codes; ``no`` says when it is 1."""
    return (
        f"exit codes: {EXIT_OK} done; {EXIT_NO} {no}; {EXIT_BAD_INPUT} bad input; {EXIT_FAULT} an "
        f"error in srnn or in what it runs on; {EXIT_STOPPED} stopped by Ctrl-C "
        "(docs/EXIT_CODES.md)"
    )


def guarded(prog: str, work: Callable[[], int], debug: bool = False) -> int:
    """Run ``work`` and return its exit code; turn every error into one line and a code.

    ``debug``: print the traceback before that line.
    """
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: say(sys.stderr, f"{prog}: {message}")
            _check_environment()
            code = work()
        put(sys.stdout, "")
        return code
    except BrokenPipeError:
        # The reader (head, less) has seen enough.
        give_up(sys.stdout)
        return EXIT_OK
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 the last net
        code, line = _expected(error) or (EXIT_FAULT, _unexpected(prog, error, debug))
        if debug:
            say(sys.stderr, *_traceback(error).splitlines())
        say(sys.stderr, f"{prog}: {line}")
        give_up(sys.stdout)
        return code


def _check_environment() -> None:
    """Refuse settings of the environment on which numba would stop when it is imported."""
    from .errors import InputError

    name = "NUMBA_NUM_THREADS"
    given = os.environ.get(name)
    if given is not None and not (given.isascii() and given.isdigit() and int(given[:9]) >= 1):
        raise InputError(
            f"{name}: {given[:20]!r} in the environment is not a whole number of 1 or "
            "more; unset it"
        )


def _expected(error: BaseException) -> tuple[int, str] | None:
    """Return the exit code and the line of an error that is no fault of srnn's, else None."""
    from .errors import InputError
    from .extras import EXTRAS, needs
    from .files import STORAGE_ERRORS

    if _interrupted(error):
        return EXIT_STOPPED, "stopped"
    if isinstance(error, InputError):
        return EXIT_BAD_INPUT, str(error)
    if isinstance(error, ModuleNotFoundError) and error.name in EXTRAS:
        return EXIT_BAD_INPUT, needs(error.name)
    if isinstance(error, OSError):
        # What writes a file gives its name; what has none was printed.
        full = error.errno in STORAGE_ERRORS
        name = error.filename or ("standard output" if full else "file")
        return EXIT_BAD_INPUT, f"{name}: {error.strerror or error}"
    if _out_of_memory(error):
        how = "take smaller batches, fewer samples or a smaller network"
        return EXIT_FAULT, f"out of memory ({_named(error)}); {how}"
    return None


def _unexpected(prog: str, error: BaseException, debug: bool) -> str:
    """Return the line of an error that nobody thought of; keep its traceback in a file."""
    what = f"unexpected error: {_named(error)}"
    if isinstance(error, RecursionError):
        what += "; if a file that you gave is nested deeply, flatten it"
    report = f"report it with the output of {prog} --version"
    if debug:
        return f"{what}; {report}"
    try:
        where = _written(prog, error)
    except OSError as refused:
        reason = refused.strerror or refused
        return f"{what}; no file for the traceback ({reason}), --debug shows it; {report}"
    return f"{what}; traceback in {where}, --debug shows it; {report} and that file"


def _named(error: BaseException) -> str:
    return ": ".join(filter(None, (type(error).__name__, " ".join(str(error).split())[:200])))


def _interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C is the error or what led to it: modules in C turn it into an ImportError."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _out_of_memory(error: BaseException) -> bool:
    # torch raises a RuntimeError of its own on the CPU, and a subclass of it on a GPU.
    named = type(error).__name__ == "OutOfMemoryError" or "DefaultCPUAllocator" in str(error)
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and named)


def _traceback(error: BaseException) -> str:
    import traceback

    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


def _written(prog: str, error: BaseException) -> str:
    """Write the traceback, the command line and the versions to a file that is kept."""
    import platform
    import shlex
    import tempfile
    from importlib.metadata import version

    text = (
        f"{shlex.join([prog, *sys.argv[1:]])}\n"
        f"srnn {version('srnn')}, Python {platform.python_version()}, {platform.platform()}\n\n"
        f"{_traceback(error)}"
    )
    with tempfile.NamedTemporaryFile(
        "w", prefix=f"{prog}-", suffix=".txt", delete=False, encoding="utf-8"
    ) as file:
        file.write(text)
    return file.name
