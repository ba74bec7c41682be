"""A process that takes training steps of one implementation on request.

Started as ``python -m peers.worker MODULE WAY THREADS DEVICE``. It reads one JSON object per line
and answers each with one, ``{"failed": reason}`` if it fails:

- ``{"make": shape}``, the fields of a ``Shape``: builds the network and takes two steps, of which
  the first may compile. Answers ``neuron``, ``rates`` of the hidden layers, ``seconds`` of each of
  the two, ``versions``, and ``gradient`` (base64 of float32) if the implementation has one.
- ``{"step": true}``: takes a step and answers ``seconds``.
"""

from __future__ import annotations

import base64
import importlib
import importlib.metadata
import json
import os
import sys
import time
import warnings
from typing import Any, TextIO

from .shapes import Shape, Training, UnavailableError


def limit_threads(threads: int) -> None:
    """Restrict this process to ``threads`` processors, before any library counts them."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)


def timed_step(training: Training) -> tuple[float, Any]:
    """Take a step; return its wall time in seconds and the spikes."""
    start = time.perf_counter()
    spikes = training.step()
    return time.perf_counter() - start, spikes


def prepare(training: Training) -> dict[str, Any]:
    """Take the first two steps and describe the implementation."""
    first, _ = timed_step(training)
    second, spikes = timed_step(training)
    answer = {
        "neuron": training.neuron,
        "rates": [float(x.mean()) for x in spikes],
        "seconds": [first, second],
    }
    if training.gradient is not None:
        answer["gradient"] = base64.b64encode(training.gradient().tobytes()).decode()
    return answer


def versions(names: tuple[str, ...]) -> dict[str, str]:
    """Return the versions of imported distributions."""
    return {name: importlib.metadata.version(name) for name in names}


def serve(module: str, way: str, threads: int, device: str, answers: TextIO) -> None:
    """Answer every line of the standard input."""
    implementation = importlib.import_module(f".{module}", __package__)
    training: Training | None = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "make" in request:
                fields = request["make"]
                shape = Shape(**fields | {"hidden": tuple(fields["hidden"])})
                training = None
                training = implementation.make(way, shape, threads, device)
                assert training is not None
                answer = prepare(training)
                answer["versions"] = versions(implementation.DISTRIBUTIONS)
            else:
                assert training is not None
                answer = {"seconds": timed_step(training)[0]}
        except UnavailableError as error:
            answer = {"failed": str(error)}
        print(json.dumps(answer), file=answers, flush=True)


def main() -> None:
    """Serve until the standard input ends."""
    module, way, threads, device = sys.argv[1:]
    # What the libraries print must not mix with the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    if device == "cpu":
        limit_threads(int(threads))
    serve(module, way, int(threads), device, answers)


if __name__ == "__main__":
    main()
