"""Time and, where this machine reports it, energy of networks on a general-purpose processor.

The network of the zoo's ECG file as integers by our simulator, as floats by PyTorch, and dense
networks of the same sizes by PyTorch: batched, one sequence at a time, and step by step with the
state carried over, as a sensor delivers its samples. Run by ``energy.py``.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from srnn.export.checkpoint import read_model
from srnn.export.config import LayerConfig, ModelConfig
from srnn.export.netx import read_net
from srnn.simulate.meter import Meters, find_meters
from srnn.simulate.simulator import run_with_activity
from srnn.simulate.streaming import StreamingSimulator
from srnn.train import SRNN

ZOO = Path(__file__).resolve().parent.parent / "zoo"
BATCHED, STEPPED = 32, 200
"""Samples per batch; steps of a step-by-step run."""
DENSE = ("lstm", "gru", "rnn")
METERED_SECONDS = 1.0
"""Duration of a run over which counters are read, since they update about once per millisecond."""


@dataclass(frozen=True)
class Timed:
    """Median seconds per step of a sample, and joules by counter, empty where unreadable."""

    name: str
    mode: str
    seconds: float
    joules: dict[str, float]


def dense_config(kind: str, inputs: int, size: int, classes: int) -> ModelConfig:
    """Return a dense network of one recurrent layer and a linear readout."""
    layers = (LayerConfig(kind, size), LayerConfig("linear", classes))
    return ModelConfig(inputs, layers)


def timed(
    name: tuple[str, str], work: Callable[[], object], steps: int, meters: Meters, repeats: int
) -> Timed:
    """Time calls of ``work``, each of ``steps`` steps of samples; ``name``: network and mode."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    median = statistics.median(times)
    joules: dict[str, float] = {}
    if meters.meters:
        calls = max(int(METERED_SECONDS / median), 1)

        def many() -> None:
            for _ in range(calls):
                work()

        joules = {key: found / (calls * steps) for key, found in meters.measure(many).items()}
    return Timed(*name, median / steps, joules)


def measure(inputs: np.ndarray, repeats: int, batch: int = BATCHED) -> tuple[list[Timed], Meters]:
    """Time every network on spikes (sample, time, channel), in all modes, with one thread."""
    meters, threads = find_meters(), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _measure(inputs[:batch], repeats, meters), meters
    finally:
        torch.set_num_threads(threads)


def _measure(inputs: np.ndarray, repeats: int, meters: Meters) -> list[Timed]:
    network, model = read_net(ZOO / "ecg.net"), read_model(ZOO / "ecg.pt")
    samples, steps, channels = inputs.shape
    modes = ((f"batch {samples}", inputs), ("one sequence", inputs[:1]))
    rows = []
    for mode, some in modes:

        def simulate(some: np.ndarray = some) -> object:
            return run_with_activity(network, some, record="output", threads=1)

        name = "SRNN, integers, srnn.simulate"
        rows.append(timed((name, mode), simulate, len(some) * steps, meters, repeats))
    stream, sequence = StreamingSimulator(network), inputs[0, :STEPPED]

    def one_by_one() -> None:
        stream.reset()
        for sample in sequence:
            stream.step(sample)

    name = "SRNN, integers, StreamingSimulator"
    rows.append(timed((name, "step by step"), one_by_one, len(sequence), meters, repeats))
    sizes = network.layers[0].size, network.layers[-1].size
    torched: list[tuple[str, SRNN]] = []
    for title, engine in (("engine", "events"), ("plain loop", "loop")):
        spiking = SRNN(model.config, engine)
        spiking.load_weights(model.weights)
        torched.append((f"SRNN, floats, PyTorch, {title}", spiking))
    for kind in DENSE:
        torched.append((f"{kind.upper()}, PyTorch", SRNN(dense_config(kind, channels, *sizes))))
    values = torch.from_numpy(inputs.astype(np.float32))
    for name, made in torched:
        for mode, some in ((modes[0][0], values), (modes[1][0], values[:1])):
            rows.append(timed((name, mode), _whole(made, some), len(some) * steps, meters, repeats))
        stepped = values[:1, :STEPPED]
        rows.append(
            timed(
                (name, "step by step"), _stepped(made, stepped), stepped.shape[1], meters, repeats
            )
        )
    return rows


def _whole(model: SRNN, values: torch.Tensor) -> Callable[[], object]:
    @torch.no_grad()
    def work() -> Any:
        return model(values, spikes=False).output

    return work


def _stepped(model: SRNN, values: torch.Tensor) -> Callable[[], object]:
    @torch.no_grad()
    def work() -> Any:
        state = output = None
        for t in range(values.shape[1]):
            found = model(values[:, t : t + 1], state=state, spikes=False)
            state, output = found.state, found.output
        return output

    return work
