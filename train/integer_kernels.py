"""From recorded integer states to what the engine keeps of a step: v minus threshold, and b or i.

Arrays: ``kept`` float32 (blocks, time, planes, samples, width); states int32 (batch, time, n);
parameters (n,). What is padding, neurons beyond n and samples beyond the batch, stays below every
threshold.
"""

# Compiled functions take their arguments by position.
# ruff: noqa: PLR0917

from __future__ import annotations

import numpy as np
from numba import njit

from ..export.grid import DECAY_BITS, STATE_MAX, STATE_SHIFT

_BELOW = np.float32(-1.0)
_LOW_BITS = (1 << DECAY_BITS) - 1


@njit(cache=True, nogil=True)
def keep_adaptive(
    kept, low, high, v, d, threshold, exponent, scale, trace_scale, rho, initial_adaptation
):
    """Keep ``AdaptiveLIF``: ``(v - B) scale`` and, given a second plane, ``b = d trace_scale``.

    Parameters are int32 and float32. Where a neuron does not adapt, ``trace_scale`` and d are 0,
    and b follows from the spikes, for the gradient of the adaptation.
    """
    batch, steps, n = v.shape
    samples, planes, width = kept.shape[3], kept.shape[2], kept.shape[4]
    adapting = trace_scale.min() > 0
    for block in range(low, high):
        for t in range(steps):
            for r in range(samples):
                b = block * samples + r
                first = n if b < batch else 0
                for i in range(first, width):
                    kept[block, t, 0, r, i] = _BELOW
                if b < batch:
                    # Below 2^25, so that nothing leaves 32 bits and the sign survives float32.
                    for i in range(n):
                        limit = threshold[i] + (d[b, t, i] >> exponent[i])
                        kept[block, t, 0, r, i] = np.float32(v[b, t, i] - limit) * scale[i]
                if planes == 1:
                    continue
                for i in range(first, width):
                    kept[block, t, 1, r, i] = np.float32(0.0)
                if b < batch:
                    for i in range(n):
                        kept[block, t, 1, r, i] = np.float32(d[b, t, i]) * trace_scale[i]
                    if not adapting:
                        _follow_spikes(kept, block, t, r, trace_scale, rho, initial_adaptation)


@njit(nogil=True)
def _follow_spikes(kept, block, t, r, trace_scale, rho, initial_adaptation):
    """Set b of the neurons that do not adapt from their spikes of the step before."""
    for i in range(trace_scale.shape[0]):
        if trace_scale[i] > 0:
            continue
        fired, before = np.float32(0.0), np.float32(initial_adaptation)
        if t > 0:
            fired = np.float32(kept[block, t - 1, 0, r, i] > 0)
            before = kept[block, t - 1, 1, r, i]
        kept[block, t, 1, r, i] = fired + rho[i] * (before - fired)


@njit(cache=True, nogil=True)
def count_spikes(spikes, counts):
    """Add the spikes uint8 (batch, time, n) over time to ``counts`` float32 (batch, n)."""
    batch, steps, n = spikes.shape
    for b in range(batch):
        for t in range(steps):
            for i in range(n):
                counts[b, i] += np.float32(spikes[b, t, i])


@njit(cache=True, nogil=True)
def scaled(values, scale, out):
    """Write int32 (batch, time, n) times float64 (n,) to float32."""
    batch, steps, n = values.shape
    for b in range(batch):
        for t in range(steps):
            for i in range(n):
                out[b, t, i] = np.float32(values[b, t, i] * scale[i])


@njit(cache=True, nogil=True)
def keep_cuba(kept, low, high, v, u, keep, bias, threshold, scale):
    """Keep ``CubaLIF``: the membrane before its reset minus the threshold, and the current."""
    batch, steps, n = v.shape
    samples = kept.shape[3]
    for block in range(low, high):
        for t in range(steps):
            for r in range(samples):
                b = block * samples + r
                row, current = kept[block, t, 0, r], kept[block, t, 1, r]
                row[:] = _BELOW
                current[:] = np.float32(0.0)
                if b >= batch:
                    continue
                for i in range(n):
                    before = np.int64(v[b, t - 1, i]) if t > 0 else np.int64(0)
                    product = before * keep[i]
                    leaked = (product + ((product >> 63) & _LOW_BITS)) >> DECAY_BITS
                    x = min(max(leaked + u[b, t, i] + bias[i], -STATE_MAX), STATE_MAX)
                    row[i] = np.float32((x - (threshold[i] << STATE_SHIFT)) * scale[i])
                    current[i] = np.float32(u[b, t, i] * scale[i])


@njit(cache=True, nogil=True)
def keep_scaled(kept, low, high, v, scale):
    """Keep a leaky integrator: its membrane."""
    batch, steps, n = v.shape
    samples = kept.shape[3]
    for block in range(low, high):
        for t in range(steps):
            for r in range(samples):
                b = block * samples + r
                row = kept[block, t, 0, r]
                row[:] = np.float32(0.0)
                if b >= batch:
                    continue
                for i in range(n):
                    row[i] = np.float32(v[b, t, i] * scale[i])
