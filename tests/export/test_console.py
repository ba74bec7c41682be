from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from srnn.export.console import Output, make_parser, plain, run_command
from srnn.export.errors import InputError
from srnn.tasks import DataError


def parser() -> argparse.ArgumentParser:
    return make_parser("srnn-some", "Do something.", "  srnn-some thing")


def run(command: Any, *words: str) -> int:
    return run_command(parser(), command, list(words))


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (InputError("x: 3 is too much"), "srnn-some: x: 3 is too much"),
        (DataError("no data"), "srnn-some: no data"),
        (FileNotFoundError(2, "No such file", "/nowhere"), "srnn-some: /nowhere: No such file"),
        (OSError("disk"), "srnn-some: file: disk"),
    ],
)
def test_mistakes_become_one_line_and_2(
    error: Exception, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(_arguments: argparse.Namespace, _output: Output) -> int:
        raise error

    assert run(command) == 2
    assert capsys.readouterr() == ("", f"{line}\n")


def test_other_exits(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(_arguments: argparse.Namespace, _output: Output) -> int:
        raise KeyboardInterrupt

    def broken(_arguments: argparse.Namespace, _output: Output) -> int:
        raise ZeroDivisionError

    assert run(interrupted) == 130
    assert capsys.readouterr().err == "srnn-some: stopped\n"
    assert run(lambda _a, _o: 1) == 1
    with pytest.raises(ZeroDivisionError):
        run(broken)


def test_markup_and_long_lines_are_left_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output()
    text = "[bold]layer[0] " + "word " * 60
    output.line(text)
    output.note(text)
    assert capsys.readouterr() == (f"{text}\n", f"{text}\n")


def show(output: Output) -> None:
    output.line("a line")
    output.table("title", ("name", "value"), [("a", 0.123456), ("b", 12345), ("c", None)])
    output.result({"a": np.float32(0.5), "b": [np.int64(3), float("nan")], "c": Path("x")})


def test_people_get_tables(capsys: pytest.CaptureFixture[str]) -> None:
    show(Output())
    out, err = capsys.readouterr()
    assert err == ""
    assert "\x1b" not in out
    assert [line.split() for line in out.splitlines() if line.split()[:1] in (["a"], ["b"], ["c"])][
        1:
    ] == [["a", "0.1235"], ["b", "12,345"], ["c", "-"]]


def test_machines_get_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    show(Output(as_json=True))
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out) == {"a": 0.5, "b": [3, None], "c": "x"}


def test_plain_values() -> None:
    given = {1: (np.arange(2), np.bool_(True)), "x": float("inf"), "p": Path("a/b"), "n": None}
    assert plain(given) == {"1": [[0, 1], True], "x": None, "p": "a/b", "n": None}


def test_progress_is_silent_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Output().progress() as progress:
        bar = progress.add_task("working", total=2)
        progress.update(bar, completed=2)
    assert capsys.readouterr() == ("", "")


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        run(lambda _a, _o: 0, "--help")
    assert raised.value.code == 0
    out = capsys.readouterr().out
    assert "example:\n  srnn-some thing" in out
    assert "--json" in out
    with pytest.raises(SystemExit) as raised:
        run(lambda _a, _o: 0, "--js")
    assert raised.value.code == 2


def test_a_reader_that_stops_reading() -> None:
    code = (
        "import sys\n"
        "from srnn.export.console import make_parser, run_command\n"
        "def command(arguments, output):\n"
        "    for i in range(100000):\n"
        "        output.line(f'line {i}')\n"
        "    return 0\n"
        "sys.exit(run_command(make_parser('srnn-some', '', ''), command, []))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.readline() == b"line 0\n"
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(timeout=30) == 0


@pytest.mark.parametrize("words", [["srnn.train.cli", "digits"], ["srnn.export.cli", __file__]])
def test_a_machine_without_torch(words: list[str], tmp_path: Path) -> None:
    # None in sys.modules makes an import fail as if the module were not installed.
    code = (
        "import sys; sys.modules['torch'] = None\n"
        f"from {words[0]} import main\n"
        f"sys.exit(main([{words[1]!r}]))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "needs torch" in result.stderr
    assert "pip install 'srnn[train]'" in result.stderr
