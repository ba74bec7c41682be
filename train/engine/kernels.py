"""A layer over a whole sequence, forward and back: the loops over blocks of samples and steps.

Samples are apart from one another, so threads take blocks of them and never meet. Within a block, a
step adds the input and the recurrence to a drive, then runs the neuron program; on the way back it
runs the program first, then the transposed products and the gradients of the weights.

Sums over events run over the rows of those events; where many of a block's neurons are active, the
register-blocked product over all rows takes over. Both give the same bits.

Shapes: ``width`` and ``channels_width`` are neurons and channels padded to vectors, ``samples`` the
size of a block. Kept states lie (block, step, sample, width). Arrays come as addresses: numba
counts references to arrays that are passed on, which costs more than a short row, and would compile
again for every kind of array. The caller keeps the arrays, of the types and shapes said here.
"""

# Compiled functions take their arguments by position.
# ruff: noqa: PLR0912, PLR0915, PLR0917

# An intrinsic takes one argument less than its definition.
# pyright: reportCallIssue=false

from __future__ import annotations

from typing import NamedTuple

from numba import njit

from .lines import DENSE_SHARE, add, clear, copy, list_bits, read_dense
from .programs import ALIF_RELU, step_back, step_forward
from .rows import gather, product, scatter
from .simd import LANES, count_bits, get_int64, put_int64
from .sources import source_digest


class Sizes(NamedTuple):
    """Sizes of a layer call, all int64."""

    batch: int
    steps: int
    channels: int
    channels_width: int
    neurons: int
    width: int
    samples: int
    kept_steps: int


class Signal(NamedTuple):
    """The input: ``dense`` float32 (batch, time, channel), or 0 and event lists.

    Step t of sample b owns the events ``starts[b, t]`` to ``starts[b, t + 1]``, int64; ``sources``
    int32 their channels, ``values`` float32 their values, or 0 for ones.
    """

    dense: int
    starts: int
    sources: int
    values: int


class Kept(NamedTuple):
    """What the way back needs: v and the second state of every step, and the initial states.

    ``v``, ``second`` (blocks, time or 1, samples, width); ``states`` (3, batch, width): u, second
    and s before the first step.
    """

    v: int
    second: int
    states: int


class Gradients(NamedTuple):
    """Gradients of the loss: what comes from outside, and what the way back leaves.

    ``membranes``, ``spikes`` (batch, time, n) or 0; ``final`` and ``initial`` (3, batch, width);
    ``inputs`` (batch, time, channel) or 0. Of one thread: ``weight`` (channels in eights, width),
    ``weight_rec`` (width, width), ``parameters`` (5, width).
    """

    membranes: int
    spikes: int
    final: int
    initial: int
    inputs: int
    weight: int
    weight_rec: int
    parameters: int


class Scratch(NamedTuple):
    """Room of one thread.

    ``blocks`` float32 (8, samples, width), ``lines`` float32 (3, samples, channels_width),
    ``indices`` int32 (samples, width + channels_width), ``bits`` int64 (samples, width / LANES),
    ``counts`` int64 (2, samples).
    """

    blocks: int
    lines: int
    indices: int
    bits: int
    counts: int


def _compile(digest: int):
    @njit(nogil=True, cache=True)
    def forward(
        program, sizes, p, signal, weight, weight_rec, kept, final, membranes, spikes, low, high,
        scratch,
    ):  # fmt: skip
        """Run blocks ``low`` to ``high``; returns the digest, which is part of the cache's key."""
        batch, steps, channels, channels_width, neurons, width, samples, kept_steps = sizes
        words = width // LANES
        block = samples * width
        size = 4 * block
        drive, u = scratch.blocks, scratch.blocks + size
        second, s = scratch.blocks + 2 * size, scratch.blocks + 3 * size
        size = 4 * samples * channels_width
        line, values = scratch.lines, scratch.lines + size
        found, fired = scratch.indices, scratch.indices + size
        counts, fired_counts = scratch.counts, scratch.counts + 8 * samples
        bits = scratch.bits
        recurrent = weight_rec != 0
        for index in range(low, high):
            b0 = index * samples
            rows = min(samples, batch - b0)
            for state, number in ((u, 0), (second, 1), (s, 2)):
                clear(state, block)
                for r in range(rows):
                    copy(state, r * width, kept.states, (number * batch + b0 + r) * width, width)
            active = 0
            for t in range(steps):
                clear(drive, block)
                if signal.dense == 0:
                    for r in range(rows):
                        place = (b0 + r) * (steps + 1) + t
                        start = get_int64(signal.starts, place)
                        end = get_int64(signal.starts, place + 1)
                        gather(
                            drive,
                            r * width,
                            weight,
                            width,
                            signal.sources,
                            signal.values,
                            signal.values != 0,
                            start,
                            end,
                        )
                elif read_dense(
                    signal.dense, (b0 * steps + t) * channels, steps * channels, rows, channels,
                    channels_width, found, values, counts, line,
                ):  # fmt: skip
                    product(
                        samples, drive, 0, width, line, 0, channels_width, 1, weight, 0, width,
                        width, channels,
                    )  # fmt: skip
                else:
                    for r in range(rows):
                        start = r * channels_width
                        gather(
                            drive,
                            r * width,
                            weight,
                            width,
                            found,
                            values,
                            True,
                            start,
                            start + get_int64(counts, r),
                        )
                if recurrent:
                    many = active > DENSE_SHARE * rows * neurons
                    if t == 0 or many or program == ALIF_RELU:
                        product(
                            samples, drive, 0, width, s, 0, width, 1, weight_rec, 0, width, width,
                            neurons,
                        )  # fmt: skip
                    else:
                        for r in range(rows):
                            start = r * width
                            gather(
                                drive, start, weight_rec, width, fired, 0, False, start,
                                start + get_int64(fired_counts, r),
                            )  # fmt: skip
                at = (index * kept_steps + min(t, kept_steps - 1)) * block
                step_forward(
                    program, p, samples, width, drive, u, second, s, bits, kept.v, at, kept.second
                )
                if recurrent:
                    active = 0
                    for r in range(rows):
                        count = list_bits(bits, r * words, words, fired, r * width)
                        put_int64(fired_counts, r, count)
                        active += count
                for r in range(rows):
                    out = ((b0 + r) * steps + t) * neurons
                    if spikes != 0:
                        copy(spikes, out, s, r * width, neurons)
                    if membranes != 0:
                        copy(membranes, out, u, r * width, neurons)
            for state, number in ((u, 0), (second, 1), (s, 2)):
                for r in range(rows):
                    copy(final, (number * batch + b0 + r) * width, state, r * width, width)
        return digest

    @njit(nogil=True, cache=True)
    def back(
        program, sizes, p, kind, f, signal, weight, weight_rec, kept, gradients, low, high,
        scratch,
    ):  # fmt: skip
        """Run blocks ``low`` to ``high`` from the last step to the first."""
        batch, steps, channels, channels_width, neurons, width, samples, _ = sizes
        words = width // LANES
        block = samples * width
        size = 4 * block
        ds, carry_u = scratch.blocks, scratch.blocks + size
        carry_second, dc = scratch.blocks + 2 * size, scratch.blocks + 3 * size
        before_s, u0 = scratch.blocks + 4 * size, scratch.blocks + 5 * size
        second0, s0 = scratch.blocks + 6 * size, scratch.blocks + 7 * size
        size = 4 * samples * channels_width
        line, values, dx = scratch.lines, scratch.lines + size, scratch.lines + 2 * size
        found, fired = scratch.indices, scratch.indices + size
        bits, counts = scratch.bits, scratch.counts
        recurrent = weight_rec != 0
        dw, dw_rec = gradients.weight, gradients.weight_rec
        for index in range(low, high):
            b0 = index * samples
            rows = min(samples, batch - b0)
            for state, number in ((u0, 0), (second0, 1), (s0, 2)):
                clear(state, block)
                for r in range(rows):
                    copy(state, r * width, kept.states, (number * batch + b0 + r) * width, width)
            for carry, number in ((carry_u, 0), (carry_second, 1), (ds, 2)):
                clear(carry, block)
                for r in range(rows):
                    copy(
                        carry, r * width, gradients.final, (number * batch + b0 + r) * width, width
                    )
            for t in range(steps - 1, -1, -1):
                for r in range(rows):
                    out = ((b0 + r) * steps + t) * neurons
                    if gradients.spikes != 0:
                        add(ds, r * width, gradients.spikes, out, neurons)
                    if gradients.membranes != 0:
                        add(carry_u, r * width, gradients.membranes, out, neurons)
                step_back(
                    program, p, kind, f, samples, width, (index * steps + t) * block, kept.v,
                    kept.second, t == 0, u0, second0, s0, ds, carry_u, carry_second, dc, before_s,
                    bits, gradients.parameters,
                )  # fmt: skip
                if recurrent:
                    product(
                        samples, ds, 0, width, dc, 0, width, 1, weight_rec, 0, width, width, neurons
                    )
                    active = 0
                    for r in range(rows * words):
                        active += count_bits(get_int64(bits, r))
                    many = active > DENSE_SHARE * rows * neurons
                    if t == 0 or many or program == ALIF_RELU:
                        product(
                            width, dw_rec, 0, width, before_s, 0, 1, width, dc, 0, width, width,
                            samples,
                        )  # fmt: skip
                    else:
                        for r in range(rows):
                            count = list_bits(bits, r * words, words, fired, 0)
                            scatter(dw_rec, width, dc, r * width, fired, 0, False, 0, count)
                if signal.dense == 0:
                    for r in range(rows):
                        place = (b0 + r) * (steps + 1) + t
                        start = get_int64(signal.starts, place)
                        end = get_int64(signal.starts, place + 1)
                        scatter(
                            dw,
                            width,
                            dc,
                            r * width,
                            signal.sources,
                            signal.values,
                            signal.values != 0,
                            start,
                            end,
                        )
                elif read_dense(
                    signal.dense, (b0 * steps + t) * channels, steps * channels, rows, channels,
                    channels_width, found, values, counts, line,
                ):  # fmt: skip
                    product(
                        (channels + 7) // 8 * 8, dw, 0, width, line, 0, 1, channels_width, dc, 0,
                        width, width, samples,
                    )  # fmt: skip
                else:
                    for r in range(rows):
                        start = r * channels_width
                        scatter(
                            dw,
                            width,
                            dc,
                            r * width,
                            found,
                            values,
                            True,
                            start,
                            start + get_int64(counts, r),
                        )
                if gradients.inputs != 0:
                    clear(dx, samples * channels_width)
                    product(
                        samples, dx, 0, channels_width, dc, 0, width, 1, weight, 0, channels_width,
                        channels_width, neurons,
                    )  # fmt: skip
                    for r in range(rows):
                        out = ((b0 + r) * steps + t) * channels
                        copy(gradients.inputs, out, dx, r * channels_width, channels)
            for carry, number in ((carry_u, 0), (carry_second, 1), (ds, 2)):
                for r in range(rows):
                    copy(
                        gradients.initial,
                        (number * batch + b0 + r) * width,
                        carry,
                        r * width,
                        width,
                    )
        return digest

    return forward, back


run_forward, run_back = _compile(source_digest())
"""The kernels; numba's cache looks at this file's time stamp alone, so the digest of all files that
are compiled into them is a variable of theirs, and an edit of any of them compiles anew."""
