"""A neuron of a user's own file, and a network of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from deploy_networks import integrator, spikes, synapses
from srnn.export.network import Layer, Network, Readout
from srnn.export.netx import write_net
from srnn.export.samples import Samples
from srnn.neurons import NEURONS, load, loading
from srnn.neurons.neuron import Neuron
from srnn.neurons.registry import FLOAT_NEURONS
from srnn.simulate import reference

# Stock lava-dl takes whatever has RF in its name for resonate-and-fire.
TYPE = "OWN_SURFER"
TEXT = f'''
from dataclasses import dataclass

from srnn.neurons.grid import decayed, sat, where
from srnn.neurons.neuron import Neuron, decay, parameter, state


@dataclass(frozen=True, eq=False)
class Surfer(Neuron):
    """An LIF whose slow state w follows its spikes."""

    v_decay: object = decay("vDecay", low=1)
    w_decay: object = decay("wDecay", low=1)
    v_threshold: object = parameter("vTh", 0, 1 << 20, "state")
    jump: object = state("jump", 0)

    TYPE = "{TYPE}"
    STATES = ("v", "w")

    @staticmethod
    def step(p, s, a):
        w = sat(decayed(s.w, p.w_decay) + where(s.spiked, p.jump, 0))
        v = sat(decayed(where(s.spiked, 0, s.v), p.v_decay) + (a << 6) - w)
        return {{"v": v, "w": w, "spiked": v > p.v_threshold}}
'''


def forget() -> None:
    """Leave srnn's own neurons alone, as a new process has them."""
    for table in (NEURONS, FLOAT_NEURONS):
        for name in [name for name, one in table.items() if not one.__module__.startswith("srnn.")]:
            del table[name]
    for name in loading._LOADED:
        del sys.modules[name]
    loading._LOADED.clear()
    loading.load_installed.cache_clear()


@contextmanager
def forgotten() -> Iterator[None]:
    """Begin and end without neurons of others."""
    forget()
    try:
        yield
    finally:
        forget()


def own_network(record: type[Neuron]) -> Network:
    """A recurrent layer of the neuron and a readout."""
    rng = np.random.default_rng(5)
    neuron = record(
        11,
        v_decay=rng.integers(200, 1500, 11),  # type: ignore[call-arg]
        w_decay=rng.integers(20, 300, 11),
        v_threshold=rng.integers(500, 9000, 11),
        jump=rng.integers(0, 900, 11),
    )
    hidden = Layer("own", synapses(rng, 11, 4, exp=2), neuron, synapses(rng, 11, 11))
    classes = Readout(classes=("a", "b", "c"))
    return Network((hidden, Layer("out", synapses(rng, 3, 11), integrator(rng, 3))), classes)


def write_own(folder: Path, text: str = TEXT) -> tuple[Path, Path]:
    """Write the neuron's file and a network of it with samples, and forget the neuron."""
    file, net = folder / "my_neuron.py", folder / "own.net"
    file.write_text(text, encoding="utf-8")
    (record,) = load(file)
    network = own_network(record)
    inputs = spikes(np.random.default_rng(2), 3, 40, 4).astype(np.int32)
    output = reference.run(network, inputs).output
    write_net(net, network, Samples(inputs, np.full(3, 40), None, None, output))
    forget()
    return file, net


def install_neurons(
    folder: Path, monkeypatch: pytest.MonkeyPatch, code: str, value: str, name: str = "acme"
) -> None:
    """Put a distribution with an entry point on the path, as an installer leaves it."""
    information = folder / name / f"{name}-1.2.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Name: {name}\nVersion: 1.2\n")
    (information / "entry_points.txt").write_text(f"[srnn.neurons]\nanything = {value}\n")
    (folder / name / f"{name}_neurons.py").write_text(code)
    monkeypatch.syspath_prepend(str(folder / name))
    monkeypatch.delitem(sys.modules, f"{name}_neurons", raising=False)
