"""The simulator from several threads at once, from forked children and from spawned processes."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import select
import signal
import warnings
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np
from reliability_tally import ZOO, Tally
from srnn.export.netx import read_net, read_samples
from srnn.simulate.simulator import run

THREADS = 8
SPAWNED = 4
PATIENCE = 60.0
"""Seconds after which a run counts as a deadlock."""
NAMES = ("digits", "ecg")


def digest(name: str, threads: int) -> str:
    """Run a network of the zoo on its own samples, and return a digest of all that it computed."""
    path = ZOO / f"{name}.net"
    network, samples = read_net(path), read_samples(path)
    assert samples is not None
    trace = run(network, samples.inputs, samples.lengths, record="states", threads=threads)
    found = hashlib.sha256(np.ascontiguousarray(trace.output).tobytes())
    for layer in trace.layers:
        for values in (layer.spikes, *layer.states.values()):
            if values is not None:
                found.update(np.ascontiguousarray(values).tobytes())
    return found.hexdigest()


def at_once(count: int, rng: random.Random, folder: Path, tally: Tally) -> None:
    """``count`` runs from 8 threads, a quarter as many in forked children, a few in spawned."""
    del folder
    wanted = {name: digest(name, 1) for name in NAMES}
    _threads(count, rng, wanted, tally)
    for number in range(max(count // 4, 1)):
        _fork(rng, wanted, number % 2 == 1, tally)
    _spawned(wanted, min(max(count // 50, 1), SPAWNED), tally)


def _threads(count: int, rng: random.Random, wanted: dict[str, str], tally: Tally) -> None:
    jobs = [(rng.choice(NAMES), rng.randint(1, 4)) for _ in range(count)]
    pool = ThreadPoolExecutor(THREADS)
    futures = {pool.submit(digest, *job): job for job in jobs}
    done, _ = wait(futures, PATIENCE + count)
    pool.shutdown(wait=len(done) == count, cancel_futures=True)
    for future, (name, _) in futures.items():
        stuck = future not in done
        tally.counts["deadlocks"] += stuck
        differs = not stuck and future.result() != wanted[name]
        tally.check(
            "runs from 8 threads", "deadlock" if stuck else "", "differs" if differs else ""
        )


def _fork(rng: random.Random, wanted: dict[str, str], beside_threads: bool, tally: Tally) -> None:
    """Run in a forked child, every other time while threads of the parent run as well."""
    name, threads = rng.choice(NAMES), rng.randint(1, 4)
    with ThreadPoolExecutor(2) as pool:
        beside = [pool.submit(digest, "digits", 2) for _ in range(2 * beside_threads)]
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            # From Python 3.12 on a fork beside threads is warned of.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            try:
                os.write(writing, digest(name, threads).encode())
            finally:
                os._exit(0)
        os.close(writing)
        ready, _, _ = select.select([reading], [], [], PATIENCE)
        found = os.read(reading, 100).decode() if ready else ""
        os.close(reading)
        if not ready:
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        tally.counts["deadlocks"] += not ready
        tally.check(
            "forked children, every other one beside threads",
            "deadlock" if not ready else "",
            f"gave {found!r}" if ready and found != wanted[name] else "",
            *("the parent differs" for one in beside if one.result() != wanted["digits"]),
        )


def _spawned(wanted: dict[str, str], processes: int, tally: Tally) -> None:
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        jobs = [(name, threads) for name in NAMES for threads in (1, 2)] * processes
        started = [(name, pool.apply_async(digest, (name, threads))) for name, threads in jobs]
        for name, job in started:
            try:
                problem = "" if job.get(PATIENCE * 4) == wanted[name] else "differs"
            except multiprocessing.TimeoutError:
                problem = "deadlock"
                tally.counts["deadlocks"] += 1
            tally.check("runs in spawned processes", problem)
