"""The profiler's probes, with the attributes that lava-dl's PilotNet benchmark reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import standin_board
from lava.magma.core.callback_fx import NxSdkCallbackFx


class _Probe(NxSdkCallbackFx):
    def pre_run_callback(self, board: Any = None, _vars: Any = None) -> None:
        assert board.steps == 0
        standin_board.note("attach", probe=type(self).__name__)

    def post_run_callback(self, board: Any = None, _vars: Any = None) -> None:
        standin_board.note("measured", probe=type(self).__name__)
        self.measure(board)

    def measure(self, board: Any) -> None:
        raise TypeError(f"{type(self).__name__} of {board}")


class Loihi2Power(_Probe):
    """Power of the supplies: series in watts, and that of the idle board."""

    def __init__(self, num_steps: int) -> None:
        self.num_steps = num_steps

    def measure(self, board: Any) -> None:
        assert board.steps == self.num_steps
        noise = np.array([-0.001, 0.0, 0.001])
        self.vdd_power, self.vddm_power = 0.40 + noise, 0.20 + 2 * noise
        self.vddio_power = 0.05 + 0 * noise
        self.total_power = self.vdd_power + self.vddm_power + self.vddio_power
        self.static_vdd_power, self.static_vddm_power = 0.10, 0.08
        self.static_vddio_power, self.static_total_power = 0.04, 0.22
        if standin_board.misbehaves("no power"):
            self.total_power = self.total_power * np.nan


class Loihi2ExecutionTime(_Probe):
    """Time of the steps, in microseconds."""

    def measure(self, board: Any) -> None:
        self.execution_time_per_step = np.full(board.steps, 12.5)
        self.avg_time_per_step = float(self.execution_time_per_step.mean())


class Loihi2Activity(_Probe):
    """Counts, core by core."""

    def measure(self, board: Any) -> None:
        neurons = [p for p in board.processes if type(p).__name__ in {"LIF", "LIFReset"}]
        self.core_idx = np.arange(len(neurons))
        self.syn_ops = np.array([board.syn_ops, *[0] * (len(neurons) - 1)])
        self.dendrite_updates = np.array([p.u.shape[0] * board.steps for p in neurons])
        self.spikes_in = np.array([board.spikes, *[0] * (len(neurons) - 1)])
        self.axon_out = self.spikes_in + 1
