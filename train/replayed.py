"""A run on the grid as the engine reads it back, for any neuron, in NumPy from its step as a graph.

Srnn's own alif, lif, cuba_lif and li have compiled functions for this (``integer_kernels.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..export.freeze import FloatLayer
from ..export.network import Layer
from ..export.trace import LayerTrace
from ..neurons.gradient import Node, float_program
from ..neurons.neuron import initial_state
from ..neurons.real import states_of
from .engine.derived import ARGUMENT, printed

Floats = npt.NDArray[np.float32]

_COMPUTED = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "fma": lambda x, y, z: x * y + z,
    "relu": lambda x: np.maximum(x, 0),
    "detach": lambda x: x,
}


@dataclass(frozen=True, eq=False)
class AnyReplay:
    """A layer's run on the grid, ``engine.replay.Replay``.

    ``real``, ``layer``: the float layer and its integers; ``trace``: their run; ``record``: their
    parameters as real numbers, by name; ``weight``, ``recurrent_weight``, ``bias``,
    ``coefficients``: what the integers stand for; ``signal``: what the layer read, (batch, time,
    channel).
    """

    real: FloatLayer
    layer: Layer
    trace: LayerTrace
    record: Any
    weight: Floats
    recurrent_weight: Floats | None
    bias: Floats
    coefficients: tuple[Floats, ...]
    signal: Floats

    @cached_property
    def _states(self) -> dict[str, Floats]:
        """The states after each step, (batch, time, n)."""
        return self._meant(self.trace.states, self.trace.spikes)

    def _meant(self, states: Any, spikes: Any) -> dict[str, Floats]:
        # Large values become infinite: the loss or its gradient shows them.
        with np.errstate(over="ignore", invalid="ignore"):
            found = states_of(self.real.neuron, self.record, self.layer.state_scale, states)
            found = {name: np.asarray(x, np.float32) for name, x in found.items()}
        if spikes is not None:
            found["s"] = spikes.astype(np.float32)
        return found

    @cached_property
    def _kept(self) -> list[Floats]:
        """What a step keeps, (batch, time, n) each, in the engine's order."""
        neuron = self.real.neuron
        program = float_program(neuron)
        first = initial_state(self.layer.neuron, 1)
        start = self._meant(first, None if "s" not in neuron.STATES else np.zeros(self.layer.size))
        known: dict[Any, Any] = {
            Node.of("coefficient", name): value
            for name, value in zip(program.coefficients, self.coefficients, strict=True)
        }
        known[Node.of("coefficient", "bias")] = self.bias
        for name in neuron.STATES:
            after = self._states[name]
            before = np.empty_like(after)
            before[:, 1:], before[:, 0] = after[:, :-1], start[name]
            known[Node.of("state", name)] = before
            if isinstance(program.states[name], Node):
                known.setdefault(program.states[name], after)

        def value(node: Any) -> Any:
            if not isinstance(node, Node):
                return np.float32(node)
            if node not in known:
                if node.op == "current":
                    known[node] = self._current()
                else:
                    known[node] = _COMPUTED[node.op](*map(value, node.args))
            return known[node]

        kept = []
        with np.errstate(over="ignore", invalid="ignore"):
            for name in printed(neuron).kept:
                if name == ARGUMENT and "s" in self._states:
                    x, fired = value(program.states["s"].args[0]), self._states["s"] > 0
                    # Rounding must not change who spiked.
                    least = np.finfo(np.float32).tiny
                    made = np.where(fired, np.maximum(x, least), np.minimum(x, np.float32(0)))
                elif name == "current":
                    made = value(Node.of("current"))
                else:
                    made = self._states["v" if name == ARGUMENT else name]
                kept.append(np.asarray(made, np.float32))
        return kept

    def _current(self) -> Floats:
        """Return what the synapses deliver, and the bias where the step does not add it."""
        drive = _late(self.signal @ self.weight.T, self.real.delay)
        if self.recurrent_weight is not None:
            sent = np.zeros_like(self._states["s"])
            sent[:, 1:] = self._states["s"][:, :-1]
            drive = drive + _late(sent @ self.recurrent_weight.T, self.real.delay_rec)
        return drive if self.real.neuron.BIAS_IN_STEP else drive + self.bias

    def keep(self, kept: Floats, low: int, high: int) -> None:
        """Fill blocks ``low`` to ``high`` of (blocks, time, planes, samples, width)."""
        samples, n = kept.shape[3], self.layer.size
        kept[low:high] = 0
        # Padding does not fire.
        kept[low:high, :, 0] = -1
        for plane, values in enumerate(self._kept):
            for block in range(low, high):
                own = values[block * samples : (block + 1) * samples]
                kept[block, :, plane, : len(own), :n] = own.transpose(1, 0, 2)

    def membranes(self) -> Floats:
        """Return the membranes (batch, time, n)."""
        return np.ascontiguousarray(self._states["v"])

    def spikes(self) -> Floats | None:
        """Return the spikes (batch, time, n), None if the layer has none."""
        return self._states.get("s")

    def counts(self) -> Floats | None:
        """Return the spikes (batch, n) within each sample's length."""
        spikes = self.spikes()
        return None if spikes is None else spikes.sum(1)

    def final(self) -> list[Floats]:
        """Return the states after the last step, each (batch, n), in the engine's order."""
        places = printed(self.real.neuron).places
        none = np.zeros_like(self._states["v"][:, -1])
        found = [none] * max(3, *(place + 1 for place in places))
        for name, place in zip(self.real.neuron.STATES, places, strict=True):
            found[place] = np.ascontiguousarray(self._states[name][:, -1])
        return found


def _late(drive: Floats, delay: npt.NDArray[np.int64] | None) -> Floats:
    """Return sums (batch, time, n) delayed by each neuron's delay (n,)."""
    if delay is None:
        return drive
    steps = np.arange(drive.shape[1])[:, None] - delay
    found = np.take_along_axis(drive, np.maximum(steps, 0)[None], 1)
    return found * (steps >= 0)
