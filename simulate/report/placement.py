"""The section on a board: the result of ``srnn-deploy --dry-run --json``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...export.errors import InputError
from ...export.network import Network
from ...export.reading.text import json_value, stream_text, text
from .document import Column, Fact, Facts, Item, Section, Table, Text


@dataclass(frozen=True)
class Placement:
    """A placement, checked as far as the report reads it; the names are those of docs/BOARDS.md."""

    board: str
    chip: str
    fits: bool
    bottleneck: str
    resources: tuple[tuple[Any, ...], ...]
    layers: tuple[tuple[Any, ...], ...]
    violations: tuple[tuple[Any, ...], ...]
    messages: tuple[tuple[str, float], ...]
    source: str | None
    unchecked: tuple[str, ...]
    unverified: tuple[str, ...]


def read_placement(path: Path, network: Network) -> Placement:
    """Read the JSON of a dry run; ``-`` is standard input.

    Raises
    ------
    InputError
        Not such a file, or of another network.
    """
    name = f"--placement: {path}"
    given = stream_text(sys.stdin.buffer, name) if str(path) == "-" else text(path)
    content: Any = json_value(given, name, object)
    try:
        placement = _placement(content)
        placed = [(str(layer["layer"]), int(layer["neurons"])) for layer in content["layers"]]
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        raise InputError(f"{name} is not what srnn-deploy --dry-run --json prints") from None
    if placed != [(layer.name, layer.size) for layer in network.layers]:
        raise InputError(
            f"--placement: {path} places another network: the layers differ; place this one"
        )
    return placement


def _placement(content: dict[str, Any]) -> Placement:
    traffic = content["traffic"]
    return Placement(
        board=str(content["board"]),
        chip=str(content["chip"]),
        fits=bool(content["fits"]),
        bottleneck=str(content["bottleneck"]),
        resources=_rows(
            content["resources"], "name", "fullest_core", "limit", "used", "available", "verified"
        ),
        layers=_rows(
            content["layers"], "layer", "neuron", "program", "neurons", "cores", "bound_by"
        ),
        violations=_rows(content["violations"], "limit_name", "layer", "value", "limit", "fix"),
        messages=()
        if traffic is None
        else tuple((str(k), float(v)) for k, v in traffic["messages_per_step"].items()),
        source=None if traffic is None else str(traffic["source"]),
        unchecked=tuple(map(str, content["not_checked"])),
        unverified=tuple(map(str, content["not_verified"])),
    )


def _rows(entries: list[dict[str, Any]], *names: str) -> tuple[tuple[Any, ...], ...]:
    return tuple(tuple(entry[name] for name in names) for entry in entries)


def placement_section(placement: Placement) -> Section:
    """Return the verdict, resources, layers and traffic."""
    words = _words
    cores = next((row for row in placement.resources if row[0] == "cores"), None)
    items: list[Item] = [
        Text(
            "placement-verdict",
            f"{'Fits' if placement.fits else 'Does not fit'} on {placement.board} "
            f"({placement.chip}). "
            "Placed, not run: no board was used.",
            "good" if placement.fits else "warning",
        )
    ]
    if cores is not None:
        items.append(
            Facts(
                "placement-facts",
                "Placement",
                (
                    Fact(
                        "Cores",
                        cores[3],
                        format="integer",
                        note=f"of {_count(cores[4])} on the board",
                    ),
                    Fact("Bottleneck", words(placement.bottleneck), format="text"),
                ),
            )
        )
    if placement.violations:
        items.append(
            Table(
                "violations",
                "What keeps the network off the board",
                (
                    Column("limit-name", "what"),
                    Column("layer", "layer"),
                    Column("value", "value", "number"),
                    Column("limit", "limit", "number"),
                    Column("fix", "how to fix it"),
                ),
                tuple((words(row[0]), *row[1:]) for row in placement.violations),
            )
        )
    items.append(
        Table(
            "resources",
            "Resources",
            (
                Column("resource", "resource"),
                Column("fullest", "fullest core", "integer"),
                Column("limit", "limit per core", "integer"),
                Column("share", "share", "percent"),
                Column("used", "used", "integer"),
                Column("available", "of the board", "integer"),
                Column("verified", "limit verified"),
            ),
            tuple(
                (words(r[0]), r[1], r[2], r[1] / r[2] if r[2] else None, *r[3:])
                for r in placement.resources
            ),
            f"Limits not known, so not checked: {_list(placement.unchecked)}. "
            f"Limits that no primary source confirms: {_list(placement.unverified)}.",
        )
    )
    items.append(
        Table(
            "placed-layers",
            "Layers on the board",
            (
                Column("layer", "layer"),
                Column("neuron", "neuron"),
                Column("program", "program"),
                Column("neurons", "neurons", "integer"),
                Column("cores", "cores", "integer"),
                Column("bound-by", "bound by"),
            ),
            tuple((*row[:5], words(row[5])) for row in placement.layers),
        )
    )
    if placement.messages:
        items.append(
            Table(
                "traffic",
                "Messages per step",
                (Column("between", "between"), Column("messages", "messages", "number", "1/step")),
                tuple((words(name), value) for name, value in placement.messages),
                f"Estimated from {placement.source}.",
            )
        )
    return Section("placement", "Placement on a board", tuple(items))


def _words(name: Any) -> Any:
    return name.replace("_", " ") if isinstance(name, str) else name


def _count(value: Any) -> str:
    return "?" if value is None else f"{value:,}"


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(map(_words, names)) or "none"
