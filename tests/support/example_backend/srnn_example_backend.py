"""A target for ``srnn-deploy`` in a distribution of its own; docs/BACKENDS.md explains it.

The "chip" here is NumPy, and its two neuron models are written from docs/FIXED_POINT.md, not
taken from srnn's simulator: ``srnn-deploy`` then shows that the bits agree. A driver of a
real chip has the same shape: say whether it is there, refuse by name what it cannot run, and give
back spikes and states as a ``Trace``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from srnn.deploy import Availability, LayerDescription, RunOptions
from srnn.export.errors import InputError
from srnn.export.network import AdaptiveLIF, Layer, LeakyIntegrator, Network, Synapses, check_inputs
from srnn.export.trace import LayerTrace, Trace


def make(options: RunOptions) -> ExampleBackend:
    """What the entry point names: run options in, a backend out."""
    return ExampleBackend(options)


@dataclass(frozen=True)
class ExampleBackend:
    """The chip of this example."""

    options: RunOptions
    name: str = "example-chip"

    def available(self) -> Availability:
        """A real driver looks for its board here, without opening it."""
        return Availability(True, "NumPy emulates the chip")

    def describe(self, network: Network) -> list[LayerDescription]:
        """Say what computes each layer, or refuse all layers that cannot run, at once."""
        problems = [
            f"layer {layer.name}: {why}" for layer in network.layers for why in _unsupported(layer)
        ]
        if problems:
            raise InputError(f"{self.name}: {'; '.join(problems)}; run the simulator")
        return [
            LayerDescription(
                layer=layer.name,
                neuron=layer.neuron.TYPE,
                process="core",
                stock=True,
                lag=0,
                synapses=f"{layer.synapses.n_in}x{layer.size}",
                reason="a neuron model of this chip",
            )
            for layer in network.layers
        ]

    def run(self, network: Network, inputs: np.ndarray, lengths: np.ndarray | None = None) -> Trace:
        """Run every sample from the initial state, and record everything."""
        self.describe(network)
        messages = check_inputs(network, inputs)
        batch, steps, _ = messages.shape
        ran = np.full(batch, steps) if lengths is None else np.asarray(lengths, dtype=np.int64)
        spikes = [np.zeros((batch, steps, layer.size), np.uint8) for layer in network.layers]
        states = [
            {name: np.zeros((batch, steps, layer.size), np.int32) for name in layer.neuron.STATES}
            for layer in network.layers
        ]
        for sample, length in enumerate(ran.tolist()):
            cores = [_core(layer) for layer in network.layers]
            for t in range(length):
                sent = messages[sample, t].astype(np.int64)
                for index, core in enumerate(cores):
                    sent, now = core(sent)
                    spikes[index][sample, t] = sent
                    for name, values in now.items():
                        states[index][name][sample, t] = values
            if self.options.progress is not None:
                self.options.progress(sample + 1, 0)
        layers = tuple(
            LayerTrace(spikes[index] if layer.neuron.SPIKING else None, states[index])
            for index, layer in enumerate(network.layers)
        )
        reads_spikes = network.readout.reads_spikes
        output = spikes[-1].astype(np.int32) if reads_spikes else states[-1]["v"]
        return Trace(layers, output, ran)


Core = Callable[[np.ndarray], tuple[np.ndarray, dict[str, np.ndarray]]]
"""One layer with its state: from the input of a step to its spikes and states."""


def _core(layer: Layer) -> Core:
    adaptive = isinstance(layer.neuron, AdaptiveLIF)
    program = _adaptive(layer.neuron) if adaptive else _integrator(layer.neuron)
    next(program)
    spiked = np.zeros(layer.size, np.int64)

    def step(sent: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        nonlocal spiked
        total = _delivered(layer.synapses, sent)
        if layer.recurrent is not None:
            total = total + _delivered(layer.recurrent, spiked)
        spiked, states = program.send(total)
        return spiked, states

    return step


def _delivered(synapses: Synapses, sent: np.ndarray) -> np.ndarray:
    total = synapses.weight.astype(np.int64) @ sent
    exponent = synapses.weight_exp
    return total << exponent if exponent >= 0 else total >> -exponent


def _adaptive(p: AdaptiveLIF) -> Iterator:
    d, v, spiked = p.d_init.copy(), p.v_init.copy(), np.zeros(p.size, np.int64)
    states: dict[str, np.ndarray] = {}
    while True:
        total = yield spiked, states
        d = _saturated(_decayed(d, p.b_decay) + np.where(spiked, p.b_step, 0))
        threshold = p.v_threshold + (d >> p.b_exp)
        drive = (total << 6) + p.bias - np.where(spiked, threshold, 0)
        v = _saturated(_decayed(v, p.v_decay) + drive)
        spiked, states = (v > threshold).astype(np.int64), {"d": d, "v": v}


def _integrator(p: LeakyIntegrator) -> Iterator:
    v, silent = p.v_init.copy(), np.zeros(p.size, np.int64)
    states: dict[str, np.ndarray] = {}
    while True:
        total = yield silent, states
        v = _saturated(_decayed(v, p.v_decay) + (total << 6) + p.bias)
        states = {"v": v}


def _decayed(state: np.ndarray, code: np.ndarray) -> np.ndarray:
    product = state * (4096 - code)
    return np.where(product < 0, -(-product >> 12), product >> 12)


def _saturated(state: np.ndarray) -> np.ndarray:
    return np.clip(state, -(2**23) + 1, 2**23 - 1)


def _unsupported(layer: Layer) -> Iterator[str]:
    if not isinstance(layer.neuron, (AdaptiveLIF, LeakyIntegrator)):
        yield f"{layer.neuron.TYPE} is not a neuron model of this chip; it has SRNN_ALIF, SRNN_LI"
    for connection in (layer.synapses, layer.recurrent):
        if connection is not None and not isinstance(connection, Synapses):
            yield "a convolution, this chip has dense synapses"
        elif connection is not None and connection.delay is not None:
            yield "delays, this chip has none"
