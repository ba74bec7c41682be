"""The fast simulator: ``run`` gives the trace of ``reference.run``, bit for bit.

Layers run one after the other over the whole sequence, since layer l needs layer l - 1's spikes of
the same step and nothing later; samples run in parallel.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from ..export.errors import InputError
from ..export.grid import DECAY_ONE, STATE_SHIFT
from ..export.network import (
    AdaptiveLIF,
    CubaLIF,
    Layer,
    LeakyIntegrator,
    Network,
    Neuron,
    Synapses,
    ThresholdRefractoryLIF,
)
from ..export.trace import LayerTrace, Trace
from . import kernels
from .activity import Activity, layer_activity, no_activity
from .events import dense_inputs, input_messages
from .kernels import Messages, Record, Wiring
from .reference import check_lengths, initial_state

RecordKind = Literal["output", "spikes", "states"]
RECORDS: tuple[RecordKind, ...] = ("output", "spikes", "states")

EVENT_BYTES = 1 << 28
"""A batch is cut so that event lists need no more room than this, or one sample's a thread."""


@dataclass(frozen=True)
class Program:
    """A neuron program of the kernels: its code and the fields that its parameters come from."""

    code: int
    parameters: tuple[str, ...]


PROGRAMS: dict[type[Neuron], Program] = {
    CubaLIF: Program(kernels.CUBA_LIF, ("i_decay", "v_decay", "v_threshold", "bias")),
    AdaptiveLIF: Program(
        kernels.ADAPTIVE_LIF, ("v_decay", "b_decay", "v_threshold", "b_step", "b_exp", "bias")
    ),
    LeakyIntegrator: Program(kernels.LEAKY_INTEGRATOR, ("v_decay", "bias")),
    ThresholdRefractoryLIF: Program(
        kernels.THRESHOLD_REFRACTORY_LIF,
        ("i_decay", "v_decay", "th_decay", "r_decay", "th_init", "th_step", "bias"),
    ),
}
"""The neuron programs by their record, as ``reference.STEPS``."""


@dataclass(frozen=True, eq=False)
class _Prepared:
    code: int
    parameters: npt.NDArray[np.int32]
    initial: npt.NDArray[np.int32]
    below: Wiring
    lateral: Wiring
    largest_sum: tuple[int, int]
    """Largest sum of weight magnitudes of a neuron, from below and recurrent."""


# Records are immutable and hash by identity, so what the kernels need of a layer is made once.
_prepared: WeakKeyDictionary[Layer, _Prepared] = WeakKeyDictionary()


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
        What the trace keeps beside the output: ``output`` nothing, ``spikes`` the spikes of every
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
    """Run as ``run`` does and return the trace with the counts of what was done."""
    if record not in RECORDS:
        raise InputError(f"record: {record!r} is not one of {', '.join(RECORDS)}")
    array = dense_inputs(network, inputs)
    batch, steps, _ = array.shape
    ran = check_lengths(lengths, batch, steps)
    trace = _empty_trace(network, batch, steps, record)
    for layer in network.layers:
        prepare(layer)
    workers = min(_thread_count(threads), max(batch, 1))
    parts = _parts(network, batch, steps, workers)

    def work(part: slice) -> Activity:
        return _run_part(network, array, ran, trace, part)

    if workers == 1:
        counted = [work(part) for part in parts]
    else:
        with ThreadPoolExecutor(workers) as pool:
            counted = list(pool.map(work, parts))
    return _finished(network, trace, record, ran), sum(counted, no_activity(network))


def _thread_count(threads: int | None) -> int:
    if threads is None:
        # A container or a batch system may allow fewer processors than the machine has.
        allowed = getattr(os, "sched_getaffinity", None)
        return len(allowed(0)) if allowed else os.cpu_count() or 1
    if threads < 1:
        raise InputError(f"threads: {threads} is below 1")
    return threads


def _parts(network: Network, batch: int, steps: int, workers: int) -> list[slice]:
    widest = max(layer.size for layer in network.layers)
    sample_bytes = widest * max(steps, 1) * np.dtype(np.int32).itemsize
    share = min(-(-batch // workers), max(EVENT_BYTES // (sample_bytes * workers), 1))
    return [slice(first, min(first + share, batch)) for first in range(0, batch, max(share, 1))]


@dataclass(frozen=True, eq=False)
class _Arrays:
    """Of one layer, over the whole batch: ``spikes`` or (0, 0, 0); ``states`` of index ``kept``."""

    spikes: npt.NDArray[np.uint8]
    states: npt.NDArray[np.int32]
    kept: npt.NDArray[np.int64]


def _empty_trace(network: Network, batch: int, steps: int, record: RecordKind) -> list[_Arrays]:
    layers = []
    for layer in network.layers:
        names = layer.neuron.STATES
        last = layer is network.layers[-1]
        reads_spikes = last and network.readout.reads_spikes
        kept = list(range(len(names))) if record == "states" else []
        if last and not reads_spikes and record != "states":
            kept = [names.index("v")]
        keeps_spikes = layer.neuron.SPIKING and (record != "output" or reads_spikes)
        layers.append(
            _Arrays(
                np.zeros((batch, steps, layer.size) if keeps_spikes else (0, 0, 0), np.uint8),
                np.zeros((len(kept), batch, steps, layer.size), np.int32),
                np.array(kept, dtype=np.int64),
            )
        )
    return layers


def _finished(
    network: Network, arrays: list[_Arrays], record: RecordKind, lengths: npt.NDArray[np.int64]
) -> Trace:
    last = arrays[-1]
    if network.readout.reads_spikes:
        output = last.spikes.astype(np.int32)
    else:
        output = last.states[last.kept.tolist().index(network.layers[-1].neuron.STATES.index("v"))]
    layers = tuple(
        LayerTrace(
            kept.spikes if record != "output" and layer.neuron.SPIKING else None,
            dict(zip(layer.neuron.STATES, kept.states, strict=True)) if record == "states" else {},
        )
        for layer, kept in zip(network.layers, arrays, strict=True)
    )
    return Trace(layers, output, lengths)


def _run_part(
    network: Network,
    inputs: npt.NDArray[np.generic],
    lengths: npt.NDArray[np.int64],
    trace: list[_Arrays],
    part: slice,
) -> Activity:
    inputs, lengths = inputs[part], lengths[part]
    batch, steps = inputs.shape[:2]
    messages, largest = input_messages(network, inputs, lengths)
    ran = int(lengths.sum())
    layers = []
    for index, layer in enumerate(network.layers):
        ready, kept = prepare(layer), trace[index]
        room = steps * layer.size + 1 if layer.neuron.SPIKING else 1
        emitted = Messages(
            np.zeros((batch, steps + 1), np.int64),
            np.empty(batch * room, np.int32),
            np.empty(0, np.int32),
        )
        emitted.starts[:, 0] = np.arange(batch) * room
        record = Record(
            kept.spikes[part],
            kept.states[:, part],
            kept.kept,
            np.zeros((batch, layer.size), np.int64),
            np.zeros((batch, 4), np.int64),
            np.zeros((batch, 2), np.int64),
        )
        largest_sum = max(ready.largest_sum[0] * largest, ready.largest_sum[1])
        wide = np.empty(0, np.int32 if largest_sum <= np.iinfo(np.int32).max else np.int64)
        kernels.run_layer(
            ready.code,
            ready.parameters,
            ready.initial,
            ready.below,
            ready.lateral,
            messages,
            emitted,
            lengths,
            record,
            wide,
        )
        _refuse_failed(layer, record.failed, part.start)
        layers.append(
            layer_activity(
                layer,
                record.spike_counts.sum(axis=0),
                record.totals.sum(axis=0),
                ran,
                graded=index == 0 and network.message_bits > 0,
            )
        )
        messages, largest = emitted, 1
    return Activity(batch, ran, tuple(layers))


def _refuse_failed(layer: Layer, failed: npt.NDArray[np.int64], offset: int) -> None:
    samples = np.flatnonzero(failed[:, 1])
    if samples.size:
        step, state = failed[samples[0]].tolist()
        raise InputError(
            f"layer {layer.name}: state {layer.neuron.STATES[state - 1]} leaves 32 bits in sample "
            f"{offset + int(samples[0])} at step {step}; lower its threshold step or its input"
        )


def prepare(layer: Layer) -> _Prepared:
    """Return what the kernels need of a layer; made once a layer and kept while the layer lives."""
    ready = _prepared.get(layer)
    if ready is None:
        ready = _prepared[layer] = _prepare(layer)
    return ready


def _prepare(layer: Layer) -> _Prepared:
    program = PROGRAMS[type(layer.neuron)]
    rows = [_parameter(layer.neuron, name) for name in program.parameters]
    states = initial_state(layer.neuron, 1)
    initial = np.stack([states[name][0] for name in layer.neuron.STATES])
    synapses = (layer.synapses, layer.recurrent)
    return _Prepared(
        program.code,
        _padded(np.stack(rows), np.int32),
        _padded(initial, np.int32),
        _wiring(layer.synapses, layer.size),
        _wiring(layer.recurrent, layer.size),
        tuple(0 if s is None else int(np.abs(s.weight).sum(axis=1).max()) for s in synapses),  # type: ignore[arg-type]
    )


def _parameter(neuron: Neuron, name: str) -> npt.NDArray[np.int64]:
    values = getattr(neuron, name)
    if name.endswith("_decay"):
        return DECAY_ONE - values
    if isinstance(neuron, CubaLIF) and name == "v_threshold":
        return values << STATE_SHIFT
    return values


def _padded(rows: npt.NDArray[np.integer[Any]], dtype: type[np.integer[Any]]) -> npt.NDArray[Any]:
    rest = -rows.shape[1] % kernels.LANES
    return np.pad(rows, ((0, 0), (0, rest))).astype(dtype, order="C")


def _wiring(synapses: Synapses | None, size: int) -> Wiring:
    none = np.zeros((0, 0), np.uint8)
    if synapses is None:
        return Wiring(np.zeros((0, size), np.int16), 0, none, np.zeros(0, np.int64), 1)
    delay = none if synapses.delay is None else _padded(synapses.delay.T, np.uint8)
    return Wiring(
        _padded(synapses.weight.T, np.int16),
        int(synapses.weight_exp),
        delay,
        np.count_nonzero(synapses.weight, axis=0).astype(np.int64),
        int(delay.max(initial=0)) + 1,
    )
