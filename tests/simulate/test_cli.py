"""The command ``srnn-simulate``: output, files and exit codes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from lava_dl_files import write_file
from simulate_networks import random_inputs, random_network
from srnn.export.network import Network, Readout
from srnn.export.netx import write_net
from srnn.export.readout import predictions
from srnn.export.samples import Samples
from srnn.simulate import reference
from srnn.simulate.cli import main
from srnn.simulate.tracefile import read_trace


def samples_of(network: Network, change: int = 0) -> Samples:
    inputs = random_inputs(9, network, 6, 15).astype(np.int32)
    lengths = np.array([15, 15, 4, 15, 15, 9])
    inputs[np.arange(15) >= lengths[:, None]] = 0
    output = reference.run(network, inputs, lengths).output.copy()
    output[4, 7, 1] += change
    return Samples(inputs, lengths, np.arange(6) % 3, None, output)


@pytest.fixture
def network() -> Network:
    made = random_network(9, ["SRNN_ALIF", "SRNN_LI"], [25, 3], 12)
    return replace(made, readout=Readout("mean_softmax", classes=("P", "QRS", "T")))


@pytest.fixture
def net(tmp_path: Path, network: Network) -> Path:
    write_net(tmp_path / "model.net", network, samples_of(network))
    return tmp_path / "model.net"


def answer(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> dict:
    assert main([str(a) for a in (*arguments, "--json")]) == code
    out, _ = capsys.readouterr()
    return json.loads(out)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main([str(a) for a in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("srnn-simulate: ")
    assert err.count("\n") == 1
    return err


def test_the_bundled_samples_are_checked(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = answer(capsys, net)
    assert (result["samples"], result["compared"], result["different"]) == (6, 6 * 15 * 3, 0)
    assert result["first"] is None
    assert 0 <= result["accuracy"] <= 1
    assert result["activity"]["layers"][0]["spikes"] > 0
    assert main([str(net), "--batch-size", "4", "--threads", "2"]) == 0
    out, _ = capsys.readouterr()
    assert "0 differ" in out
    assert "firing rate" in out
    assert "\x1b" not in out


def test_a_mismatch_is_told_and_fails(
    tmp_path: Path, network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "wrong.net"
    write_net(path, network, samples_of(network, change=1))
    result = answer(capsys, path, "--batch-size", 2, code=1)
    assert result["different"] == 1
    assert result["first"] == {"sample": 4, "step": 7, "neuron": 1}
    assert main([str(path)]) == 1
    assert "first: sample 4, step 7, neuron 1" in capsys.readouterr().out
    assert answer(capsys, path, "--limit", 4)["samples"] == 4


def test_without_samples_the_way_on_is_told(
    tmp_path: Path, network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    write_net(tmp_path / "bare.net", network)
    assert "--task or a file with --input" in refusal(capsys, tmp_path / "bare.net")


def test_a_file_of_inputs_gives_predictions(
    net: Path, network: Network, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = random_inputs(30, network, 5, 18)
    lengths = np.array([18, 3, 9, 18, 1])
    np.savez(tmp_path / "in.npz", inputs=inputs, lengths=lengths)
    trace = tmp_path / "out.h5"
    result = answer(
        capsys,
        net,
        "--input",
        tmp_path / "in.npz",
        "--trace",
        trace,
        "--trace-states",
        "v, d",
        "--batch-size",
        2,
    )
    expected = reference.run(network, inputs, lengths)
    assert result["predictions"] == predictions(network, expected.output, lengths).tolist()
    assert result["classes"] == ["P", "QRS", "T"]
    read = read_trace(trace)
    for one, other in zip(read.layers, expected.layers, strict=True):
        assert set(one.states) == set(other.states)
        for name, values in other.states.items():
            np.testing.assert_array_equal(one.states[name], values)
    np.testing.assert_array_equal(read.output, expected.output)
    with h5py.File(trace) as file:
        assert len(file.attrs["network_sha256"]) == 64
    assert main([str(net), "--input", str(tmp_path / "in.npz")]) == 0
    out = capsys.readouterr().out
    assert any(line.startswith("sample 4: ") for line in out.splitlines())


def test_a_streaming_readout_prints_runs_of_classes(
    tmp_path: Path, network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    streaming = replace(network, readout=Readout("membrane", classes=("P", "QRS", "T")))
    write_net(tmp_path / "s.net", streaming)
    np.save(tmp_path / "in.npy", random_inputs(30, network, 1, 40)[0])
    assert main([str(tmp_path / "s.net"), "--input", str(tmp_path / "in.npy")]) == 0
    line = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("sample 0"))
    assert " 0-" in line


@pytest.mark.needs_data("qtdb_ecg")
def test_a_task_gives_its_accuracy(
    tmp_path: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = random_network(3, ["SRNN_ALIF", "SRNN_ALIF"], [36, 6], 4)
    write_net(tmp_path / "plain.net", made)
    plain = answer(
        capsys, tmp_path / "plain.net", "--task", "ecg", "--data", data_dir, "--limit", 3
    )
    assert plain["activity"]["samples"] == 3
    assert plain["activity"]["steps"] == 3 * 1300
    assert 0 <= plain["accuracy_labelled"] <= 1

    from srnn.tasks.registry import load

    task = load("ecg", data_dir, {"validation": 9})
    write_net(tmp_path / "named.net", replace(made, task=task.description()))
    named = answer(capsys, tmp_path / "named.net", "--data", data_dir, "--split", "validation")
    assert named["task"] == "ecg"
    assert named["activity"]["samples"] == 9
    assert main([str(tmp_path / "named.net"), "--data", str(data_dir), "--limit", "2"]) == 0
    assert "accuracy labelled" in capsys.readouterr().out

    encoder = {**task.description(), "encoder": {"kind": "other"}}
    write_net(tmp_path / "old.net", replace(made, task=encoder))
    assert "encodes its data differently" in refusal(
        capsys, tmp_path / "old.net", "--data", data_dir
    )


def test_mistakes_get_one_line(
    net: Path, tmp_path: Path, network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "in.npy", random_inputs(30, network, 1, 5))
    assert "none.net: no such file" in refusal(capsys, tmp_path / "none.net")
    assert "none.npy: no such file" in refusal(capsys, net, "--input", tmp_path / "none.npy")
    assert "unknown task 'ecgg'; did you mean 'ecg'" in refusal(capsys, net, "--task", "ecgg")
    assert "names no task" in refusal(capsys, net, "--split", "test")
    assert "12" in refusal(capsys, net, "--task", "digits")
    assert "--limit: 0" in refusal(capsys, net, "--limit", 0)
    assert "--batch-size: -1" in refusal(capsys, net, "--batch-size", -1)
    assert "--threads: 0" in refusal(capsys, net, "--threads", 0)
    assert "--input" in refusal(capsys, net, "--input", tmp_path / "in.npy", "--task", "ecg")
    assert "--trace-states" in refusal(capsys, net, "--trace-states", "v")
    assert "--trace-states: unknown state 'w' (known: d, v)" in refusal(
        capsys, net, "--trace", tmp_path / "t.h5", "--trace-states", "w"
    )
    assert not (tmp_path / "t.h5").exists()
    broken = tmp_path / "broken.net"
    broken.write_bytes(net.read_bytes()[:3000])
    assert "broken.net" in refusal(capsys, broken)


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert "srnn-simulate model.net --data DIR" in out
    assert "exit codes" in out


def test_the_first_groups_of_a_lava_dl_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_file(tmp_path / "a.net")
    with h5py.File(path, "a") as file:
        file.copy("layer/0", "layer/1")
        file["layer/1/type"][0] = b"convT"
    np.save(tmp_path / "x.npy", np.ones((1, 5, 2), np.uint8))
    given = ("--input", tmp_path / "x.npy")
    assert "'convT' layers are not read" in refusal(capsys, path, *given)
    found = answer(capsys, path, *given, "--layers", 1)
    assert [layer["size"] for layer in found["activity"]["layers"]] == [3]
    assert "num_layers 4 is outside 1..2" in refusal(capsys, path, *given, "--layers", 4)


def test_our_own_files_are_read_whole(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--layers (num_layers) is for files of lava-dl" in refusal(capsys, net, "--layers", 1)
