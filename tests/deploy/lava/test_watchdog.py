"""Runs that hang, fail or are killed end with the cause, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from deploy_networks import cuba, integrator, spikes, stack
from long_runs import long_inputs, network
from paths import SUPPORT
from srnn.deploy.errors import RunError
from srnn.deploy.lava import runner, session
from waiting import PATIENCE, WatchdogClock, wait_until

pytestmark = [
    pytest.mark.lava,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc and /dev/shm"),
]


def children() -> list[int]:
    """Living children of this process that lead a session: the workers."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = session._stat(int(entry.name))
            leads = fields and int(fields[3]) == int(entry.name)
            if leads and int(fields[1]) == os.getpid() and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def unused_segments() -> set[str]:
    """Shared memory that no living process has mapped, so that other runs do not matter."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    there = {path for path in Path("/dev/shm").iterdir() if path.name.startswith("psm_")}
    return {path.name for path in there - session.shared_memory(pids)}


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    before = unused_segments()
    workers: set[int] = set()
    started = subprocess.Popen

    class Noted(started):
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, **options)  # type: ignore[arg-type]
            workers.add(self.pid)

    subprocess.Popen = Noted  # type: ignore[misc]
    try:
        yield
    finally:
        subprocess.Popen = started  # type: ignore[misc]
    assert workers, "no worker was started"
    wait_until(lambda: not any(map(session.members, workers)))
    # Another run that ends just now has memory that nobody maps for a moment.
    wait_until(lambda: unused_segments() <= before)


def run_disturbed(act: Callable[[list[int]], None], timeout: float = 1) -> str:
    """Do something to the worker's session once it steps; the watchdog's time begins then."""
    disturbed: list[int] = []

    def progress(_done: int, steps: int) -> None:
        if steps > 50 and not disturbed:
            disturbed.extend(children())
            (worker,) = disturbed
            act(session.members(worker))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "time", WatchdogClock(lambda: bool(disturbed)))
        with pytest.raises(RunError) as caught:
            runner.run(network(), long_inputs(), timeout=timeout, progress=progress)
    return str(caught.value)


def lava_process(pids: list[int]) -> int:
    """A process of Lava, not the worker (the lowest) nor the resource tracker."""
    return next(pid for pid in reversed(pids[1:]) if not session._is_tracker(pid))


def test_a_successful_run_leaves_nothing() -> None:
    seen = []
    rng = np.random.default_rng(2)
    inputs = spikes(rng, 2, 40, 4)
    runner.run(network(), inputs, progress=lambda *where: seen.append(where))
    assert seen[-1] == (2, 0)


def test_a_model_that_raises_inside_a_recurrent_loop_is_shown_at_once() -> None:
    rng = np.random.default_rng(3)
    broken = stack(rng, 4, [cuba(rng, 6), integrator(rng, 2)])
    # What a checked network cannot hold: stock LIF takes it and fails at its first step, in a
    # loop that waits for it.
    object.__setattr__(broken.layers[0].neuron, "v_decay", np.arange(1, 6))
    with pytest.raises(RunError, match=r"(?s)in RecordingLIF_l0, step 1.*ValueError: operands"):
        runner.run(broken, spikes(rng, 1, 30, 4), timeout=PATIENCE)


def test_a_network_that_cannot_be_built_gives_its_traceback() -> None:
    broken = network()
    object.__setattr__(broken.layers[0].neuron, "v_decay", np.arange(1, 6))
    with pytest.raises(RunError, match=r"v_decay: shape \(5,\), needs a scalar or \(6,\)"):
        runner.run(broken, long_inputs(30))


def test_a_stopped_process_is_a_hang_and_the_watchdog_ends_it() -> None:
    message = run_disturbed(lambda pids: os.kill(lava_process(pids), signal.SIGSTOP))
    assert "no step finished for 1 s in sample 0 after" in message


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_killed_lava_process_is_noticed_before_the_time_is_over(number: int) -> None:
    kill = lambda pids: os.kill(lava_process(pids), number)  # noqa: E731
    message = run_disturbed(kill, timeout=PATIENCE)
    assert f"Lava: one of its processes was ended by signal {int(number)} in sample 0" in message
    assert "\n" not in message


def test_a_killed_worker_is_named() -> None:
    def kill(pids: list[int]) -> None:
        assert len(session.shared_memory(pids)) > 5
        os.kill(min(pids), signal.SIGKILL)

    message = run_disturbed(kill, timeout=PATIENCE)
    assert "the worker ended by signal 9 in sample 0 after" in message


def test_an_interrupt_ends_the_run() -> None:
    def progress(_done: int, steps: int) -> None:
        if steps > 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runner.run(network(), long_inputs(), progress=progress)


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's, as the usual /tmp does."""
    with tempfile.TemporaryDirectory(prefix="srnn-", dir="/tmp") as name:
        yield Path(name)


def test_a_killed_run_leaves_no_file(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(short_folder))
    message = run_disturbed(lambda pids: os.kill(min(pids), signal.SIGKILL), timeout=PATIENCE)
    assert "signal 9" in message
    assert list(short_folder.rglob("*")) == []


def test_a_killed_parent_takes_the_run_with_it(short_folder: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from long_runs import network, long_inputs;"
        "from srnn.deploy.lava import runner;"
        "runner.run(network(), long_inputs(),"
        "progress=lambda done, steps: print(steps, flush=True))"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(SUPPORT)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(short_folder)},
    )
    assert parent.stdout is not None
    for line in parent.stdout:
        if int(line) > 50:
            break
    workers = [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit()
        and (fields := session._stat(int(entry.name)))
        and int(fields[1]) == parent.pid
    ]
    assert len(workers) == 1
    assert len(session.members(workers[0])) > 4
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not session.members(workers[0]))
    assert list(short_folder.rglob("*")) == []
