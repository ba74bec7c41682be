"""The simulator's benchmark runs, checks what it times, and prints a row for what is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from paths import ROOT

BENCHMARK = ROOT / "benchmarks" / "simulate.py"


def test_ours_beside_peers_that_are_missing(tmp_path: Path) -> None:
    command = [
        sys.executable, str(BENCHMARK), "--shapes", "ecg", "--repeats", "1", "--json",
        "--only", "lif,alif,snntorch,nengo", "--environments", str(tmp_path),
    ]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    for row in found["rows"]:
        if row["key"] in {"lif", "alif"}:
            assert row["compared"] >= 1300 * (36 * 3 + 6)
            assert 0.02 < row["rate"] < 0.2
            assert 0 < row["us_min"] <= row["us_per_sample_step"]
        else:
            assert "make peers" in row["failed"]
    ran = {(row["key"], row["batch"], row["threads"]) for row in found["rows"]}
    both = {(key, b, t) for key in ("lif", "alif", "snntorch") for b in (1, 64) for t in (1, 2)}
    assert ran == both | {("nengo", 1, 2)}
    assert found["cold_start"]["min"] > 0
