"""What is said while something compiles, by compilers of any kind."""

from __future__ import annotations

import io
import sys
import threading

import pytest
from srnn.export import compiling
from srnn.export.compiling import late_report
from waiting import wait_until

LINE = "compiling kernels, once on this machine: "


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "_SAID", set())


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    for name, value in (("TERM", "xterm"), ("COLUMNS", "80")):
        monkeypatch.setenv(name, value)
    with compiling.compiling(["forward pass", "backward pass"]) as begin:
        begin("forward pass")
        begin("backward pass")
    shown = screen.getvalue()
    assert shown.startswith(f"{LINE}forward pass, backward pass\n")
    assert "compiling backward pass" in shown
    assert "1/2" in shown


def test_elsewhere_there_is_the_line_alone(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        with compiling.compiling(["forward pass"]) as begin:
            begin("forward pass")
    assert capsys.readouterr() == ("", f"{LINE}forward pass\n")


def test_without_standard_error_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with compiling.compiling(["forward pass"]) as begin:
        begin("forward pass")


def test_what_lasts_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with late_report("forward pass on CUDA", 0.0):
        wait_until(lambda: compiling._SAID)
    assert capsys.readouterr().err == f"{LINE}forward pass on CUDA\n"


def test_what_does_not_last_is_not_said(capsys: pytest.CaptureFixture[str]) -> None:
    before = threading.active_count()
    with late_report("forward pass on CUDA", 3600.0):
        assert threading.active_count() == before + 1
    wait_until(lambda: threading.active_count() == before)
    assert capsys.readouterr().err == ""
