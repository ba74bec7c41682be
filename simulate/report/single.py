"""The report on one network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...export.checkpoint import FloatModel
from ..baselines import Baseline
from ..energy import EnergyModels
from ..pilot import Pilot, pilot_report
from .answers import answers
from .document import Report
from .energy import energy_section, estimate_energy, latency_section, pilot_section
from .evidence import Evidence
from .inside import activity_section, samples_section, time_constants_section
from .origin import origin
from .parity import parity_section
from .placement import Placement, placement_section
from .summary import summary
from .values import shown


@dataclass(frozen=True)
class Extras:
    """Optional parts of a report on one network; None leaves the part out.

    ``command``: the line that asked for the report; ``models``: energy models, the bundled ones
    when None; ``baselines``: trained dense networks of the task.
    """

    command: str = ""
    model: FloatModel | None = None
    model_file: Path | None = None
    placement: Placement | None = None
    models: EnergyModels | None = None
    pilot: Pilot | None = None
    baselines: tuple[Baseline, ...] = ()


def single_report(evidence: Evidence, extras: Extras) -> Report:
    """Return the report on one network's run.

    Raises
    ------
    InputError
        A pilot that names an energy model which is not known.
    """
    energy = estimate_energy(evidence, extras.models, extras.baselines)
    pilot = None
    if energy is not None and extras.pilot is not None:
        pilot = pilot_report(extras.pilot, energy)
    latency = latency_section(evidence, energy)
    sections = [
        summary(evidence, energy, pilot),
        *([] if pilot is None else [pilot_section(pilot)]),
        answers(evidence),
        *([] if latency is None else [latency]),
        *([] if energy is None else [energy_section(energy)]),
        activity_section(evidence),
        samples_section(evidence),
        time_constants_section(evidence),
        parity_section(evidence, extras.model, extras.model_file),
        *([] if extras.placement is None else [placement_section(extras.placement)]),
        origin((evidence,), extras.command),
    ]
    return Report(evidence.path.name, subtitle(evidence), tuple(sections))


def subtitle(evidence: Evidence) -> str:
    """Return what ran on which data, in one line."""
    sizes = "-".join(
        f"{layer.size}{'r' if layer.recurrent is not None else ''}"
        for layer in evidence.network.layers
    )
    return (
        f"Spiking network {evidence.network.input_size}-{sizes} of 8-bit weights and 24-bit "
        f"states, simulated bit-accurately on {evidence.data.source.removesuffix(', whole')}: "
        f"{shown(evidence.activity.samples, 'integer', 'samples')}, "
        f"{shown(evidence.activity.steps, 'integer', 'steps')}."
    )
