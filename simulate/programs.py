"""The kernels of the neuron models: each takes one step of one sample's layer, on vectors.

Each computes the equations of its record (``export/network.py``) as ``reference.py`` does. It is
written once and compiled for the widths of ``vectors.py``: with narrow vectors it is exact while
drives and states stay below ``NARROW_MAX`` in magnitude, with wide ones always.

Arguments, after ``kind``: ``n`` neurons, ``width`` of the padded rows; addresses of the parameters
int32 (P, width) and states int32 (S, width), in the orders of ``plan.NEURON_UPDATES`` and of the
record's ``STATES``; of ``drive``, the sums of all synapses shifted left by 6; of ``fired``, one
int64 per vector, which neurons spiked; of ``alarm``, one vector per state, which collects the bits
of the magnitudes of unlimited states. Neurons that spike are listed in int32 ``sources`` from
``at`` on; the end of the list is returned, and the number of neurons whose v changed. The states of
padding lanes stay 0.
"""

# Compiled functions take their arguments by position.
# ruff: noqa: PLR0917
# An intrinsic takes one argument less than its definition.
# pyright: reportCallIssue=false

from __future__ import annotations

from numba import njit

from .vectors import (
    LANES,
    above_bits,
    capped,
    count_bits,
    decayed,
    decayed_magnitude,
    get_int64,
    kept_where,
    load,
    load_drive,
    lowest_bit,
    magnitude,
    put_int32,
    put_int64,
    reach_bits,
    saturated,
    shifted_right,
    store,
    store_drive,
    unequal_bits,
    wrapped,
    zeros,
)

CUBA_LIF, ADAPTIVE_LIF, LEAKY_INTEGRATOR, THRESHOLD_REFRACTORY_LIF = range(4)

NARROW_MAX = (1 << 29) - 1
"""With drives and states of at most this, no sum of a kernel leaves 32 bits."""

LIST_SLACK = 4
"""A list needs room for this many entries more than it will hold."""


@njit(forceinline=True)
def append(bits, first, sources, at):
    """List ``first`` + the places of the set bits from ``at`` on; return the end of the list."""
    # Nearly all words have few bits. Writing four places without asking how many there are is
    # cheaper than a branch that cannot be predicted; surplus entries are overwritten.
    rest = bits
    for e in range(LIST_SLACK):
        put_int32(sources, at + e, first + lowest_bit(rest))
        rest &= rest - 1
    e = at + LIST_SLACK
    while rest != 0:
        put_int32(sources, e, first + lowest_bit(rest))
        rest &= rest - 1
        e += 1
    return at + count_bits(bits)


@njit(forceinline=True)
def _valid(bits, i, n):
    """Return the bits of the vector from ``i`` on without those of padding lanes."""
    return bits if i + LANES <= n else bits & ((1 << (n - i)) - 1)


@njit(forceinline=True)
def _alert(kind, alarm, state, found):
    at = state * LANES
    store_drive(alarm, at, load_drive(kind, alarm, at) | found)


@njit(forceinline=True)
def _cuba_lif(kind, n, width, p, s, drive, alarm, sources, at):
    u_found, changed = zeros(kind), 0
    for i in range(0, n, LANES):
        u = wrapped(decayed(load(kind, s, i), load(kind, p, i)) + load_drive(kind, drive, i))
        u_found = u_found | magnitude(u)
        before = load(kind, s, width + i)
        v = decayed(before, load(kind, p, width + i))
        v = saturated(v + u + load(kind, p, 3 * width + i))
        silent = above_bits(v, load(kind, p, 2 * width + i)) ^ -1
        v = kept_where(silent, v)
        changed += count_bits(unequal_bits(v, before))
        store(s, i, u)
        store(s, width + i, v)
        at = append(_valid(silent ^ -1, i, n), i, sources, at)
    _alert(kind, alarm, 0, u_found)
    return at, changed


@njit(forceinline=True)
def _adaptive_lif(kind, n, width, p, s, drive, fired, sources, at):
    changed = 0
    for i in range(0, n, LANES):
        spiked = get_int64(fired, i // LANES)
        d = decayed_magnitude(load(kind, s, i), load(kind, p, width + i))
        d = capped(d + kept_where(spiked, load(kind, p, 3 * width + i)))
        raised = shifted_right(d, load(kind, p, 4 * width + i))
        threshold = load(kind, p, 2 * width + i) + raised
        before = load(kind, s, width + i)
        v = decayed(before, load(kind, p, i))
        v = v + load_drive(kind, drive, i) + load(kind, p, 5 * width + i)
        v = saturated(v - kept_where(spiked, threshold))
        changed += count_bits(unequal_bits(v, before))
        bits = _valid(above_bits(v, threshold), i, n)
        store(s, i, d)
        store(s, width + i, v)
        put_int64(fired, i // LANES, bits)
        at = append(bits, i, sources, at)
    return at, changed


@njit(forceinline=True)
def _leaky_integrator(kind, n, width, p, s, drive):
    changed = 0
    for i in range(0, n, LANES):
        before = load(kind, s, i)
        v = decayed(before, load(kind, p, i)) + load_drive(kind, drive, i)
        v = saturated(v + load(kind, p, width + i))
        changed += count_bits(unequal_bits(v, before))
        store(s, i, v)
    return changed


@njit(forceinline=True)
def _threshold_refractory_lif(kind, n, width, p, s, drive, alarm, sources, at):
    u_found, th_found, r_found, changed = zeros(kind), zeros(kind), zeros(kind), 0
    for i in range(0, n, LANES):
        u = wrapped(decayed(load(kind, s, i), load(kind, p, i)) + load_drive(kind, drive, i))
        before = load(kind, s, width + i)
        v = decayed(before, load(kind, p, width + i))
        v = saturated(v + u + load(kind, p, 6 * width + i))
        changed += count_bits(unequal_bits(v, before))
        rest = load(kind, p, 4 * width + i)
        th = load(kind, s, 2 * width + i) - rest
        th = decayed(th, load(kind, p, 2 * width + i)) + rest
        r = decayed(load(kind, s, 3 * width + i), load(kind, p, 3 * width + i))
        spikes = reach_bits(v - r, th)
        r = r + kept_where(spikes, th + th)
        th = th + kept_where(spikes, load(kind, p, 5 * width + i))
        u_found = u_found | magnitude(u)
        th_found = th_found | magnitude(th)
        r_found = r_found | magnitude(r)
        store(s, i, u)
        store(s, width + i, v)
        store(s, 2 * width + i, th)
        store(s, 3 * width + i, r)
        at = append(_valid(spikes, i, n), i, sources, at)
    _alert(kind, alarm, 0, u_found)
    _alert(kind, alarm, 2, th_found)
    _alert(kind, alarm, 3, r_found)
    return at, changed


@njit(forceinline=True)
def update(kind, program, n, width, p, s, drive, fired, alarm, sources, at):
    """Take one step of a neuron model."""
    if program == CUBA_LIF:
        return _cuba_lif(kind, n, width, p, s, drive, alarm, sources, at)
    if program == ADAPTIVE_LIF:
        return _adaptive_lif(kind, n, width, p, s, drive, fired, sources, at)
    if program == LEAKY_INTEGRATOR:
        return at, _leaky_integrator(kind, n, width, p, s, drive)
    return _threshold_refractory_lif(kind, n, width, p, s, drive, alarm, sources, at)
