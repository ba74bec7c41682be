"""nengo-loihi's emulator of the first Loihi: a recurrent block of LIF neurons, a readout block."""

# pyright: reportMissingImports=false

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from nengo_loihi.block import Axon, LoihiBlock, Synapse
from nengo_loihi.builder import Model
from nengo_loihi.builder.discretize import discretize_model
from nengo_loihi.emulator import EmulatorInterface
from nengo_loihi.inputs import SpikeInput

from .shapes import Gains, Shape, Training, UnavailableError, draw, weights

DISTRIBUTIONS = ("nengo-loihi", "nengo", "numpy")
GAINS = {"N128": Gains(45.0, 5.0, 0.0), "N512": Gains(55.0, 5.0, 0.0), "ecg": Gains(50.0, 5.0, 0.0)}
TAU_MEMBRANE, TAU_CURRENT = 20.0, 1.0


def _block(size: int, threshold: float) -> LoihiBlock:
    block = LoihiBlock(size)
    block.compartment.configure_lif(tau_rc=TAU_MEMBRANE, tau_ref=0.0, vth=threshold, dt=1.0)
    block.compartment.configure_filter(TAU_CURRENT, dt=1.0)
    return block


def _connect(source: Any, block: LoihiBlock, weight: np.ndarray) -> None:
    synapse = Synapse(weight.shape[1])
    synapse.set_weights(weight.T)
    block.add_synapse(synapse)
    axon = Axon(weight.shape[1])
    axon.target = synapse
    axon.set_compartment_axon_map(np.arange(weight.shape[1]))
    source.add_axon(axon)


def make(way: str, shape: Shape, threads: int, device: str) -> Training:
    """Return a run of one sample as a step; the emulator has no batch and one thread."""
    del way, threads, device
    if shape.batch != 1:
        raise UnavailableError("no batch")
    (layer,), readout = weights(shape, [GAINS[shape.name]])
    (size,) = shape.hidden
    inputs = draw(shape)[0][0]
    source = SpikeInput(shape.inputs)
    for t, row in enumerate(inputs, start=1):
        source.add_spikes(t, np.flatnonzero(row).tolist(), permanent=True)
    hidden, output = _block(size, 1.0), _block(shape.classes, 20.0)
    _connect(source, hidden, layer.inputs)
    _connect(hidden, hidden, layer.recurrent)
    _connect(hidden, output, readout)
    model = Model(dt=1.0)
    model.add_input(source)
    model.add_block(hidden)
    model.add_block(output)
    discretize_model(model)

    emulator = EmulatorInterface(model)
    spikes = np.zeros((shape.steps, size), np.float32)

    def step() -> Sequence[np.ndarray]:
        # Back to the first step's inputs; building the emulator again is not part of a run.
        emulator.t = 0
        for t in range(shape.steps):
            emulator.step()
            spikes[t] = emulator.compartment.spiked[:size]
        return [spikes]

    return Training("LIF, 8-bit weights, hard reset", step)
