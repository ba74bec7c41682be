"""A neuron that the package does not have: one file, and every stage of integers runs it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from neuron_draws import random_record, sums
from simulate_networks import random_inputs, random_network
from srnn.export.errors import InputError
from srnn.export.network import Layer, Network, Neuron, Synapses, same_network
from srnn.export.netx import read_net, write_net
from srnn.export.trace import compare
from srnn.neurons.neuron import initial_state, program, take_step
from srnn.neurons.ranges import limited_states
from srnn.neurons.registry import NEURONS, register
from srnn.simulate import programs, reference, simulator
from srnn.simulate.operations import counted_operations
from srnn.simulate.plan import prepared_network
from srnn.simulate.streaming import StreamingSimulator

ADLIF = '''
from dataclasses import dataclass
from typing import ClassVar

from srnn.neurons.grid import IntArray, decayed, rtz, sat, where
from srnn.neurons.neuron import Neuron, decay, parameter, state


@dataclass(frozen=True, eq=False)
class AdLIF(Neuron):
    """Symplectic adaptive LIF: w carries 4 fractional bits, follows v and jumps at spikes."""

    v_decay: IntArray = decay("vDecay", low=1)
    w_decay: IntArray = decay("wDecay", low=1)
    v_threshold: IntArray = parameter("vTh", 0, (1 << 23) - 1, "state")
    coupling: IntArray = parameter("coupling", 0, 1 << 15, "2^-16")
    jump: IntArray = parameter("jump", 0, (1 << 23) - 1, "state / 16")
    bias: IntArray = state("bias")

    TYPE: ClassVar[str] = "TEST_ADLIF"
    STATES: ClassVar[tuple[str, ...]] = ("v", "w")
    ADAPTATION: ClassVar[str | None] = "jump"

    @staticmethod
    def step(p, s, a):
        v = sat(decayed(s.v, p.v_decay) + (a << 6) + p.bias - (s.w >> 4))
        spiked = v > p.v_threshold
        v = where(spiked, 0, v)
        w = sat(decayed(s.w, p.w_decay) + rtz(v * p.coupling, 12) + where(spiked, p.jump, 0))
        return {"v": v, "w": w, "spiked": spiked}
'''
OTHERS = '''
from dataclasses import dataclass
from typing import ClassVar

from srnn.neurons.grid import IntArray, rtz, sat, where
from srnn.neurons.neuron import Neuron, parameter


@dataclass(frozen=True, eq=False)
class Counting(Neuron):
    """Every operation that the others lack; what is padding would not stay 0."""

    pace: IntArray = parameter("pace", 0, 40, "1")
    shift: IntArray = parameter("shift", 0, 5, "bits")

    TYPE: ClassVar[str] = "TEST_COUNTING"
    STATES: ClassVar[tuple[str, ...]] = ("n", "x", "y", "v")

    @staticmethod
    def step(p, s, a):
        n = where(s.spiked | (s.n >= 1000), 0, s.n + p.pace + 1)
        x = sat(rtz(s.x - s.v, p.shift) + a)
        y = sat((s.y >> 1) + x * 3 - (x << p.shift))
        low, high = y < -p.pace, y > p.pace * 9
        v = where(low & ~high, n - x, where(high, y, -s.v))
        return {"n": n, "x": x, "y": y, "v": sat(v), "spiked": (n <= 500) & (y >= p.pace)}
'''


HEAD = """
from dataclasses import dataclass
from typing import ClassVar

from srnn.neurons.grid import IntArray, rtz, sat, where
from srnn.neurons.neuron import Neuron, parameter


@dataclass(frozen=True, eq=False)
"""
MODES = (
    HEAD
    + '''
class Modes(Neuron):
    """Conditions on parameters alone."""

    mode: IntArray = parameter("mode", 0, 2, "1")
    far: IntArray = parameter("far", 0, FARTHEST, "bits")

    TYPE: ClassVar[str] = "TEST_MODES"
    STATES: ClassVar[tuple[str, ...]] = ("k", "v")

    @staticmethod
    def step(p, s, a):
        fast = p.mode > 0
        x = where(fast, a << 6, s.v)
        k = sat(where(fast & (p.mode >= 2), 7, rtz(s.k + x, p.far)))
        v = sat(where(~fast, x >> p.far, x) + k + (a << 3))
        return {"k": k, "v": v, "spiked": (v > 100) | (p.mode < 1)}
'''
)
BARE = (
    HEAD
    + '''
class Bare(Neuron):
    """No parameter at all."""

    TYPE: ClassVar[str] = "TEST_BARE"
    STATES: ClassVar[tuple[str, ...]] = ("one", "v")

    @staticmethod
    def step(p, s, a):
        v = sat(rtz(s.v * 3000, 12) + (a << 6) + s.one)
        return {"one": 1, "v": v, "spiked": v > 5000}
'''
)
LIFTED = (
    HEAD
    + '''
class Lifted(Neuron):
    """Its spike is a condition that does not hold; w is above 0 unless sums are large."""

    level: IntArray = parameter("level", -2000, 2000, "state")

    TYPE: ClassVar[str] = "TEST_LIFTED"
    STATES: ClassVar[tuple[str, ...]] = ("w", "v")

    @staticmethod
    def step(p, s, a):
        v = sat(rtz(s.v * 3000, 12) + (a << 6))
        return {"w": sat((1 << 29) + a), "v": v, "spiked": ~(v < p.level)}
'''
)
BEYOND = (
    HEAD
    + '''
class Beyond(Neuron):
    """Its w does not grow from step to step, but has more than 32 bits at once."""

    TYPE: ClassVar[str] = "TEST_BEYOND"
    STATES: ClassVar[tuple[str, ...]] = ("w", "v")

    @staticmethod
    def step(p, s, a):
        return {"w": a * FACTOR, "v": sat(a), "spiked": s.w > 0}
'''
)
OWN = {
    "adlif": ("AdLIF", ADLIF, True),
    "counting": ("Counting", OTHERS, True),
    "modes": ("Modes", MODES.replace("FARTHEST", "20"), True),
    "far": ("Modes", MODES.replace("FARTHEST", "40"), False),
    "bare": ("Bare", BARE, True),
    "lifted": ("Lifted", LIFTED, True),
}
"""Class, text, and whether 32 bits are enough for any of its steps."""


@pytest.fixture(params=OWN)
def record(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[type[Neuron]]:
    name, text, narrow = OWN[request.param]
    made = read(tmp_path, name, text)
    assert programs.always_narrow(made) == narrow
    yield made
    del NEURONS[made.TYPE]


def read(folder: Path, name: str, text: str) -> type[Neuron]:
    path = folder / "my_neuron.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("my_neuron", path)
    assert spec is not None and spec.loader is not None  # noqa: PT018
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return register(getattr(module, name))


def network_of(record: type[Neuron], seed: int, delays: bool, small: bool) -> Network:
    """Two recurrent layers of the neuron and a readout; ``small``: usual parameters."""
    rng = np.random.default_rng(seed)
    kinds = ["SRNN_ALIF", "SRNN_ALIF", "SRNN_LI"]
    drawn = random_network(seed, kinds, [37, 21, 3], 6, delays=delays)
    layers = []
    for layer in drawn.layers:
        neuron = layer.neuron
        if neuron.SPIKING:
            neuron = random_record(rng, record, layer.size)
            if small and record.TYPE == "TEST_ADLIF":
                n = layer.size
                neuron = record(n, **{
                    "v_decay": rng.integers(200, 900, n), "w_decay": rng.integers(10, 80, n),
                    "v_threshold": rng.integers(2000, 60000, n),
                    "coupling": rng.integers(0, 500, n), "jump": rng.integers(0, 9000, n),
                    "bias": rng.integers(-300, 300, n),
                })  # fmt: skip
        layers.append(Layer(layer.name, layer.synapses, neuron, layer.recurrent))
    return Network(tuple(layers))


@pytest.mark.parametrize("delays", [False, True])
@pytest.mark.parametrize("small", [False, True])
def test_the_simulator_gives_the_steps_bits(
    record: type[Neuron], delays: bool, small: bool
) -> None:
    spikes = 0
    for seed in range(6):
        network = network_of(record, seed, delays, small)
        inputs = random_inputs(seed, network, 3, 70, density=0.4)
        found, expected = simulator.run(network, inputs), reference.run(network, inputs)
        assert [row for row in compare(found, expected) if row.different] == []
        spikes += int(np.asarray(expected.layers[0].spikes).sum())
    assert spikes > 1000


def test_wide_arithmetic_gives_the_same(record: type[Neuron]) -> None:
    rng = np.random.default_rng(4)
    neuron = random_record(rng, record, 50)
    weight = 2 * rng.integers(-128, 127, (50, 5))
    network = Network((Layer("0", Synapses(weight, 7), neuron),), message_bits=16)
    inputs = rng.integers(-65535, 65536, (2, 40, 5))
    found, expected = simulator.run(network, inputs), reference.run(network, inputs)
    assert prepared_network(network, 65535).wide == (True,)
    assert [row for row in compare(found, expected) if row.different] == []


@pytest.mark.parametrize("factor", ["1", "64"])
def test_a_state_that_leaves_32_bits_at_once_is_refused(tmp_path: Path, factor: str) -> None:
    record = read(tmp_path, "Beyond", BEYOND.replace("FACTOR", factor))
    try:
        network = Network(
            (Layer("0", Synapses(np.full((20, 5), 254), 7), record(20)),), message_bits=16
        )
        assert np.array_equal(*(one.run(network, np.ones((1, 9, 5))).output
                                for one in (simulator, reference)))  # fmt: skip
        for one in (simulator, reference):
            with pytest.raises(InputError, match="state w leaves 32 bits"):
                one.run(network, np.full((1, 9, 5), 65535))
    finally:
        del NEURONS[record.TYPE]


def test_a_stream_is_counted_and_stops_anywhere(record: type[Neuron], tmp_path: Path) -> None:
    network = network_of(record, 2, delays=False, small=True)
    inputs = random_inputs(2, network, 1, 60, density=0.4)
    trace, activity = simulator.run_with_activity(network, inputs)
    stream = StreamingSimulator(network)
    for step in range(30):
        stream.step(inputs[0, step])
    stream.save(tmp_path / "a.state")
    stream = StreamingSimulator(network)
    stream.restore(tmp_path / "a.state")
    for step in range(30, 60):
        output = stream.step(inputs[0, step])
    np.testing.assert_array_equal(output, trace.output[0, -1])
    assert counted_operations(activity).neuron_macs > 0
    assert limited_states(record) >= {"v"}


def test_a_file_holds_it(record: type[Neuron], tmp_path: Path) -> None:
    network = network_of(record, 1, delays=False, small=True)
    write_net(tmp_path / "a.net", network)
    assert same_network(read_net(tmp_path / "a.net"), network)
    del NEURONS[record.TYPE]
    try:
        with pytest.raises(InputError, match="is not registered; call srnn"):
            simulator.run(network, np.zeros((1, 3, 6), np.int32))
        with pytest.raises(InputError, match=record.TYPE):
            read_net(tmp_path / "a.net")
    finally:
        register(record)


def test_steps_are_run_on_numpy_too(record: type[Neuron]) -> None:
    rng = np.random.default_rng(0)
    neuron = random_record(rng, record, 100)
    state, spiked = initial_state(neuron, 2), np.zeros((2, 100), np.int64)
    for _ in range(20):
        state, spiked = take_step(neuron, state, np.tile(sums(rng, 100), (2, 1)), spiked)
    assert set(state) == set(record.STATES)
    assert program(record).spiked is not None


def test_a_name_is_taken_once(record: type[Neuron]) -> None:
    register(record)

    class Other(record):
        pass

    with pytest.raises(InputError, match="is taken by another neuron"):
        register(Other)

    class Unnamed(record):
        TYPE = "a b"

    with pytest.raises(InputError, match="is not a name"):
        register(Unnamed)
