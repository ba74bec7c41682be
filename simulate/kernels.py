"""The fast simulator's inner loops: event-driven, integer, compiled by numba.

``run_layer`` runs one layer over whole sequences, every sample apart from the others. It computes
docs/FIXED_POINT.md bit for bit as ``reference.py`` does. The functions hold no lock, so that Python
threads run shares of a batch side by side; numba's own threads would stay behind in a process that
Lava forks, and OpenMP does not survive that.

- Messages come as event lists: step t of sample b owns ``sources[starts[b, t]:starts[b, t + 1]]``.
- Weights are int16 (n_in, n), so that an event adds one contiguous row. n here and below counts
  the neurons padded to a multiple of ``LANES``.
- A neuron program is one ``_update_*`` function and one line in ``_update``. It reads int32
  parameters (P, n) and rewrites int32 states (S, n), in the orders of ``simulator.PROGRAMS`` and of
  the record's ``STATES``, and leaves in ``fired`` which neurons spiked. It returns 0, or 1 + the
  index of a state that left 32 bits.

All compiled functions share this file, because numba's cache looks at the time stamp of the file of
the outer function only: an edit of a function elsewhere would leave a stale cache behind.
"""

# Compiled functions take their arguments by position.
# ruff: noqa: PLR0917

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from ..export.grid import DECAY_BITS, DECAY_ONE, STATE_BITS, STATE_MAX, STATE_SHIFT

CUBA_LIF, ADAPTIVE_LIF, LEAKY_INTEGRATOR, THRESHOLD_REFRACTORY_LIF = range(4)

_HALF, _FULL = 1 << (STATE_BITS - 1), 1 << STATE_BITS
_INT32_MAX = (1 << 31) - 1
_LOW_BITS = DECAY_ONE - 1
_WORD = 8

LANES = 16
"""Neurons of a layer are padded to a multiple of this, so that vector loops leave no slow rest."""


class Messages(NamedTuple):
    """Event lists of a batch: ``starts`` int64 (batch, time + 1), ``sources`` int32 (events,).

    ``values`` int32 (events,) where messages are graded, else int32 (0,): all are 1.
    """

    starts: npt.NDArray[np.int64]
    sources: npt.NDArray[np.int32]
    values: npt.NDArray[np.int32]


class Wiring(NamedTuple):
    """Synapses as the kernel reads them; ``weight`` is (0, n) where there are none.

    ``weight`` int16 (n_in, n); ``exponent`` the shift of the sums; ``delay`` uint8 (n_in, n) or
    (0, 0); ``fan_out`` int64 (n_in,), non-zero weights of each source; ``slots`` the largest delay
    + 1.
    """

    weight: npt.NDArray[np.int16]
    exponent: int
    delay: npt.NDArray[np.uint8]
    fan_out: npt.NDArray[np.int64]
    slots: int


class Record(NamedTuple):
    """What a run leaves behind, filled by the kernel.

    ``spikes`` uint8 (batch, time, n), or (0, 0, 0) where they are not kept; ``states`` int32 (kept,
    batch, time, n), the states of index ``kept`` int64; ``spike_counts`` int64 (batch, n);
    ``totals`` int64 (batch, 4): events from below, recurrent events, and the synaptic operations of
    each; ``failed`` int64 (batch, 2): the step and 1 + the index of a state that left 32 bits.
    """

    spikes: npt.NDArray[np.uint8]
    states: npt.NDArray[np.int32]
    kept: npt.NDArray[np.int64]
    spike_counts: npt.NDArray[np.int64]
    totals: npt.NDArray[np.int64]
    failed: npt.NDArray[np.int64]


@njit(inline="always")
def _decayed(state, keep):
    # An arithmetic shift rounds down; adding 4095 to a negative product first makes it truncate.
    product = np.int64(state) * np.int64(keep)
    return (product + ((product >> 63) & _LOW_BITS)) >> DECAY_BITS


@njit(inline="always")
def _saturated(x):
    return min(max(x, -STATE_MAX), STATE_MAX)


@njit(inline="always")
def _wrapped(x):
    return x - (_FULL if x > _HALF else 0) + (_FULL if x <= -_HALF else 0)


@njit(forceinline=True)
def _update_cuba_lif(p, states, drive, fired):
    outside = False
    for i in range(drive.shape[0]):
        u = _wrapped(_decayed(states[0, i], p[0, i]) + drive[i])
        outside |= (u > _INT32_MAX) | (u < -_INT32_MAX)
        v = _saturated(_decayed(states[1, i], p[1, i]) + u + p[3, i])
        spike = v > p[2, i]
        states[0, i] = u
        states[1, i] = 0 if spike else v
        fired[i] = spike
    return 1 if outside else 0


@njit(forceinline=True)
def _update_adaptive_lif(p, states, drive, fired):
    for i in range(drive.shape[0]):
        spiked = np.int64(fired[i])
        d = _saturated(_decayed(states[0, i], p[1, i]) + p[3, i] * spiked)
        threshold = p[2, i] + (d >> np.int64(p[4, i]))
        v = _saturated(_decayed(states[1, i], p[0, i]) + drive[i] + p[5, i] - threshold * spiked)
        states[0, i] = d
        states[1, i] = v
        fired[i] = v > threshold
    return 0


@njit(forceinline=True)
def _update_leaky_integrator(p, states, drive):
    for i in range(drive.shape[0]):
        states[0, i] = _saturated(_decayed(states[0, i], p[0, i]) + drive[i] + p[1, i])
    return 0


@njit(forceinline=True)
def _update_threshold_refractory_lif(p, states, drive, fired):
    i_outside = th_outside = r_outside = False
    for n in range(drive.shape[0]):
        i = _wrapped(_decayed(states[0, n], p[0, n]) + drive[n])
        v = _saturated(_decayed(states[1, n], p[1, n]) + i + p[6, n])
        th = _decayed(np.int64(states[2, n]) - p[4, n], p[2, n]) + p[4, n]
        r = _decayed(states[3, n], p[3, n])
        spike = v - r >= th
        r += 2 * th if spike else 0
        th += p[5, n] if spike else 0
        i_outside |= (i > _INT32_MAX) | (i < -_INT32_MAX)
        th_outside |= (th > _INT32_MAX) | (th < -_INT32_MAX)
        r_outside |= (r > _INT32_MAX) | (r < -_INT32_MAX)
        states[0, n] = i
        states[1, n] = v
        states[2, n] = th
        states[3, n] = r
        fired[n] = spike
    return 1 if i_outside else (3 if th_outside else (4 if r_outside else 0))


@njit(forceinline=True)
def _update(program, p, states, drive, fired):
    if program == CUBA_LIF:
        return _update_cuba_lif(p, states, drive, fired)
    if program == ADAPTIVE_LIF:
        return _update_adaptive_lif(p, states, drive, fired)
    if program == LEAKY_INTEGRATOR:
        return _update_leaky_integrator(p, states, drive)
    return _update_threshold_refractory_lif(p, states, drive, fired)


@njit(forceinline=True)
def _add_rows(total, weight, sources, start, stop):
    # Eight weights of at most 256 fit 16 bits, so eight rows are added at half the width first.
    e = start
    while e + 8 <= stop:
        a, b, c, d = sources[e], sources[e + 1], sources[e + 2], sources[e + 3]
        f, g, h, k = sources[e + 4], sources[e + 5], sources[e + 6], sources[e + 7]
        for i in range(total.shape[0]):
            first = weight[a, i] + weight[b, i] + weight[c, i] + weight[d, i]
            second = weight[f, i] + weight[g, i] + weight[h, i] + weight[k, i]
            total[i] += np.int16(first + second)
        e += 8
    while e + 2 <= stop:
        a, b = sources[e], sources[e + 1]
        for i in range(total.shape[0]):
            total[i] += np.int16(weight[a, i] + weight[b, i])
        e += 2
    if e < stop:
        a = sources[e]
        for i in range(total.shape[0]):
            total[i] += weight[a, i]


@njit(forceinline=True)
def _add_graded_rows(total, weight, sources, values, start, stop):
    for e in range(start, stop):
        source, value = sources[e], values[e]
        for i in range(total.shape[0]):
            total[i] += weight[source, i] * value


@njit(forceinline=True)
def _add_delayed_rows(future, weight, delay, sources, values, start, stop, step):
    slots, graded = future.shape[0], values.shape[0] > 0
    for e in range(start, stop):
        source = sources[e]
        value = values[e] if graded else 1
        for i in range(future.shape[1]):
            future[(step + delay[source, i]) % slots, i] += weight[source, i] * value


@njit(forceinline=True)
def _deliver(weight, delay, total, future, sources, values, start, stop, step):
    """Set ``total`` to what the synapses deliver at ``step``, before the shift."""
    if delay.shape[0] > 0:
        _add_delayed_rows(future, weight, delay, sources, values, start, stop, step)
        slot = step % future.shape[0]
        for i in range(total.shape[0]):
            total[i] = future[slot, i]
            future[slot, i] = 0
        return
    total[:] = 0
    if values.shape[0] > 0:
        _add_graded_rows(total, weight, sources, values, start, stop)
    else:
        _add_rows(total, weight, sources, start, stop)


@njit(forceinline=True)
def _add_shifted(drive, total, exponent):
    left, right = max(exponent, 0) + STATE_SHIFT, max(-exponent, 0)
    for i in range(drive.shape[0]):
        drive[i] += (np.int64(total[i]) >> right) << left


@njit(forceinline=True)
def _operations(fan_out, sources, start, stop):
    count = 0
    for e in range(start, stop):
        count += fan_out[sources[e]]
    return count


@njit(forceinline=True)
def _append_events(fired, words, sources, at):
    # Most words of eight neurons are silent; inside one, every index is written and only the
    # neurons that fired move the end of the list, which costs no branch.
    for w in range(words.shape[0]):
        if words[w] != 0:
            for i in range(_WORD * w, _WORD * w + _WORD):
                sources[at] = i
                at += fired[i]
    return at


@njit
def _run_sample(
    b, program, parameters, initial, below, lateral, incoming, emitted, steps, record, wide
):
    # Every field that the loop reads is taken out of its tuple first: inside the loop numba would
    # count references at each access, which costs as much as the arithmetic of a small layer.
    n, padded = record.spike_counts.shape[1], parameters.shape[1]
    weight, delay, exponent, fan_out = below.weight, below.delay, below.exponent, below.fan_out
    lateral_weight, lateral_delay = lateral.weight, lateral.delay
    lateral_exponent, lateral_fan_out = lateral.exponent, lateral.fan_out
    starts, sources, values = incoming.starts[b], incoming.sources, incoming.values
    sent_starts, sent, no_values = emitted.starts[b], emitted.sources, emitted.values
    spikes, kept, kept_states = record.spikes, record.kept, record.states
    counts = record.spike_counts[b]
    states = initial.copy()
    total = np.zeros(padded, wide.dtype)
    drive = np.empty(padded, np.int64)
    fired = np.zeros(padded, np.uint8)
    words = fired.view(np.uint64)
    future = np.zeros((below.slots if delay.shape[0] > 0 else 0, padded), wide.dtype)
    lateral_future = np.zeros(
        (lateral.slots if lateral_delay.shape[0] > 0 else 0, padded), wide.dtype
    )
    recurrent, keeps_spikes = lateral_weight.shape[0] > 0, spikes.shape[0] > 0
    events = lateral_events = operations = lateral_operations = 0
    before = now = sent_starts[0]
    for step in range(steps):
        drive[:] = 0
        start, stop = starts[step], starts[step + 1]
        _deliver(weight, delay, total, future, sources, values, start, stop, step)
        _add_shifted(drive, total, exponent)
        events += stop - start
        operations += _operations(fan_out, sources, start, stop)
        if recurrent:
            _deliver(
                lateral_weight,
                lateral_delay,
                total,
                lateral_future,
                sent,
                no_values,
                before,
                now,
                step,
            )
            _add_shifted(drive, total, lateral_exponent)
            lateral_events += now - before
            lateral_operations += _operations(lateral_fan_out, sent, before, now)
        outside = _update(program, parameters, states, drive, fired)
        if outside != 0:
            record.failed[b, 0], record.failed[b, 1] = step, outside
            return
        fired[n:] = 0
        before, now = now, _append_events(fired, words, sent, now)
        sent_starts[step + 1] = now
        for e in range(before, now):
            counts[sent[e]] += 1
        if keeps_spikes:
            for i in range(n):
                spikes[b, step, i] = fired[i]
        for k in range(kept.shape[0]):
            for i in range(n):
                kept_states[k, b, step, i] = states[kept[k], i]
    record.totals[b, 0], record.totals[b, 1] = events, lateral_events
    record.totals[b, 2], record.totals[b, 3] = operations, lateral_operations


@njit(cache=True, nogil=True)
def run_layer(
    program, parameters, initial, below, lateral, incoming, emitted, lengths, record, wide
):
    """Run one layer on every sample; fills ``emitted`` and ``record``.

    Parameters
    ----------
    program
        Code of the neuron program.
    parameters, initial
        int32 (P, n) parameters and int32 (S, n) states before the first step, padded with zeros.
    below, lateral
        ``Wiring`` from below and between the layer's own neurons.
    incoming, emitted
        ``Messages`` that come in, and those that the layer sends. ``emitted.starts[:, 0]`` says
        where each sample's list begins; it needs room for all neurons at all steps and one more.
    lengths
        int64 (batch,): steps of each sample.
    record
        ``Record`` of zeros.
    wide
        An empty array of the type of the sums: int32 where no sum can leave it, else int64.
    """
    for b in range(lengths.shape[0]):
        _run_sample(
            b,
            program,
            parameters,
            initial,
            below,
            lateral,
            incoming,
            emitted,
            lengths[b],
            record,
            wide,
        )
