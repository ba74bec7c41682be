from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from srnn.export.console import Output, make_parser, on_terminal, plain, run_command
from srnn.export.errors import InputError
from srnn.export.extras import how_to_install
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

    def in_a_module_of_c(_arguments: argparse.Namespace, _output: Output) -> int:
        raise ImportError("initialization failed") from KeyboardInterrupt()

    for command in (interrupted, in_a_module_of_c):
        assert run(command) == 130
        assert capsys.readouterr().err == "srnn-some: stopped\n"
    assert run(lambda _a, _o: 1) == 1


def broken(_arguments: argparse.Namespace, _output: Output) -> int:
    raise ZeroDivisionError("so\nit is")


def test_an_unexpected_error_is_one_line_and_a_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert run(broken) == 70
    out, err = capsys.readouterr()
    (written,) = tmp_path.iterdir()
    assert out == ""
    assert err == (
        f"srnn-some: unexpected error: ZeroDivisionError: so it is; traceback in {written}, "
        "--debug shows it; report it with the output of srnn-some --version and that file\n"
    )
    text = written.read_text(encoding="utf-8")
    assert "in broken\n" in text
    assert f"srnn {version('srnn')}, Python {platform.python_version()}" in text


def test_debug_shows_tracebacks(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(_arguments: argparse.Namespace, _output: Output) -> int:
        raise InputError("x: 3 is too much")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for command, code in ((broken, 70), (mistaken, 2)):
        assert run(command, "--debug") == code
        assert f"in {command.__name__}\n" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_traceback_that_cannot_be_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    assert run(broken) == 70
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "no file for the traceback (No such file or directory), --debug shows it" in err


class OutOfMemoryError(RuntimeError):
    """As torch.cuda names its own."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("Unable to allocate 8 TiB"),
        OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_out_of_memory(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    def hungry(_arguments: argparse.Namespace, _output: Output) -> int:
        raise error

    assert run(hungry) == 70
    err = capsys.readouterr().err
    assert err.startswith(f"srnn-some: out of memory ({type(error).__name__}")
    assert err.endswith("take smaller batches, fewer samples or a smaller network\n")
    assert err.count("\n") == 1


def test_a_structure_without_end(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deep(arguments: argparse.Namespace, output: Output) -> int:
        return deep(arguments, output)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert run(deep) == 70
    err = capsys.readouterr().err
    assert "RecursionError: maximum recursion depth exceeded" in err
    assert "if a file that you gave is nested deeply, flatten it" in err
    assert err.count("\n") == 1


def test_markup_and_long_lines_are_left_as_they_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    output = Output()
    text = "[bold]layer[0] " + "word " * 60
    output.line(text)
    output.note(text)
    assert capsys.readouterr() == (f"{text}\n", f"{text}\n")
    monkeypatch.setenv("COLUMNS", "70")
    output.line("  " + text)
    out, _ = capsys.readouterr()
    assert out.split() == text.split()
    assert all(len(line) <= 70 and line.startswith("  ") for line in out.splitlines())


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
    assert "exit codes: 0 done; 1 the answer is no; 2 bad input; 70 an error in srnn or in\n" in out
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
        assert child.wait(timeout=300) == 0


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
    assert result.stderr.endswith(f"run: {how_to_install('train')}\n")


def test_a_notebooks_cell_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    assert not Output().progress().disable
    assert on_terminal(sys.stdout)
    monkeypatch.setenv("JPY_PARENT_PID", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")  # the kernel sets both
    assert Output().progress().disable
    assert not on_terminal(sys.stdout)
