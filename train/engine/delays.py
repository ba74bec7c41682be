"""Delays inside the kernels: what a layer's synapses deliver is held in a ring buffer of lines.

A neuron has one delay for all its input synapses and one for all its recurrent ones, so sums over
synapses are delayed and not single events: ``drive_t[i] = sum_t-d_i[i]``. In the backward pass the
ring runs the other way, from the last step to the first: the gradient of the sum of step t is that
of the drive of step ``t + d_i``.
"""

# Compiled functions take their arguments by position.
# ruff: noqa: PLR0917
# An intrinsic takes one argument less than its definition.
# pyright: reportCallIssue=false

from __future__ import annotations

from numba import njit

from .fields import DELAY, DELAY_REC, SLOTS, SLOTS_REC, WAITING, WAITING_REC, WIDTH
from .lines import clear, copy
from .simd import LANES, get_float, get_int32, get_int64, load, put_float, store

FROM_BELOW, FROM_ITSELF = (DELAY, SLOTS, WAITING), (DELAY_REC, SLOTS_REC, WAITING_REC)
"""The fields of a layer's delays and their ring, of its input and of its recurrent synapses."""


@njit
def hold_back(layer, ring, samples, step, target, source):
    """Write to ``target`` what is due at ``step``; ``source`` and ``target`` may be the same.

    ``source``, ``target`` float32 (samples, width); ``ring``: ``FROM_BELOW`` or ``FROM_ITSELF``,
    empty before step 0 of the pass.
    """
    delay, slots = get_int64(layer, ring[0]), get_int64(layer, ring[1])
    waiting, width = get_int64(layer, ring[2]), get_int64(layer, WIDTH)
    block = samples * width
    copy(waiting, step % slots * block, source, 0, block)
    for i in range(0, width, LANES):
        first, same = get_int32(delay, i), True
        for k in range(i + 1, i + LANES):
            same &= get_int32(delay, k) == first
        if same:
            due = (step + slots - first) % slots * block + i
            for r in range(samples):
                store(target, r * width + i, load(waiting, due + r * width))
            continue
        for k in range(i, i + LANES):
            due = (step + slots - get_int32(delay, k)) % slots * block + k
            for r in range(samples):
                put_float(target, r * width + k, get_float(waiting, due + r * width))


@njit
def nothing_waits(layer, samples):
    """Empty the rings of a layer."""
    block = samples * get_int64(layer, WIDTH)
    clear(get_int64(layer, WAITING), get_int64(layer, SLOTS) * block)
    clear(get_int64(layer, WAITING_REC), get_int64(layer, SLOTS_REC) * block)
