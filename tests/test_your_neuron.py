"""docs/YOUR_NEURON.md: its file, and its commands one after another."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from doc_blocks import blocks
from paths import ROOT

pytestmark = [pytest.mark.extra("train"), pytest.mark.lava]

PAGE = "docs/YOUR_NEURON.md"
BIN = Path(sys.executable).parent


@pytest.mark.slow
def test_the_page_runs(tmp_path: Path) -> None:
    found = {block.kind: block.code for block in blocks(ROOT / PAGE)}
    (tmp_path / "keeper.py").write_text(found["python"], encoding="utf-8")
    said = []
    for line in found["sh"].replace("\\\n", " ").strip().splitlines():
        name, *words = shlex.split(line)
        done = subprocess.run(
            [str(BIN / name), *words], cwd=tmp_path, capture_output=True, text=True, check=False,
            env={**os.environ, "COLUMNS": "100"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    trained, exported, simulated, deployed = said
    assert "test" in trained
    assert "KEEPER" in exported
    assert float(simulated.split("accuracy")[1].split()[0]) > 0.6
    assert "0 mismatches" in deployed
