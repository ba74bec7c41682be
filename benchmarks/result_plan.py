"""What ``results.py`` runs and shows: the plan ``results.toml`` as checked records.

A plan is a list of sections; a section is a text, runs, and the columns in which its runs are
compared. A run is one network: the words of ``srnn-train`` and ``srnn-export`` that make
it, and seeds. Each seed is recorded in a file of its own, so that long plans can be done in parts.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from srnn.export.errors import InputError
from srnn.export.plain import build
from srnn.export.suggest import unknown

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).resolve().parent
PLAN, RECORDS = HERE / "results.toml", HERE / "records"


@dataclass(frozen=True)
class Run:
    """A network to train, export and simulate.

    Parameters
    ----------
    name
        Of its records: letters, digits and dashes.
    train, export
        Words of ``srnn-train`` (without ``--seed`` and ``--out``) and of ``srnn-export``.
    seeds
        Of the training.
    labels
        What sets it apart in its section: columns of the table, axes of the plot.
    start
        Run of the plan from whose model of the same seed the training begins (``--start``).
    test
        Whether the test split is read. Runs among which one is chosen do not read it.
    published, bar
        Test accuracy in the paper and the accuracy to reach, percent.
    """

    name: str
    train: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    export: tuple[str, ...] = ()
    labels: dict[str, object] = field(default_factory=dict)
    start: str | None = None
    test: bool = True
    published: float | None = None
    bar: float | None = None

    def __post_init__(self) -> None:
        if not self.name or not all(c.isalnum() or c == "-" for c in self.name):
            raise InputError(f"name: {self.name!r} is not of letters, digits and dashes")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise InputError(
                f"seeds: {list(self.seeds)} of {self.name} are missing or not distinct"
            )

    def record(self, seed: int, folder: Path = RECORDS) -> Path:
        """Return the file that holds what this seed gave."""
        return folder / f"{self.name}-{seed}.json"


@dataclass(frozen=True)
class Plot:
    """A figure of a section: one line per value of ``by``, of means over seeds."""

    file: str
    x: str
    y: str
    by: str
    title: str = ""
    split: str = ""


@dataclass(frozen=True)
class Section:
    """A heading, a text, and runs in a table, if it has any."""

    title: str
    text: str
    columns: tuple[str, ...] = ()
    run: tuple[Run, ...] = ()
    plot: tuple[Plot, ...] = ()


@dataclass(frozen=True)
class ResultPlan:
    """All sections."""

    section: tuple[Section, ...]

    def __post_init__(self) -> None:
        names = [run.name for section in self.section for run in section.run]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError(f"section.run: {', '.join(twice)} is there twice")
        for place, run in enumerate(self.runs()):
            if run.start is not None and run.start not in names[:place]:
                raise InputError(f"start: {run.start} of {run.name} is not a run that precedes it")

    def runs(self, names: tuple[str, ...] = ()) -> list[Run]:
        """Return the runs with these names or prefixes, in the plan's order; all if none given."""
        every = [run for section in self.section for run in section.run]
        for name in names:
            if not any(run.name.startswith(name) for run in every):
                raise InputError(unknown("run", name, [run.name for run in every]))
        return [run for run in every if not names or run.name.startswith(names)]

    def named(self, name: str) -> Run:
        """Return the run of this name."""
        return next(run for run in self.runs() if run.name == name)


def read_plan(file: Path = PLAN) -> ResultPlan:
    """Read a plan.

    Raises
    ------
    InputError
        Not a plan; the message names the place.
    """
    try:
        return build(ResultPlan, tomllib.loads(file.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{file}: {error}") from None
    except InputError as error:
        raise InputError(f"{file}: {error}") from None
