"""A measurement as tables for people, marked as measured."""

from __future__ import annotations

from ..export.console import Output
from ..simulate.measurement import RAILS, Measurement


def print_measurement(found: Measurement, output: Output) -> None:
    """Print power by supply, and time, energy and activity per sample."""
    names = {"total": "all", "vdd": "cores, VDD", "vddm": "memory, VDDM", "vddio": "IO, VDDIO"}
    output.table(
        f"measured ({found.source}), power in W over {found.steps:,} steps",
        ["supply", "total", "static", "dynamic"],
        [
            [
                names[rail],
                found.power_w(rail),
                found.static_power_w(rail),
                found.dynamic_power_w(rail),
            ]
            for rail in RAILS
        ],
    )
    output.table(
        f"measured, per sample of {found.steps_per_sample:g} steps, on {found.cores} cores",
        ["quantity", "value", "unit"],
        [
            ["execution time", found.execution_time_per_sample_s * 1e3, "ms"],
            ["total energy", found.total_energy_per_sample_j * 1e3, "mJ"],
            ["static energy", found.static_energy_per_sample_j * 1e3, "mJ"],
            ["dynamic energy", found.dynamic_energy_per_sample_j * 1e3, "mJ"],
            ["syn_ops", found.per_sample(found.syn_ops), ""],
            ["dendrite_updates", found.per_sample(found.dendrite_updates), ""],
            ["axon_out", found.per_sample(found.axon_out), ""],
            ["spikes_in", found.per_sample(found.spikes_in), ""],
        ],
    )
