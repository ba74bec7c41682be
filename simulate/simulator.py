"""The fast simulator: ``run`` gives the trace of ``reference.run``, bit for bit.

Samples are independent; threads take them one by one, each through all layers.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..export.errors import InputError
from ..export.kernel import ready
from ..export.network import Network, check_inputs
from ..export.suggest import check_known
from ..export.trace import LayerTrace, Trace
from . import kernels, loops
from .activity import Activity, layer_activity
from .events import dense_inputs
from .plan import PreparedNetwork, prepared_network, widened
from .reference import check_lengths

RecordKind = Literal["output", "spikes", "states"]
RECORDS: tuple[RecordKind, ...] = ("output", "spikes", "states")


def run(
    network: Network,
    inputs: npt.ArrayLike,
    lengths: npt.ArrayLike | None = None,
    *,
    record: RecordKind = "states",
    threads: int | None = None,
) -> Trace:
    """Run the network on every sample from its initial state.

    Parameters
    ----------
    network
        The network of integers.
    inputs
        Integers (batch, time, channel): 0 or 1, or graded where the network has message bits.
    lengths
        Integers (batch,): steps of each sample; all steps when None.
    record
        What the trace keeps besides the output: ``output`` nothing, ``spikes`` the spikes of every
        layer, ``states`` those and every state. All three compute the same.
    threads
        Threads to use; None: one for each processor that this process may use. The result does
        not depend on it.

    Raises
    ------
    InputError
        Inputs, lengths or threads of another shape or range; a state that leaves 32 bits.
    """
    return run_with_activity(network, inputs, lengths, record=record, threads=threads)[0]


def run_with_activity(
    network: Network,
    inputs: npt.ArrayLike,
    lengths: npt.ArrayLike | None = None,
    *,
    record: RecordKind = "states",
    threads: int | None = None,
) -> tuple[Trace, Activity]:
    """Run as ``run`` does and return the trace with the counts of its operations."""
    check_known("record", record, RECORDS)
    array, largest = dense_inputs(network, inputs)
    batch, steps, _ = array.shape
    ran = check_lengths(lengths, batch, steps)
    workers = max(min(_thread_count(threads), batch), 1)
    prepared = prepared_network(network, largest)
    while True:
        ready(kernels.run_samples)
        kept = _recorded(network, batch, steps, record)
        done = _run(network, prepared, array, ran, kept.traces, workers=workers)
        if done.failed is None:
            trace = Trace(kept.layers, kept.output.astype(np.int32, copy=False), ran)
            return trace, _activity(network, prepared, done, ran)
        left = np.flatnonzero(done.failed[:, 0] == loops.LEFT_NARROW)
        if left.size == 0 or (done.failed[:, 0] == loops.NOT_BINARY).any():
            raise _refusal(network, array, done.failed)
        prepared = widened(network, prepared, int(done.failed[left[0], 1]))


@dataclass(frozen=True, eq=False)
class _Done:
    """Counts of all samples; totals of each sample and layer; how samples failed, None if none."""

    counts: npt.NDArray[np.int64]
    totals: npt.NDArray[np.int64]
    failed: npt.NDArray[np.int64] | None


def _thread_count(threads: int | None) -> int:
    if threads is None:
        # A container or a batch system may allow fewer processors than the machine has.
        allowed = getattr(os, "sched_getaffinity", None)
        return len(allowed(0)) if allowed else os.cpu_count() or 1
    if threads < 1:
        raise InputError(f"threads: {threads} is below 1")
    return threads


@dataclass(frozen=True, eq=False)
class _Recorded:
    """What a run fills: the trace's layers and output, and their addresses for the kernel."""

    layers: tuple[LayerTrace, ...]
    output: npt.NDArray[Any]
    traces: npt.NDArray[np.int64]


def _recorded(network: Network, batch: int, steps: int, record: RecordKind) -> _Recorded:
    traces = np.zeros((len(network.layers), loops.TRACE_COLUMNS), np.int64)
    layers = []
    output: npt.NDArray[Any] | None = None
    for index, layer in enumerate(network.layers):
        names, shape = layer.neuron.STATES, (batch, steps, layer.size)
        states, spikes = {}, None
        if record == "states":
            states = dict(zip(names, np.zeros((len(names), *shape), np.int32), strict=True))
        if layer.neuron.SPIKING and record != "output":
            spikes = np.zeros(shape, np.uint8)
        kept, sent = states, spikes
        if layer is network.layers[-1]:
            if network.readout.reads_spikes:
                output = sent = np.zeros(shape, np.uint8) if spikes is None else spikes
            else:
                kept = states or {"v": np.zeros(shape, np.int32)}
                output = kept["v"]
        for name, values in kept.items():
            traces[index, loops.STATE + names.index(name)] = values.ctypes.data
        if sent is not None:
            traces[index, loops.SPIKES] = sent.ctypes.data
        layers.append(LayerTrace(spikes, states))
    assert output is not None
    return _Recorded(tuple(layers), output, traces)


def _run(
    network: Network,
    prepared: PreparedNetwork,
    inputs: npt.NDArray[Any],
    lengths: npt.NDArray[np.int64],
    traces: npt.NDArray[np.int64],
    *,
    workers: int,
) -> _Done:
    """Run all samples, distributed over this many threads."""
    turn = np.zeros(2, np.int64)
    failed = np.zeros((len(inputs), 4), np.int64)
    counts = np.zeros((workers, 2, prepared.counts), np.int64)
    totals = np.zeros((len(inputs), len(network.layers), kernels.TOTALS), np.int64)

    def work(worker: int) -> None:
        try:
            scratch = prepared.scratch.pop()
        except IndexError:
            scratch = np.empty(prepared.scratch_bytes, np.uint8)
        kernels.run_samples.call(
            prepared.layers,
            traces,
            inputs.ctypes.data,
            inputs.itemsize,
            inputs.shape,
            prepared.values_offset,
            prepared.starts_offset,
            network.message_bits > 0,
            prepared.chunk,
            lengths,
            turn,
            counts[worker],
            totals,
            failed,
            scratch,
        )
        prepared.scratch.append(scratch)

    if workers == 1:
        work(0)
        return _Done(counts[0, 1], totals, failed if turn[1] else None)
    # This thread does its share. Threads end with the run: threads that stayed would disturb a
    # process that Lava forks.
    with ThreadPoolExecutor(workers - 1) as pool:
        others = [pool.submit(work, worker) for worker in range(1, workers)]
        work(0)
        for other in others:
            other.result()
    return _Done(counts[:, 1].sum(axis=0), totals, failed if turn[1] else None)


def _refusal(
    network: Network, inputs: npt.NDArray[Any], failed: npt.NDArray[np.int64]
) -> InputError:
    if (failed[:, 0] == loops.NOT_BINARY).any():
        check_inputs(network, inputs)
    sample = int(np.flatnonzero(failed[:, 0])[0])
    _, index, step, state = failed[sample].tolist()
    layer = network.layers[index]
    return InputError(
        f"layer {layer.name}: state {layer.neuron.STATES[state]} leaves 32 bits in sample {sample} "
        f"at step {step}; lower its threshold step or its input"
    )


def _activity(
    network: Network, prepared: PreparedNetwork, done: _Done, lengths: npt.NDArray[np.int64]
) -> Activity:
    return Activity(
        lengths.copy(),
        done.counts[: network.input_size],
        tuple(
            layer_activity(
                layer,
                done.counts[prepared.spikes[index]],
                done.counts[prepared.last_spikes[index]],
                done.totals[:, index],
                lengths,
                graded=index == 0 and network.message_bits > 0,
            )
            for index, layer in enumerate(network.layers)
        ),
    )
