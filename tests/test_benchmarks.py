"""The benchmarks run, at sizes that take a moment, and count work as it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT

BENCHMARKS = ROOT / "benchmarks"


def run(name: str, *arguments: str) -> dict:
    """Run a benchmark with ``--json`` and return what it printed."""
    result = subprocess.run(
        [sys.executable, str(BENCHMARKS / name), *arguments, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.slow
def test_training_steps_in_turns(tmp_path: Path) -> None:
    found = run(
        "train_step.py", "--shapes", "ecg,smnist", "--batch", "3", "--steps", "12",
        "--repeats", "2", "--only", "published,loop,snntorch,engine,events",
        "--environments", str(tmp_path),
    )  # fmt: skip
    for result in found["shapes"]:
        rows = {row["key"]: row for row in result["rows"]}
        # A framework that is not installed is a row that says so.
        assert "make peers" in rows["snntorch"]["failed"]
        for key in ("published", "loop", "engine"):
            assert len(rows[key]["times"]) == 2
            assert rows[key]["median_ms"] > 0
            assert all(0 < rate < 1 for rate in rows[key]["rates"])
        # All of ours compute the same equations: what is compared in speed is the same thing.
        assert rows["engine"]["gradient_difference"] < 1e-4
        assert rows["published"]["gradient_difference"] < 1e-4
    ecg, smnist = ({row["key"]: row for row in x["rows"]} for x in found["shapes"])
    assert ecg["events"]["gradient_difference"] < 1e-4
    assert smnist["events"]["failed"] == "analog inputs"


def test_a_worker_that_dies_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from peers.client import Implementation, Worker
    from peers.shapes import SHAPES

    worker = Worker(Implementation("x", "x", "no_such_module"), 1, "cpu")
    answer = worker.make(SHAPES["ecg"])
    worker.close()
    assert "no_such_module" in answer["failed"]
    assert "exit code 1" in answer["failed"]


def test_an_unknown_implementation_is_an_error() -> None:
    result = subprocess.run(
        [sys.executable, str(BENCHMARKS / "train_step.py"), "--only", "loops"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert "--only takes published, loop" in result.stderr


def test_work_is_counted_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from work import UPDATE_BACK, UPDATE_FORWARD, LayerSizes, count

    # 2 samples, 3 steps, 5 channels with 7 events, 4 neurons with 6 recurrent spikes.
    layer = LayerSizes(2, 3, 5, 4, 7, 6, False, True, True, False)
    work = count(layer)
    assert work.gathered == work.scattered == (7 + 6) * 4
    assert work.multiplied == 2 * 3 * 4 * 4
    assert work.updates == 2 * 3 * 4 * (UPDATE_FORWARD + UPDATE_BACK)
    above = count(layer._replace(inputs_need_gradient=True))
    assert above.multiplied - work.multiplied == 2 * 3 * 4 * 5
    graded = count(layer._replace(graded=True))
    assert graded.gathered == 6 * 4
    assert graded.multiplied - work.multiplied == 2 * 7 * 4


@pytest.mark.slow
def test_share_of_the_peak() -> None:
    (row,) = run("peak.py", "--shapes", "ecg", "--batch", "2", "--steps", "20", "--repeats", "1")[
        "shapes"
    ]
    assert row["work"]["multiplied"] == 2 * 20 * (36 * 36 + 36 * 6)
    assert 0 < row["ideal_ms"] < row["measured_ms"]


@pytest.mark.slow
def test_growth_is_fitted() -> None:
    arguments = ["--quantities", "steps", "--values", "10,20", "--repeats", "1"]
    (result,) = run("growth.py", *arguments)["results"]
    first, second = result["rows"]
    assert second["work_ms"] == pytest.approx(2 * first["work_ms"], rel=0.25)
    assert 0.03 < first["rate"] < 0.2


@pytest.mark.slow
def test_memory_is_measured_in_a_fresh_process() -> None:
    rows = run("memory.py", "--engines", "events", "--batches", "2", "--steps", "10")["rows"]
    assert [row["engine"] for row in rows] == ["events"]
    for row in rows:
        assert row["resident_bytes"] > row["before_bytes"] > 5e7


def test_placement_of_a_small_network() -> None:
    found = run("placement.py", "--neurons", "20000", "--synapses", "400000", "--density", "0.5")
    assert found["neurons"] == pytest.approx(20000, rel=0.05)
    assert found["synapses"] == pytest.approx(200000, rel=0.15)
    assert found["fits"] is True
    assert 0 < found["cores"] < found["layers"] * 10
    assert found["place_s"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--density", "0.5"], ["--profiles", "3000"]])
def test_a_million_neurons_are_placed(more: list[str]) -> None:
    board = ["--board", "nahuku"] if "--profiles" in more else []
    found = run("placement.py", *more, *board)
    assert found["neurons"] >= 1_000_000
    assert found["synapses"] >= (5e7 if "--density" in more else 1e8)
    assert found["place_s"] > 0
    # The weights alone are 0.4 GB.
    assert found["placing_bytes"] < 0.4e9


@pytest.mark.slow
def test_counting_is_measured_against_the_same_simulator() -> None:
    result = subprocess.run(
        [
            sys.executable,
            str(BENCHMARKS / "counting.py"),
            "--shapes",
            "ecg",
            "--repeats",
            "3",
            "--json",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    # 1: counting takes more than its limit, which a busy machine can make it look like.
    assert result.returncode in {0, 1}, result.stderr
    rows = json.loads(result.stdout)["rows"]
    assert {(row["neuron"], row["batch"]) for row in rows} == {
        ("ALIF", 1), ("ALIF", 64), ("LIF", 1), ("LIF", 64)
    }  # fmt: skip
    assert all(row["us_per_sample_step"] > 0 for row in rows)


@pytest.mark.slow
def test_spikes_of_other_frameworks_by_way_of_nir() -> None:
    found = run("nir_spikes.py", "--samples", "4", "--steps", "100")
    same = {name for name, counts in found.items() if counts["differ"] == 0}
    assert set(found) - same == {
        "snnTorch RLeaky, zero, delayed", "snnTorch Synaptic, zero, delayed",
        "Norse LIFCell, euler", "Norse, recurrent with bias",
    }  # fmt: skip
    assert all(counts["theirs"] > 0 for counts in found.values())


@pytest.mark.needs("gcc")
def test_a_step_as_c_is_timed_beside_the_simulator() -> None:
    (found,) = run("c_target.py", "--networks", "digits", "--repeats", "1")["networks"]
    assert found["steps"] == 64
    assert min(found["c_s"], found["run_s"], found["stream_s"]) > 0
