"""What the four commands share: arguments and printing.

With ``--json`` one JSON object goes to standard output and nothing else. Where columns are counted:
tables fit the terminal, or ``COLUMNS``, or 80 characters where output goes to a file or a pipe;
lines of text wrap at words, in a file or a pipe only where ``COLUMNS`` says so.
"""

from __future__ import annotations

import argparse
import json
import math
import numbers
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import Parser
from .errors import InputError
from .exits import EXIT_BAD_INPUT, EXIT_FAULT, EXIT_NO, EXIT_OK, EXIT_STOPPED, exit_codes, guarded
from .tables import table_lines, wrapped
from .terminal import on_terminal, put, say, visible

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = [
    "EXIT_BAD_INPUT",
    "EXIT_FAULT",
    "EXIT_NO",
    "EXIT_OK",
    "EXIT_STOPPED",
    "LateText",
    "Output",
    "make_parser",
    "on_terminal",
    "plain",
    "run_command",
    "run_parsed",
]

WIDTH = 80
"""Characters of a line where no terminal says how many it has."""


def make_parser(
    prog: str, description: str, example: str, no: str = "the answer is no"
) -> argparse.ArgumentParser:
    """Return a parser with ``--version``, ``--json``, ``--debug``, ``--neurons``, and help.

    Under ``--help`` stand an example and the exit codes; ``no``: what code 1 says.
    """
    parser = Parser(
        prog=prog,
        description=description,
        epilog="\n".join(["example:", example, "", *wrapped(exit_codes(no), WIDTH)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version",
        action=_Version,
        nargs=0,
        default=argparse.SUPPRESS,
        help="print the version and stop",
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object instead of tables"
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.add_argument(
        "--neurons",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="Python file with neurons of your own; it is run. May be given several times",
    )
    return parser


class _Version(argparse.Action):
    """Looks the version up where it is asked for: that takes longer than parsing."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        say(sys.stdout, f"{parser.prog} {version('srnn')}")
        parser.exit()


class LateText(str):
    """Help of an option that is made when ``--help`` is asked for, not when the option is added."""

    _make: Callable[[], str]

    def __new__(cls, make: Callable[[], str]) -> LateText:
        """Keep ``make``, which returns the text with its ``%`` as argparse wants them."""
        text = super().__new__(cls, "(made when shown)")
        text._make = make
        return text

    def __mod__(self, values: Any) -> str:
        return self._make() % values


class Output:
    """Where a command prints: tables for people, or one JSON object for machines."""

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        self._after_table = False

    def line(self, text: str = "") -> None:
        """Print a line for people; silent with ``--json``."""
        if not self.as_json:
            wrap = on_terminal(sys.stdout) or "COLUMNS" in os.environ
            say(sys.stdout, *(wrapped(visible(text), _width()) if wrap else [text]))
            self._after_table = False

    def note(self, text: str) -> None:
        """Print a remark to standard error."""
        say(sys.stderr, text)

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Print a table for people; columns of numbers are right-aligned."""
        if self.as_json:
            return
        width = _width()
        encoding = getattr(sys.stdout, "encoding", None) or ""
        lines = table_lines(
            columns,
            [[_cell(value) for value in row] for row in rows],
            width,
            "─" if encoding.lower().startswith("utf") else "-",
        )
        say(sys.stdout, *([] if self._after_table else [""]))
        say(sys.stdout, *wrapped(visible(title), width), bold=True)
        say(sys.stdout, *lines, "")
        self._after_table = True

    def result(self, content: dict[str, Any]) -> None:
        """Print the JSON object; silent without ``--json``."""
        if self.as_json:
            put(sys.stdout, json.dumps(plain(content), indent=2, allow_nan=False) + "\n")

    def progress(self) -> Progress:
        """Return a progress bar on standard error, hidden where that is no terminal."""
        from .progress import Bar

        return Bar()


def _width() -> int:
    # Reads COLUMNS, then asks the terminal behind standard output.
    return max(shutil.get_terminal_size((WIDTH, 24)).columns, 20)


def _cell(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return "-" if value is None else visible(str(value))
    if isinstance(value, numbers.Integral):
        return f"{int(value):,}"
    return f"{value:.4g}" if math.isfinite(value) else str(value)


def plain(value: Any) -> Any:
    """Turn NumPy scalars and arrays, tuples and paths into plain JSON values; NaN becomes None."""
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def run_command(
    parser: argparse.ArgumentParser,
    command: Callable[[argparse.Namespace, Output], int],
    argv: Sequence[str] | None = None,
) -> int:
    """Parse and run; see ``run_parsed``."""
    return run_parsed(parser, command, parser.parse_args(argv))


def run_parsed(
    parser: argparse.ArgumentParser,
    command: Callable[[argparse.Namespace, Output], int],
    arguments: argparse.Namespace,
) -> int:
    """Run, and turn every error into one line on standard error and an exit code."""

    def work() -> int:
        _load_neurons(arguments.neurons)
        return command(arguments, Output(arguments.json))

    return guarded(parser.prog, work, arguments.debug)


def _load_neurons(files: Sequence[Path]) -> None:
    for file in files:
        from ..neurons.loading import load

        try:
            # What the file prints must not stand among a command's results.
            with redirect_stdout(sys.stderr):
                load(file)
        except InputError as error:
            raise InputError(f"--neurons: {error}") from error
