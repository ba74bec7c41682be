"""What ``srnn-simulate`` writes where there is no room: one line, exit code 2, nothing left."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from full_disk import command_on_full_disk, full_after
from paths import ROOT
from simulate_networks import random_inputs, random_network
from srnn.export.trace import compare
from srnn.simulate.cli import main
from srnn.simulate.simulator import run
from srnn.simulate.trace_storage import TraceStorage
from srnn.simulate.tracefile import read_trace, writing_trace

NET = str(ROOT / "zoo" / "digits.net")


def written(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.extra("report")
def test_no_report_and_no_folder_of_its_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, full = tmp_path / "whole", tmp_path / "full"
    full.mkdir()
    assert main([NET, "--report", str(whole / "r.html")]) == 0
    sizes = {path: path.stat().st_size for path in whole.rglob("*") if path.is_file()}
    tables = max(size for path, size in sizes.items() if path.suffix == ".csv")
    page, answers = sizes[whole / "r.html"], sizes[whole / "r.json"]
    capsys.readouterr()
    # Room for nothing; for the tables alone; for all but the largest file.
    for limit in (0, tables, min(page, answers)):
        with full_after(limit):
            assert main([NET, "--report", str(full / "r.html")]) == 2
        err = capsys.readouterr().err
        assert err.startswith(f"srnn-simulate: {full / 'r.'}"), err
        assert "the file needs " in err
        assert err.count("\n") == 1
        assert written(full) == []


def trace_on(path: Path, limit: int) -> None:
    network = random_network(2, ["SRNN_ALIF", "CUBA", "SRNN_LI"], [40, 30, 3], 8)
    inputs = random_inputs(2, network, 60, 40)
    with full_after(limit), writing_trace(path, network, ("v", "d", "u")) as writer:
        for first in range(0, 60, 10):
            writer.append(run(network, inputs[first : first + 10]))


@pytest.mark.parametrize("share", [0, 0.002, 0.1, 0.5, 0.9, 0.999])
def test_no_trace_wherever_the_disk_is_full(tmp_path: Path, share: float) -> None:
    whole = tmp_path / "whole.h5"
    trace_on(whole, 1 << 30)
    size = whole.stat().st_size
    whole.unlink()
    path = tmp_path / "runs" / "full.h5"
    with pytest.raises(OSError, match=r"too large; the file needs [0-9,]+ bytes") as raised:
        trace_on(path, int(size * share))
    assert raised.value.filename == str(path)
    assert written(tmp_path) == []


def test_a_trace_that_just_fits(tmp_path: Path) -> None:
    trace_on(tmp_path / "one.h5", 1 << 30)
    trace_on(tmp_path / "two.h5", (tmp_path / "one.h5").stat().st_size)
    rows = compare(read_trace(tmp_path / "one.h5"), read_trace(tmp_path / "two.h5"))
    assert not any(row.different for row in rows)


def test_what_a_full_disk_did_not_take_is_read_back(tmp_path: Path) -> None:
    """As from bytes in memory, whatever is written, truncated and read."""
    rng = np.random.default_rng(0)
    model = bytearray()
    with TraceStorage(tmp_path / "part", tmp_path / "name") as storage, full_after(3000):
        for number in range(300):
            at, content = int(rng.integers(0, 4000)), rng.bytes(int(rng.integers(1, 400)))
            storage.seek(at)
            assert storage.write(content) == len(content)
            model.extend(bytes(max(at - len(model), 0)))
            model[at : at + len(content)] = content
            if number % 20 == 19:
                size = int(rng.integers(0, 5000))
                storage.truncate(size)
                del model[size:]
                model.extend(bytes(size - len(model)))
            assert storage.seek(0, 2) == len(model)
            start, stop = np.sort(rng.integers(0, len(model) + 1, 2)).tolist()
            buffer = bytearray(stop - start)
            storage.seek(start)
            storage.readinto(buffer)
            assert buffer == model[start:stop]
        with pytest.raises(OSError, match="too large"):
            storage.check()


def test_the_command_ends_in_a_line(tmp_path: Path) -> None:
    """In a process of its own: the HDF5 library crashed when it closed such a file."""
    path = tmp_path / "folder" / "run.h5"
    assert main([NET, "--trace", str(path)]) == 0
    path.unlink()
    path.parent.rmdir()
    ended = command_on_full_disk(4000, "srnn.simulate", NET, "--trace", path)
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.startswith(f"srnn-simulate: {path}: File too large; the file needs ")
    assert ended.stderr.count("\n") == 1
    assert written(tmp_path) == []


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("given", [[], ["--json"]])
def test_standard_output_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: list[str], unbuffered: str
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    output = tmp_path / "out"
    ended = command_on_full_disk(100, "srnn.simulate", NET, *given, output=output)
    assert ended.returncode == 2
    assert ended.stderr == "srnn-simulate: standard output: File too large\n"
    assert output.stat().st_size == 100


def test_a_monitor_keeps_its_whole_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log.jsonl"

    def stream(steps: int) -> int:
        rows = "".join(",".join("0" * 16) + "\n" for _ in range(steps))
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(rows.encode())))
        words = ["--stream", "--encoded", "--changes", "--monitor", str(log), "--window", "5"]
        return main([NET, *words])

    assert stream(5) == 0
    line = log.read_bytes()
    capsys.readouterr()
    with full_after(int(len(line) * 2.5)):
        assert stream(50) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"srnn-simulate: {log}: File too large; the file needs ")
    assert err.count("\n") == 1
    kept = log.read_text().splitlines()
    assert len(kept) == 2
    assert all(json.loads(text) for text in kept)
