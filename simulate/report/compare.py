"""The report on several networks side by side."""

from __future__ import annotations

from ..figures.pareto import Candidate, pareto, pareto_series
from .answers import standard_error
from .document import Column, Fact, Facts, Item, Report, Section, Table, Text
from .drawing import drawing
from .evidence import Evidence
from .inside import synapses
from .origin import origin


def comparison_report(evidences: tuple[Evidence, ...], command: str) -> Report:
    """Return the report on several networks."""
    names = _names(evidences)
    items: list[Item] = [comparison_table(evidences, names)]
    sections = (Section("comparison", "Comparison", tuple(items)), origin(evidences, command))
    return Report(
        f"{len(evidences)} networks compared",
        "; ".join(dict.fromkeys(one.data.source.removesuffix(", whole") for one in evidences)),
        sections,
    )


def _names(evidences: tuple[Evidence, ...]) -> list[str]:
    """Return names that tell the networks apart: of files, with folders where those are equal."""
    names = [one.path.name for one in evidences]
    if len(set(names)) == len(names):
        return names
    longer = [str(one.path) for one in evidences]
    return longer if len(set(longer)) == len(longer) else [f"{n} ({i})" for i, n in enumerate(longer)]


def comparison_table(evidences: tuple[Evidence, ...], names: list[str]) -> Table:
    """Return a row for each network."""
    rows = []
    for name, one in zip(names, evidences, strict=True):
        step = one.activity.per_step()
        rows.append(
            (
                name,
                one.metrics.get("accuracy"),
                standard_error(one),
                sum(synapses(layer) for layer in one.network.layers),
                step["Effective_ACs"],
                step["Effective_MACs"],
                step["spikes"],
                one.activity.activation_sparsity,
            )
        )
    return Table(
        "networks",
        "Networks",
        (
            Column("network", "network"),
            Column("accuracy", "accuracy", "percent"),
            Column("standard-error", "± standard error", "percent"),
            Column("synapses", "synapses", "integer"),
            Column("acs", "Effective ACs", "number", "1/step"),
            Column("macs", "Effective MACs", "number", "1/step"),
            Column("spikes", "spikes", "number", "1/step"),
            Column("activation-sparsity", "Activation Sparsity", "percent"),
        ),
        tuple(rows),
    )
