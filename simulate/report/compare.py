"""The report that compares several networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..energy import EnergyModels, Range
from ..figures.pareto_front import Candidate, front, pareto, pareto_series
from ..measures import measure_network
from .document import Column, Fact, Facts, Item, Report, Section, Table, Text
from .drawing import drawing
from .energy import CHIP, estimate_energy, find
from .evidence import Evidence
from .origin import flat, in_words, origin
from .parity import stored_table


def comparison_report(
    evidences: tuple[Evidence, ...], command: str, models: EnergyModels | None = None
) -> Report:
    """Return the report on several networks, all compared with the first."""
    names = _names(evidences)
    sources = list(dict.fromkeys(one.data.source.removesuffix(", whole") for one in evidences))
    items: list[Item] = []
    if len(sources) > 1:
        text = "The networks ran on different data, so their accuracies are not comparable: "
        items.append(Text("other-data", text + "; ".join(sources), "warning"))
    estimates = [_estimate(one, models) for one in evidences]
    candidates = _candidates(evidences, names, estimates)
    if candidates:
        items += [_facts(candidates), _pareto(candidates)]
    settings = settings_table(evidences, names)
    items += [
        comparison_table(evidences, names, estimates),
        difference_table(evidences, names, estimates),
        *([] if settings is None else [settings]),
    ]
    sections = [Section("comparison", "Comparison", tuple(items))]
    if candidates and len(sources) == 1:
        sections.append(_answers(evidences, names))
    sections.append(origin(evidences, command))
    steps = evidences[0].activity.steps
    return Report(
        f"{len(evidences)} spiking networks compared",
        f"Simulated bit-accurately on {'; '.join(sources)}: {evidences[0].data.count:,} samples, "
        f"{steps:,} steps.",
        tuple(sections),
    )


def _names(evidences: tuple[Evidence, ...]) -> list[str]:
    """Return names that distinguish the networks: of files, with folders where those are equal."""
    for names in ([one.path.name for one in evidences], [str(one.path) for one in evidences]):
        if len(set(names)) == len(names):
            return names
    return [f"{one.path} ({number})" for number, one in enumerate(evidences, start=1)]


def operations(evidence: Evidence) -> float:
    """Return the effective synaptic operations per step, ACs and MACs together."""
    step = evidence.activity.per_step()
    return step["Effective_ACs"] + step["Effective_MACs"]


def _estimate(evidence: Evidence, models: EnergyModels | None) -> Range | None:
    """Return the joules per inference by the chip's model."""
    energy = estimate_energy(evidence, models)
    found = None if energy is None else find(energy, CHIP)
    return None if found is None else found.per_inference


def _candidates(
    evidences: tuple[Evidence, ...], names: list[str], estimates: list[Range | None]
) -> list[Candidate]:
    return [
        Candidate(name, one.metrics["accuracy"], joules.value)
        for name, one, joules in zip(names, evidences, estimates, strict=True)
        if "accuracy" in one.metrics and joules is not None and joules.value > 0
    ]


def _facts(candidates: list[Candidate]) -> Item:
    best = max(candidates, key=lambda one: one.accuracy)
    least = min(candidates, key=lambda one: one.cost)
    return Facts(
        "facts",
        "Key figures",
        (
            Fact("Most accurate", best.accuracy, format="percent", note=best.name),
            Fact(
                "Least energy per inference",
                least.cost,
                "J",
                "si",
                f"{least.name}; energy model {CHIP}",
                estimated=True,
            ),
        ),
    )


def _pareto(candidates: list[Candidate]) -> Item:
    kept = [candidates[index].name for index in front(candidates)]
    return drawing(
        "pareto",
        "Accuracy over estimated energy",
        "Accuracy of each network over its estimated energy; the Pareto front as a line.",
        pareto,
        pareto_series,
        candidates,
        "J",
        f"energy per inference, estimated by {CHIP}",
        own=(candidates, "J"),
        caption=f"Up and to the left is better. On the front, cheapest first: {', '.join(kept)}. "
        "The uncertainty of the model's constants, common to all networks, is in the table.",
        wide=True,
    )


_COLUMNS = (
    Column("network", "network"),
    Column("accuracy", "accuracy", "percent"),
    Column("standard-error", "± standard error", "percent"),
    Column("training", "measured in training", "percent"),
    Column("on-grid", "trained on the grid"),
    Column("energy", f"per inference, {CHIP}, estimated", "si", "J"),
    Column("energy-low", "low", "si", "J"),
    Column("energy-high", "high", "si", "J"),
    Column("operations", "operations", "number", "1/step"),
    Column("spikes", "spikes", "number", "1/step"),
    Column("activation-sparsity", "Activation Sparsity", "percent"),
    Column("parameters", "parameters", "integer"),
    Column("footprint", "Footprint", "integer", "B"),
    Column("weight-bits", "weight bits", "integer"),
)


def _row(one: Evidence, estimate: Range | None) -> tuple[Any, ...]:
    measures = measure_network(one.network)
    quantization = one.network.provenance.get("quantization")
    bits = quantization.get("weight_bits") if isinstance(quantization, dict) else None
    return (
        one.metrics.get("accuracy"),
        one.errors.get("accuracy"),
        stored_accuracy(one),
        one.network.provenance.get("trained_on_grid") is True,
        *((None,) * 3 if estimate is None else (estimate.value, estimate.low, estimate.high)),
        operations(one),
        one.activity.per_step()["spikes"],
        one.activity.activation_sparsity,
        measures.parameters,
        measures.footprint,
        bits if isinstance(bits, int) else None,
    )


def comparison_table(
    evidences: tuple[Evidence, ...], names: list[str], estimates: list[Range | None]
) -> Table:
    """Return a row for each network."""
    rows = tuple(
        (name, *_row(one, joules))
        for name, one, joules in zip(names, evidences, estimates, strict=True)
    )
    return Table("networks", "Networks", _COLUMNS, rows)


def difference_table(
    evidences: tuple[Evidence, ...], names: list[str], estimates: list[Range | None]
) -> Table:
    """Return how every network differs from the first."""
    first = _row(evidences[0], estimates[0])
    rows = []
    for name, one, joules in zip(names[1:], evidences[1:], estimates[1:], strict=True):
        row = _row(one, joules)
        points = None if None in (row[0], first[0]) else 100 * (row[0] - first[0])
        same = None
        if one.predictions.shape == evidences[0].predictions.shape:
            same = _equal_answers(one, evidences[0])
        rows.append((name, points, same, *(_ratio(row[at], first[at]) for at in (4, 7, 8, 10, 11))))
    return Table(
        "differences",
        f"Compared with {names[0]}",
        (
            Column("network", "network"),
            Column("accuracy", "accuracy", "points"),
            Column("equal-answers", "equal answers", "percent"),
            Column("energy", "energy, estimated", "number", "times"),
            Column("operations", "operations", "number", "times"),
            Column("spikes", "spikes", "number", "times"),
            Column("parameters", "parameters", "number", "times"),
            Column("footprint", "Footprint", "number", "times"),
        ),
        tuple(rows),
    )


def stored_accuracy(evidence: Evidence) -> float | None:
    """Return the accuracy that training stored of the same whole split, or None."""
    table = stored_table(evidence)
    rows = () if table is None else table.rows
    for _, metric, stored, _, difference in rows:
        if metric == "accuracy" and difference is not None and isinstance(stored, float):
            return stored
    return None


def settings_table(evidences: tuple[Evidence, ...], names: list[str]) -> Table | None:
    """Return the settings of recipes and quantization in which networks differ, or None."""
    found = [dict(_settings(one)) for one in evidences]
    keys = list(dict.fromkeys(key for settings in found for key in settings))
    rows = [
        (key, *values)
        for key in keys
        if len(set(values := [settings.get(key) for settings in found])) > 1
    ]
    if not rows:
        return None
    columns = [Column(f"network-{index}", name, "code") for index, name in enumerate(names)]
    return Table(
        "settings",
        "Settings in which they differ",
        (Column("setting", "setting"), *columns),
        tuple(rows),
        "From the recipes and quantization settings stored in the files.",
    )


def _settings(evidence: Evidence) -> Iterator[tuple[str, str | None]]:
    stored = evidence.network.provenance
    for part in ("recipe", "quantization"):
        value = stored.get(part)
        if isinstance(value, Mapping):
            for key, entry in flat(value):
                yield f"{part} {key}", in_words(entry)


def _ratio(value: float | None, other: float | None) -> float | None:
    return value / other if value is not None and other else None


def _equal_answers(one: Evidence, two: Evidence) -> float | None:
    same = one.predictions == two.predictions
    if same.ndim == 2:
        same = same[np.arange(same.shape[1]) < two.lengths[:, None]]
    return float(same.mean()) if same.size else None


def _answers(evidences: tuple[Evidence, ...], names: list[str]) -> Section:
    """Return the recall of every class by network."""
    classes = evidences[0].classes
    kept = [
        (name, one.confusion)
        for name, one in zip(names, evidences, strict=True)
        if one.confusion is not None and one.classes == classes
    ]
    columns = [Column("class", "class")]
    columns += [
        Column(f"network-{number}", name, "percent") for number, (name, _) in enumerate(kept)
    ]
    rows = []
    for index, label in enumerate(classes):
        found = [
            None if not counts[index].sum() else float(counts[index, index] / counts[index].sum())
            for _, counts in kept
        ]
        rows.append((label, *found))
    table = Table("recall", "Recall of each class", tuple(columns), tuple(rows))
    return Section("answers", "Answers", (table,))
