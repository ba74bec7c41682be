"""``docs/RESULTS.md`` from the plan and the records; see ``results.py``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from result_plan import ResultPlan, Run, Section
from srnn.export.files import replace_file
from srnn.export.suggest import check_known

Record = dict[str, Any]
Records = Mapping[tuple[str, int], Record]

HEAD = """\
# Results

Written by `python benchmarks/results.py table` from `benchmarks/records/`. `python
benchmarks/results.py record` makes these records by training, exporting and simulating the runs
listed in `benchmarks/results.toml`. Every seed of every run is a file there, with commit, machine
and date.

How to read the tables. **Integers** are what the chip computes: 8-bit weights, 12-bit decays,
24-bit states, run by `srnn-simulate`. A network trained *on the grid* (`srnn-train --quantize`)
has no other accuracy: training computes those integers. The first section explains how epochs and
settings were chosen, and where the test split had an influence. Several seeds: mean (smallest to
largest). ACs and MACs are the effective synaptic operations per time step of one sequence, as
defined by NeuroBench. Minutes are for one seed on {processor}; most runs shared the machine with
other jobs.
"""


def read_records(folder: Path) -> Records:
    """Return the records of a folder by name and seed."""
    found = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))]
    return {(record["name"], record["seed"]): record for record in found}


def _split(kind: str, split: str, measure: str = "accuracy") -> Callable[[Record], float | None]:
    def value(record: Record) -> float | None:
        if kind == "trained" and record["on_grid"]:
            return None
        accuracy = record.get(kind, {}).get(split, {}).get(measure)
        return None if accuracy is None else 100 * accuracy

    return value


def _activity(*keys: str) -> Callable[[Record], float | None]:
    def value(record: Record) -> float | None:
        splits = record.get("integers")
        if splits is None:
            return record.get("operations", {}).get(keys[-1])
        found: Any = splits.get("test", splits["validation"])
        for key in keys:
            found = found[key]
        return found

    return value


MEASURES: dict[str, tuple[str, Callable[[Record], float | None]]] = {
    "float test": ("{:.2f}", _split("trained", "test")),
    "float validation": ("{:.2f}", _split("trained", "validation")),
    "integers test": ("{:.2f}", _split("integers", "test")),
    "integers validation": ("{:.2f}", _split("integers", "validation")),
    "labelled steps": ("{:.2f}", _split("integers", "test", "accuracy_labelled")),
    "firing rate": ("{:.3f}", _activity("firing_rate")),
    "ACs": ("{:,.0f}", _activity("per_step", "Effective_ACs")),
    "MACs": ("{:,.0f}", _activity("per_step", "Effective_MACs")),
    "parameters": ("{:,.0f}", lambda record: record["parameters"]),
    "epochs": ("{:.0f}", lambda record: record["epochs"]),
    "minutes": ("{:.1f}", lambda record: record["seconds"] / 60),
    "kB": ("{:.0f}", lambda record: record["bytes"] / 1000 if "bytes" in record else None),
}
"""Columns of numbers: their format and where a record holds them."""

WORDS: dict[str, Callable[[Run, Record], str]] = {
    "run": lambda run, _: f"`{run.name}`",
    "task": lambda _, record: record["task"],
    "network": lambda _, record: record["network"],
    "trained on": lambda _, record: "the grid" if record["on_grid"] else "floats",
    "made by": lambda run, _: f"`srnn-train {' '.join(run.train)}`",
    "published": lambda run, _: _percent(run.published),
    "bar": lambda run, _: _percent(run.bar),
}
"""Columns of words, in addition to a run's labels."""


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def write_results(plan: ResultPlan, records: Records, output: Path) -> None:
    """Write the document next to its folder of figures.

    Raises
    ------
    InputError
        A column that is neither a measure nor a label.
    """
    processors = sorted({r["machine"]["processor"] for r in records.values()})
    parts = [HEAD.format(processor="; ".join(processors))]
    for section in plan.section:
        parts.append(f"## {section.title}\n\n{section.text.strip()}\n")
        rows = [
            (run, found)
            for run in section.run
            if (found := [records[run.name, s] for s in run.seeds if (run.name, s) in records])
        ]
        if rows:
            parts.append(table(section, rows))
        missing = [
            f"`{run.name}` seed {seed}"
            for run in section.run
            for seed in run.seeds
            if (run.name, seed) not in records
        ]
        if missing:
            parts.append(f"Not run so far: {', '.join(missing)}.\n")
        for plot in section.plot:
            from result_plots import draw

            draw(plot, rows, output.parent / "figures" / plot.file)
            parts.append(f"![{plot.title}](figures/{plot.file})\n")
    parts.append(f"## Every seed\n\n{every_seed(plan, records)}")
    replace_file(output, ("\n".join(parts)).encode())


def table(section: Section, rows: Sequence[tuple[Run, list[Record]]]) -> str:
    """Write a section's table in Markdown, one row per run."""
    labels = {label for run in section.run for label in run.labels}
    known = [*MEASURES, *WORDS, "seeds", *labels]
    for column in section.columns:
        check_known("column", column, known, f"section {section.title!r}")
    body = [[cell(name, run, found) for name in section.columns] for run, found in rows]
    return markdown(section.columns, body)


def cell(column: str, run: Run, found: Sequence[Record]) -> str:
    """Write one cell: a word, or the mean over seeds with the smallest and the largest."""
    if column in run.labels:
        return str(run.labels[column])
    if column in WORDS:
        return WORDS[column](run, found[0])
    if column == "seeds":
        return str(len(found))
    if column not in MEASURES:
        return ""  # A label that other runs of the section have.
    form, _ = MEASURES[column]
    numbers = values(column, found)
    if not numbers:
        return ""
    shown = form.format(float(np.mean(numbers)))
    low, high = form.format(min(numbers)), form.format(max(numbers))
    return shown if low == high else f"{shown} ({low} to {high})"


def values(column: str, found: Sequence[Record]) -> list[float]:
    """Return a measure of every seed that has it."""
    _, measure = MEASURES[column]
    return [value for record in found if (value := measure(record)) is not None]


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def every_seed(plan: ResultPlan, records: Records) -> str:
    """Write a row for every record, to compare your own run with."""
    columns = (
        "run", "seed", "float validation", "float test", "integers validation", "integers test",
        "epochs", "minutes",
    )  # fmt: skip
    rows = []
    for run in plan.runs():
        for seed in run.seeds:
            if (run.name, seed) in records:
                record = records[run.name, seed]
                cells = [str(seed) if c == "seed" else cell(c, run, [record]) for c in columns]
                about = record["machine"]
                rows.append([*cells, about["commit"], about["date"][:10]])
    return markdown((*columns, "commit", "date"), rows)
