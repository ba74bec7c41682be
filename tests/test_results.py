"""The recorded results: the plan is sound, records are its own, the document is made of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from paths import ROOT
from srnn.export.checkpoint import read_model

BENCHMARKS = ROOT / "benchmarks"

PLAN = """
[[section]]
title = "Digits"
text = "Some digits."
columns = ["task", "network", "trained on", "size", "integers test", "firing rate", "seeds"]

[[section.run]]
name = "small"
train = ["digits", "--epochs", "2", "--batch-size", "256", "--layers.0.size", "4", "--quantize"]
seeds = [7]
labels = { size = "tiny", line = "a", bits = 8 }

[[section.run]]
name = "coarse"
train = ["digits", "--epochs", "1", "--batch-size", "256", "--layers.0.size", "4"]
export = ["--weight-bits", "4"]
labels = { size = "tiny", line = "a", bits = 4 }
test = false

[[section.run]]
name = "dense"
train = ["digits", "--epochs", "1", "--batch-size", "256", "--layers.0.size", "4", "--baseline", "gru"]

[[section.run]]
name = "tuned"
train = ["digits", "--epochs", "1", "--batch-size", "256", "--layers.0.size", "4", "--quantize"]
start = "coarse"
test = false
"""  # noqa: E501


def results(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run(
        [sys.executable, str(BENCHMARKS / "results.py"), *words],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_record_and_write(tmp_path: Path) -> None:
    plan, records, output = tmp_path / "plan.toml", tmp_path / "records", tmp_path / "R.md"
    plan.write_text(PLAN, encoding="utf-8")
    records.mkdir()
    where = ("--plan", str(plan), "--records", str(records))
    done = results("record", *where, "--runs", str(tmp_path / "runs"), "--threads", "1")
    assert done.returncode == 0, done.stderr
    names = sorted(file.stem for file in records.iterdir())
    assert names == ["coarse-0", "dense-0", "small-7", "tuned-0"]
    small, coarse, dense = (
        json.loads((records / f"{name}.json").read_text()) for name in ("small-7", *names[:2])
    )
    tuned = json.loads((records / "tuned-0.json").read_text())
    assert tuned["start"] == "coarse"
    begun, by_hand = next((tmp_path / "runs").glob("coarse-0-*")), tmp_path / "by-hand"
    words = [*tuned["train"], "--seed", "0", "--threads", "1", "--no-test", "--out", str(by_hand)]
    program = [Path(sys.executable).parent / "srnn-train", "--start", begun / "model.pt", *words]
    subprocess.run(program, check=True, capture_output=True)
    (folder,) = (tmp_path / "runs").glob("tuned-0-*")
    for name, weights in read_model(by_hand / "model.pt").weights.items():
        np.testing.assert_array_equal(read_model(folder / "model.pt").weights[name], weights)
    # What training on the grid reports is what the simulator finds.
    assert small["on_grid"]
    assert small["trained"] == {
        split: {"accuracy": found["accuracy"]} for split, found in small["integers"].items()
    }
    assert small["exported"]["changed_predictions"] == 0
    assert small["network"] == "16-4r-10"
    # The test split of a run among which one is chosen stays unread.
    assert set(coarse["trained"]) == set(coarse["integers"]) == {"validation"}
    assert dense["operations"]["Effective_MACs"] == 3 * 4 * (16 + 4) + 3 * 4 + 4 * 10
    assert "integers" not in dense

    again = results("record", *where, "--runs", str(tmp_path / "runs"))
    assert again.stdout == ""  # Nothing is run twice.
    assert "coarse, seed 0: validation 0." in results("list", *where).stdout
    (records / "coarse-0.json").unlink()
    assert "coarse, seed 0: not recorded" in results("list", *where).stdout

    written = results("table", *where, "--output", str(output))
    assert written.returncode == 0, written.stderr
    text = output.read_text(encoding="utf-8")
    assert "Not run so far: `coarse` seed 0." in text
    accuracy = f"{100 * small['integers']['test']['accuracy']:.2f}"
    assert f"| digits | 16-4r-10 | the grid | tiny | {accuracy} | " in text
    assert f"| {small['machine']['commit']} |" in text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "coarse"', 'name = "small"', "small is there twice"),
        ("seeds = [7]", "seeds = [7, 7]", "are missing or not distinct"),
        ('name = "coarse"', 'nmae = "coarse"', "unknown setting 'nmae'; did you mean 'name'?"),
        ('start = "coarse"', 'start = "none"', "none of tuned is not a run that precedes it"),
        ('title = "Digits"', "title = ", "plan.toml: "),
    ],
)
def test_a_plan_that_is_none(tmp_path: Path, old: str, new: str, said: str) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN.replace(old, new), encoding="utf-8")
    done = results("list", "--plan", str(plan), "--records", str(tmp_path))
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_every_record_is_of_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from result_plan import RECORDS, read_plan

    planned = {(run.name, seed): run for run in read_plan().runs() for seed in run.seeds}
    for file in RECORDS.glob("*.json"):
        record = json.loads(file.read_text(encoding="utf-8"))
        run = planned[record["name"], record["seed"]]
        assert file == run.record(record["seed"])
        assert record["train"] == list(run.train), file.name
        assert record["export"] == list(run.export), file.name
        assert record.get("start") == run.start, file.name


@pytest.mark.extra("report")
def test_the_document_is_made_of_the_records(tmp_path: Path) -> None:
    output = tmp_path / "RESULTS.md"
    done = results("table", "--output", str(output))
    assert done.returncode == 0, done.stderr
    kept = ROOT / "docs" / "RESULTS.md"
    assert output.read_text(encoding="utf-8") == kept.read_text(encoding="utf-8")
    for figure in (tmp_path / "figures").iterdir():
        assert figure.read_bytes() == (ROOT / "docs" / "figures" / figure.name).read_bytes()
