"""The parent's side of a Lava run: start the worker, watch it, end it, read its records."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...export.network import Network, check_inputs
from ...export.trace import LayerTrace, Trace
from ...simulate.reference import check_lengths, trace_of
from ..errors import RunError
from ..progress import Progress
from . import compat
from .choice import check_convolutions, check_sums
from .rundir import Job, RunDirectory
from .session import dead_children, end_session

DEFAULT_TIMEOUT = 60.0
"""Seconds without a finished step after which a run is ended."""

_POLL_SECONDS = 0.05
_POLLS_PER_LOOK = 10
"""How often the worker's processes are looked at: every half second."""
_TRACEBACK_LINES = 12
_SOCKET_FOLDER_LENGTH = 60
"""A socket's path has at most 104 bytes, of which multiprocessing needs about 40."""


@dataclass(frozen=True)
class Worker:
    """A worker: its module, its name in messages, and its unit of progress.

    ``stopping_seconds``: how long it gets to end by itself after SIGTERM, before it is killed.
    """

    module: str
    label: str
    unit: str
    stopping_seconds: float = 0.0


LAVA_WORKER = Worker("srnn.deploy.lava.worker", "Lava", "step")


def run(
    network: Network,
    inputs: npt.ArrayLike,
    lengths: npt.ArrayLike | None = None,
    *,
    timeout: float = DEFAULT_TIMEOUT,
    progress: Progress | None = None,
) -> Trace:
    """Run a network on Lava's CPU runtime, every sample from the initial state.

    Layer l on Lava lags l steps; the trace holds the aligned windows [l, l + T) of each layer, so
    it can be compared step by step with the simulator's.

    Parameters
    ----------
    network
        The network of integers.
    inputs
        Integers (batch, time, channel).
    lengths
        Integers (batch,), steps of each sample; all steps when None.
    timeout
        Seconds without a finished step after which the run is ended.
    progress
        Called from time to time with (samples done, steps done of the current sample).

    Raises
    ------
    InputError
        Inputs of another shape or range, or sums beyond Lava's 32 bits.
    RunError
        Lava is not available, died, or finished no step for ``timeout`` seconds; with the cause.
    """
    messages = check_inputs(network, inputs)
    ran = check_lengths(lengths, *messages.shape[:2])
    check_sums(network, messages)
    check_convolutions(network, messages)
    ok, reason = compat.available()
    if not ok:
        raise RunError(f"Lava: {reason}")
    with tempfile.TemporaryDirectory(prefix="srnn-lava-") as folder:
        directory = RunDirectory(Path(folder))
        directory.write(Job(network, messages, ran))
        if ran.any():
            run_worker(directory, timeout=timeout, progress=progress)
        return read_trace(directory, network, ran)


def run_worker(
    directory: RunDirectory,
    *,
    timeout: float = DEFAULT_TIMEOUT,
    progress: Progress | None = None,
    worker: Worker = LAVA_WORKER,
) -> None:
    """Run the worker on a written run directory and watch it; its session is always ended.

    Raises
    ------
    RunError
        The worker or a Lava process failed, or nothing was finished for ``timeout`` seconds.
    """
    with directory.log.open("wb") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", worker.module, str(directory.path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=directory.path,
            env=_worker_environment(directory),
        )
        try:
            _watch(started, directory, timeout, progress, worker)
        finally:
            if worker.stopping_seconds:
                _let_stop(started, worker.stopping_seconds)
            end_session(started.pid)
            started.wait()


def _let_stop(started: subprocess.Popen[bytes], seconds: float) -> None:
    started.terminate()
    try:
        started.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def _worker_environment(directory: RunDirectory) -> dict[str, str]:
    environment = dict(os.environ)
    # The worker runs in another folder; each Lava process would start a pool of BLAS threads.
    entries = environment.get("PYTHONPATH", "").split(os.pathsep)
    environment["PYTHONPATH"] = os.pathsep.join(os.path.abspath(e) for e in entries if e)
    environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    if len(os.fsencode(directory.path)) <= _SOCKET_FOLDER_LENGTH:
        # Python's multiprocessing makes a folder with a socket, which a killed run would leave
        # behind.
        environment["TMPDIR"] = str(directory.path)
    return environment


def _watch(
    started: subprocess.Popen[bytes],
    directory: RunDirectory,
    timeout: float,
    progress: Progress | None,
    worker: Worker,
) -> None:
    counters = directory.progress()
    seen, moved = (-1, -1), time.monotonic()
    killed: dict[int, int] = {}
    for poll in count():
        code = started.poll()
        failure = directory.failure()
        if failure is not None:
            raise RunError(f"{worker.label}: a process failed {_last_lines(failure)}")
        done, steps = int(counters[0]), int(counters[1])
        if (done, steps) != seen:
            seen, moved = (done, steps), time.monotonic()
            if progress is not None:
                progress(done, steps)
        if code == 0:
            return
        if code is not None:
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            raise RunError(
                f"{worker.label}: the worker ended by {how} in sample {done} after {steps} steps"
                f"{_log_tail(directory)}"
            )
        if poll % _POLLS_PER_LOOK == 0:
            # The others would wait for it forever. One that the worker ended is waited for by it,
            # and gone at the next look.
            before, killed = killed, _killed(started.pid)
            for number in before.keys() & killed.keys():
                raise RunError(
                    f"{worker.label}: one of its processes was ended by signal {killed[number]} in "
                    f"sample {done} after {steps} steps"
                )
        if time.monotonic() - moved > timeout:
            dead = len(dead_children(started.pid))
            lost = f"; {dead} of its processes had ended" if dead else ""
            raise RunError(
                f"{worker.label}: no {worker.unit} finished for {timeout:g} s in sample {done} "
                f"after {steps} steps{lost}{_log_tail(directory)}"
            )
        time.sleep(_POLL_SECONDS)


def _killed(worker: int) -> dict[int, int]:
    return {number: ended for number, ended in dead_children(worker).items() if ended}


def _log_tail(directory: RunDirectory) -> str:
    text = directory.log.read_text(encoding="utf-8", errors="replace").strip()
    return f"; its last output:\n{_last_lines(text)}" if text else ""


def _last_lines(text: str) -> str:
    lines = text.strip().splitlines()
    if len(lines) <= _TRACEBACK_LINES:
        return "\n".join(lines)
    return "\n".join([lines[0], "...", *lines[2 - _TRACEBACK_LINES :]])


def read_trace(directory: RunDirectory, network: Network, lengths: npt.NDArray[np.int64]) -> Trace:
    """Return the trace that a worker recorded."""
    layers = []
    for index, layer in enumerate(network.layers):
        spiking = layer.neuron.SPIKING
        layers.append(
            LayerTrace(
                directory.recorded(index, "spikes") if spiking else None,
                {name: directory.recorded(index, name) for name in layer.neuron.STATES},
            )
        )
    return trace_of(network, layers, lengths)
