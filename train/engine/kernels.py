"""A layer over a whole sequence, forward and back: the loops over blocks of samples and steps.

Samples are apart from one another, so threads take blocks of them and never meet. Within a block, a
step adds the input and the recurrence to a drive, then runs the neuron program; on the way back it
runs the program first, then the transposed products and the gradients of the weights.

Sums over events run over the rows of those events; where many of a block's neurons are active, the
register-blocked product over all rows takes over. Both give the same bits.

Shapes: ``width`` and ``channels_width`` are neurons and channels padded to vectors, ``samples`` the
size of a block. Kept states lie (block, step, sample, width).
"""

# Compiled functions take their arguments by position.
# ruff: noqa: PLR0917

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from .programs import ALIF_RELU, LI, step_back, step_forward
from .rows import gather, product, scatter
from .simd import LANES, load, lowest_bit, nonzero_bits, store
from .sources import source_digest

Floats = npt.NDArray[np.float32]

DENSE_SHARE = 0.25
"""Share of active rows above which the product over all rows is the faster way; measured."""
FEW_CHANNELS = 16
"""So many dense inputs or fewer are multiplied without looking for zeros."""


class Sizes(NamedTuple):
    """Sizes of a layer call, all int64."""

    batch: int
    steps: int
    channels: int
    channels_width: int
    neurons: int
    width: int
    samples: int


class Signal(NamedTuple):
    """The input: ``dense`` float32 (batch, time, channel), or (0,) and event lists.

    Step t of sample b owns the events ``starts[b, t]`` to ``starts[b, t + 1]``; ``sources`` int32 their
    channels, ``values`` float32 their values or (0,) for ones.
    """

    dense: Floats
    starts: npt.NDArray[np.int64]
    sources: npt.NDArray[np.int32]
    values: Floats


class Kept(NamedTuple):
    """What the way back needs: v and the second state of every step, and the initial states.

    ``v``, ``second`` (blocks, time or 1, samples, width); ``states`` (3, batch, width): u, second, s.
    """

    v: Floats
    second: Floats
    states: Floats


class Gradients(NamedTuple):
    """Gradients of the loss: what comes from outside, and what the way back leaves.

    ``membranes``, ``spikes`` (batch, time, n) or (0,); ``final`` and ``initial`` (3, batch, width);
    ``inputs`` (batch, time, channel) or (0,). Of one thread: ``weight`` (channels_width, width),
    ``weight_rec`` (width, width), ``parameters`` (5, width).
    """

    membranes: Floats
    spikes: Floats
    final: Floats
    initial: Floats
    inputs: Floats
    weight: Floats
    weight_rec: Floats
    parameters: Floats


@njit(forceinline=True)
def _clear(a):
    for c in range(0, a.size, LANES):
        store(a, c, load(a, c) - load(a, c))


@njit
def _copy(target, o, source, i, count):
    """Copy ``count`` floats."""
    c = 0
    while c + LANES <= count:
        store(target, o + c, load(source, i + c))
        c += LANES
    while c < count:
        target[o + c] = source[i + c]
        c += 1


@njit
def _add(target, o, source, i, count):
    """Add ``count`` floats."""
    c = 0
    while c + LANES <= count:
        store(target, o + c, load(target, o + c) + load(source, i + c))
        c += LANES
    while c < count:
        target[o + c] += source[i + c]
        c += 1


@njit
def _list_bits(bits, first, words, found, o):
    """List the set bits of ``words`` words into ``found`` from ``o``; return how many."""
    count = o
    for word in range(words):
        rest = bits[first + word]
        while rest != 0:
            found[count] = np.int32(word * LANES + lowest_bit(rest))
            count += 1
            rest &= rest - 1
    return count - o


@njit
def _list_nonzero(x, i, channels, found, values, o):
    """List the channels that are not 0 and their values; return how many."""
    count = o
    c = 0
    while c + LANES <= channels:
        rest = nonzero_bits(load(x, i + c))
        while rest != 0:
            channel = c + lowest_bit(rest)
            found[count] = np.int32(channel)
            values[count] = x[i + channel]
            count += 1
            rest &= rest - 1
        c += LANES
    while c < channels:
        if x[i + c] != 0:
            found[count] = np.int32(c)
            values[count] = x[i + c]
            count += 1
        c += 1
    return count - o


@njit
def _read_dense(x, base, stride, rows, channels, width, found, values, counts, line):
    """Read a step of a dense input: event lists per sample, or rows of ``line`` if it is not sparse.

    Returns whether ``line`` was filled.
    """
    if channels > FEW_CHANNELS:
        total = 0
        for r in range(rows):
            counts[r] = _list_nonzero(x, base + r * stride, channels, found, values, r * width)
            total += counts[r]
        if total <= DENSE_SHARE * rows * channels:
            return False
    for r in range(rows):
        _copy(line, r * width, x, base + r * stride, channels)
    return True


def _compile(digest: str):
    @njit(nogil=True, cache=True)
    def forward(
        program, sizes, p, signal, weight, weight_rec, kept, final, membranes, spikes, low, high,
        scratch,
    ):  # fmt: skip
        """Run blocks ``low`` to ``high``; returns the digest, which is part of the cache's key."""
        batch, steps, channels, channels_width, neurons, width, samples = sizes
        words = width // LANES
        block = samples * width
        drive, u, second, s = scratch[0], scratch[1], scratch[2], scratch[3]
        line = np.zeros(samples * channels_width, np.float32)
        bits = np.zeros(samples * words, np.int64)
        found = np.zeros(samples * channels_width, np.int32)
        values = np.zeros(samples * channels_width, np.float32)
        fired = np.zeros(samples * width, np.int32)
        none = np.zeros(0, np.float32)
        counts = np.zeros(samples, np.int64)
        fired_counts = np.zeros(samples, np.int64)
        keep_steps = kept.v.shape[1]
        recurrent = weight_rec.size > 0
        for index in range(low, high):
            b0 = index * samples
            rows = min(samples, batch - b0)
            for state, number in ((u, 0), (second, 1), (s, 2)):
                state[:block] = 0
                for r in range(rows):
                    _copy(state, r * width, kept.states, (number * batch + b0 + r) * width, width)
            active = 0
            for t in range(steps):
                drive[:block] = 0
                if signal.dense.size == 0:
                    for r in range(rows):
                        start, end = signal.starts[b0 + r, t], signal.starts[b0 + r, t + 1]
                        gather(
                            drive, r * width, weight, width, signal.sources, signal.values, start, end
                        )
                elif _read_dense(
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
                            drive, r * width, weight, width, found, values, start, start + counts[r]
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
                                drive, start, weight_rec, width, fired, none, start,
                                start + fired_counts[r],
                            )  # fmt: skip
                at = ((index * keep_steps) + (t if keep_steps > 1 else 0)) * block
                step_forward(
                    program, p, samples, width, drive, u, second, s, bits, kept.v, at, kept.second
                )
                if recurrent:
                    active = 0
                    for r in range(rows):
                        fired_counts[r] = _list_bits(bits, r * words, words, fired, r * width)
                        active += fired_counts[r]
                for r in range(rows):
                    out = ((b0 + r) * steps + t) * neurons
                    if spikes.size > 0:
                        _copy(spikes, out, s, r * width, neurons)
                    if membranes.size > 0:
                        _copy(membranes, out, u, r * width, neurons)
            for state, number in ((u, 0), (second, 1), (s, 2)):
                for r in range(rows):
                    _copy(final, (number * batch + b0 + r) * width, state, r * width, width)
        return digest

    @njit(nogil=True, cache=True)
    def back(
        program, sizes, p, kind, f, signal, weight, weight_rec, kept, gradients, low, high, scratch
    ):
        """Run blocks ``low`` to ``high`` from the last step to the first."""
        batch, steps, channels, channels_width, neurons, width, samples = sizes
        words = width // LANES
        block = samples * width
        ds, carry_u, carry_second, dc = scratch[0], scratch[1], scratch[2], scratch[3]
        before_s, u0, second0, s0 = scratch[4], scratch[5], scratch[6], scratch[7]
        dx = np.zeros(samples * channels_width, np.float32)
        line = np.zeros(samples * channels_width, np.float32)
        bits = np.zeros(samples * words, np.int64)
        found = np.zeros(samples * channels_width, np.int32)
        values = np.zeros(samples * channels_width, np.float32)
        fired = np.zeros(width, np.int32)
        none = np.zeros(0, np.float32)
        counts = np.zeros(samples, np.int64)
        recurrent = weight_rec.size > 0
        dw, dw_rec = gradients.weight, gradients.weight_rec
        for index in range(low, high):
            b0 = index * samples
            rows = min(samples, batch - b0)
            for state, number in ((u0, 0), (second0, 1), (s0, 2)):
                state[:block] = 0
                for r in range(rows):
                    _copy(state, r * width, kept.states, (number * batch + b0 + r) * width, width)
            for carry, number in ((carry_u, 0), (carry_second, 1), (ds, 2)):
                carry[:block] = 0
                for r in range(rows):
                    _copy(carry, r * width, gradients.final, (number * batch + b0 + r) * width, width)
            for t in range(steps - 1, -1, -1):
                for r in range(rows):
                    out = ((b0 + r) * steps + t) * neurons
                    if gradients.spikes.size > 0:
                        _add(ds, r * width, gradients.spikes, out, neurons)
                    if gradients.membranes.size > 0:
                        _add(carry_u, r * width, gradients.membranes, out, neurons)
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
                        active += _count_bits(bits[r])
                    many = active > DENSE_SHARE * rows * neurons
                    if t == 0 or many or program == ALIF_RELU:
                        product(
                            width, dw_rec, 0, width, before_s, 0, 1, width, dc, 0, width, width,
                            samples,
                        )  # fmt: skip
                    else:
                        for r in range(rows):
                            count = _list_bits(bits, r * words, words, fired, 0)
                            scatter(dw_rec, width, dc, r * width, fired, none, 0, count)
                if signal.dense.size == 0:
                    for r in range(rows):
                        start, end = signal.starts[b0 + r, t], signal.starts[b0 + r, t + 1]
                        scatter(
                            dw, width, dc, r * width, signal.sources, signal.values, start, end
                        )
                elif _read_dense(
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
                            dw, width, dc, r * width, found, values, start, start + counts[r]
                        )
                if gradients.inputs.size > 0:
                    dx[:] = 0
                    product(
                        samples, dx, 0, channels_width, dc, 0, width, 1, weight, 0, channels_width,
                        channels_width, neurons,
                    )  # fmt: skip
                    for r in range(rows):
                        out = ((b0 + r) * steps + t) * channels
                        _copy(gradients.inputs, out, dx, r * channels_width, channels)
            for carry, number in ((carry_u, 0), (carry_second, 1), (ds, 2)):
                for r in range(rows):
                    _copy(gradients.initial, (number * batch + b0 + r) * width, carry, r * width, width)
        return digest

    return forward, back


run_forward, run_back = _compile(source_digest())
"""The kernels; numba's cache looks at this file's time stamp alone, so the digest of all files that
are compiled into them is a variable of theirs, and an edit of any of them compiles anew."""
