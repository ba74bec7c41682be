"""The parent's side of a board run: start the worker, watch it, let it stop, read its records."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy.typing as npt

from ...export.network import Network, check_inputs
from ...simulate.reference import check_lengths
from ..errors import RunError
from ..lava.choice import check_convolutions, check_sums
from ..lava.rundir import RunDirectory
from ..lava.runner import Worker, read_trace, run_worker
from ..measuring import MeasuredRun
from ..progress import Progress
from . import native
from .job import BoardJob, read_measurement
from .options import BoardOptions

DEFAULT_TIMEOUT = 900.0
"""Seconds for one sample or the measured run, compilation and waiting for the board included."""

STOPPING_SECONDS = 20.0
"""How long a worker gets to stop its processes, which frees the board, before it is killed."""

WORKER = Worker("srnn.deploy.loihi2.worker", "Loihi 2", "sample", STOPPING_SECONDS)


def run(
    network: Network,
    inputs: npt.ArrayLike,
    lengths: npt.ArrayLike | None = None,
    *,
    options: BoardOptions,
    timeout: float | None = None,
    progress: Progress | None = None,
) -> MeasuredRun:
    """Run every sample from rest on a board, then measure a long run over all of them.

    Raises
    ------
    InputError
        Layers, inputs or sums that the board does not take.
    RunError
        The extension is missing, the board cannot be reached, a run failed, or nothing finished for
        ``timeout`` seconds; with the cause.
    """
    native.describe_layers(network, options)
    messages = check_inputs(network, inputs)
    ran = check_lengths(lengths, *messages.shape[:2])
    check_sums(network, messages)
    check_convolutions(network, messages)
    ok, reason = native.available()
    if not ok:
        raise RunError(f"Loihi 2: {reason}")
    with tempfile.TemporaryDirectory(prefix="srnn-loihi2-") as folder:
        directory = RunDirectory(Path(folder))
        directory.write(BoardJob(network, messages, ran, options))
        if ran.any():
            run_worker(
                directory,
                timeout=DEFAULT_TIMEOUT if timeout is None else timeout,
                progress=progress,
                worker=WORKER,
            )
        return MeasuredRun(read_trace(directory, network, ran), read_measurement(directory))
