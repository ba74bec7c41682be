"""The progress bar of the commands."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TimeRemainingColumn,
)
from rich.text import Text

from .terminal import on_terminal, visible


class _Description(ProgressColumn):
    """What a bar counts; names of files in it are no markup."""

    def render(self, task: Task) -> Text:
        return Text(visible(task.description))


class Bar(Progress):
    """A bar on standard error from its first step on; hidden where that is no terminal.

    What compiles before that step shows a bar of its own (``compiling.py``), and two at a time
    would write over each other.
    """

    def __init__(self) -> None:
        console = Console(stderr=True)
        super().__init__(
            _Description(),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not on_terminal(sys.stderr),
            transient=True,
        )

    def __enter__(self) -> Bar:
        return self

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """Show the bar, and count so many steps more."""
        self.start()
        super().advance(task_id, advance)

    def update(
        self,
        task_id: TaskID,
        *,
        total: float | None = None,
        completed: float | None = None,
        description: str | None = None,
    ) -> None:
        """Show the bar with these values in the place of the old ones."""
        self.start()
        super().update(task_id, total=total, completed=completed, description=description)
