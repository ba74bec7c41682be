"""The Lava side of a run: ``python -m srnn.deploy.lava.worker RUNDIR``.

Lava hangs forever when one of its processes fails while others wait, and leaves processes behind
when it is killed. It therefore runs in a process and session of its own, which runner.py watches
and ends. Each sample is built and run in fresh processes, so that nothing carries over to the next.
"""

from __future__ import annotations

import ctypes
import logging
import os
import shutil
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType

from ...export.terminal import say
from . import compat
from .rundir import RunDirectory
from .session import end_others, is_orphan

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """Run the job in a run directory; 0 where every sample ran."""
    if len(arguments) != 1:
        say(sys.stderr, "usage: python -m srnn.deploy.lava.worker RUNDIR")
        return 2
    run = RunDirectory(Path(arguments[0]))
    _end_with_parent(run)
    try:
        run_job(run)
    except BaseException:
        run.report_failure(traceback.format_exc())
        raise
    return 0


def run_job(run: RunDirectory) -> None:
    """Run every sample of the job, each from its initial state, and record it."""
    compat.prepare()

    from lava.magma.core.process.process import ProcessServer
    from lava.magma.core.process.variable import VarServer
    from lava.magma.core.run_conditions import RunSteps

    from . import builder, recording

    job = run.read()
    progress = run.progress()
    for sample, length in enumerate(job.lengths.tolist()):
        if length:
            graph = builder.build(job.network, job.inputs[sample, :length])
            configuration = recording.run_configuration(graph, run, sample)
            last = graph.stages[-1].neuron
            last.run(condition=RunSteps(num_steps=graph.steps), run_cfg=configuration)
            last.stop()
            # Lava keeps every process it ever made, and adds a log handler for each.
            ProcessServer().reset_server()
            VarServer().reset_server()
            logging.getLogger().handlers.clear()
        progress[1] = 0
        progress[0] = sample + 1


def _end_with_parent(run: RunDirectory) -> None:
    """End this session when the parent dies without notice, on Linux, and clean up after it."""
    worker, parent = os.getpid(), os.getppid()

    def end(_signal: int, _frame: FrameType | None) -> None:
        if os.getpid() == worker and os.getsid(0) == worker:
            end_others(worker, spare=worker)
            if is_orphan(parent):
                shutil.rmtree(run.path, ignore_errors=True)
        os._exit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
