"""The probes of the extension's profiler, and their results as a ``Measurement``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...simulate.measurement import RAILS, Measurement


@dataclass(frozen=True, eq=False)
class Probes:
    """Power, execution time and activity of one run, as callbacks of its configuration."""

    power: Any
    time: Any
    activity: Any

    @property
    def callbacks(self) -> list[Any]:
        """The probes, in the order in which the board calls them."""
        return [self.power, self.time, self.activity]


def probes(steps: int) -> Probes:
    """Return probes for a run of so many steps."""
    from lava.utils import (
        loihi2_profiler,  # pyright: ignore[reportAttributeAccessIssue, reportMissingImports]
    )

    return Probes(
        loihi2_profiler.Loihi2Power(num_steps=steps),
        loihi2_profiler.Loihi2ExecutionTime(),
        loihi2_profiler.Loihi2Activity(),
    )


def measurement(ran: Probes, source: str, steps: int, steps_per_sample: float) -> Measurement:
    """Return the results of the probes after their run.

    The profiler gives powers in watt, as series over the run, static ones as one number each, the
    mean time per step in microseconds, and counts core by core.
    """
    powers = {}
    for name in [*RAILS, *(f"static_{rail}" for rail in RAILS)]:
        powers[f"{name}_power_w"] = float(np.mean(getattr(ran.power, f"{name}_power")))
    counts = {
        name: int(np.sum(getattr(ran.activity, name)))
        for name in ("syn_ops", "dendrite_updates", "axon_out", "spikes_in")
    }
    return Measurement(
        source=source,
        steps=steps,
        steps_per_sample=steps_per_sample,
        execution_time_per_step_us=float(ran.time.avg_time_per_step),
        cores=int(np.size(ran.activity.core_idx)),
        **powers,
        **counts,
    )
