"""Splits through the simulator in batches."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from simulate_networks import random_inputs, random_network
from srnn.export import compiling
from srnn.export.errors import InputError
from srnn.export.kernel import Kernel, ready
from srnn.export.network import Network
from srnn.export.readout import predictions
from srnn.simulate import simulator
from srnn.simulate.evaluate import evaluate, stream
from srnn.simulate.simulator import run, run_with_activity
from srnn.tasks.base import Split
from srnn.tasks.registry import load


def split_of(network: Network, readout_per_step: bool) -> Split:
    inputs = random_inputs(7, network, 11, 20)
    rng = np.random.default_rng(7)
    targets = rng.integers(0, 4, (11, 20) if readout_per_step else 11)
    return Split(inputs, targets, rng.integers(5, 21, 11))


@pytest.mark.parametrize("readout", ["membrane", "mean_softmax", "last_membrane"])
@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_batches_change_nothing(readout: str, batch_size: int) -> None:
    network = random_network(7, ["SRNN_ALIF", "SRNN_LI"], [20, 4], 9, readout=readout)
    split = split_of(network, network.readout.per_step)
    done: list[int] = []
    traces = []
    result = evaluate(
        network,
        split,
        skip_steps=3,
        batch_size=batch_size,
        progress=done.append,
        sink=traces.append,
    )
    trace, activity = run_with_activity(network, split.inputs, split.lengths)
    answers = predictions(network, trace.output, trace.lengths)
    np.testing.assert_array_equal(result.predictions, answers)
    np.testing.assert_array_equal(np.concatenate([t.output for t in traces]), trace.output)
    assert result.activity.as_dict() == activity.as_dict()
    assert sum(done) == 11
    assert max(done) <= batch_size
    right = answers == split.targets
    if network.readout.per_step:
        assert split.lengths is not None
        steps = np.arange(20)
        right = right[(steps >= 3) & (steps < split.lengths[:, None])]
    assert result.metrics["accuracy"] == pytest.approx(right.mean())


def test_labels_of_another_kind_are_refused() -> None:
    network = random_network(7, ["SRNN_LI"], [4], 9, readout="last_membrane")
    with pytest.raises(InputError, match="answers once per sample, but the labels are every step"):
        evaluate(network, split_of(network, True))


def test_nothing_and_no_batch_are_refused() -> None:
    network = random_network(7, ["SRNN_LI"], [4], 9)
    with pytest.raises(InputError, match="no sample"):
        stream(network, np.zeros((0, 5, 9), dtype=np.int32))
    with pytest.raises(InputError, match="batch size"):
        stream(network, np.zeros((1, 5, 9), dtype=np.int32), batch_size=0)


@pytest.mark.needs_data("qtdb_ecg")
def test_real_recordings_stream_through(data_dir: Path) -> None:
    task = load("ecg", data_dir)
    network = random_network(3, ["SRNN_ALIF", "SRNN_ALIF"], [36, 6], 4)
    split = task.test.take(np.arange(9))
    result = evaluate(network, split, skip_steps=task.skip_steps, batch_size=4)
    expected = predictions(network, run(network, split.inputs).output)
    np.testing.assert_array_equal(result.predictions, expected)
    counted = slice(task.skip_steps, None)
    share = (expected == split.targets)[:, counted].mean()
    assert result.metrics["accuracy"] == pytest.approx(share)
    assert set(result.metrics) == {"accuracy", "accuracy_labelled"}
    assert result.activity.steps == 9 * 1300


@pytest.mark.needs_data("mnist")
def test_lazy_windows_are_taken_batch_by_batch(data_dir: Path) -> None:
    task = load("smnist", data_dir)
    inputs = task.test.inputs
    network = random_network(
        3,
        ["SRNN_ALIF", "SRNN_LI"],
        [20, 10],
        task.input_size,
        message_bits=task.message_bits,
        readout="mean_softmax",
    )
    first = task.test.take(np.arange(5))
    result = evaluate(network, first, batch_size=2)
    again = stream(network, inputs[np.arange(5)])
    np.testing.assert_array_equal(result.predictions, again.predictions)
    assert result.activity.effective_macs > 0


def test_compiling_is_not_part_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    network = random_network(7, ["SRNN_ALIF", "SRNN_LI"], [20, 4], 9)
    now = [0.0]
    monkeypatch.setattr(compiling, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def slowly_ready(*kernels: Kernel) -> None:
        with compiling.untimed():
            now[0] += 20
            ready(*kernels)

    monkeypatch.setattr(simulator, "ready", slowly_ready)
    now[0] += 1
    result = stream(network, random_inputs(7, network, 3, 20))
    assert now[0] == 21
    assert result.seconds == 0
