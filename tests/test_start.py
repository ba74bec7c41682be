"""How the four commands start: quick answers, Ctrl-C from the first import on, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT

PARTS = ("train", "export", "simulate", "deploy")
HEAVY = ("torch", "numba", "scipy", "h5py", "matplotlib", "sklearn", "lava", "rich")

REPORT = """\
import json, sys
from importlib import import_module
sys.argv = [f"srnn-{sys.argv[1]}", *sys.argv[2:]]
code = import_module(f"srnn.{sys.argv[0][5:]}.__main__").main()
opened = [name for name in json.loads('@') if name in sys.modules]
print(json.dumps([code, opened]))
"""


def run(*words: object, code: str | None = None) -> subprocess.CompletedProcess[str]:
    start = ["-m", f"srnn.{words[0]}"] if code is None else ["-c", code, str(words[0])]
    return subprocess.run(
        [sys.executable, *start, *map(str, words[1:])],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
def test_modules_run_as_the_commands_do(part: str) -> None:
    done = run(part, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"srnn-{part} ")
    command = Path(sys.executable).parent / f"srnn-{part}"
    installed = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert installed.stdout == done.stdout


@pytest.mark.parametrize(
    ("words", "code"),
    [
        *(((part, "--help"), 0) for part in PARTS),
        *(((part, "--version"), 0) for part in PARTS),
        *(((part, "--no-such-option"), 2) for part in PARTS),
        (("train",), 2),
        (("train", "no-such-recipe"), 2),
        (("train", "digits", "--no-such-setting", "3"), 2),
        (("train", "digits", "--epochs", "many"), 2),
        (("train", "digits", "--show"), 0),
        (("export",), 2),
        (("export", "model.pt", "--inspect", "--dry-run"), 2),
        (("export", "model.pt", "--max-accuracy-loss", "nan"), 2),
        (("export", "no-such.pt"), 2),
        (("export", "no-such.nir"), 2),
        (("export", "no-such.net", "--inspect"), 2),
        (("simulate", "no-such.net"), 2),
        (("simulate", "model.net", "--limit", "0"), 2),
        (("simulate", "model.net", "--encoded"), 2),
        (("simulate", "a.net", "b.net"), 2),
        (("deploy", "no-such.net"), 2),
        (("deploy", "model.net", "--samples", "0"), 2),
        (("deploy", "model.net", "--cluster", "4"), 2),
    ],
)
def test_help_and_mistakes_import_nothing_heavy(words: tuple[str, ...], code: int) -> None:
    done = run(*words, code=REPORT.replace("@", json.dumps(HEAVY)))
    assert "Traceback" not in done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [code, []], done.stderr


def test_deploy_reads_boards_and_plugins_where_they_are_asked_for() -> None:
    code = (
        "import sys\n"
        "from srnn.deploy import boards, cli, plugins\n"
        "def refuse(*_, **__): raise AssertionError('read')\n"
        "boards.read_boards = cli.read_boards = plugins.entry_points = refuse\n"
        "sys.exit(cli.main([sys.argv[2]]))\n"
    )
    assert run("deploy", "--version", code=code).returncode == 0
    assert "AssertionError: read" in run("deploy", "--help", code=code).stderr


INTERRUPT = """\
import os, signal, sys
left = int(sys.argv.pop())
sys.argv = [f"srnn-{sys.argv[1]}", *sys.argv[2:]]
def count(frame, event, argument):
    global left
    left -= 1
    if left == 0:
        sys.setprofile(None)
        os.kill(os.getpid(), signal.SIGINT)
from importlib import import_module
module = import_module(f"srnn.{sys.argv[0][5:]}.__main__")
sys.setprofile(count)
sys.exit(module.main())
"""
"""A child that gets a real SIGINT at so many calls and returns from its start."""


@pytest.mark.parametrize("calls", [30, 1_000, 10_007, 50_021, 100_003])
@pytest.mark.parametrize(
    "words", [("train", "digits"), ("simulate", "zoo/ecg.net"), ("deploy", "zoo/ecg.net")]
)
def test_ctrl_c_at_any_moment(words: tuple[str, ...], calls: int, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "run") if words[0] == "train" else ()
    done = run(*words, *out, calls, code=INTERRUPT)
    assert done.stderr == f"srnn-{words[0]}: stopped\n"
    assert (done.returncode, done.stdout) == (130, "")


def test_ctrl_c_in_a_callback_of_the_import_system(tmp_path: Path) -> None:
    # What such a callback raises is printed by Python and forgotten.
    (tmp_path / "late.py").write_text(
        "import os, signal, weakref\n"
        "class Thing: pass\n"
        "thing = Thing()\n"
        "gone = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGINT))\n"
        "def main():\n"
        "    global thing\n"
        "    del thing\n"
        "    while True: pass\n",
        encoding="utf-8",
    )
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from srnn.export.entry import start\n"
        "sys.exit(start('srnn-late', 'late'))\n"
    )
    done = run("late", code=code)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "srnn-late: stopped\n")


def test_a_shell_that_ignores_ctrl_c_is_obeyed(tmp_path: Path) -> None:
    # As nohup, or & in a script, has it.
    (tmp_path / "deaf.py").write_text(
        "import os, signal\ndef main():\n    os.kill(os.getpid(), signal.SIGINT)\n    return 0\n",
        encoding="utf-8",
    )
    code = (
        f"import signal, sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from srnn.export.entry import start\n"
        "sys.exit(start('srnn-deaf', 'deaf'))\n"
    )
    done = run("deaf", code=code)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_module_that_does_not_import_is_an_unexpected_error(tmp_path: Path) -> None:
    (tmp_path / "torn.py").write_text("import srnn.export.no_such_module\n", encoding="utf-8")
    code = (
        f"import sys, tempfile; sys.path.insert(0, {str(tmp_path)!r})\n"
        f"tempfile.tempdir = {str(tmp_path)!r}\n"
        "from srnn.export.entry import start\n"
        "sys.exit(start('srnn-torn', 'torn'))\n"
    )
    done = run("torn", code=code)
    assert done.returncode == 70
    assert done.stderr.startswith("srnn-torn: unexpected error: ModuleNotFoundError: ")
    assert done.stderr.count("\n") == 1
    assert len(list(tmp_path.glob("srnn-torn-*.txt"))) == 1
    shown = run("torn", "--debug", code=code)
    assert shown.returncode == 70
    assert "Traceback (most recent call last)" in shown.stderr
