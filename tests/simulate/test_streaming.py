"""Step by step against the batch run: the same bits, with the state saved and restored between."""

# The records take scalars and lists, and store arrays.
# pyright: reportArgumentType=false

from __future__ import annotations

import tempfile
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulate_cases import cases, convolution_cases
from simulate_networks import random_inputs, random_network
from srnn.export.errors import InputError
from srnn.export.network import (
    CubaLIF,
    Layer,
    LeakyIntegrator,
    Network,
    Readout,
    Synapses,
    ThresholdRefractoryLIF,
)
from srnn.export.readout import predictions, scores
from srnn.export.trace import Trace
from srnn.simulate import StreamingSimulator, programs, reference, simulator
from srnn.simulate.plan import prepared_network
from stream_states import assert_same_state


def assert_step(stream: StreamingSimulator, output: np.ndarray, expected: Trace, step: int) -> None:
    assert output.dtype == np.int32
    np.testing.assert_array_equal(output, expected.output[0, step])
    for index, layer in enumerate(expected.layers):
        states = stream.states(index)
        assert states.keys() == layer.states.keys()
        for name, values in states.items():
            np.testing.assert_array_equal(values, layer.states[name][0, step])
        if layer.spikes is None:
            assert not stream.spikes(index).any()
        else:
            np.testing.assert_array_equal(stream.spikes(index), layer.spikes[0, step])


def streams_the_same(network: Network, inputs: np.ndarray, split: int) -> bool:
    """Stream one sample, with a restart from a file before step ``split``; whether it ran."""
    try:
        expected = reference.run(network, inputs[None])
    except InputError:
        stream = StreamingSimulator(network)
        with pytest.raises(InputError, match="leaves 32 bits at step"):
            np.apply_along_axis(stream.step, 1, inputs)
        with pytest.raises(InputError, match="leaves 32 bits"):
            stream.step(inputs[0])
        with pytest.raises(InputError, match="no state to keep"):
            assert stream.state
        stream.reset()
        assert stream.steps == 0
        with pytest.raises(InputError, match="leaves 32 bits"):
            simulator.run(network, inputs[None])
        return False
    stream = StreamingSimulator(network)
    for step, sample in enumerate(inputs):
        if step == split:
            stream = moved(stream)
        assert_step(stream, stream.step(sample), expected, step)
    fast = simulator.run(network, inputs[None])
    np.testing.assert_array_equal(fast.output, expected.output)
    assert stream.steps == len(inputs)
    return True


def moved(stream: StreamingSimulator) -> StreamingSimulator:
    """Return another simulator, all layers wide, that continues from the saved state."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = Path(folder) / "some.state"
        stream.save(path)
        patch.setattr(programs, "NARROW_MAX", -1)
        other = StreamingSimulator(replace(stream.network))
        other.step(np.zeros(stream.network.input_size, np.uint8))
        other.restore(path)
    assert_same_state(other.state, stream.state)
    return other


@settings(max_examples=30)
@given(cases(extreme=False), st.integers(0, 23))
def test_active_networks(case: tuple[Network, np.ndarray, np.ndarray], split: int) -> None:
    network, inputs, _ = case
    assert streams_the_same(network, inputs[0], split % len(inputs[0]))


@settings(max_examples=30)
@given(cases(extreme=True), st.integers(0, 23))
def test_extreme_networks(case: tuple[Network, np.ndarray, np.ndarray], split: int) -> None:
    network, inputs, _ = case
    streams_the_same(network, inputs[0], split % len(inputs[0]))


@settings(max_examples=20)
@given(convolution_cases(extreme=False), st.integers(0, 23))
def test_convolutions(case: tuple[Network, np.ndarray, np.ndarray], split: int) -> None:
    network, inputs, _ = case
    assert streams_the_same(network, inputs[0], split % len(inputs[0]))


@pytest.mark.slow
@settings(max_examples=400)
@given(st.one_of(cases(extreme=False), cases(extreme=True), convolution_cases(extreme=False),
                 convolution_cases(extreme=True)), st.integers(0, 23))  # fmt: skip
def test_many_networks(case: tuple[Network, np.ndarray, np.ndarray], split: int) -> None:
    network, inputs, _ = case
    for sample in inputs:
        streams_the_same(network, sample, split % len(sample))


@pytest.mark.parametrize("kind", ["membrane", "last_membrane", "mean_softmax", "spike_count"])
@pytest.mark.parametrize("populations", [0, 4])
def test_the_answer_so_far_is_that_of_the_prefix(kind: str, populations: int) -> None:
    last = "SRNN_ALIF" if kind == "spike_count" else "SRNN_LI"
    network = random_network(5, ["CUBA", last], [40, 12], 20, readout=kind)
    network = replace(network, readout=Readout(kind, skip_steps=7, populations=populations))
    inputs = random_inputs(5, network, 1, 150)[0]
    output = simulator.run(network, inputs[None]).output
    stream = StreamingSimulator(network)
    assert stream.label is None
    skipped = 7 if kind in {"mean_softmax", "spike_count"} else 0
    for step, sample in enumerate(inputs):
        if step == 77:
            state = stream.state
            stream.reset()
            stream.state = state
        stream.step(sample)
        if step < skipped:
            assert stream.scores is None
        elif step % 5 != 1:
            prefix = output[:, : step + 1]
            expected = scores(network, prefix)
            expected = expected[0, -1] if kind == "membrane" else expected[0]
            np.testing.assert_array_equal(stream.scores, expected)
            assert stream.label == np.ravel(predictions(network, prefix))[-1]


def one_neuron(neuron: CubaLIF | ThresholdRefractoryLIF) -> Network:
    return Network((Layer("one", Synapses([[1]]), neuron),), message_bits=24)


def test_a_state_that_leaves_the_narrow_range_goes_on_wide() -> None:
    network = one_neuron(CubaLIF(1, 0, 4096, 262143))
    inputs = np.zeros((10, 1), np.int64)
    inputs[:6] = 1 << 22
    expected = reference.run(network, inputs[None])
    assert np.abs(expected.layers[0].states["u"]).max() > programs.NARROW_MAX
    network = replace(network, message_bits=22)
    inputs[:6] -= 1
    expected = reference.run(network, inputs[None])
    assert prepared_network(network, (1 << 22) - 1).wide == (False,)
    assert streams_the_same(network, inputs, 8)
    assert prepared_network(network, (1 << 22) - 1).wide == (True,)


def test_a_bad_input_changes_nothing() -> None:
    network = random_network(3, ["SRNN_ALIF", "SRNN_LI"], [33, 4], 37, delays=True)
    graded = random_network(3, ["SRNN_ALIF", "SRNN_LI"], [33, 4], 37, message_bits=6)
    for made, bad in ((network, 2), (network, -1), (graded, 64), (graded, -64)):
        stream = StreamingSimulator(made)
        stream.step(np.ones(37, np.int32))
        before = stream.state
        for dtype in ("int64", "int32", "float64", "int16"):
            wrong = np.zeros(37, dtype)
            wrong[36] = bad
            with pytest.raises(InputError, match=f"inputs: {bad} is outside"):
                stream.step(wrong)
        for wrong in (np.zeros(36, np.uint8), np.zeros((1, 37), np.uint8), 1):
            with pytest.raises(InputError, match=r"input: shape .*, needs \(37,\)"):
                stream.step(wrong)
        with pytest.raises(InputError, match="whole"):
            stream.step(np.full(37, 0.5))
        assert_same_state(stream.state, before)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int32", "int64", "float64", "list"])
def test_input_types_give_the_same(dtype: str) -> None:
    network = random_network(3, ["SRNN_ALIF", "SRNN_LI"], [33, 4], 37)
    inputs = random_inputs(3, network, 1, 20)[0]
    expected = simulator.run(network, inputs[None]).output[0]
    stream = StreamingSimulator(network)
    for sample, wanted in zip(inputs, expected, strict=True):
        given_sample = sample.tolist() if dtype == "list" else sample.astype(dtype)
        np.testing.assert_array_equal(stream.step(given_sample), wanted)


def test_counts_and_peaks() -> None:
    network = random_network(8, ["CUBA", "ATRLIF", "SRNN_LI"], [50, 30, 5], 20)
    inputs = random_inputs(8, network, 1, 100)
    trace = simulator.run(network, inputs)
    stream = StreamingSimulator(network)
    assert not stream.watch_peaks().any()
    for start in (0, 60):
        stop = start + 60
        for sample in inputs[0, start:stop]:
            stream.step(sample)
        peaks = stream.watch_peaks()
        for index, layer in enumerate(trace.layers):
            found = [int(np.abs(v[0, start:stop]).max()) for v in layer.states.values()]
            assert peaks[index, : len(found)].tolist() == found
    totals = [0 if layer.spikes is None else int(layer.spikes.sum()) for layer in trace.layers]
    assert stream.spike_counts.tolist() == totals


def stream_steps(stream: StreamingSimulator, inputs: np.ndarray, steps: int) -> int:
    """Take steps and return the growth of memory held by Python's allocators."""
    for sample in inputs:
        stream.step(sample)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for step in range(steps):
        stream.step(inputs[step % len(inputs)])
        if step % 100 == 0:
            assert stream.scores is not None
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return grown


@pytest.mark.parametrize(
    "steps", [2000, pytest.param(1_000_000, marks=pytest.mark.slow)], ids=["some", "a million"]
)
def test_memory_does_not_grow(steps: int) -> None:
    kinds = ["CUBA", "SRNN_ALIF", "SRNN_LI"]
    network = random_network(2, kinds, [64, 64, 5], 20, delays=True, readout="mean_softmax")
    stream = StreamingSimulator(network)
    grown = stream_steps(stream, random_inputs(2, network, 1, 130)[0], steps)
    assert stream.steps == steps + 130
    assert grown < 4096


def test_a_leaky_integrator_alone_streams() -> None:
    layer = Layer("out", Synapses([[2, -2]]), LeakyIntegrator(1, 100))
    assert streams_the_same(Network((layer,)), np.array([[1, 0], [0, 1], [1, 1]], np.uint8), 1)
