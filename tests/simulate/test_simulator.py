"""What ``run`` promises besides the bits: recording, batches, threads, refusals."""

from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulate_networks import random_inputs, random_network
from srnn.export.errors import InputError
from srnn.export.network import Network
from srnn.export.trace import Trace, compare
from srnn.simulate import plan, simulator


def network_and_inputs(batch: int = 7, steps: int = 25) -> tuple[Network, np.ndarray]:
    network = random_network(21, ["SRNN_ALIF", "CUBA", "SRNN_LI"], [31, 17, 5], 40)
    return network, random_inputs(21, network, batch, steps)


def same(one: Trace, other: Trace) -> bool:
    rows = compare(one, other)
    return not any(row.different for row in rows) and np.array_equal(one.output, other.output)


@settings(max_examples=20, deadline=None)
@given(threads=st.integers(1, 9), events=st.sampled_from([1, 40, 81, 500]))
def test_threads_and_chunks_change_nothing(threads: int, events: int) -> None:
    network, inputs = network_and_inputs()
    lengths = np.array([25, 0, 3, 25, 24, 1, 10])
    expected, counted = simulator.run_with_activity(network, inputs, lengths, threads=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "CHUNK_EVENTS", events)
        same_network = replace(network)
        trace, activity = simulator.run_with_activity(
            same_network, inputs, lengths, threads=threads
        )
    assert plan.prepared_network(same_network, 1).chunk == max(events // 40, 1)
    assert same(trace, expected)
    assert activity.as_dict() == counted.as_dict()
    assert activity.spikes > 0


def test_a_batch_is_its_samples_one_by_one() -> None:
    network, inputs = network_and_inputs()
    together = simulator.run(network, inputs)
    for index in range(len(inputs)):
        alone = simulator.run(network, inputs[index : index + 1])
        np.testing.assert_array_equal(alone.output[0], together.output[index])
        for one, many in zip(alone.layers, together.layers, strict=True):
            for name, values in one.states.items():
                np.testing.assert_array_equal(values[0], many.states[name][index])


def test_the_record_changes_only_what_is_kept() -> None:
    network, inputs = network_and_inputs()
    states, activity = simulator.run_with_activity(network, inputs, record="states")
    for record in ("output", "spikes"):
        trace, counted = simulator.run_with_activity(network, inputs, record=record)
        np.testing.assert_array_equal(trace.output, states.output)
        assert counted.as_dict() == activity.as_dict()
        for layer, full in zip(trace.layers, states.layers, strict=True):
            assert layer.states == {}
            if record == "output" or full.spikes is None:
                assert layer.spikes is None
            else:
                np.testing.assert_array_equal(layer.spikes, full.spikes)


def test_nothing_to_run_gives_nothing() -> None:
    network, inputs = network_and_inputs()
    for empty in (inputs[:0], inputs[:, :0]):
        trace, activity = simulator.run_with_activity(network, empty)
        assert trace.output.shape == (*empty.shape[:2], 5)
        assert activity.steps == 0
        assert activity.per_step()["Dense"] == 0.0


def test_what_is_prepared_dies_with_its_network() -> None:
    network, inputs = network_and_inputs(1, 1)
    simulator.run(network, inputs)
    kept = (plan._layers, plan._bounds, plan._networks, plan._chosen)
    before = [len(x) for x in kept]
    layer = network.layers[0]
    assert plan.prepare(layer, False) is plan.prepare(layer, False)
    assert plan.prepared_network(network, 1) is plan.prepared_network(network, 1)
    del network, layer
    gc.collect()
    assert [len(x) for x in kept] == [before[0] - 3, before[1] - 3, before[2] - 1, before[3] - 1]


def test_mistakes_are_refused() -> None:
    network, inputs = network_and_inputs()
    graded = inputs.astype(np.int64)
    graded[3, 2, 1] = 2
    negative = inputs.astype(np.int64)
    negative[3, 2, 1] = -1
    huge = inputs.astype(np.uint64)
    huge[0, 0, 0] = 2**63
    for wrong, message in (
        (inputs[0], "needs \\(batch, time, 40\\)"),
        (inputs[..., :-1], "needs \\(batch, time, 40\\)"),
        (graded, "2 is outside 0..1"),
        (negative, "-1 is outside 0..1"),
        (huge, "whole numbers"),
        (inputs + 0.5, "not whole"),
        (inputs.astype(str), "needs integers"),
    ):
        with pytest.raises(InputError, match=message):
            simulator.run(network, wrong)
    with pytest.raises(InputError, match="2 is outside 0"):
        simulator.run(network, graded.astype(np.uint8), [0] * 7)
    with pytest.raises(InputError, match="threads: 0"):
        simulator.run(network, inputs, threads=0)
    with pytest.raises(InputError, match="record"):
        simulator.run(network, inputs, record="everything")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="lengths"):
        simulator.run(network, inputs, [26] * 7)
    with pytest.raises(InputError, match="lengths"):
        simulator.run(network, inputs, [3])


def test_graded_inputs_keep_to_their_bits() -> None:
    network = random_network(4, ["SRNN_LI"], [3], 6, message_bits=4)
    inputs = np.full((2, 3, 6), 15)
    simulator.run(network, inputs)
    for value in (16, -16):
        inputs[1, 2, 5] = value
        with pytest.raises(InputError, match="4 bits"):
            simulator.run(network, inputs)


def test_inputs_beyond_a_length_are_checked_but_not_run() -> None:
    network, inputs = network_and_inputs(2)
    changed = inputs.copy()
    changed[:, 10:] = 1
    assert same(simulator.run(network, inputs, [10, 10]), simulator.run(network, changed, [10, 10]))
