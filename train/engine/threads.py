"""Parts of a batch on the engine's own threads.

The kernels release the GIL, so plain Python threads run them in parallel. numba's thread pool is
not used: it does not survive a fork, and would compete with torch's for the same cores.

There are as many as torch has, unless ``set_threads`` says otherwise. After each of its own
parallel operations, torch's OpenMP threads spin for some milliseconds before they sleep, and keep
the cores from these threads. Where the engine does nearly all the work, as in training on the CPU,
a step is up to a third faster with ``torch.set_num_threads(1)`` and ``set_threads(cores)``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import torch
from torch._compile import _disable_dynamo

from ...export.errors import InputError

# torch's own form of torch.compiler.disable; it does not load the compiler, which takes a second.
not_compiled = _disable_dynamo
"""Decorator for a function that torch.compile must call as it is: it cannot be traced."""

_COUNT = [0]
_POOLS: dict[tuple[int, int], ThreadPoolExecutor] = {}


def set_threads(count: int) -> None:
    """Set how many threads the engine uses in this process; 0 for as many as torch.

    Raises
    ------
    InputError
        A negative number.
    """
    if count < 0:
        raise InputError(f"engine threads: {count} is below 0")
    _COUNT[0] = count


def get_threads() -> int:
    """Return how many threads the engine uses."""
    return _COUNT[0] or torch.get_num_threads()


def shares(blocks: int, threads: int) -> list[tuple[int, int]]:
    """Split ``blocks`` into at most ``threads`` ranges of nearly equal size, none empty."""
    count = max(1, min(blocks, threads))
    edges = [blocks * k // count for k in range(count + 1)]
    return [(low, high) for low, high in pairwise(edges) if high > low]


def run_shares(task: Callable[[int, int, int], object], parts: list[tuple[int, int]]) -> None:
    """Call ``task(number, low, high)`` for every share, the first one in this thread.

    An error in any of them is raised after all have ended.
    """
    if len(parts) == 1:
        task(0, *parts[0])
        return
    pool = _pool(len(parts) - 1)
    others = [pool.submit(task, number, *part) for number, part in enumerate(parts) if number]
    try:
        task(0, *parts[0])
    finally:
        errors = [other.exception() for other in others]
    for error in errors:
        if error is not None:
            raise error


def _pool(workers: int) -> ThreadPoolExecutor:
    """Return this process's pool of this many workers; a forked child starts its own."""
    key = (os.getpid(), workers)
    if key not in _POOLS:
        _POOLS[key] = ThreadPoolExecutor(workers, "srnn-engine")
    return _POOLS[key]
