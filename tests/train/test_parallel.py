"""Runs on several processes, started by torchrun as a user starts them."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paths import SUPPORT
from srnn.export.checkpoint import read_model
from srnn.export.errors import InputError
from srnn.train.parallel import ALONE, Processes, joined
from srnn.train.run import CHECKPOINT, METRICS, MODEL, read_run
from srnn.train.run_folder import LOCK
from train_runs import ENVIRONMENT, TORCHRUN, ours, same_runs, torchrun

EPOCHS = 6
SMALL = (
    "digits", "--epochs", str(EPOCHS), "--threads", "1", "--batch-size", "65",
    "--layers.0.size", "6", "--task.options.test", "0.6", "--bundle-samples", "4",
)  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("samples", [1, 2, 6, 13])
def test_shares_hold_every_sample_once(size: int, samples: int) -> None:
    batch = np.random.default_rng(0).permutation(samples)
    processes = [Processes(rank, size) for rank in range(size)]
    shares = [each.share(batch) for each in processes]
    assert all(len(share.indices) for share in shares)
    counted = np.concatenate([share.indices for share in shares if share.weight])
    assert sorted(counted) == list(range(samples))
    sizes = [len(share.indices) * share.weight for share in shares]
    assert max(sizes) - min(sizes) <= 1
    parts = [range(*each.part(samples)) for each in processes]
    assert [index for part in parts for index in part] == list(range(samples))


def test_devices_and_cores_of_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    third = Processes(rank=7, size=8, local_rank=3, local_size=4)
    assert third.device("cuda") == "cuda:3"
    assert third.device("cpu") == "cpu"
    assert ALONE.device("mps") == "mps"
    with pytest.raises(InputError, match=r"training.device: 'cuda:1' with 8 processes"):
        third.device("cuda:1")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(9)), raising=False)
    assert third.threads() == 2
    assert Processes(local_size=20).threads() == 1


def test_one_process_joins_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "1")
    monkeypatch.setenv("RANK", "0")
    with joined("cpu") as processes:
        assert processes is ALONE


def test_a_group_that_cannot_form_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("WORLD_SIZE", "2"), ("RANK", "0")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(InputError, match=r"torchrun: no process group: .*MASTER_ADDR") as raised:
        joined("cpu").__enter__()
    assert "\n" not in str(raised.value)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The results of two processes."""
    folder = tmp_path_factory.mktemp("compared")
    result = torchrun(SUPPORT / "parallel_worker.py", folder)
    assert result.returncode == 0, result.stderr
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1)]


def test_gradients_are_those_of_one_process_on_the_joined_batch(
    compared: list[dict[str, Any]],
) -> None:
    cases = compared[0]["cases"]
    assert len(cases) == 32
    for case in cases:
        assert case["same_bits"], case
        assert case["difference"] < 2e-5, case
        assert case["steps"] == (3 if case["truncate"] else 1), case
        assert case["norm"] > 1e-3, case
        if case["clip"]:
            assert case["norm"] <= case["clip"] * 1.001, case
        assert case["shared"] == pytest.approx(case["alone"], rel=1e-5), case
    assert any(case["norm"] == pytest.approx(case["clip"], rel=1e-3) for case in cases)


def test_a_split_is_evaluated_in_parts(compared: list[dict[str, Any]]) -> None:
    for each in compared:
        for one in each["evaluation"]:
            assert one["same"]
            assert one["predictions"]
            assert one["loss"][1] == pytest.approx(one["loss"][0], rel=1e-6)
    assert compared[0]["evaluation"] == compared[1]["evaluation"]


def test_processes_agree(compared: list[dict[str, Any]]) -> None:
    failed = ["process 0 has no data"] * 3 + ["process 1 has no data"] * 2 + ["nothing"]
    for rank, each in enumerate(compared):
        found = each["agreement"]
        assert found["said"] == failed
        assert found["turns"] == rank
        assert found["from_first"] == "of 0"
        assert found["any"] == [True, False]
        assert found["sum"] == [3.0, 2.0**41 + 2]
        assert found["weight"] == [0.0, 0.0]
        assert each["ranks"] == [0, 1]
        assert sorted(each["told"]) == [False, True]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run on two processes without interruption, and its output."""
    folder = tmp_path_factory.mktemp("whole")
    result = torchrun("-m", "srnn.train", *SMALL, "--out", folder)
    assert result.returncode == 0, result.stderr
    return folder, result.stdout


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / METRICS).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_one_set_of_files_and_lines(whole: tuple[Path, str]) -> None:
    folder, printed = whole
    files = sorted(path.name.split(".")[0] for path in folder.rglob("[!.]*") if path.is_file())
    assert files == ["checkpoint", "events", "metrics", "model"]
    assert [path.name for path in folder.glob(".*")] == [LOCK]
    assert [row["epoch"] for row in rows(folder)] == [str(1 + e) for e in range(EPOCHS)]
    assert printed.count("epoch   1  loss") == 1
    assert printed.count("was best on validation") == 1
    assert "2 processes share every batch" in printed
    model = read_model(folder / MODEL)
    assert model.metrics["epochs"] == EPOCHS
    assert len(model.samples["inputs"]) == 4


def test_the_first_epoch_is_that_of_one_process(whole: tuple[Path, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "srnn.train", *SMALL, "--out", str(tmp_path), "--epochs", "1"]
    subprocess.run(command, check=True, capture_output=True, env=ENVIRONMENT)
    one, two = rows(tmp_path)[0], rows(whole[0])[0]
    for name in ("train_loss", "validation_loss", "train_firing_rate"):
        assert float(two[name]) == pytest.approx(float(one[name]), rel=1e-3)


def test_a_mistake_is_told_once(whole: tuple[Path, str]) -> None:
    before = (whole[0] / CHECKPOINT).read_bytes()
    result = torchrun("-m", "srnn.train", *SMALL, "--out", whole[0])
    assert result.returncode != 0
    assert len(ours(result.stderr)) == 1
    assert "holds a run; continue it with --resume" in ours(result.stderr)[0]
    assert (whole[0] / CHECKPOINT).read_bytes() == before


def start(folder: Path) -> subprocess.Popen[str]:
    """Start a run and return when its first epoch is done."""
    child = subprocess.Popen(
        [*TORCHRUN, "-m", "srnn.train", *SMALL, "--out", str(folder)],
        env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith("epoch   1"):
            break
    return child


def process_of(launcher: int, rank: int) -> int:
    """The process of a rank under a launcher."""
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text(encoding="utf-8")
    for number in map(int, children.split()):
        settings = Path(f"/proc/{number}/environ").read_bytes().split(b"\0")
        if b"RANK=%d" % rank in settings:
            return number
    raise AssertionError(f"no process of rank {rank} under {launcher}")


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_ends_the_run_and_resume_continues(
    whole: tuple[Path, str], tmp_path: Path, rank: int
) -> None:
    with start(tmp_path) as child:
        os.kill(process_of(child.pid, rank), signal.SIGKILL)
        _, errors = child.communicate(timeout=300)
    assert child.returncode != 0
    assert len(ours(errors)) == 1
    assert "another process of this run ended or is out of reach; its last" in ours(errors)[0]
    assert f"continue with --resume {tmp_path}" in ours(errors)[0]
    state = read_run(tmp_path)["state"]
    assert 1 <= state["epoch"] < EPOCHS
    assert state["batch"] == 0
    result = torchrun("-m", "srnn.train", "--resume", tmp_path)
    assert result.returncode == 0, result.stderr
    same_runs(whole[0], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_all_stop_together_and_one_process_continues(
    whole: tuple[Path, str], tmp_path: Path, number: signal.Signals
) -> None:
    with start(tmp_path) as child:
        child.send_signal(number)
        _, errors = child.communicate(timeout=300)
    assert len(ours(errors)) == 1
    assert "stopped and saved; continue with: srnn-train --resume" in ours(errors)[0]
    state = read_run(tmp_path)["state"]
    assert state["epoch"] < EPOCHS
    done = state["epoch"]
    again = [sys.executable, "-m", "srnn.train", "--resume", str(tmp_path)]
    subprocess.run(again, check=True, capture_output=True, env=ENVIRONMENT)
    found, expected = rows(tmp_path), rows(whole[0])
    assert len(found) == EPOCHS
    for one, other in zip(found[:done], expected[:done], strict=True):
        assert {**one, "seconds": ""} == {**other, "seconds": ""}


@pytest.mark.slow
def test_a_run_on_one_process_continues_on_two(tmp_path: Path) -> None:
    alone = [sys.executable, "-m", "srnn.train", *SMALL, "--schedule", "constant"]
    first = [*alone, "--out", str(tmp_path), "--epochs", "2"]
    subprocess.run(first, check=True, capture_output=True, env=ENVIRONMENT)
    result = torchrun("-m", "srnn.train", "--resume", tmp_path, "--epochs", "3")
    assert result.returncode == 0, result.stderr
    assert len(rows(tmp_path)) == 3
