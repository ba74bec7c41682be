"""A neuron of a user's own file through every command, by ``--neurons``."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from own_neurons import TEXT, TYPE, forgotten, install_neurons, write_own
from srnn.neurons import NEURONS

MAINS = {name: import_module(f"srnn.{name}.cli").main for name in ("export", "simulate", "deploy")}

COMMANDS = {
    "samples": ["simulate", "own.net"],
    "inputs": ["simulate", "own.net", "--input", "inputs.npy", "--energy"],
    "trace": ["simulate", "own.net", "--trace", "out.h5", "--trace-states", "v,w"],
    "stream": ["simulate", "own.net", "--stream", "--monitor", "-", "--window", "20"],
    "report": ["simulate", "own.net", "--report", "out.html"],
    "compare": ["simulate", "own.net", "own.net", "--report", "out.html"],
    "inspect": ["export", "--inspect", "own.net"],
    "simulator": ["deploy", "own.net", "--target", "simulator"],
    "lava": ["deploy", "own.net", "--target", "lava", "--samples", "1", "--steps", "15"],
}
MARKS = {"report": pytest.mark.extra("report"), "compare": pytest.mark.extra("report")}
MARKS["lava"] = pytest.mark.lava


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    with forgotten():
        yield


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_own(tmp_path)
    np.save(tmp_path / "inputs.npy", np.ones((2, 30, 4), np.int32))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"1,0,1,1\n" * 50)))
    return tmp_path


@pytest.mark.parametrize("name", [pytest.param(n, marks=MARKS.get(n, ())) for n in COMMANDS])
def test_a_command_takes_it(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command, *words = COMMANDS[name]
    before = {path.name for path in folder.iterdir()}
    assert MAINS[command](words) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert f"neuron '{TYPE}', of my_neuron.py, is not srnn's own; give its file by --neurons" in err
    assert {path.name for path in folder.iterdir()} == before
    assert MAINS[command]([*words, "--neurons", "my_neuron.py"]) == 0
    out, _ = capsys.readouterr()
    assert TYPE in out or name in {"stream", "report", "compare"}
    assert "mismatches" not in out or " 0 mismatches" in out


def test_the_answers_are_those_of_the_reference(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert MAINS["simulate"](["own.net", "--neurons", str(folder / "my_neuron.py"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["compared"], found["different"]) == (3 * 40 * 3, 0)
    assert found["activity"]["layers"][0]["spikes"] > 50


@pytest.mark.parametrize("name", [*MAINS, "train"])
def test_what_is_wrong_with_a_file_is_one_line_of_every_command(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = import_module(f"srnn.{name}.cli").main
    words = {"train": ["digits", "--show"], "export": ["--inspect", "own.net"]}
    (folder / "broken.py").write_text(f"print('here')\n{TEXT}\n1 / 0\n", encoding="utf-8")
    file = "my_neuron.py"
    given = [*words.get(name, ["own.net"]), "--neurons", file, "--neurons", "broken.py"]
    assert main(given) == 2
    out, err = capsys.readouterr()
    line = f"srnn-{name}: --neurons: {folder / 'broken.py'}, line 27: ZeroDivisionError: "
    # What the file prints does not stand among results.
    assert (out, err) == ("", f"here\n{line}division by zero\n")


@pytest.mark.extra("train")
@pytest.mark.usefixtures("folder")
def test_training_loads_it_before_the_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    main = import_module("srnn.train.cli").main
    assert main(["--neurons", "my_neuron.py", "digits", "--show"]) == 0
    assert "[training]" in capsys.readouterr().out
    assert TYPE in NEURONS


@pytest.mark.extra("train")
def test_every_process_of_torchrun_loads_it(folder: Path) -> None:
    from train_runs import torchrun

    seen = "import os, pathlib\npathlib.Path('rank-' + os.environ['RANK']).touch()\n"
    (folder / "my_neuron.py").write_text(TEXT + seen, encoding="utf-8")
    done = torchrun(
        "-m", "srnn.train", "digits", "--epochs", "1", "--threads", "1", "--layers.0.size", "6",
        "--neurons", "my_neuron.py", "--out", "run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (folder / "run" / "model.pt").exists()
    assert sorted(path.name for path in folder.glob("rank-*")) == ["rank-0", "rank-1"]


@pytest.mark.lava
def test_lavas_processes_know_neurons_of_a_distribution(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Not on the path of the processes that are started, like a folder that only this one has.
    install_neurons(folder, monkeypatch, TEXT, "acme_neurons")
    assert MAINS["deploy"](["own.net", "--target", "lava", "--samples", "1", "--steps", "9"]) == 0
    assert " 0 mismatches" in capsys.readouterr().out
