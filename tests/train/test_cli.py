from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from srnn.export.checkpoint import read_model
from srnn.tasks.base import Split, Task
from srnn.train import evaluate
from srnn.train.cli import OWN_OPTIONS, main
from srnn.train.evaluate import Evaluation
from srnn.train.network import SRNN

TERMINAL = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
SMALL = ("digits", "--epochs", "1", "--threads", "1", "--batch-size", "256", "--layers.0.size", "4")


def test_a_run_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--out", str(tmp_path), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["epochs"] == result["best_epoch"] == 1
    assert set(result["test"]) == {"accuracy"}
    model = read_model(result["model"])
    assert model.config.layers[0].size == 4
    assert model.metrics["test"] == result["test"]
    assert model.recipe["training"]["batch_size"] == 256
    assert len(model.samples["inputs"]) == 16

    assert main([*SMALL, "--out", str(tmp_path)]) == 2
    assert "holds a run; continue it with --resume" in capsys.readouterr().err

    # The value of a setting after --resume RUN is not taken for the recipe's name.
    assert main(["--resume", str(tmp_path), "--epochs", "2"]) == 2
    errors = capsys.readouterr().err
    assert "training.epochs was 1, is 2" in errors
    assert main(["--json", "--resume", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["epochs"] == 1

    assert main([*SMALL, "--out", str(tmp_path), "--overwrite", "--seed", "1"]) == 0
    printed = capsys.readouterr()
    assert "\x1b" not in printed.out + printed.err
    assert "epoch   1  loss" in printed.out
    assert printed.err == ""


def test_the_test_split_can_be_left_unread(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    real = evaluate.evaluate

    def watched(model: SRNN, task: Task, split: Split, **options: Any) -> Evaluation:
        read.append(len(split))
        return real(model, task, split, **options)

    monkeypatch.setattr(evaluate, "evaluate", watched)
    assert main([*SMALL, "--out", str(tmp_path), "--no-test", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert "test" not in result
    assert set(result["validation"]) == {"accuracy"}
    assert read == [360]
    assert "test" not in read_model(result["model"]).metrics


def test_show_prints_the_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--epochs=7", "digits", "--show", "--json", "--layers.0.neuron", "lif"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["training"]["epochs"] == 7
    assert shown["model"]["layers"][0]["neuron"] == "lif"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["digts"], "unknown recipe 'digts'; did you mean 'digits'?"),
        ([], "name a recipe ("),
        (["--resume"], "name a recipe ("),
        (["--resume", "nowhere"], "nowhere/checkpoint.pt: no such file, nothing to resume"),
        (["digits", "--epoch", "3"], "unknown option '--epoch'; did you mean '--epochs'?"),
        (["digits", "--epochs", "many"], "training.epochs: 'many' is not a whole number"),
        (["digits", "--device", "abacus"], "training.device: 'abacus' is not usable here"),
        (["digits", "--task.options.windw", "3"], "digits: unknown setting 'windw'; did you"),
        (["digits", "--readout", "membrane"], "membrane does not fit task digits"),
        (["digits", "--layers.1.size", "9"], "model.layers.1.size: 9 output neurons for 10"),
        (["nowhere.toml"], "nowhere.toml: no such file"),
        (["digits", "--epochs"], "--epochs: needs a value"),
        (["digits", "--epochs", "--show"], "--epochs: needs a value"),
    ],
)
def test_mistakes_get_one_line_and_exit_code_2(
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("srnn-train: ")
    assert said in errors
    assert errors.count("\n") == 1
    assert not (tmp_path / "runs" / "digits" / "model.pt").exists()


def test_words_that_make_no_sense(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["digits", "more"])
    assert raised.value.code == 2
    said = "srnn-train: unrecognized arguments: more; see srnn-train --help\n"
    assert capsys.readouterr().err == said


def test_help_names_every_option_and_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["--help"])
    assert raised.value.code == 0
    text = capsys.readouterr().out
    assert all(option in text for option in OWN_OPTIONS)
    assert "srnn-train ecg --data DIR --epochs 5" in text
    listed = {word.strip(",[]") for word in text.split("settings:")[0].split()}
    own = {word for word in listed if word.startswith("--")}
    assert own - OWN_OPTIONS <= {"--epochs", "--layers.0.size", "--task.options.train"}


def test_on_a_terminal_epochs_stand_above_the_progress_bar(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).parent / "srnn-train"), *SMALL, "--out", str(tmp_path)]
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=TERMINAL) as child:
        os.close(theirs)
        written = b""
        with contextlib.suppress(OSError):  # Linux's error for a pipe whose other end is closed.
            while part := os.read(ours, 4096):
                written += part
        assert child.wait(timeout=300) == 0
    os.close(ours)
    shown = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written.decode()))
    epochs = [line for line in shown if "validation 0" in line]
    assert len(epochs) == 1
    assert re.fullmatch(r"epoch +1  loss [^/]* s", epochs[0].rstrip())
    assert any("accuracy" in line and "rate" in line and "/" in line for line in shown)
