"""The worker's side of a board run: ``python -m srnn.deploy.loihi2.worker RUNDIR``.

It has a process and session of its own, which confine Lava's environment variables and processes.
The processes of every run are stopped, which releases the board: when it succeeds, when it fails,
and when the parent ends it (SIGTERM) or dies.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from ...export.terminal import say
from ...simulate.measurement import Measurement
from ..lava import compat
from ..lava.rundir import RunDirectory
from ..lava.session import end_others, is_orphan
from ..lava.worker import PR_SET_PDEATHSIG
from .job import BoardJob
from .options import use_host


class Stopped(BaseException):
    """The parent asked this process to end, or is gone."""


class Ending:
    """SIGTERM as an exception, deferred while processes are stopped (not to be interrupted)."""

    def __init__(self) -> None:
        self._worker = os.getpid()
        self._asked = self._held = False

    def take_signals(self) -> None:
        """Handle SIGTERM from now on; on Linux it also comes when the parent dies silently."""
        signal.signal(signal.SIGTERM, self._signalled)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    def _signalled(self, _signal: int, _frame: FrameType | None) -> None:
        if os.getpid() != self._worker:
            # One of Lava's processes, which inherited this handler.
            os._exit(128 + signal.SIGTERM)
        first, self._asked = not self._asked, True
        if first and not self._held:
            raise Stopped

    @contextmanager
    def held(self) -> Iterator[None]:
        """Defer a signal to the end of the block."""
        before, self._held = self._asked, True
        try:
            yield
        finally:
            self._held = False
        if self._asked and not before:
            raise Stopped


def main(arguments: list[str]) -> int:
    """Run the job in a run directory; 0 where every sample ran and was measured."""
    if len(arguments) != 1:
        say(sys.stderr, "usage: python -m srnn.deploy.loihi2.worker RUNDIR")
        return 2
    run, parent, ending = RunDirectory(Path(arguments[0])), os.getppid(), Ending()
    ending.take_signals()
    try:
        run_job(run, ending)
    except Stopped:
        if os.getsid(0) == os.getpid():
            end_others(os.getpid(), spare=os.getpid())
        if is_orphan(parent):
            shutil.rmtree(run.path, ignore_errors=True)
        return 128 + signal.SIGTERM
    except BaseException:
        run.report_failure(traceback.format_exc())
        raise
    return 0


def run_job(run: RunDirectory, ending: Ending) -> None:
    """Run every sample from rest and record it; then, if asked, measure a long run."""
    compat.prepare()
    job = run.read()
    assert isinstance(job, BoardJob)
    try:
        use_host(job.options)
    except (ValueError, ImportError, OSError) as error:
        run.report_failure(f"to reach {job.options.where}: {error}")
        raise

    from . import graph

    progress = run.progress()
    for sample, length in enumerate(job.lengths.tolist()):
        if length:
            made = graph.recording(job.network, job.inputs[sample, :length], job.options)
            with _running(made, [], ending):
                # Sinks can be read until the processes are stopped.
                _record(run, made, sample, length)
        progress[0] = sample + 1
    if job.options.measured_steps and job.lengths.any():
        job.write_measurement(run, _measured(job, ending))


@contextmanager
def _running(made: Any, callbacks: list[Any], ending: Ending) -> Iterator[None]:
    """Run the processes to their last step, yield, and stop them in any case."""
    from lava.magma.core.run_conditions import RunSteps

    try:
        configuration = made.configuration(callbacks)
        made.first.run(condition=RunSteps(num_steps=made.steps), run_cfg=configuration)
        yield
    finally:
        with ending.held():
            made.first.stop()


def _record(run: RunDirectory, ran: Any, sample: int, steps: int) -> None:
    for index, stage in enumerate(ran.stages):
        for quantity, values in ran.recorded(stage, steps).items():
            run.record(index, quantity)[sample, :steps] = values


def _measured(job: BoardJob, ending: Ending) -> Measurement:
    from . import graph, profile

    stretch = np.concatenate(
        [job.inputs[sample, :length] for sample, length in enumerate(job.lengths.tolist())]
    )
    steps = job.options.measured_steps
    probes = profile.probes(steps)
    made = graph.repeating(job.network, stretch, job.options)
    with _running(made, probes.callbacks, ending):
        pass
    source = f"lava.utils.loihi2_profiler, {job.options.where}"
    mean_length = float(job.lengths[job.lengths > 0].mean())
    return profile.measurement(probes, source, steps, mean_length)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
