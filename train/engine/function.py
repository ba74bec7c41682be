"""The autograd function behind a stack of layers: lays out arrays, runs kernels, sums gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ...export.kernel import Kernel, ready
from . import fields
from .derived import COEFFICIENTS_MAX
from .events import Events
from .kernels import MASK_BITS, Sizes, run_backward, run_forward
from .memory import aligned
from .programs import BACKWARD_PLANES, FORWARD_PLANES, MEMBRANE, STATES_MAX
from .replay import Replay
from .rows import PANEL
from .simd import LANES, LINE
from .surrogates import Encoded
from .threads import get_threads, run_shares, shares

Floats = npt.NDArray[np.float32]
Delays = npt.NDArray[np.int32]

STATES = 3 + COEFFICIENTS_MAX
TENSORS = STATES + STATES_MAX
"""Tensors of a layer, in the order of ``stack.NAMES``: weights, coefficients, and from ``STATES``
on its states."""
CACHED = 1 << 21
"""Size of a recurrent matrix beyond which its rows no longer stay in a cache; measured."""
OUTPUTS = 2 + STATES_MAX
"""What the function returns per layer: spikes, counts, and the states after the last step."""


@dataclass(frozen=True)
class NeuronKernels:
    """How a neuron of ``neurons/`` maps to compiled kernels.

    ``sends``: a number of ``programs.py``; ``states``: indices of the neuron's states, in its
    order, among the kernel's (v, second, s, and more); ``planes`` that a step keeps;
    ``coefficients``: how many; ``steps``: forward and backward.
    """

    sends: int
    states: tuple[int, ...]
    planes: int
    coefficients: int
    steps: tuple[Kernel, Kernel]

    @property
    def spikes(self) -> bool:
        """Whether its output is something other than its membrane."""
        return self.sends != MEMBRANE

    @property
    def state_count(self) -> int:
        """States that the kernel has."""
        return max(3, *(place + 1 for place in self.states))


@dataclass(frozen=True)
class Call:
    """The arguments of a call that are not tensors."""

    programs: tuple[NeuronKernels, ...]
    surrogate: Encoded
    events: Events | None
    lengths: npt.NDArray[np.int64] | None
    membranes: bool
    spikes: bool
    last_spikes: bool
    counts: bool
    needs_backward: bool
    delays: tuple[tuple[Delays | None, Delays | None], ...]
    replay: Sequence[Replay] | None = None


@dataclass
class _Layer:
    """Arrays of a layer that both passes need, and its row of ``fields.py`` without addresses."""

    n: int
    width: int
    channels: int
    channels_width: int
    row: npt.NDArray[np.int64]
    kept: Floats | None
    parameters: Floats
    initial: Floats
    delays: tuple[Delays | None, Delays | None]


@dataclass
class _Learnt:
    """A layer's gradients that the backward pass adds to: one entry per thread, but ``initial``."""

    row: npt.NDArray[np.int64]
    weight: Floats
    recurrent_weight: Floats
    parameters: Floats
    initial: Floats
    held: list[Any]


class Stack(torch.autograd.Function):
    """``spiking_stack`` without its checks; tensors of ``stack.NAMES``, layer after layer."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, call: Call, dense: Tensor | None, *flat: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        """Return the last layer's membranes and ``OUTPUTS`` of every layer."""
        values = None if dense is None else _array(dense)
        threads = get_threads()
        recurrent = [flat[TENSORS * k + 1] for k in range(len(call.programs))]
        largest = max((x.numel() for x in recurrent if x is not None), default=0)
        sizes, lengths = _sizes(call, values, threads, largest)
        layers, outputs, held, rows = [], [], [], []
        membranes = None
        for index, program in enumerate(call.programs):
            tensors = flat[TENSORS * index : TENSORS * (index + 1)]
            delays = call.delays[index]
            layer = _make_layer(program, tensors, delays, sizes, call.needs_backward)
            last = index == sizes.layers - 1
            layers.append(layer)
            if call.replay is None:
                row, made, weights = _forward_row(layer, program, tensors[:2], call, sizes, last)
                rows.append(row)
                held += weights
            else:
                made = _replayed(call.replay[index], program, call, last)
            membranes = made.pop(0)
            outputs += made
        parts = shares(_blocks(sizes), threads)
        steps = [program.steps for program in call.programs]
        ready(
            *[run_forward, *(forward for forward, _ in steps)] * (call.replay is None),
            *[run_backward, *(backward for _, backward in steps)] * call.needs_backward,
        )
        for row, program in zip(rows, call.programs, strict=False):
            row[fields.FORWARD] = program.steps[0].address
        if call.replay is None:
            stack, inputs = np.stack(rows), _inputs(values, call.events, None)
            rooms = [
                _with_room(stack, inputs, layers, sizes.samples, FORWARD_PLANES) for _ in parts
            ]

            def run(number: int, low: int, high: int) -> None:
                of_thread, line, _ = rooms[number]
                run_forward.call(sizes, _address(of_thread), _address(line), low, high)

            run_shares(run, parts)
        elif call.needs_backward:
            for layer, replay in zip(layers, call.replay, strict=True):
                run_shares(lambda _, low, high, a=replay, b=layer: a.keep(b.kept, low, high), parts)
        del held
        if call.needs_backward:
            # torch saves the tensors, so that changing them before the backward pass is an error.
            weights = (flat[TENSORS * k + j] for k in range(sizes.layers) for j in (0, 1))
            ctx.save_for_backward(dense, *weights)
            ctx.call, ctx.sizes, ctx.layers, ctx.threads = call, sizes, layers, threads
            ctx.values, ctx.lengths = values, lengths
        ctx.set_materialize_grads(False)
        return (membranes, *outputs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outside: Tensor | None) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Return the gradients of the arguments of ``forward``."""
        call, sizes, layers = ctx.call, ctx.sizes, ctx.layers
        weights = ctx.saved_tensors[1:]
        parts = shares(_blocks(sizes), ctx.threads)
        needs_inputs = ctx.needs_input_grad[1]
        learnt = []
        for index, layer in enumerate(layers):
            from_above = outside[1 + OUTPUTS * index : 1 + OUTPUTS * (index + 1)]
            made = _backward_row(
                layer,
                weights[2 * index : 2 * index + 2],
                (outside[0] if index == sizes.layers - 1 else None, *from_above),
                sizes.batch,
                len(parts),
                reaches_below=index > 0 or needs_inputs,
            )
            made.row[fields.BACKWARD] = call.programs[index].steps[1].address
            learnt.append(made)
        stack = np.stack([made.row for made in learnt])
        d_inputs = aligned(ctx.values.shape, clear=False) if needs_inputs else None
        inputs = _inputs(ctx.values, call.events, d_inputs)

        rooms = [_with_room(stack, inputs, layers, sizes.samples, BACKWARD_PLANES) for _ in parts]
        for number, (rows, _, _) in enumerate(rooms):
            for row, made in zip(rows, learnt, strict=True):
                row[fields.D_WEIGHT] = _address(made.weight[number])
                row[fields.D_RECURRENT_WEIGHT] = _address(made.recurrent_weight[number])
                row[fields.D_PARAMETERS] = _address(made.parameters[number])
        kind, factors = call.surrogate.kind, _address(call.surrogate.factors)

        def run(number: int, low: int, high: int) -> None:
            of_thread, line, _ = rooms[number]
            run_backward.call(sizes, _address(of_thread), _address(line), kind, factors, low, high)

        run_shares(run, parts)
        gradients: list[Tensor | None] = []
        for index, (layer, made) in enumerate(zip(layers, learnt, strict=True)):
            first = 2 + TENSORS * index
            gradients += _gradients(layer, made, ctx.needs_input_grad[first : first + TENSORS])
        return (None, _tensor(d_inputs), *gradients)


def _sizes(
    call: Call, values: Floats | None, threads: int, largest: int
) -> tuple[Sizes, npt.NDArray[np.int64]]:
    """Return the sizes of a call and the lengths whose address is in them."""
    shape = values.shape if values is not None else cast(Events, call.events).shape
    batch, steps = shape[:2]
    lengths = np.full(batch, steps, np.int64) if call.lengths is None else call.lengths
    samples = _block_size(batch, threads, largest)
    return Sizes(len(call.programs), batch, steps, samples, _address(lengths)), lengths


def _blocks(sizes: Sizes) -> int:
    return -(-sizes.batch // sizes.samples)


def _forward_row(  # noqa: PLR0917
    layer: _Layer,
    program: NeuronKernels,
    weights: Sequence[Tensor | None],
    call: Call,
    sizes: Sizes,
    last: bool,
) -> tuple[npt.NDArray[np.int64], list[Tensor | None], list[Any]]:
    """Return a layer's row in the forward pass, its membranes and ``OUTPUTS``, and what to hold."""
    weight, recurrent_weight = (_turned(weight, layer.width) for weight in weights)
    final = aligned((len(layer.initial), sizes.batch, layer.width), clear=False)
    of_steps = (sizes.batch, sizes.steps, layer.n)
    # A layer that does not spike sends its membranes.
    as_spikes = call.last_spikes and program.spikes if last else call.spikes
    membranes = aligned(of_steps, clear=False) if last and call.membranes else None
    spikes = aligned(of_steps, clear=False) if as_spikes else None
    counts = aligned((sizes.batch, layer.n)) if call.counts and program.spikes else None
    row = layer.row.copy()
    row[fields.WEIGHT], row[fields.RECURRENT_WEIGHT] = _address(weight), _address(recurrent_weight)
    row[fields.FINAL], row[fields.COUNTS] = _address(final), _address(counts)
    row[fields.MEMBRANES] = _address(membranes)
    if spikes is not None:
        row[fields.SPIKES if program.spikes else fields.MEMBRANES] = _address(spikes)
    after = _padded_list([torch.from_numpy(state[:, : layer.n]) for state in final], STATES_MAX)
    made = [_tensor(membranes), _tensor(spikes), _tensor(counts), *after]
    return row, made, [weight, recurrent_weight]


def _replayed(
    replay: Replay, program: NeuronKernels, call: Call, last: bool
) -> list[Tensor | None]:
    """Return membranes and ``OUTPUTS`` of a layer that ran elsewhere."""
    sends_membranes = not program.spikes and not last
    membranes = replay.membranes() if (last and call.membranes) or sends_membranes else None
    spikes = membranes if sends_membranes else replay.spikes()
    return [
        _tensor(membranes) if last else None,
        _tensor(spikes) if (call.last_spikes if last else call.spikes) else None,
        _tensor(replay.counts()) if call.counts else None,
        *_padded_list([torch.from_numpy(state) for state in replay.final()], STATES_MAX),
    ]


def _backward_row(
    layer: _Layer,
    weights: Sequence[Tensor | None],
    outside: Sequence[Tensor | None],
    batch: int,
    threads: int,
    *,
    reaches_below: bool,
) -> _Learnt:
    """Lay out a layer for the backward pass.

    ``outside``: gradients of membranes, spikes, counts and the last states.
    """
    weight = _in_panels(weights[0], layer.channels_width) if reaches_below else None
    recurrent_weight = _in_panels(weights[1], layer.width)
    given = [None if x is None else _array(x) for x in outside[:3]]
    count = len(layer.initial)
    final = _states(outside[3 : 3 + count], batch, layer.width)
    initial = aligned((count, batch, layer.width), clear=False)
    row = layer.row.copy()
    row[fields.WEIGHT], row[fields.RECURRENT_WEIGHT] = _address(weight), _address(recurrent_weight)
    row[fields.FINAL], row[fields.D_INITIAL] = _address(final), _address(initial)
    for field, value in zip((fields.MEMBRANES, fields.SPIKES, fields.COUNTS), given, strict=True):
        row[field] = _address(value)
    eights = -(-layer.channels // 8) * 8
    square = (layer.width, layer.width) if recurrent_weight is not None else (0, 0)
    return _Learnt(
        row,
        aligned((threads, eights, layer.width)),
        aligned((threads, *square)),
        aligned((threads, *layer.parameters.shape)),
        initial,
        [weight, recurrent_weight, given, final],
    )


def _gradients(layer: _Layer, learnt: _Learnt, needed: Sequence[bool]) -> list[Tensor | None]:
    """Return the gradients of a layer's tensors, in the order of ``stack.NAMES``."""
    n = layer.n
    weight = learnt.weight.sum(0)[: layer.channels, :n].T
    recurrent_weight = (
        learnt.recurrent_weight.sum(0)[:n, :n].T if learnt.recurrent_weight.size else None
    )
    rows = _padded_list(list(learnt.parameters.sum(0)[:, :n]), 1 + COEFFICIENTS_MAX)
    initial = _padded_list([state[:, :n] for state in learnt.initial], STATES_MAX)
    every = [weight, recurrent_weight, *rows, *initial]
    return [
        torch.from_numpy(array) if wanted and array is not None else None
        for array, wanted in zip(every, needed, strict=True)
    ]


def _make_layer(
    program: NeuronKernels,
    tensors: Sequence[Tensor | None],
    delays: Sequence[Delays | None],
    sizes: Sizes,
    keeps: bool,
) -> _Layer:
    """Lay out parameters and states of a layer, and memory for what it keeps."""
    weight = tensors[0]
    assert weight is not None
    n, channels = weight.shape
    width = _padded(n)
    parameters = aligned((1 + program.coefficients, width))
    for row, value in zip(parameters, tensors[2:STATES], strict=False):
        if value is not None:
            row[:n] = _array(value)
    initial = _states(tensors[STATES:][: program.state_count], sizes.batch, width)
    of_steps = (_blocks(sizes), sizes.steps, program.planes, sizes.samples, width)
    kept = aligned(of_steps, clear=False) if keeps else None
    late, late_rec = (_late(delay, width) for delay in delays)
    row = np.zeros(fields.FIELDS, np.int64)
    for place, value in (
        (fields.SENDS, program.sends),
        (fields.NEURONS, n),
        (fields.WIDTH, width),
        (fields.CHANNELS, channels),
        (fields.CHANNELS_WIDTH, _padded(channels)),
        (fields.PARAMETERS, _address(parameters)),
        (fields.PLANES, program.planes),
        (fields.STATES, program.state_count),
        (fields.KEPT, _address(kept)),
        (fields.INITIAL, _address(initial)),
        (fields.DELAY, _address(late)),
        (fields.SLOTS, 0 if late is None else late.max() + 1),
        (fields.DELAY_REC, _address(late_rec)),
        (fields.SLOTS_REC, 0 if late_rec is None else late_rec.max() + 1),
    ):
        row[place] = value
    held = (late, late_rec)
    return _Layer(n, width, channels, _padded(channels), row, kept, parameters, initial, held)


def _padded_list(values: list[Any], length: int) -> list[Any]:
    return [*values, *[None] * (length - len(values))]


def _late(delay: Delays | None, width: int) -> Delays | None:
    """Return delays padded to ``width`` with the last one, None where there are none."""
    if delay is None or not delay.any():
        return None
    return np.pad(delay.astype(np.int32), (0, width - len(delay)), mode="edge")


def _states(given: Sequence[Tensor | None], batch: int, width: int) -> Floats:
    """Return (states, batch, width) of states or gradients, zero where there is none."""
    states = aligned((len(given), batch, width))
    for place, state in enumerate(given):
        if state is not None:
            states[place, :, : state.shape[1]] = _array(state)
    return states


def _turned(weight: Tensor | None, width: int) -> Floats | None:
    """Return a weight (n, inputs) as (inputs, width)."""
    if weight is None:
        return None
    n, channels = weight.shape
    turned = aligned((channels, width), clear=n != width)
    turned[:, :n] = _array(weight).T
    return turned


def _in_panels(weight: Tensor | None, width: int) -> Floats | None:
    """Return a weight (n, inputs), its rows padded to ``width``, in panels of ``rows.py``."""
    if weight is None:
        return None
    n, channels = weight.shape
    panels = aligned((n * width,), clear=channels != width)
    values = _array(weight)
    for first in range(0, channels, PANEL):
        size = min(PANEL, width - first)
        columns = values[:, first : first + size]
        panel = panels[first * n : (first + size) * n].reshape(n, size)
        panel[:, : columns.shape[1]] = columns
    return panels


def _inputs(
    values: Floats | None, events: Events | None, d_inputs: Floats | None
) -> npt.NDArray[np.int64]:
    """Return the row of the input without its work space."""
    row = np.zeros(fields.INPUT_FIELDS, np.int64)
    row[fields.DENSE], row[fields.D_INPUTS] = _address(values), _address(d_inputs)
    if values is None and events is not None:
        row[fields.STARTS] = _address(events.starts)
        row[fields.SOURCES] = _address(events.sources)
        row[fields.VALUES] = _address(events.values)
    return row


def _with_room(
    stack: npt.NDArray[np.int64],
    inputs: npt.NDArray[np.int64],
    layers: list[_Layer],
    samples: int,
    planes: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats]:
    """Return the rows with one thread's work space, and the array that holds all of it."""
    rows, line = stack.copy(), inputs.copy()
    channels = layers[0].channels_width
    wanted = [
        (line, fields.LINES, 3 * samples * channels),
        (line, fields.FOUND, samples * channels),
        (line, fields.FOUND_COUNTS, 2 * samples),
    ]
    for row, layer in zip(rows, layers, strict=True):
        wanted += [
            (row, fields.ROOM, planes * samples * layer.width),
            (row, fields.FIRED, samples * layer.width),
            (row, fields.FIRED_COUNTS, 2 * (samples + 1)),
            (row, fields.BITS, 2 * samples * -(-layer.width // 64)),
        ]
        slots = int(row[fields.SLOTS] + row[fields.SLOTS_REC])
        if slots:
            block = samples * layer.width
            wanted += [
                (row, fields.WAITING, int(row[fields.SLOTS]) * block),
                (row, fields.WAITING_REC, int(row[fields.SLOTS_REC]) * block),
                (row, fields.HELD, block),
            ]
        if row[fields.RECURRENT_WEIGHT] and layer.n**2 > CACHED:
            wanted += [
                (row, fields.MASKS, 2 * layer.n),
                (row, fields.PAIRS, MASK_BITS),
                (row, fields.RING, MASK_BITS * layer.width),
            ]
    # Lengths are in units of 4 bytes; every piece starts on a cache line.
    lengths = [-(-length // LINE) * LINE for _, _, length in wanted]
    room = aligned((sum(lengths),))
    address = _address(room)
    for (row, field, _), length in zip(wanted, lengths, strict=True):
        row[field] = address
        address += 4 * length
    return rows, line, room


def _address(array: npt.NDArray[Any] | None) -> int:
    """Return the address of an array's elements, 0 for none; the caller keeps the array alive."""
    return 0 if array is None else array.ctypes.data


def _tensor(array: Floats | None) -> Tensor | None:
    return None if array is None else torch.from_numpy(array)


def _array(tensor: Tensor) -> Floats:
    return tensor.detach().contiguous().numpy()


def _padded(count: int) -> int:
    return -(-count // LANES) * LANES


def _block_size(batch: int, threads: int, weights: int) -> int:
    """Return samples in a block.

    8 make the best use of the product; fewer let threads share small batches. Where a recurrent
    matrix of so many ``weights`` outgrows the caches, more samples use each row that is loaded.
    """
    if weights > CACHED:
        for samples in (32, 16):
            if batch >= samples * threads:
                return samples
    if batch >= 6 * threads:
        return 8
    return 4 if batch >= 3 * threads or (batch >= 3 and threads == 1) else 1
