"""What is printed: foreign names as one line of visible characters, on any stream."""

from __future__ import annotations

import ast
import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paths import ROOT
from srnn.export.console import Output
from srnn.export.progress import Bar
from srnn.export.terminal import put, say, visible

HOSTILE = "L\x1b]0;title\x07\x9b2J\r\n\t\u202eevil\u2028\udcff"
SEEN = r"L\x1b]0;title\x07\x9b2J\r\n\t\u202eevil\u2028\udcff"


def test_what_is_not_seen_is_escaped() -> None:
    assert visible(HOSTILE) == SEEN
    assert visible("Schwelle θ, 漢字, a b") == "Schwelle θ, 漢字, a b"


@given(st.text(st.characters(codec=None)))
def test_any_text_is_one_printable_line(text: str) -> None:
    seen = visible(text)
    assert seen.isprintable()
    assert visible(seen) == seen


def test_lines_and_tables_hold_names_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output()
    output.line(HOSTILE)
    output.note(HOSTILE)
    output.table(HOSTILE, ["layer"], [[HOSTILE]])
    out, err = capsys.readouterr()
    assert err == f"{SEEN}\n"
    assert out.count(SEEN) == 3
    assert all(line.isprintable() for line in out.split("\n"))


def test_a_long_name_is_escaped_before_lines_wrap(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    Output().line("layer " + "a\r\nb " * 20)
    assert "a\\r\\nb" in capsys.readouterr().out


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_a_stream_cannot_encode_is_escaped(encoding: str) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding)
    say(stream, "µJ θ", HOSTILE)
    first, second = raw.getvalue().decode(encoding).splitlines()
    assert stream.encoding == encoding
    assert first == "µJ θ".encode(encoding, "backslashreplace").decode(encoding)
    assert second == SEEN


def test_a_closed_stream_takes_nothing() -> None:
    say(None, "a")


class _Full(io.StringIO):
    def write(self, _text: str) -> int:
        raise OSError(28, "No space left on device")

    def fileno(self) -> int:
        raise AssertionError("nothing is left to be flushed")


def test_standard_error_that_is_full_hides_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", _Full())
    put(sys.stderr, "a")
    with pytest.raises(OSError, match="No space"):
        put(_Full(), "a")


def test_a_name_is_no_markup() -> None:
    bar = Bar()
    task = bar.add_task(f"simulating [/b][link=x]{HOSTILE}", total=1)
    shown = bar.columns[0]
    assert not isinstance(shown, str)
    assert str(shown(bar.tasks[task])) == f"simulating [/b][link=x]{SEEN}"


def test_nothing_else_writes_to_the_streams() -> None:
    """All that is printed passes ``export/terminal.py``."""
    found = []
    for package in ("train", "export", "simulate", "deploy", "tasks"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    called = ast.unparse(node.func)
                    if called == "print" or called.startswith(
                        tuple(f"sys.{name}.write" for name in ("stdout", "stderr"))
                    ):
                        found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []
