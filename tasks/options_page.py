"""The options of every task in docs/TASKS.md, made from the classes that declare them.

python -m srnn.tasks.options_page docs/TASKS.md
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..export.files import replace_file
from ..export.meanings import meanings
from .registry import TASKS, task_options

BEGIN = "<!-- Made by `python -m srnn.tasks.options_page docs/TASKS.md` from here ... -->"
END = "<!-- ... to here -->"


def main(argv: Sequence[str] | None = None) -> int:
    """Write the section again into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    page = parser.parse_args(argv).page
    replace_file(page, with_options(page.read_text("utf-8")))
    return 0


def with_options(page: str) -> str:
    """Return the page with the section between its two marks made again.

    Raises
    ------
    ValueError
        The page does not have both marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no section between {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{options_section()}\n{END}{after}"


def options_section() -> str:
    """Return a table of options for each task, in Markdown."""
    parts = []
    for name, entry in TASKS.items():
        known = meanings(entry.options)
        parts.append(f"### Options of {name}\n")
        parts.append("| option | default | meaning |\n|---|---|---|")
        parts += [
            f"| `{option}` | {_shown(default)} | {known[option].replace('``', '`')} |"
            for option, default in task_options(name).items()
        ]
        parts.append("")
    return "\n".join(parts)


def _shown(default: Any) -> str:
    return "not set" if default is None else f"`{default}`"


if __name__ == "__main__":
    raise SystemExit(main())
