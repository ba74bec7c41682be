"""The report on one network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...export.checkpoint import FloatModel
from ..measures import measure_network
from .answers import answers, standard_error
from .document import Fact, Facts, Item, Report, Section, Text
from .evidence import Evidence
from .inside import activity_section, samples_section, time_constants_section
from .origin import origin
from .parity import parity_section
from .placement import Placement, placement_section


@dataclass(frozen=True)
class Extras:
    """What a report on one network may have beside its run; None leaves its part out.

    ``command``: the line that asked for the report.
    """

    command: str = ""
    model: FloatModel | None = None
    model_file: Path | None = None
    placement: Placement | None = None


def single_report(evidence: Evidence, extras: Extras) -> Report:
    """Return the report on one network's run."""
    sections = [
        summary(evidence, extras),
        answers(evidence),
        activity_section(evidence),
        samples_section(evidence),
        time_constants_section(evidence),
        parity_section(evidence, extras.model, extras.model_file),
    ]
    if extras.placement is not None:
        sections.append(placement_section(extras.placement))
    sections.append(origin((evidence,), extras.command))
    return Report(evidence.path.name, subtitle(evidence), tuple(sections))


def subtitle(evidence: Evidence) -> str:
    """Return what ran on what, in a line."""
    sizes = "-".join(
        f"{layer.size}{'r' if layer.recurrent is not None else ''}"
        for layer in evidence.network.layers
    )
    return (
        f"Spiking network {evidence.network.input_size}-{sizes} of 8-bit weights and 24-bit "
        f"states, simulated bit-accurately on {evidence.data.source.removesuffix(', whole')}: "
        f"{evidence.activity.samples:,} samples, {evidence.activity.steps:,} steps."
    )


def summary(evidence: Evidence, extras: Extras) -> Section:
    """Return the facts to decide by."""
    activity = evidence.activity
    facts = accuracy_facts(evidence)
    step = activity.per_step()
    effective = step["Effective_ACs"] + step["Effective_MACs"]
    if effective:
        facts.append(
            Fact(
                "Operations a step",
                effective,
                format="integer",
                note=f"{step['Dense'] / effective:.1f} times fewer than the {step['Dense']:,.0f} "
                "of a dense network of this shape",
            )
        )
    if activity.activation_sparsity is not None:
        facts.append(
            Fact(
                "Activation Sparsity",
                activity.activation_sparsity,
                format="percent",
                note=f"a neuron spikes at {1 - activity.activation_sparsity:.2%} of the steps",
            )
        )
    measures = measure_network(evidence.network)
    facts.append(
        Fact(
            "Footprint",
            measures.footprint,
            "B",
            "si",
            f"{measures.parameters:,} parameters in the integer format",
        )
    )
    if evidence.seconds > 0:
        facts.append(
            Fact(
                "Simulation speed",
                activity.steps / evidence.seconds,
                "steps/s",
                "integer",
                "of this simulator, on this machine; a chip has its own",
            )
        )
    items: list[Item] = [Facts("facts", "Key figures", tuple(facts))]
    if evidence.different:
        items.append(
            Text(
                "summary-wrong",
                f"{evidence.different:,} outputs are not those in the file.",
                "warning",
            )
        )
    return Section("summary", "Summary", tuple(items))


def accuracy_facts(evidence: Evidence) -> list[Fact]:
    """Return accuracies with what they are of."""
    error = standard_error(evidence)
    spread = "" if error is None else f", ± {100 * error:.1f} points (standard error)"
    names = {
        "accuracy": "Accuracy",
        "accuracy_labelled": "Accuracy, labelled steps",
    }
    return [
        Fact(
            names.get(name, name.replace("_", " ")),
            value,
            format="percent",
            note=f"{evidence.data.count:,} samples{spread}",
        )
        for name, value in evidence.metrics.items()
    ]
