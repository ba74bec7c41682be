"""A process of Lava is killed, and the process that waits for it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from long_runs import long_inputs, network
from needs import lava_nc
from paths import SUPPORT
from reliability_tally import Tally
from srnn.deploy.errors import RunError
from srnn.deploy.lava import runner, session

NOTICED_SECONDS = 2.0
ENDED_SECONDS = 5.0
STEPS = 50
"""Steps after which a run may be disturbed."""

PARENT = """
import sys
sys.path.insert(0, sys.argv[1])
from long_runs import long_inputs, network
from srnn.deploy.lava import runner
runner.run(network(), long_inputs(), progress=lambda done, steps: print(steps, flush=True))
"""


def kills(count: int, rng: random.Random, folder: Path, tally: Tally) -> None:
    """Kill a child in ``count`` runs, and the parent of ``count`` runs."""
    missing = "it needs Linux" if sys.platform != "linux" else lava_nc()
    if missing:
        tally.measured["left out"] = missing
        return
    noticed = [_child(rng, tally) for _ in range(count)]
    ended = [_parent(rng, folder, tally) for _ in range(count)]
    tally.measured["longest until a killed child was noticed"] = f"{max(noticed):.2f} s"
    tally.measured["longest until no child was left"] = f"{max(ended):.2f} s"


def _workers(parent: int) -> list[int]:
    """Return the children of a process that lead a session."""
    found = []
    for entry in Path("/proc").iterdir():
        fields = session._stat(int(entry.name)) if entry.name.isdigit() else []
        leads = fields and fields[0] != "Z" and int(fields[3]) == int(entry.name)
        if leads and int(fields[1]) == parent:
            found.append(int(entry.name))
    return found


def _child(rng: random.Random, tally: Tally) -> float:
    killed: list[float] = []
    worker: list[int] = []
    steps = STEPS + rng.randrange(200)

    def progress(_done: int, reached: int) -> None:
        if reached > steps and not killed:
            worker.extend(_workers(os.getpid()))
            pids = session.members(worker[0])
            # The worker itself has the lowest number; the tracker of shared memory cleans up.
            victims = [pid for pid in pids if not session._is_tracker(pid)]
            os.kill(rng.choice(victims), signal.SIGKILL)
            killed.append(time.monotonic())

    problem, text = "", ""
    try:
        runner.run(network(), long_inputs(), timeout=120, progress=progress)
        problem = "the run ended as if nothing had been killed"
    except RunError as error:
        text = str(error)
    seconds = time.monotonic() - killed[0] if killed else 0.0
    tally.check(
        "a child killed",
        problem or ("" if "signal 9" in text else f"told as {text}"),
        f"noticed after {seconds:.2f} s" if seconds > NOTICED_SECONDS else "",
        "processes are left" if worker and session.members(worker[0]) else "",
    )
    return seconds


def _parent(rng: random.Random, folder: Path, tally: Tally) -> float:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(SUPPORT)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(folder)},
    )  # fmt: skip
    assert parent.stdout is not None
    steps = STEPS + rng.randrange(200)
    for line in parent.stdout:
        if int(line) > steps:
            break
    workers = _workers(parent.pid)
    parent.kill()
    parent.wait()
    began = time.monotonic()
    parent.stdout.close()
    while any(map(session.members, workers)) and time.monotonic() - began < 60:
        time.sleep(0.02)
    seconds = time.monotonic() - began
    # A folder that multiprocessing makes for a child is removed by that child, if it still can.
    tally.counts["parents killed that left a temporary folder"] += any(folder.iterdir())
    tally.check(
        "the parent killed",
        "" if len(workers) == 1 else f"{len(workers)} workers",
        f"children lived for {seconds:.1f} s" if seconds > ENDED_SECONDS else "",
    )
    return seconds
