"""``docs/SPIKES_FOR_PYTORCH_USERS.md``: its figures and tables can be made again."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from doc_blocks import blocks
from paths import ROOT

pytestmark = pytest.mark.extra("train")

PAGE = ROOT / "docs" / "SPIKES_FOR_PYTORCH_USERS.md"
FIGURES = re.findall(r"\]\((figures/[^)]+)\)", PAGE.read_text(encoding="utf-8"))
LARGEST_FIGURE = 150_000


@pytest.fixture
def numbers(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import spikes_numbers

    return spikes_numbers


def table(name: str) -> list[list[str]]:
    """Return the cells of a table of the page, the rule below its heading left out."""
    (text,) = re.findall(
        rf"<!-- table {name} -->\n(.*?)<!-- end -->",
        PAGE.read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
    lines = [line.strip("| ").split(" | ") for line in text.split("\n") if line]
    return [cells for cells in lines if cells[0].strip("-|")]


def test_the_neuron_of_the_page_is_the_projects(numbers: ModuleType) -> None:
    from srnn.export.checkpoint import Init, LayerConfig

    names: dict[str, Any] = {}
    first = next(block for block in blocks(f"docs/{PAGE.name}") if block.kind == "python")
    exec(compile(first.code, PAGE, "exec"), names)
    config = LayerConfig(
        neuron="alif", size=1, threshold=0.5, adaptation=2.0,
        tau_mem=Init(mean=10.0), tau_adp=Init(mean=60.0),
    )  # fmt: skip
    current = 2 * np.random.default_rng(0).random(300)
    shown = names["alif"](torch.from_numpy(current).float())
    assert shown.tolist() == numbers.run_neuron(config, current)["s"].tolist()
    assert 10 < shown.sum() < 200


def test_tables_without_training_are_up_to_date(numbers: ModuleType) -> None:
    assert table("decay") == numbers.decay_table()
    assert table("break-even") == numbers.break_even_table()


def test_break_even_is_where_both_cost_the_same(numbers: ModuleType) -> None:
    n, batch = 64, 16
    rate = numbers.break_even_rate("gru", n, batch)
    byte, product, addition = numbers.BYTE_PJ, numbers.MAC8_PJ, numbers.AC8_PJ
    # 24-bit u and b read and written; every event fetches a byte for each of its n targets.
    spiking = n * (3 * product + 12 * byte) + 2 * n * rate * n * (addition + byte)
    spiking += 2 * n * rate * addition
    weights = 3 * (n * n + n * n)
    dense = (weights + 3 * n) * product + weights / batch * byte + 6 * n * byte
    assert spiking == pytest.approx(dense)
    assert 0 < rate < 1


def test_every_figure_of_the_page_is_there_and_small() -> None:
    made = {f"figures/{path.name}" for path in (ROOT / "docs" / "figures").glob("spikes-*.svg")}
    assert made == set(FIGURES)
    for figure in FIGURES:
        text = (ROOT / "docs" / figure).read_text(encoding="utf-8")
        assert len(text) < LARGEST_FIGURE
        # An explicit background: the page is also read in dark mode.
        assert "fill: #ffffff" in text
        assert "<dc:date>" not in text


PRINTED = re.compile(r"(```python\n(?:(?!```).)+```\n\n)(```text\n.*?```)", re.DOTALL)
"""A block of Python and what it prints."""


@pytest.mark.slow
@pytest.mark.extra("report")
def test_the_script_makes_figures_and_tables_again(tmp_path: Path) -> None:
    """Two runs at a size that takes seconds give the same bytes, for every figure and table."""
    runs = []
    for name in ("one", "other"):
        folder = tmp_path / name
        folder.mkdir()
        page = folder / "page.md"
        text = PAGE.read_text(encoding="utf-8")
        page.write_text(PRINTED.sub(r"\1```text\n```", text))
        command = [
            sys.executable, str(ROOT / "benchmarks" / "spikes_page.py"), "--json",
            "--figures", str(folder), "--page", str(page),
            "--epochs", "1", "--neurons", "8", "--images", "48",
        ]  # fmt: skip
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        found = json.loads(result.stdout)
        assert {f"figures/{Path(path).name}" for path in found["figures"]} == set(FIGURES)
        bits = found["tables"]["bits"]
        assert [row[0] for row in bits[1:]] == ["8", "6", "4", "3", "float"]
        assert [row[5] for row in bits[1:-1]] == ["100.0 %"] * 4
        runs.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert runs[0] == runs[1]
    made, shown = runs[0]["page.md"].decode(), PAGE.read_text(encoding="utf-8")
    assert made != shown
    # What the page's Python prints does not depend on the training.
    printed = [PRINTED.findall(text) for text in (made, shown)]
    assert len(printed[0]) > 1
    assert printed[0] == printed[1]
