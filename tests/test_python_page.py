"""``docs/PYTHON.md``: its blocks print what the page shows, its example trains with Lightning."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from paths import ROOT
from srnn.export import read_net

PAGE = ROOT / "docs" / "PYTHON.md"


def test_every_block_prints_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(
        r"```python\n(.+?)```(?:\n\n```text\n(.*?)```)?",
        PAGE.read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
    assert len(blocks) == 10
    names: dict[str, Any] = {}
    for code, expected in blocks:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, str(PAGE), "exec"), names)
        assert printed.getvalue() == expected
    assert {"x.net", "own.net", "model.pt", "whole.pt"} <= {f.name for f in tmp_path.iterdir()}


def test_lightning_trains_and_exports(tmp_path: Path) -> None:
    pytest.importorskip("lightning")
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "examples" / "lightning_loop.py"), "4", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "model.net: " in done.stdout
    assert read_net(tmp_path / "model.net").input_size == 4
    (accuracy,) = re.findall(r"accuracy ([\d.]+) float, [\d.]+ integer", done.stdout)
    # Guessing one of four classes is right once in four.
    assert float(accuracy) > 0.5
