"""Trace files: what is written is read back, and other files are refused."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simulate_networks import random_inputs, random_network
from srnn.export.errors import InputError
from srnn.export.reading.limits import CHUNKS_MAX
from srnn.export.trace import LayerTrace, Trace, compare
from srnn.simulate.simulator import run
from srnn.simulate.tracefile import read_trace, writing_trace


def written(path: Path, states: tuple[str, ...] = ("v", "d", "u")) -> Trace:
    network = random_network(2, ["SRNN_ALIF", "CUBA", "SRNN_LI"], [10, 9, 3], 8)
    inputs = random_inputs(2, network, 5, 12)
    lengths = np.array([12, 3, 12, 0, 7])
    with writing_trace(path, network, states, "abc") as writer:
        for part in (slice(0, 2), slice(2, 4), slice(4, 5)):
            writer.append(run(network, inputs[part], lengths[part]))
    return run(network, inputs, lengths)


def test_a_trace_written_in_batches_reads_whole(tmp_path: Path) -> None:
    whole = written(tmp_path / "run.h5")
    read = read_trace(tmp_path / "run.h5")
    rows = compare(whole, read)
    assert len(rows) == 7
    assert not any(row.different for row in rows)
    np.testing.assert_array_equal(read.output, whole.output)
    np.testing.assert_array_equal(read.lengths, whole.lengths)
    assert read.layers[2].spikes is None
    with h5py.File(tmp_path / "run.h5") as file:
        assert file.attrs["network_sha256"] == b"abc"
        assert file["layer/1"].attrs["neuron"] == b"CUBA"


def test_only_chosen_states_are_kept(tmp_path: Path) -> None:
    written(tmp_path / "run.h5", ("u",))
    assert [set(layer.states) for layer in read_trace(tmp_path / "run.h5").layers] == [
        set(),
        {"u"},
        set(),
    ]


def test_an_unknown_state_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unknown state 'w' \(known: d, u, v"):
        written(tmp_path / "run.h5", ("v", "w"))
    assert list(tmp_path.iterdir()) == []


def test_a_stopped_run_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    path.write_bytes(b"old")
    network = random_network(2, ["CUBA"], [2], 2)
    with pytest.raises(KeyboardInterrupt), writing_trace(path, network):
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_batches_of_another_length_are_refused(tmp_path: Path) -> None:
    network = random_network(2, ["CUBA"], [2], 2)
    other = run(network, np.zeros((1, 4, 2), dtype=int))
    with writing_trace(tmp_path / "run.h5", network) as writer:
        writer.append(run(network, np.zeros((1, 3, 2), dtype=int)))
        with pytest.raises(ValueError, match="batch of"):
            writer.append(other)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(keep=st.floats(0, 0.999))
def test_a_truncated_file_is_refused(tmp_path: Path, keep: float) -> None:
    whole = tmp_path / "whole.h5"
    if not whole.exists():
        written(whole)
    content = whole.read_bytes()
    broken = tmp_path / "broken.h5"
    broken.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(InputError, match=r"broken\.h5"):
        read_trace(broken)


def damage(path: Path, name: str) -> None:
    with h5py.File(path, "r+") as file:
        if name == "newer":
            file.attrs["format_version"] = 99
        elif name == "other":
            file.attrs["format"] = np.bytes_("something")
        elif name == "missing":
            del file["output"]
        elif name == "type":
            del file["lengths"]
            file["lengths"] = np.zeros(5)
        elif name == "shape":
            del file["layer/0/spikes"]
            file["layer/0/spikes"] = np.zeros((5, 11, 10), dtype=np.uint8)
        elif name == "lengths":
            del file["lengths"]
            file["lengths"] = np.full(5, 13)
        elif name == "group":
            del file["layer"]
            file["layer"] = 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("newer", "trace format 99"),
        ("other", "not a trace file"),
        ("missing", "output"),
        ("type", "lengths: needs int64"),
        ("shape", "among 5 samples"),
        ("lengths", "outside 0..12"),
        ("group", "numbered"),
    ],
)
def test_damage_is_named(tmp_path: Path, name: str, message: str) -> None:
    path = tmp_path / "run.h5"
    written(path)
    damage(path, name)
    with pytest.raises(InputError, match=message) as error:
        read_trace(path)
    assert "run.h5" in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.h5: no such file"):
        read_trace(tmp_path / "none.h5")


def test_a_trace_of_more_samples_than_a_file_may_have_chunks(tmp_path: Path) -> None:
    network = random_network(3, ["SRNN_ALIF", "SRNN_LI"], [4, 2], 2)
    samples = CHUNKS_MAX + 1000
    trace = Trace(
        (LayerTrace(np.zeros((samples, 1, 4), np.uint8)), LayerTrace(None)),
        np.zeros((samples, 1, 2), np.int32),
        np.ones(samples, np.int64),
    )
    with writing_trace(tmp_path / "a.h5", network) as writer:
        writer.append(trace)
    assert len(read_trace(tmp_path / "a.h5").lengths) == samples
