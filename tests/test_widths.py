"""What the four commands print fits its width, and says the same at every width."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest
from paths import ROOT
from srnn.deploy.cli import main as deploy
from srnn.export.checkpoint import read_model
from srnn.export.cli import main as export
from srnn.simulate.cli import main as simulate
from srnn.train.cli import main as train

ZOO = ROOT / "zoo"

Main = Callable[[list[str]], int]

COMMANDS: dict[str, tuple[Main, list[str], int]] = {
    "inspect": (export, ["--inspect", str(ZOO / "spoken-digits.net")], 0),
    "samples": (simulate, [str(ZOO / "digits.net"), "--energy"], 0),
    "place": (
        deploy,
        [str(ZOO / "ecg.net"), "--target", "loihi2", "--dry-run", "--steps", "40"],
        0,
    ),
    "run": (deploy, [str(ZOO / "digits.net"), "--target", "simulator", "--samples", "1"], 0),
}


def printed(name: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    main, words, code = COMMANDS[name]
    assert main(words) == code
    out, err = capsys.readouterr()
    assert err == ""
    return out.splitlines()


def said(lines: list[str]) -> set[str]:
    """The words, without times and rules."""
    text = re.sub(r"\(?[\d.,]+\s(s\b|per\ssecond)\)?", "", " ".join(" ".join(lines).split()))
    return {word for word in text.split() if not word.startswith("─")}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_same_words_at_every_width(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    whole = said(printed(name, capsys))
    for width in (60, 80, 120):
        monkeypatch.setenv("COLUMNS", str(width))
        lines = printed(name, capsys)
        assert [line for line in lines if len(line) > width and len(line.split()) > 1] == []
        assert said(lines) == whole


@pytest.mark.parametrize("name", COMMANDS)
def test_tables_in_a_pipe_fit_80(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    lines = printed(name, capsys)
    rules = [index for index, line in enumerate(lines) if line.startswith("─")]
    assert rules
    for index in rules:
        start = max(i for i in range(index) if not lines[i])
        end = min(i for i in range(index, len(lines)) if not lines[i])
        assert max(map(len, lines[start:end])) <= 80


def test_training_at_60(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    settings = ["--epochs", "1", "--layers.0.size", "6", "--batch-size", "256", "--threads", "1"]
    assert train(["digits", "--out", str(tmp_path), *settings]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > 60 and len(line.split()) > 1] == []
    metrics = read_model(tmp_path / "model.pt").metrics
    for split in ("validation", "test"):
        (row,) = (line.split() for line in lines if line.startswith(f"{split} "))
        numbers = [*metrics[split].values(), metrics[f"{split}_firing_rate"]]
        assert row == [split, *(f"{number:.4g}" for number in numbers)]


@pytest.mark.parametrize("width", [60, 120])
def test_a_terminal_says_its_own_width(width: int) -> None:
    near, far = pty.openpty()
    fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k not in {"COLUMNS", "NO_COLOR"}}
    with subprocess.Popen(
        [sys.executable, "-m", "srnn.export", "--inspect", str(ZOO / "ecg.net")],
        stdin=far, stdout=far, stderr=far, env=environment, close_fds=True,
    ) as child:  # fmt: skip
        os.close(far)
        parts = []
        try:
            while part := os.read(near, 4096):
                parts.append(part)
        except OSError:
            # Linux ends a terminal whose other side is closed by an error.
            pass
    os.close(near)
    text = b"".join(parts).decode()
    assert child.returncode == 0, text
    assert "\x1b[1mlayers\x1b[0m" in text
    lines = text.splitlines()
    assert [line for line in lines if len(line) > width and len(line.split()) > 1] == []
    assert max(map(len, lines)) > width - 20
