"""``srnn-deploy`` on real files: exit codes, tables, JSON, messages."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from deploy_networks import adaptive, cuba, integrator, spikes, stack
from srnn.deploy.cli import main
from srnn.deploy.lava import compat
from srnn.export.network import Network
from srnn.export.netx import write_net
from srnn.export.samples import Samples
from srnn.simulate import reference

lava = pytest.mark.lava


def network() -> Network:
    rng = np.random.default_rng(1)
    return stack(rng, 4, [adaptive(rng, 6), cuba(rng, 5, bias=True, low=600), integrator(rng, 3)])


def samples(made_for: Network, wrong: int = 0) -> Samples:
    inputs = spikes(np.random.default_rng(2), 5, 30, 4)
    lengths = np.array([30, 12, 30, 30, 30])
    output = reference.run(made_for, inputs, lengths).output.copy()
    output[0, :wrong, 0] += 1
    return Samples(inputs, lengths, None, None, output)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.net"
    write_net(path, network(), samples(network()))
    return path


def result(capsys: pytest.CaptureFixture[str]) -> dict:
    return json.loads(capsys.readouterr().out)


def test_simulator_target_prints_tables_and_equality(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(model), "--target", "simulator"]) == 0
    out = capsys.readouterr().out
    assert "target: simulator, as asked" in out
    assert "bundled samples: 3 samples, 72 steps" in out
    # Spikes and two states of 6 and of 5 neurons and one state of 3, at 72 steps.
    assert "are equal: 0 mismatches in 2,592 spikes and states" in out
    assert "SRNN_ALIF" in out


def test_json_is_one_object_with_every_quantity(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(model), "--target", "simulator", "--samples", "2", "--json"]) == 0
    found = result(capsys)
    assert found["match"] is True
    assert (found["target"], found["expected_from"]) == ("simulator", "reference")
    assert (found["samples"], found["steps"], found["mismatches"]) == (2, [30, 12], 0)
    assert found["bundled_output_mismatches"] == 0
    assert [layer["layer"] for layer in found["layers"]] == ["l0", "l1", "l2"]
    assert [q["quantity"] for q in found["layers"][0]["quantities"]] == ["spikes", "d", "v"]
    assert found["compared"] == sum(layer["compared"] for layer in found["layers"])


def test_steps_cut_samples(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(model), "--target", "simulator", "--steps", "20", "--samples", "9", "--json"]
    assert main(arguments) == 0
    found = result(capsys)
    assert found["steps"] == [20, 12, 20, 20, 20]
    assert found["bundled_output_mismatches"] == 0


def test_outputs_that_differ_from_the_files_fail(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "wrong.net"
    write_net(path, network(), samples(network(), wrong=4))
    assert main([str(path), "--target", "simulator", "--json"]) == 1
    found = result(capsys)
    assert (found["match"], found["mismatches"], found["bundled_output_mismatches"]) == (
        False,
        0,
        4,
    )
    assert main([str(path), "--target", "simulator"]) == 1
    assert "4 outputs differ from those in the file" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--samples", "0"], "--samples: 0 is below 1"),
        (["--steps", "-3"], "--steps: -3 is below 1"),
        (["--timeout", "0"], "--timeout: 0 is not a number of seconds above 0"),
        (["--timeout", "nan"], "--timeout: nan is not"),
        (["--data", "x"], "names no task; give one"),
        (["--task", "digitz"], "digitz"),
    ],
)
def test_bad_arguments_are_one_line_and_exit_2(
    model: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(model), *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.startswith("srnn-deploy: ")
    assert err.count("\n") == 1


def test_a_file_without_samples_or_that_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bare.net"
    write_net(path, network())
    assert main([str(path)]) == 2
    assert "holds no samples; name a task" in capsys.readouterr().err
    path.write_bytes(path.read_bytes()[:200])
    assert main([str(path)]) == 2
    assert str(path) in capsys.readouterr().err
    assert main([str(tmp_path / "no.net")]) == 2


def test_a_target_that_is_not_here_exits_2(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compat, "lava_version", lambda: None)
    assert main([str(model), "--target", "lava"]) == 2
    assert "lava-nc is not installed" in capsys.readouterr().err


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "example:" in (text := capsys.readouterr().out)
    assert "srnn-deploy model.net" in text


@lava
def test_lava_in_a_process_of_its_own_has_a_clean_standard_output(model: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "srnn.deploy", str(model), "--target", "lava", "--json"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert found["match"] is True
    assert [layer["process"] for layer in found["layers"]] == [
        "AdaptiveLIF",
        "LIFReset",
        "LeakyIntegrator",
    ]
    assert [layer["lag"] for layer in found["layers"]] == [1, 2, 3]


@lava
def test_a_run_that_hangs_has_no_answer_and_names_the_cause(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # No worker can start, import Lava and finish a step in this time.
    assert main([str(model), "--target", "lava", "--timeout", "0.01", "--json"]) == 70
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["match"] is None
    assert "no step finished for 0.01 s in sample 0 after 0 steps" in found["error"]
    assert "no step finished" in err


@pytest.mark.needs_data("qtdb_ecg")
def test_samples_of_a_task(
    tmp_path: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(5)
    path = tmp_path / "ecg.net"
    write_net(path, stack(rng, 4, [adaptive(rng, 8), integrator(rng, 6)]))
    arguments = [str(path), "--task", "ecg", "--data", str(data_dir), "--target", "simulator"]
    assert main([*arguments, "--samples", "2", "--steps", "50", "--json"]) == 0
    found = result(capsys)
    assert (found["source"], found["steps"]) == ("ecg, test split", [50, 50])
    assert found["bundled_output_mismatches"] is None
    wrong = tmp_path / "wrong.net"
    write_net(wrong, stack(rng, 5, [integrator(rng, 6)]))
    arguments[0] = str(wrong)
    assert main(arguments) == 2
    assert "the network takes 5" in capsys.readouterr().err
