"""What a board's own probes measured in a run: power, time, activity. Nothing here is estimated.

The names are those of Lava's Loihi 2 profiler, with the unit added: ``vdd`` is the supply of the
cores, ``vddm`` of their memory, ``vddio`` of the interfaces. A report shows it next to an estimate,
in a separate column.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from math import isfinite
from typing import Any, ClassVar

RAILS = ("total", "vdd", "vddm", "vddio")
"""All supplies together, and each of them."""


@dataclass(frozen=True)
class Measurement:
    """A measured run of ``steps`` steps; ``steps_per_sample`` is the mean length of a sample.

    Powers in watts: ``<rail>_power_w`` is the mean over the run, static power included;
    ``static_<rail>_power_w`` that of the idle board. ``execution_time_per_step_us`` in
    microseconds. Counts are of the whole run, over all ``cores``: synaptic operations, dendrite
    updates, axon messages sent, spikes received.

    Raises
    ------
    ValueError
        A number that is not finite or negative.
    """

    source: str
    steps: int
    steps_per_sample: float
    execution_time_per_step_us: float
    total_power_w: float
    vdd_power_w: float
    vddm_power_w: float
    vddio_power_w: float
    static_total_power_w: float
    static_vdd_power_w: float
    static_vddm_power_w: float
    static_vddio_power_w: float
    cores: int
    syn_ops: int
    dendrite_updates: int
    axon_out: int
    spikes_in: int

    measured: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if entry.name != "source" and not (isfinite(value) and value >= 0):
                raise ValueError(f"measured {entry.name}: {value} is negative or not finite")

    def power_w(self, rail: str = "total") -> float:
        """Return the mean power of a rail, static power included, in watts."""
        return getattr(self, f"{rail}_power_w")

    def static_power_w(self, rail: str = "total") -> float:
        """Return the static power of a rail, in watts."""
        return getattr(self, f"static_{rail}_power_w")

    def dynamic_power_w(self, rail: str = "total") -> float:
        """Return what the run added to the static power of a rail, in watts.

        It is below zero where noise is larger than what the network adds.
        """
        return self.power_w(rail) - self.static_power_w(rail)

    @property
    def execution_time_per_sample_s(self) -> float:
        """Time of one sample, in seconds."""
        return self.steps_per_sample * self.execution_time_per_step_us * 1e-6

    @property
    def total_energy_per_sample_j(self) -> float:
        """Energy of one sample, static power included, in joules."""
        return self.power_w() * self.execution_time_per_sample_s

    @property
    def static_energy_per_sample_j(self) -> float:
        """Energy that the idle board takes in the time of one sample, in joules."""
        return self.static_power_w() * self.execution_time_per_sample_s

    @property
    def dynamic_energy_per_sample_j(self) -> float:
        """Energy that running one sample adds to that of the idle board, in joules."""
        return self.dynamic_power_w() * self.execution_time_per_sample_s

    def per_sample(self, count: int) -> float:
        """Return a count of the run per sample."""
        return count * self.steps_per_sample / self.steps if self.steps else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, including ``measured``, and what follows from them."""
        return {
            "measured": self.measured,
            **asdict(self),
            **{f"dynamic_{rail}_power_w": self.dynamic_power_w(rail) for rail in RAILS},
            "execution_time_per_sample_s": self.execution_time_per_sample_s,
            "total_energy_per_sample_j": self.total_energy_per_sample_j,
            "static_energy_per_sample_j": self.static_energy_per_sample_j,
            "dynamic_energy_per_sample_j": self.dynamic_energy_per_sample_j,
        }
