"""The parser of the four commands: a mistake of usage in one line, with what was likely meant."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from .suggest import unknown
from .terminal import put, visible


class Parser(argparse.ArgumentParser):
    """An ``ArgumentParser`` that names the nearest option or choice; exit code 2 as ever."""

    def error(self, message: str) -> NoReturn:
        """Print one line, without the usage, and exit with 2."""
        self.exit(2, visible(f"{self.prog}: {message}; see {self.prog} --help") + "\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        # argparse's own hides that a disk is full.
        put(sys.stderr if file is None else file, message)

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:
        """Refuse an unknown option before argparse finds what else is missing without it."""
        words = list(sys.argv[1:] if args is None else args)
        known = self._option_string_actions
        for word in words[: words.index("--")] if "--" in words else words:
            option = word.partition("=")[0]
            # What has a space, argparse takes for a value.
            if option.startswith("--") and option not in known and " " not in word:
                self.error(unknown("option", option, [name for name in known if "--" in name]))
        return super().parse_known_args(words, namespace)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            name = "/".join(action.option_strings) or action.dest
            raise argparse.ArgumentError(
                None, unknown("value", value, map(str, action.choices), name)
            )
