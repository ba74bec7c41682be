"""One training at a time in a folder; folders that cannot be written, are removed, or are files."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from full_disk import full_after
from srnn import tasks
from srnn.export.errors import InputError
from srnn.train.cli import main
from srnn.train.loop import Stopped, fit
from srnn.train.run import CHECKPOINT, METRICS, MODEL, read_run
from srnn.train.run_folder import holding
from train_helpers import (
    one_thread,  # noqa: F401  a fixture
    recipe,
    task,
)
from train_runs import same_runs

pytestmark = pytest.mark.extra("train")

HOLD = """
import sys
from pathlib import Path
from srnn.train.run_folder import holding
with holding(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    """Return a process that holds a folder until its standard input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def contents(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file() and path.name[0] != ".")
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_a_folder_that_is_held_is_refused_with_its_holder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    fit(recipe(epochs=1), task(), folder)
    before = contents(folder)
    process = holder(folder)
    with process:
        who = f"process {process.pid} on {re.escape(socket.gethostname())} since 20"
        for resume in (False, True):
            with pytest.raises(InputError, match=f"another training writes there .{who}"):
                fit(recipe(epochs=2), task(), folder, resume)
        for words in (
            ["digits", "--out", str(folder), "--overwrite"],
            ["digits", "--out", str(folder), "--resume"],
        ):
            assert main(words) == 2
            out, err = capsys.readouterr()
            assert err.startswith(f"srnn-train: {folder}: another training writes there (process ")
            assert (out, err.count("\n")) == ("", 1)
        assert contents(folder) == before
        process.communicate()
    fit(recipe(epochs=1), task(), folder, True)


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    process = holder(tmp_path)
    with process:
        process.kill()
        process.wait()
    assert fit(recipe(epochs=1), task(), tmp_path)[1].epoch == 1


def test_temporary_files_of_killed_trainings_are_removed(tmp_path: Path) -> None:
    for name in (CHECKPOINT, MODEL, METRICS):
        (tmp_path / f".{name}.abcd1234.part").write_bytes(b"half")
    # Another command may be writing there.
    (tmp_path / ".model.net.abcd1234.part").write_bytes(b"half")
    with holding(tmp_path):
        pass
    assert [path.name for path in tmp_path.glob(".*.part")] == [".model.net.abcd1234.part"]


def test_another_thread_is_another_training(tmp_path: Path) -> None:
    refused = []

    def second() -> None:
        try:
            fit(recipe(epochs=1), task(), tmp_path)
        except InputError as error:
            refused.append(str(error))

    def at_the_first_batch(row: dict[str, float]) -> None:
        if (row["epoch"], row["batch"]) == (0, 1):
            thread = threading.Thread(target=second)
            thread.start()
            thread.join()

    fit(recipe(epochs=1), task(), tmp_path, on_batch=at_the_first_batch)
    assert len(refused) == 1
    assert f"(process {os.getpid()} on " in refused[0]


def test_the_one_that_holds_it_may_train_there(tmp_path: Path) -> None:
    with holding(tmp_path / "run") as outer:
        with holding(tmp_path / "x" / ".." / "run") as inner:
            assert inner is outer
        fit(recipe(epochs=1), task(), tmp_path / "run")
        outer.check()


def test_a_folder_made_for_nothing_is_removed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to resume"):
        fit(recipe(), task(), tmp_path / "a" / "b", resume=True)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_removed_under_a_training(tmp_path: Path) -> None:
    folder = tmp_path / "run"

    def remove(row: dict[str, float]) -> None:
        if (row["epoch"], row["batch"]) == (1, 1):
            shutil.rmtree(folder)

    with pytest.raises(InputError, match=f"^{folder}: was removed or moved while"):
        fit(recipe(epochs=3), task(), folder, on_batch=remove)
    assert not folder.exists()


def test_a_folder_replaced_by_another_run_is_left_alone(tmp_path: Path) -> None:
    folder, other = tmp_path / "run", tmp_path / "other"
    fit(recipe(epochs=1), task(), other)
    before = contents(other)

    def replace(row: dict[str, float]) -> None:
        if (row["epoch"], row["batch"]) == (1, 1):
            folder.rename(tmp_path / "moved")
            other.rename(folder)

    with pytest.raises(InputError, match="was removed or moved"):
        fit(recipe(epochs=3), task(), folder, on_batch=replace)
    assert contents(folder) == before


@pytest.mark.parametrize("below", ["", "deep/er"])
def test_a_file_is_no_folder_of_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], below: str
) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    assert main(["digits", "--out", str(file / below)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"srnn-train: {file / below}: {file} is not a folder; name a folder for the run\n"
    with pytest.raises(InputError, match="is not a folder"):
        fit(recipe(epochs=1), task(), file / below)
    assert file.read_text() == "mine"


def test_a_full_disk_leaves_no_run(tmp_path: Path) -> None:
    fit(recipe(epochs=1), task(), tmp_path / "whole")
    for name in (MODEL, CHECKPOINT):
        size = (tmp_path / "whole" / name).stat().st_size
        folder = tmp_path / "new"
        with full_after(size - 1), pytest.raises(OSError, match="the file needs ") as raised:
            fit(recipe(epochs=1), task(), folder)
        written = {MODEL: [], CHECKPOINT: [MODEL]}[Path(str(raised.value.filename)).name]
        assert sorted(contents(folder)) == written
        shutil.rmtree(folder, ignore_errors=True)


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path: Path) -> None:
    fit(recipe(epochs=3, schedule="constant"), task(), tmp_path / "whole")
    folder = tmp_path / "parts"
    fit(recipe(epochs=1, schedule="constant"), task(), folder)
    before = contents(folder)
    with full_after(100), pytest.raises(OSError, match="the file needs "):
        fit(recipe(epochs=3, schedule="constant"), task(), folder, True)
    assert contents(folder) == before
    fit(recipe(epochs=3, schedule="constant"), task(), folder, True)
    same_runs(tmp_path / "whole", folder)


@pytest.mark.parametrize("resumed", [False, True])
def test_ctrl_c_before_the_first_batch(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    resumed: bool,
) -> None:
    folder = tmp_path / "run"
    words = ["digits", "--out", str(folder), *["--resume"] * resumed]
    if resumed:
        fit(recipe(epochs=1), task(), folder)
    before = contents(tmp_path)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tasks, "load", interrupted)
    assert main(words) == 130
    kept = f"its last checkpoint is kept; continue with --resume {folder}"
    kept = kept if resumed else "it had no checkpoint yet"
    assert capsys.readouterr() == ("", f"srnn-train: stopped; {kept}\n")
    assert contents(tmp_path) == before
    assert folder.exists() == resumed


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP")
def test_a_hangup_saves_and_may_come_again(tmp_path: Path) -> None:
    def hang_up(row: dict[str, float]) -> None:
        if (row["epoch"], row["batch"]) == (1, 1):
            for _ in range(3):
                signal.raise_signal(signal.SIGHUP)

    before = signal.getsignal(signal.SIGHUP)
    with pytest.raises(Stopped):
        fit(recipe(epochs=3), task(), tmp_path, on_batch=hang_up)
    assert signal.getsignal(signal.SIGHUP) is before
    state = read_run(tmp_path)["state"]
    assert (state["epoch"], state["batch"]) == (1, 1)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP")
def test_under_nohup_training_goes_on(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        _, state = fit(
            recipe(epochs=2), task(), tmp_path,
            on_batch=lambda _: signal.raise_signal(signal.SIGHUP),
        )  # fmt: skip
    finally:
        signal.signal(signal.SIGHUP, before)
    assert state.epoch == 2


ON_A_TERMINAL = """
import os, signal, sys
from srnn.train import cli

show = cli._Display.on_batch

def on_batch(self, row):
    if (row["epoch"], row["batch"]) == (0, 2):
        os.write(int(sys.argv[1]), b"x")
        os.read(int(sys.argv[2]), 1)
    show(self, row)

cli._Display.on_batch = on_batch
sys.exit(cli.main(sys.argv[3:]))
"""
"""The command; at the second batch it says so, and waits until the terminal is gone."""


@pytest.mark.skipif(sys.platform != "linux", reason="closes a terminal as Linux does")
def test_a_terminal_that_is_closed(tmp_path: Path) -> None:
    import pty

    there, gone = os.pipe(), os.pipe()
    words = ["digits", "--out", str(tmp_path / "run"), "--epochs", "2", "--threads", "1"]
    child, terminal = pty.fork()
    if child == 0:
        for end in (there[1], gone[0]):
            os.set_inheritable(end, True)
        ends = [str(there[1]), str(gone[0])]
        os.execv(sys.executable, [sys.executable, "-c", ON_A_TERMINAL, *ends, *words])
    assert os.read(there[0], 1) == b"x"
    os.close(terminal)
    os.write(gone[1], b"x")
    _, status = os.waitpid(child, 0)
    for end in (*there, *gone):
        os.close(end)
    assert os.waitstatus_to_exitcode(status) == 130
    state = read_run(tmp_path / "run")["state"]
    assert state["epoch"] == 0
    assert state["batch"] >= 2
