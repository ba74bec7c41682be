"""``docs/CONFORMANCE.md``: made by its command, its examples those of the tests."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from paths import ROOT

PAGE = ROOT / "docs" / "CONFORMANCE.md"


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import conformance

    return conformance


def test_the_text_and_the_examples_are_the_commands(command: ModuleType) -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.startswith(command.INTRODUCTION)
    assert text.endswith(command.quirks())


def test_enough_was_compared_and_nothing_differed() -> None:
    steps: dict[str, int] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = line.strip("| ").split(" | ")
        if " = " in cells[0] and len(cells) == 8:
            assert cells[6] == "0", line
            steps[cells[0]] = max(steps.get(cells[0], 0), int(cells[3].replace(",", "")))
    assert steps["kernels = reference"] >= 1_000_000_000
    assert steps["Lava = reference"] >= 1_000_000
    assert steps["stock lava-dl = kernels"] >= 10_000


def test_a_missing_python_is_named(
    command: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    with pytest.raises(SystemExit) as ended:
        command.main(["--pythons", str(tmp_path / "none"), "--page", str(page)])
    assert ended.value.code == 2
    assert f"no {tmp_path / 'none'}" in capsys.readouterr().err
    assert not page.exists()
