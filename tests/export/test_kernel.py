"""Kernels are compiled in the open, kept where that is possible, and never trusted when damaged."""

from __future__ import annotations

import importlib
import itertools
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numba
import numpy as np
import pytest
from paths import ROOT
from srnn.export import compiling
from srnn.export.kernel import Kernel, ready

SOURCE = """
def first(values):
    return values[0] + 1

def last(values):
    return values[-1] - 1
"""
NAME = "functions_of_test_kernel"
LINE = "compiling kernels, once on this machine: "
VALUES = np.arange(3)

Load = Callable[[], tuple[Kernel, Kernel]]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """What a new process has: a module's two kernels, and nothing said."""
    path = tmp_path / "module" / f"{NAME}.py"
    path.parent.mkdir()
    path.write_text(SOURCE)
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(path.parent)

    def again() -> tuple[Kernel, Kernel]:
        monkeypatch.setattr(compiling, "_SAID", set())
        monkeypatch.delitem(sys.modules, NAME, raising=False)
        module = importlib.import_module(NAME)
        types = (numba.int64[::1],)
        return Kernel(module.first, "first", types), Kernel(module.last, "last", types)

    return again


@pytest.fixture
def nowhere(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """The same where no folder can be written; permissions would not stop a superuser."""
    file = tmp_path / "module" / "__pycache__"
    file.write_text("in the way of a folder")
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return load


def test_the_first_process_says_so_once_and_the_next_nothing(
    load: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    first, last = load()
    ready(first)
    ready(first, last)
    assert capsys.readouterr().err == f"{LINE}first\n"
    assert (first.call(VALUES), last.call(VALUES)) == (1, 1)

    first, last = load()
    ready(first, last)
    assert (first.call(VALUES), last.call(VALUES)) == (1, 1)
    assert capsys.readouterr() == ("", "")


def test_the_line_names_what_is_compiled_once(
    load: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    first, last = load()
    ready(first, last)
    assert capsys.readouterr().err == f"{LINE}first, last\n"
    first, last = load()
    shutil.rmtree(first.call.stats.cache_path)
    last.name = "first"
    ready(first, last)
    assert capsys.readouterr().err == f"{LINE}first\n"


def test_what_is_ready_compiles_nothing_else(load: Load) -> None:
    first, _ = load()
    ready(first)
    with pytest.raises(TypeError):
        first.call(VALUES[::2])
    assert len(first.call.overloads) == 1


def test_compiling_takes_no_time_of_the_clock(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = itertools.count()
    monkeypatch.setattr(compiling, "time", SimpleNamespace(perf_counter=lambda: next(readings)))
    first, last = load()
    before, began = compiling.clock(), next(readings)
    ready(first, last)
    assert next(readings) - began > 2
    # Its own reading, and the two around what was timed.
    assert compiling.clock() - before <= 4


def test_nested_blocks_are_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(compiling, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    before = compiling.clock()
    with compiling.untimed():
        now[0] += 1
        with compiling.untimed():
            now[0] += 2
        now[0] += 4
    now[0] += 8
    assert compiling.clock() - before == 8


def test_without_a_folder_every_run_compiles(
    nowhere: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        kernels = nowhere()
        ready(*kernels)
        assert [kernel.call(VALUES) for kernel in kernels] == [1, 1]
        said = capsys.readouterr().err.splitlines()
        assert len(said) == 1
        assert "NUMBA_CACHE_DIR" in said[0]


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: content[:0], id="empty"),
        pytest.param(lambda content: content[: len(content) // 2], id="half"),
        pytest.param(lambda content: b"\x00" * len(content), id="zeros"),
        pytest.param(
            lambda content: content[:-900] + bytes([content[-900] ^ 1]) + content[-899:], id="bit"
        ),
    ],
)
def test_damaged_files_are_made_anew(
    kind: str,
    damage: Callable[[bytes], bytes],
    load: Load,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, _ = load()
    ready(first)
    (path,) = tmp_path.rglob(f"{NAME}.first*.{kind}")
    path.write_bytes(damage(path.read_bytes()))
    capsys.readouterr()

    first, _ = load()
    ready(first)
    assert first.call(VALUES) == 1
    assert capsys.readouterr().err == f"{LINE}first\n"

    first, _ = load()
    capsys.readouterr()
    ready(first)
    assert first.call(VALUES) == 1
    assert capsys.readouterr().err == ""


def test_a_folder_that_can_no_longer_be_written(
    load: Load, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, last = load()
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").write_text("in the way of a folder")
    ready(first, last)
    assert (first.call(VALUES), last.call(VALUES)) == (1, 1)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert "NUMBA_CACHE_DIR" in said[1]


def test_a_full_disk(load: Load, tmp_path: Path) -> None:
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    first, _ = load()
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, old[1]))
    try:
        ready(first)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, before)
    assert first.call(VALUES) == 1
    assert list(tmp_path.rglob("*.nbc")) == list(tmp_path.rglob("*.tmp.*")) == []
    first, _ = load()
    ready(first)
    assert first.call(VALUES) == 1


@pytest.mark.parametrize("where", ["compiler", "callback"])
def test_ctrl_c_while_compiling(
    where: str, load: Load, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    first, last = load()
    handler = signal.getsignal(signal.SIGINT)
    if where == "compiler":
        real = Kernel.compile

        def stopped(kernel: Kernel) -> None:
            signal.raise_signal(signal.SIGINT)
            real(kernel)

        monkeypatch.setattr(Kernel, "compile", stopped)
    else:
        # Python prints and forgets what is raised in a callback of LLVM.
        engine = first.call.targetctx.codegen()._engine._ee
        notify = engine._object_cache_notify

        def interrupted(*arguments: Any) -> None:
            signal.raise_signal(signal.SIGINT)
            notify(*arguments)

        monkeypatch.setattr(engine, "_object_cache_notify", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ready(first, last)
    assert signal.getsignal(signal.SIGINT) is handler
    assert not last.is_ready
    monkeypatch.undo()
    ready(first, last)
    assert (first.call(VALUES), last.call(VALUES)) == (1, 1)
    assert "ignored" not in capfd.readouterr().err


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package whose folders take no compiled code."""
    for package in ("export", "simulate", "train", "tasks", "deploy"):
        target = tmp_path / "srnn" / package
        shutil.copytree(ROOT / package, target, ignore=shutil.ignore_patterns("__pycache__"))
        for folder in (target, *(x for x in target.rglob("*") if x.is_dir())):
            (folder / "__pycache__").write_text("in the way of a folder")
    shutil.copytree(ROOT / "package", tmp_path / "srnn", dirs_exist_ok=True)
    return tmp_path


def in_copy(copy: Path, code: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in {"NUMBA_CACHE_DIR"}}
    environment |= {"PYTHONPATH": str(copy), "HOME": os.devnull, "XDG_CACHE_HOME": os.devnull}
    check = f"import srnn.export; assert srnn.export.__file__.startswith({str(copy)!r});"
    return subprocess.run(
        [sys.executable, "-c", check + code],
        env=environment, cwd=copy, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_import_where_nothing_can_be_written(copy: Path) -> None:
    modules = "srnn.simulate.streaming, srnn.train.engine, srnn.train.integer"
    result = in_copy(copy, f"import {modules}")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.slow
def test_a_command_where_nothing_can_be_written(copy: Path) -> None:
    net = str(ROOT / "zoo" / "ecg.net")
    code = f"from srnn.simulate.cli import main; raise SystemExit(main([{net!r}, '--json']))"
    result = in_copy(copy, code)
    assert result.returncode == 0
    (line,) = result.stderr.splitlines()
    assert "NUMBA_CACHE_DIR" in line


def test_one_kernel_may_be_named_twice(load: Load) -> None:
    first, _ = load()
    ready(first, first)
    assert first.call(VALUES) == 1


@pytest.mark.extra("train")
def test_loops_kept_by_two_processes_are_not_mistaken(tmp_path: Path) -> None:
    """Each process compiles one loop first, so that both may give it the same name."""
    code = (
        "import sys, numpy as np\n"
        "from simulate_networks import random_inputs, random_network\n"
        "from srnn.simulate import reference, simulator\n"
        "for kind in sys.argv[1:]:\n"
        "    network = random_network(3, [kind, kind], [9, 4], 5, readout='spike_count')\n"
        "    inputs = random_inputs(3, network, 2, 30)\n"
        "    one, other = simulator.run(network, inputs), reference.run(network, inputs)\n"
        "    assert all((a.states[n] == b.states[n]).all() for a, b in\n"
        "               zip(one.layers, other.layers) for n in a.states), kind\n"
    )
    paths = os.pathsep.join([str(ROOT / "tests" / "support"), *sys.path])
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": paths}
    for kinds in (["CUBA"], ["SRNN_ALIF"], ["CUBA", "SRNN_ALIF"]):
        subprocess.run([sys.executable, "-c", code, *kinds], env=environment, check=True)
