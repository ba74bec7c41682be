"""What the four commands share: arguments, printing, exit codes.

Exit codes: 0, done; 1, it ran and the answer is no (does not fit, does not match); 2, bad input;
130, stopped by Ctrl-C. With ``--json`` one JSON object goes to standard output and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from .arguments import Parser
from .errors import InputError

EXIT_OK, EXIT_NO, EXIT_BAD_INPUT, EXIT_STOPPED = 0, 1, 2, 130

EXTRAS = {"torch": "train", "matplotlib": "report", "jinja2": "report", "nir": "nir"}
"""Modules that only some commands need, by the extra that installs them."""


def make_parser(prog: str, description: str, example: str) -> argparse.ArgumentParser:
    """Return a parser with ``--version``, ``--json`` and an example under ``--help``."""
    parser = Parser(
        prog=prog,
        description=description,
        epilog=f"example:\n{example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('srnn')}")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object instead of tables"
    )
    return parser


class _Console(Console):
    def on_broken_pipe(self) -> None:
        # Newer versions of rich end the program with 1 here; ``run_parsed`` knows better.
        raise BrokenPipeError


class Output:
    """Where a command prints: tables for people, or one JSON object for machines.

    On a terminal tables are drawn by rich; elsewhere they are plain columns without colour.
    """

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        plain_width = None if sys.stdout.isatty() else 120
        self._console = _Console(
            file=sys.stderr if as_json else sys.stdout,
            width=plain_width,
            highlight=False,
            soft_wrap=plain_width is not None,
        )
        self._errors = _Console(stderr=True, highlight=False, soft_wrap=True)

    def line(self, text: str = "") -> None:
        """Print a line for people; silent with ``--json``."""
        if not self.as_json:
            self._console.print(text, markup=False)

    def note(self, text: str) -> None:
        """Print a remark to standard error."""
        self._errors.print(text, markup=False)

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Print a table for people; columns after the first are right-aligned."""
        if self.as_json:
            return
        table = Table(title=title, box=SIMPLE_HEAD, title_justify="left", title_style="bold")
        for index, column in enumerate(columns):
            table.add_column(column, justify="left" if index == 0 else "right", overflow="fold")
        for row in rows:
            table.add_row(*(_cell(value) for value in row))
        self._console.print(table)

    def result(self, content: dict[str, Any]) -> None:
        """Print the JSON object; silent without ``--json``."""
        if self.as_json:
            sys.stdout.write(json.dumps(plain(content), indent=2, allow_nan=False) + "\n")
            sys.stdout.flush()

    def progress(self) -> Progress:
        """Return a progress bar on standard error, hidden where that is no terminal."""
        console = Console(stderr=True)
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )


def _cell(value: Any) -> str:
    if isinstance(value, (float, np.floating)):
        return f"{value:.4g}" if np.isfinite(value) else str(value)
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return f"{value:,}"
    return "-" if value is None else str(value)


def plain(value: Any) -> Any:
    """Turn NumPy scalars and arrays, tuples and paths into plain JSON values; NaN becomes None."""
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
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
    """Run, and turn a user's mistake into one line on standard error and exit code 2."""
    output = Output(arguments.json)
    try:
        return command(arguments, output)
    except InputError as error:
        output.note(f"{parser.prog}: {error}")
        return EXIT_BAD_INPUT
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        output.note(
            f"{parser.prog}: needs {error.name}, which is not installed here; run: "
            f"pip install 'srnn[{EXTRAS[error.name]}]'"
        )
        return EXIT_BAD_INPUT
    except BrokenPipeError:
        # The reader (head, less) has seen enough; nothing more can be printed, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except OSError as error:
        what = error.strerror or str(error)
        output.note(f"{parser.prog}: {error.filename or 'file'}: {what}")
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        output.note(f"{parser.prog}: stopped")
        return EXIT_STOPPED
