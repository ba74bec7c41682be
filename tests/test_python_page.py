"""``docs/PYTHON.md``: its example trains with Lightning; test_docs_code.py runs the blocks."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT
from srnn.export import read_net

PAGE = ROOT / "docs" / "PYTHON.md"


@pytest.mark.needs("lightning")
def test_lightning_trains_and_exports(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "examples" / "lightning_loop.py"), "4", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "model.net: " in done.stdout
    assert read_net(tmp_path / "model.net").input_size == 4
    (accuracy,) = re.findall(r"accuracy ([\d.]+) float, [\d.]+ integer", done.stdout)
    # Guessing one of four classes is right once in four.
    assert float(accuracy) > 0.5
