"""Every command of ``docs/EXAMPLE_SENSORS.md``, with fewer epochs."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from paths import ROOT
from srnn.export.cli import main as export
from srnn.simulate.cli import main as simulate
from srnn.train.cli import main as train

PAGE = ROOT / "docs" / "EXAMPLE_SENSORS.md"
COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "srnn-train": train,
    "srnn-export": export,
    "srnn-simulate": simulate,
}


def page_commands() -> list[str]:
    return re.findall(r"^\$ (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)


def page_python() -> str:
    (found,) = re.findall(r"```python\n(.+?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    return found


@pytest.mark.needs_data("tsc_small")
def test_every_command_of_the_page_runs(
    tmp_path: Path,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for file in (data_dir / "tsc_small").glob("*.ts"):
        (tmp_path / file.name).symlink_to(file)
    commands = page_commands()
    assert {line.split()[0] for line in commands} == set(COMMANDS)
    for line in commands:
        name, *words = shlex.split(line)
        target = words[words.index(">") + 1] if ">" in words else None
        words = words[: words.index(">")] if target else words
        fewer = ["--epochs", "2"] if name == "srnn-train" else []
        capsys.readouterr()
        assert COMMANDS[name]([*words, *fewer]) == 0, line
        printed = capsys.readouterr().out
        if target:
            Path(target).write_text(printed)
    report = json.loads(Path("report.json").read_text())
    assert report["activity"]["samples"] == 40
    assert 0 <= report["accuracy"] <= 1
    classes = {"Standing", "Running", "Walking", "Badminton"}
    exec(compile(page_python(), str(PAGE), "exec"), {})
    assert capsys.readouterr().out.strip() in classes


def test_the_operations_of_the_page_are_counted() -> None:
    from srnn.export.dense import dense_operations

    macs = dense_operations("lstm", 64, 6).macs + dense_operations("linear", 4, 64).macs
    assert f"{macs:,}".replace(",", " ") + " multiply-accumulates" in PAGE.read_text("utf-8")
