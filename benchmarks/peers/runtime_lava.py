"""Lava's CPU runtime: stock fixed-point processes, a recurrent layer of LIF and a readout."""

# pyright: reportMissingImports=false

from __future__ import annotations

import atexit
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from srnn.deploy.lava import compat
from srnn.export.network import CubaLIF, Layer, LeakyIntegrator, Network, Synapses
from srnn.simulate import run

from .shapes import Floats, Gains, Shape, Training, UnavailableError, draw, weights

DISTRIBUTIONS = ("lava-nc", "numpy")
GAINS = {"N128": Gains(3.0, 1.0, 0.0), "N512": Gains(3.6, 1.0, 0.0), "ecg": Gains(3.0, 1.0, 0.0)}
DECAY = 205
"""Decay of the membrane, in 1/4096 per step: a time constant of 20 steps."""
NO_MEMORY, NEVER = 4095, 1 << 17


def _integers(weight: Floats, unit: float) -> npt.NDArray[np.int64]:
    return np.clip(2 * np.rint(weight * unit / 2), -256, 254).astype(np.int64)


def make(way: str, shape: Shape, threads: int, device: str) -> Training:
    """Return a run of one sample as a step. Processes are built once and continue from there."""
    del way, threads, device
    if shape.batch != 1:
        raise UnavailableError("no batch")
    usable, why = compat.available()
    if not usable:
        raise UnavailableError(why)
    compat.prepare()
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.dense.process import Dense
    from lava.proc.io.source import RingBuffer
    from lava.proc.lif.process import LIF

    (layer,), readout = weights(shape, [GAINS[shape.name]])
    (size,) = shape.hidden
    largest = max(np.abs(layer.inputs).max(), np.abs(layer.recurrent).max())
    unit = float(254 / largest)
    below, loop = _integers(layer.inputs, unit), _integers(layer.recurrent, unit)
    above = _integers(readout, float(254 / np.abs(readout).max()))
    threshold = int(unit)
    inputs = draw(shape)[0]

    source = RingBuffer(data=inputs[0].T.astype(np.int64))
    dense, recurrent, output = Dense(weights=below), Dense(weights=loop), Dense(weights=above)
    hidden = LIF(shape=(size,), du=NO_MEMORY, dv=DECAY, vth=threshold)
    last = LIF(shape=(shape.classes,), du=NO_MEMORY, dv=DECAY, vth=NEVER)
    source.s_out.connect(dense.s_in)
    dense.a_out.connect(hidden.a_in)
    hidden.s_out.connect(recurrent.s_in)
    recurrent.a_out.connect(hidden.a_in)
    hidden.s_out.connect(output.s_in)
    output.a_out.connect(last.a_in)
    config = Loihi2SimCfg(select_tag="fixed_pt")
    atexit.register(hidden.stop)

    # The simulator gives the same spikes for the same integers, so Lava needs no probe.
    neurons = CubaLIF(size, NO_MEMORY + 1, DECAY, threshold)  # type: ignore[arg-type]
    one = Layer("hidden", Synapses(below), neurons, Synapses(loop))
    two = Layer("readout", Synapses(above), LeakyIntegrator(shape.classes, DECAY))  # type: ignore[arg-type]
    spikes = run(Network((one, two)), inputs.astype(np.uint8)).layers[0].spikes
    assert spikes is not None

    def step() -> Sequence[npt.NDArray[np.uint8]]:
        hidden.run(condition=RunSteps(num_steps=shape.steps), run_cfg=config)
        return [spikes]

    return Training("CUBA LIF, 8-bit weights", step)
