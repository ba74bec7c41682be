"""Forward and backward pass of a stack of layers: the loops over blocks of samples and steps.

Samples are independent, so threads take blocks of them and need no synchronisation. Within a
block, a step goes through all layers, from the input up in the forward pass and from the output
down in the backward pass: what one layer passes to the next stays in the L1 cache. A layer adds its
inputs and its recurrence to a drive, then computes its neurons; in the backward pass it computes
the neurons first, then the transposed products into its own earlier step and into the layer below,
and the gradients of the weights.

Sums over events run over the rows of those events; where many of a block's neurons are active, the
register-blocked product over all rows is used instead. Both give the same bits.

Layers come as rows of ``fields.py``, arrays as addresses: numba counts references to arrays that
are passed on, which costs more than a short row, and would compile again for every kind of array.
The caller keeps the arrays alive; ``fields.py`` states their types and shapes.
"""

# Compiled functions take their arguments by position.
# ruff: noqa: PLR0915, PLR0917

# An intrinsic takes one argument less than its definition.
# pyright: reportCallIssue=false

from __future__ import annotations

from typing import NamedTuple

from numba import int64, njit, types

from ...export.kernel import Kernel
from .delays import FROM_BELOW, FROM_ITSELF, hold_back, nothing_waits
from .derived import call_backward, call_forward
from .fields import (
    BACKWARD,
    BITS,
    CHANNELS,
    CHANNELS_WIDTH,
    COUNTS,
    D_INITIAL,
    D_INPUTS,
    D_PARAMETERS,
    D_RECURRENT_WEIGHT,
    D_WEIGHT,
    DELAY,
    DELAY_REC,
    DENSE,
    FIELDS,
    FINAL,
    FIRED,
    FIRED_COUNTS,
    FORWARD,
    FOUND,
    FOUND_COUNTS,
    HELD,
    INITIAL,
    KEPT,
    LINES,
    MASKS,
    MEMBRANES,
    NEURONS,
    PAIRS,
    PARAMETERS,
    PLANES,
    RECURRENT_WEIGHT,
    RING,
    ROOM,
    SENDS,
    SOURCES,
    SPIKES,
    STARTS,
    STATES,
    VALUES,
    WEIGHT,
    WIDTH,
)
from .lines import add, clear, copy, count_fired, list_bits, read_dense
from .programs import (
    CARRY_V,
    DC,
    DS,
    GRADED,
    MEMBRANE,
    OUT,
    S0,
    V0,
    S,
    V,
    bit_words,
    bits_of,
    outputs_of,
)
from .programs import SPIKES as SPIKES_ALONE
from .rows import gather, product, product_panels, scatter
from .simd import get_int32, get_int64, put_int64
from .sources import source_digest

DENSE_SHARE = 0.45
"""Share of active neurons above which the product over all of them is faster; measured."""
MASK_BITS = 64
"""Samples times steps whose senders are marked together."""


class Sizes(NamedTuple):
    """Sizes of a call, all int64: ``samples`` of a block; ``lengths`` address of int64 (batch,)."""

    layers: int
    batch: int
    steps: int
    samples: int
    lengths: int


@njit
def _read_states(layer, field, batch, samples, b0, rows, planes):
    """Copy the states of a block's samples into planes; what is padding becomes 0."""
    width = get_int64(layer, WIDTH)
    for number in range(get_int64(layer, STATES)):
        plane = planes + 4 * number * samples * width
        clear(plane, samples * width)
        for r in range(rows):
            start = (number * batch + b0 + r) * width
            copy(plane, r * width, get_int64(layer, field), start, width)


@njit
def _write_states(layer, field, batch, samples, b0, rows, planes):
    """Copy planes to the states of a block's samples."""
    width = get_int64(layer, WIDTH)
    for number in range(get_int64(layer, STATES)):
        plane = planes + 4 * number * samples * width
        for r in range(rows):
            start = (number * batch + b0 + r) * width
            copy(get_int64(layer, field), start, plane, r * width, width)


@njit
def _list_fired(layer, samples, rows):
    """List the neurons that fired, from their bits."""
    width, counts = get_int64(layer, WIDTH), get_int64(layer, FIRED_COUNTS)
    words, total = bit_words(width), 0
    for r in range(rows):
        found = list_bits(
            get_int64(layer, BITS), r * words, words, get_int64(layer, FIRED), r * width
        )
        put_int64(counts, r, found)
        total += found
    put_int64(counts, samples, total)


@njit
def _is_dense(layer, samples, rows):
    """Return whether so many neurons fired that the product over all of them is faster."""
    total = get_int64(get_int64(layer, FIRED_COUNTS), samples)
    return total > DENSE_SHARE * rows * get_int64(layer, NEURONS)


@njit
def _mark_senders(layer, rows, first):
    """Set bit ``first + r`` of the masks of the neurons that fired in sample r."""
    width, masks = get_int64(layer, WIDTH), get_int64(layer, MASKS)
    fired, counts = get_int64(layer, FIRED), get_int64(layer, FIRED_COUNTS)
    for r in range(rows):
        for k in range(r * width, r * width + get_int64(counts, r)):
            at = get_int32(fired, k)
            put_int64(masks, at, get_int64(masks, at) | (1 << (first + r)))


@njit
def _learn_marked(layer, dw):
    """Add to ``dw`` (n, width) the rows of ``RING`` that the masks of its neurons name."""
    width, ring, pairs = get_int64(layer, WIDTH), get_int64(layer, RING), get_int64(layer, PAIRS)
    masks = get_int64(layer, MASKS)
    for j in range(get_int64(layer, NEURONS)):
        found = list_bits(masks, j, 1, pairs, 0)
        gather(dw, j * width, ring, width, pairs, 0, False, 0, found)
        put_int64(masks, j, 0)


@njit
def _add_sent(drive, width, weight, layer, out, samples, rows, dense):
    """Add to ``drive`` what a layer's neurons send, ``out``, through ``weight``."""
    below = get_int64(layer, WIDTH)
    if dense or _is_dense(layer, samples, rows):
        n = get_int64(layer, NEURONS)
        product(samples, drive, 0, width, out, 0, below, 1, weight, 0, width, width, n)
        return
    fired, counts = get_int64(layer, FIRED), get_int64(layer, FIRED_COUNTS)
    for r in range(rows):
        end = r * below + get_int64(counts, r)
        gather(drive, r * width, weight, width, fired, 0, False, r * below, end)


@njit
def _add_recurrent(layer, samples, rows, t, drive, sent):
    """Add to ``drive`` what a layer's neurons send to themselves."""
    width, weight = get_int64(layer, WIDTH), get_int64(layer, RECURRENT_WEIGHT)
    late, held = get_int64(layer, DELAY_REC) != 0, get_int64(layer, HELD)
    if late:
        clear(held, samples * width)
    # Spikes in the states before the first step may have values other than 0 and 1.
    graded = t == 0 or get_int64(layer, SENDS) == GRADED
    total = held if late else drive
    _add_sent(total, width, weight, layer, sent, samples, rows, graded)
    if late:
        hold_back(layer, FROM_ITSELF, samples, t, held, held)
        add(drive, 0, held, 0, samples * width)


@njit
def _learn_sent(dw, width, dc, layer, out, samples, rows, dense):
    """Add to ``dw`` the gradient of the weights through which a layer's neurons sent ``out``."""
    below = get_int64(layer, WIDTH)
    if dense:
        eights = (get_int64(layer, NEURONS) + 7) // 8 * 8
        product(eights, dw, 0, width, out, 0, 1, below, dc, 0, width, width, samples)
        return
    fired, counts = get_int64(layer, FIRED), get_int64(layer, FIRED_COUNTS)
    for r in range(rows):
        end = r * below + get_int64(counts, r)
        scatter(dw, width, dc, r * width, fired, 0, False, r * below, end)


@njit
def _read_inputs(inputs, layer, steps, samples, b0, rows, t):
    """Read a step of dense inputs; return whether to use it as a whole, in ``LINES``."""
    channels, channels_width = get_int64(layer, CHANNELS), get_int64(layer, CHANNELS_WIDTH)
    line = get_int64(inputs, LINES)
    return read_dense(
        get_int64(inputs, DENSE), (b0 * steps + t) * channels, steps * channels, rows, channels,
        channels_width, get_int64(inputs, FOUND), line + 4 * samples * channels_width,
        get_int64(inputs, FOUND_COUNTS), line,
    )  # fmt: skip


@njit
def _add_inputs(inputs, layer, steps, samples, b0, rows, t, drive):
    """Add a step of the input to the first layer's drive."""
    channels, channels_width = get_int64(layer, CHANNELS), get_int64(layer, CHANNELS_WIDTH)
    width, weight = get_int64(layer, WIDTH), get_int64(layer, WEIGHT)
    if get_int64(inputs, DENSE) == 0:
        starts, values = get_int64(inputs, STARTS), get_int64(inputs, VALUES)
        sources = get_int64(inputs, SOURCES)
        for r in range(rows):
            place = (b0 + r) * (steps + 1) + t
            start, end = get_int64(starts, place), get_int64(starts, place + 1)
            gather(
                drive, r * width, weight, width, sources, values, values != 0, start, end
            )  # fmt: skip
        return
    line = get_int64(inputs, LINES)
    if _read_inputs(inputs, layer, steps, samples, b0, rows, t):
        product(
            samples, drive, 0, width, line, 0, channels_width, 1, weight, 0, width, width, channels
        )
        return
    found, counts = get_int64(inputs, FOUND), get_int64(inputs, FOUND_COUNTS)
    values = line + 4 * samples * channels_width
    for r in range(rows):
        start = r * channels_width
        end = start + get_int64(counts, r)
        gather(drive, r * width, weight, width, found, values, True, start, end)


@njit
def _learn_inputs(inputs, layer, steps, samples, b0, rows, t, dc):
    """Add to the gradient of the first layer's weights, and write that of the input if wanted."""
    channels, channels_width = get_int64(layer, CHANNELS), get_int64(layer, CHANNELS_WIDTH)
    width, dw = get_int64(layer, WIDTH), get_int64(layer, D_WEIGHT)
    line, d_inputs = get_int64(inputs, LINES), get_int64(inputs, D_INPUTS)
    if get_int64(inputs, DENSE) == 0:
        starts, values = get_int64(inputs, STARTS), get_int64(inputs, VALUES)
        sources = get_int64(inputs, SOURCES)
        for r in range(rows):
            place = (b0 + r) * (steps + 1) + t
            start, end = get_int64(starts, place), get_int64(starts, place + 1)
            scatter(
                dw, width, dc, r * width, sources, values, values != 0, start, end
            )  # fmt: skip
    elif _read_inputs(inputs, layer, steps, samples, b0, rows, t):
        eights = (channels + 7) // 8 * 8
        product(eights, dw, 0, width, line, 0, 1, channels_width, dc, 0, width, width, samples)
    else:
        found, counts = get_int64(inputs, FOUND), get_int64(inputs, FOUND_COUNTS)
        values = line + 4 * samples * channels_width
        for r in range(rows):
            start = r * channels_width
            end = start + get_int64(counts, r)
            scatter(dw, width, dc, r * width, found, values, True, start, end)
    if d_inputs != 0:
        dx = line + 8 * samples * channels_width
        clear(dx, samples * channels_width)
        product_panels(
            samples, dx, channels_width, dc, width, get_int64(layer, WEIGHT), channels_width,
            get_int64(layer, NEURONS),
        )  # fmt: skip
        for r in range(rows):
            copy(d_inputs, ((b0 + r) * steps + t) * channels, dx, r * channels_width, channels)


@njit
def _write_outputs(layer, sizes, b0, rows, t, planes):
    """Write the requested outputs of a layer's step."""
    n, width = get_int64(layer, NEURONS), get_int64(layer, WIDTH)
    block = 4 * sizes.samples * width
    membranes, spikes = get_int64(layer, MEMBRANES), get_int64(layer, SPIKES)
    counts, fired = get_int64(layer, COUNTS), get_int64(layer, FIRED)
    for r in range(rows):
        out = ((b0 + r) * sizes.steps + t) * n
        if membranes != 0:
            copy(membranes, out, planes + V * block, r * width, n)
        if spikes != 0:
            copy(spikes, out, planes + S * block, r * width, n)
        if counts != 0 and t < get_int64(sizes.lengths, b0 + r):
            found = get_int64(get_int64(layer, FIRED_COUNTS), r)
            count_fired(counts, (b0 + r) * n, fired, r * width, found)


@njit
def _add_outside(layer, sizes, b0, rows, t, planes):
    """Add the gradients that come from outside the stack."""
    n, width = get_int64(layer, NEURONS), get_int64(layer, WIDTH)
    block = 4 * sizes.samples * width
    membranes, spikes = get_int64(layer, MEMBRANES), get_int64(layer, SPIKES)
    counts = get_int64(layer, COUNTS)
    for r in range(rows):
        out = ((b0 + r) * sizes.steps + t) * n
        if membranes != 0:
            add(planes + CARRY_V * block, r * width, membranes, out, n)
        if spikes != 0:
            add(planes + DS * block, r * width, spikes, out, n)
        if counts != 0 and t < get_int64(sizes.lengths, b0 + r):
            add(planes + DS * block, r * width, counts, (b0 + r) * n, n)


@njit
def _pass_to_below(below, layer, samples, rows, place, dc):
    """Pass a layer's gradient at a step to the layer below, and add to that of the weights.

    The lists of ``below`` are still those of this step; ``place``: the step in what is kept.
    """
    sends, below_width = get_int64(below, SENDS), get_int64(below, WIDTH)
    width, block = get_int64(layer, WIDTH), samples * get_int64(below, WIDTH)
    planes = get_int64(below, ROOM)
    out = planes + 4 * OUT * block
    dense = sends != SPIKES_ALONE or _is_dense(below, samples, rows)
    if dense:
        kept = get_int64(below, KEPT) + 4 * place * get_int64(below, PLANES) * block
        outputs_of(sends, block, kept, out)
    _learn_sent(get_int64(layer, D_WEIGHT), width, dc, below, out, samples, rows, dense)
    product_panels(
        samples, planes + 4 * DS * block, below_width, dc, width, get_int64(layer, WEIGHT),
        below_width, get_int64(layer, NEURONS),
    )  # fmt: skip


@njit
def _pass_to_itself(layer, samples, rows, t, turn, before, dc):
    """Pass a layer's gradient to its previous step, and add to that of the recurrent weights.

    ``turn`` counts the steps from the end; ``before`` is what was kept of the previous step.
    """
    sends, width, n = (
        get_int64(layer, SENDS),
        get_int64(layer, WIDTH),
        get_int64(layer, NEURONS),
    )
    planes, block = get_int64(layer, ROOM), samples * width
    ds, dw = planes + 4 * DS * block, get_int64(layer, D_RECURRENT_WEIGHT)
    product_panels(samples, ds, width, dc, width, get_int64(layer, RECURRENT_WEIGHT), width, n)
    if get_int64(layer, RING) != 0 and t > 0 and sends != GRADED:
        # A matrix beyond the caches: a row is loaded once for as many steps as masks have bits.
        turns = MASK_BITS // samples
        copy(get_int64(layer, RING), turn % turns * block, dc, 0, block)
        _mark_senders(layer, rows, turn % turns * samples)
        if turn % turns == turns - 1 or t == 1:
            _learn_marked(layer, dw)
        return
    out = planes + 4 * OUT * block
    dense = t == 0 or sends == GRADED or _is_dense(layer, samples, rows)
    if t == 0:
        # Spikes in the states before the first step may have values other than 0 and 1.
        out = planes + 4 * S0 * block
    elif dense:
        outputs_of(sends, block, before, out)
    _learn_sent(dw, width, dc, layer, out, samples, rows, dense)


def _compile(digest: int):
    def forward(sizes, stack, inputs, low, high):
        """Run blocks ``low`` to ``high``; returns the digest, which is part of the cache's key."""
        layers, batch, steps, samples, _ = sizes
        for index in range(low, high):
            b0 = index * samples
            rows = min(samples, batch - b0)
            for number in range(layers):
                layer = stack + 8 * FIELDS * number
                states = get_int64(layer, ROOM) + 4 * samples * get_int64(layer, WIDTH) * V
                _read_states(layer, INITIAL, batch, samples, b0, rows, states)
                put_int64(get_int64(layer, FIRED_COUNTS), samples, 0)
                nothing_waits(layer, samples)
            for t in range(steps):
                for number in range(layers):
                    layer = stack + 8 * FIELDS * number
                    sends, width = get_int64(layer, SENDS), get_int64(layer, WIDTH)
                    planes, kept = get_int64(layer, ROOM), get_int64(layer, KEPT)
                    block = samples * width
                    drive, sent = planes, planes + 4 * S * block
                    clear(drive, block)
                    if number == 0:
                        _add_inputs(inputs, layer, steps, samples, b0, rows, t, drive)
                    else:
                        below = layer - 8 * FIELDS
                        kind = get_int64(below, SENDS)
                        out = get_int64(below, ROOM) + 4 * samples * get_int64(below, WIDTH) * (
                            V if kind == MEMBRANE else S
                        )
                        graded = kind != SPIKES_ALONE
                        weight = get_int64(layer, WEIGHT)
                        _add_sent(drive, width, weight, below, out, samples, rows, graded)
                    if get_int64(layer, DELAY) != 0:
                        hold_back(layer, FROM_BELOW, samples, t, drive, drive)
                    if get_int64(layer, RECURRENT_WEIGHT) != 0:
                        _add_recurrent(layer, samples, rows, t, drive, sent)
                    if kept != 0:
                        kept += 4 * (index * steps + t) * get_int64(layer, PLANES) * block
                    call_forward(
                        get_int64(layer, FORWARD), get_int64(layer, PARAMETERS),
                        get_int64(layer, NEURONS), samples, width, planes,
                        get_int64(layer, BITS), kept,
                    )  # fmt: skip
                    if sends != MEMBRANE:
                        _list_fired(layer, samples, rows)
                    _write_outputs(layer, sizes, b0, rows, t, planes)
            for number in range(layers):
                layer = stack + 8 * FIELDS * number
                states = get_int64(layer, ROOM) + 4 * samples * get_int64(layer, WIDTH) * V
                _write_states(layer, FINAL, batch, samples, b0, rows, states)
        return digest

    def backward(sizes, stack, inputs, kind, f, low, high):
        """Run blocks ``low`` to ``high`` from the last step to the first."""
        layers, batch, steps, samples, _ = sizes
        for index in range(low, high):
            b0 = index * samples
            rows = min(samples, batch - b0)
            for number in range(layers):
                layer = stack + 8 * FIELDS * number
                width, planes = get_int64(layer, WIDTH), get_int64(layer, ROOM)
                block = samples * width
                _read_states(layer, INITIAL, batch, samples, b0, rows, planes + 4 * V0 * block)
                _read_states(layer, FINAL, batch, samples, b0, rows, planes + 4 * CARRY_V * block)
                last = (index * steps + steps - 1) * get_int64(layer, PLANES) * block
                bits_of(samples, width, get_int64(layer, KEPT) + 4 * last, get_int64(layer, BITS))
                _list_fired(layer, samples, rows)
                nothing_waits(layer, samples)
            for t in range(steps - 1, -1, -1):
                for number in range(layers - 1, -1, -1):
                    layer = stack + 8 * FIELDS * number
                    sends, width = get_int64(layer, SENDS), get_int64(layer, WIDTH)
                    planes = get_int64(layer, ROOM)
                    block = samples * width
                    step = 4 * get_int64(layer, PLANES) * block
                    kept = get_int64(layer, KEPT) + (index * steps + t) * step
                    before = kept - step if t > 0 else 0
                    prefetched = before - step if t > 1 else kept
                    _add_outside(layer, sizes, b0, rows, t, planes)
                    call_backward(
                        get_int64(layer, BACKWARD), get_int64(layer, PARAMETERS),
                        get_int64(layer, NEURONS), kind, f, samples, width, kept,
                        before, prefetched, planes, get_int64(layer, BITS),
                        get_int64(layer, D_PARAMETERS),
                    )  # fmt: skip
                    drive = planes + 4 * DC * block
                    dc = drive
                    if get_int64(layer, DELAY) != 0:
                        dc = get_int64(layer, HELD)
                        hold_back(layer, FROM_BELOW, samples, steps - 1 - t, dc, drive)
                    if number > 0:
                        below = layer - 8 * FIELDS
                        _pass_to_below(below, layer, samples, rows, index * steps + t, dc)
                    else:
                        _learn_inputs(inputs, layer, steps, samples, b0, rows, t, dc)
                    if sends != MEMBRANE:
                        _list_fired(layer, samples, rows)
                    if get_int64(layer, RECURRENT_WEIGHT) != 0:
                        dc = drive
                        if get_int64(layer, DELAY_REC) != 0:
                            dc = get_int64(layer, HELD)
                            hold_back(layer, FROM_ITSELF, samples, steps - 1 - t, dc, drive)
                        _pass_to_itself(layer, samples, rows, t, steps - 1 - t, before, dc)
            for number in range(layers):
                layer = stack + 8 * FIELDS * number
                planes = get_int64(layer, ROOM) + 4 * samples * get_int64(layer, WIDTH) * CARRY_V
                _write_states(layer, D_INITIAL, batch, samples, b0, rows, planes)
        return digest

    return forward, backward


_FORWARD, _BACKWARD = _compile(source_digest())
_SIZES = types.NamedUniTuple(int64, len(Sizes._fields), Sizes)
run_forward = Kernel(_FORWARD, "forward pass of training", (_SIZES, *[int64] * 4))
run_backward = Kernel(_BACKWARD, "backward pass of training", (_SIZES, *[int64] * 6))
"""The kernels. numba's cache checks only the time stamp of this file; the digest of all files
compiled into them is therefore a closure variable, so that an edit of any of them recompiles."""
