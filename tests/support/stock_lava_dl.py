"""Run by the tests in a process of its own: a file in unmodified lava-dl, as its users run it.

``stock_lava_dl.py FILE INPUTS OUT`` loads FILE in ``lava.lib.dl.netx.hdf5.Network``, runs every
sample of INPUTS (an ``.npy`` file, integers (sample, time, channel)) under
``Loihi2SimCfg(select_tag="fixed_pt")`` and saves to OUT what Monitors recorded: ``u0``, ``v0``,
``s0``, ``u1`` ..., each (sample, time, neuron), in windows that begin with a layer's first input.
"""

from __future__ import annotations

import sys

import h5py
import numpy as np
from lava.lib.dl import netx
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.io.source import RingBuffer
from lava.proc.monitor.process import Monitor


def run(path: str, sample: np.ndarray) -> dict[str, np.ndarray]:
    """Return every layer's states and spikes, each (time, neuron)."""
    length = len(sample)
    with h5py.File(path) as file:
        steps = length + len(file["layer"])
    # A layer gets its first input one step later than the layer below it: the reset, which netx
    # shifts by a step a layer, is put there, since a bias acts from Lava's first step on.
    net = netx.hdf5.Network(net_config=path, reset_interval=2 * steps + 2, reset_offset=1)
    data = np.zeros((*net.inp.shape, steps), dtype=np.int32)
    # Lava's blocks are (column, row, channel), a sample lies in a row in the opposite order.
    for step in range(length):
        data[..., step] = sample[step].reshape(net.inp.shape[::-1]).T
    source = RingBuffer(data=data)
    source.s_out.connect(net.inp)
    monitors = {}
    for index, layer in enumerate(net.layers):
        for name in ("u", "v", "s_out"):
            monitors[index, name] = Monitor()
            monitors[index, name].probe(getattr(layer.neuron, name), steps)
    try:
        net.run(condition=RunSteps(num_steps=steps), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
        read = {key: monitor.get_data() for key, monitor in monitors.items()}
    finally:
        # Without it a failure leaves Lava's processes, for which the interpreter waits for ever.
        net.stop()
    found = {}
    for (index, name), by_process in read.items():
        ((recorded,),) = (list(by_var.values()) for by_var in by_process.values())
        recorded = recorded.reshape(steps, *net.layers[index].neuron.v.shape)
        recorded = recorded.transpose(0, *range(recorded.ndim - 1, 0, -1)).reshape(steps, -1)
        found[f"{name[0]}{index}"] = recorded[index + 1 : index + 1 + length].astype(np.int64)
    return found


def main(path: str, inputs: str, out: str) -> None:
    """Run every sample and save the records."""
    runs = [run(path, sample) for sample in np.load(inputs)]
    np.savez(out, **{name: np.stack([each[name] for each in runs]) for name in runs[0]})


if __name__ == "__main__":
    main(*sys.argv[1:])
