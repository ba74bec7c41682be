"""From recorded integer states to what the engine keeps per step: v - threshold, and b or i.

Arrays: ``kept`` float32 (blocks, time, planes, samples, width); states int32 (batch, time, n);
parameters (n,). Padding, neurons beyond n and samples beyond the batch, stays below every
threshold.
"""

# Compiled functions take their arguments by position.
# ruff: noqa: PLR0917

# An intrinsic takes one argument less than its definition.
# pyright: reportCallIssue=false

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import float32, float64, int32, int64, types, uint8

from ..export.grid import DECAY_BITS, STATE_MAX, STATE_SHIFT
from ..export.kernel import Kernel, ready
from ..neurons.alif import ALIF, LIF
from ..neurons.cuba_lif import CurrentLIF
from ..neurons.li import LI
from ..neurons.real import FloatNeuron
from .engine.memory import aligned
from .engine.simd import LANES, floor, from_int32, load, load_part, splat, stream
from .engine.sources import source_digest

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int32]

_BELOW = np.float32(-1.0)
_LOW_BITS = (1 << DECAY_BITS) - 1


class Adaptive(NamedTuple):
    """Addresses and sizes of ``keep_adaptive``.

    ``kept`` as above; ``v``, ``d`` int32 (batch, time, n); ``parameters`` float32 (4, width):
    threshold, 2^-exponent, scale and trace scale; 1, 0, 1 and 0 in padding.
    """

    kept: int
    v: int
    d: int
    parameters: int
    batch: int
    steps: int
    n: int
    planes: int
    samples: int
    width: int


def _compile(digest: int):
    def keep_adaptive(places, low, high):
        """Keep ``AdaptiveLIF``: ``(v - B) scale`` and, given a second plane, ``b = d trace_scale``.

        Integers of 24 bits are exact in float32, and so is B. Returns the digest.
        """
        kept, v, d, parameters, batch, steps, n, planes, samples, width = places
        plane = samples * width
        for block in range(low, high):
            for t in range(steps):
                for r in range(samples):
                    b = block * samples + r
                    at = (block * steps + t) * planes * plane + r * width
                    source = (b * steps + t) * n
                    for c in range(0, width, LANES):
                        count = min(n - c, LANES) if b < batch else 0
                        if count == LANES:
                            x, y = load(v, source + c), load(d, source + c)
                        elif count > 0:
                            x, y = load_part(v, source + c, count), load_part(d, source + c, count)
                        else:
                            x, y = splat(0.0), splat(0.0)
                        y = from_int32(y)
                        limit = load(parameters, c) + floor(y * load(parameters, width + c))
                        x = (from_int32(x) - limit) * load(parameters, 2 * width + c)
                        if count <= 0:
                            x = splat(-1.0)
                        stream(kept, at + c, x)
                        if planes > 1:
                            stream(kept, at + plane + c, y * load(parameters, 3 * width + c))
        return digest

    return keep_adaptive


_NAME = "training on the grid"
_ADAPTIVE = types.NamedUniTuple(int64, len(Adaptive._fields), Adaptive)
_KEPT, _STATES = float32[:, :, :, :, ::1], int32[:, :, ::1]
# The records of a network are read-only; other arrays may be given in their place.
_INTEGERS, _REALS = (types.Array(kind, 1, "C", readonly=True) for kind in (int64, float64))
_keep_adaptive = Kernel(_compile(source_digest()), _NAME, (_ADAPTIVE, int64, int64))


def keep_adaptive(
    kept: Floats,
    low: int,
    high: int,
    v: Integers,
    d: Integers,
    *,
    threshold: npt.NDArray[np.integer[Any]],
    exponent: npt.NDArray[np.integer[Any]],
    scale: npt.NDArray[np.floating[Any]],
    trace_scale: npt.NDArray[np.floating[Any]],
    rho: Floats,
    initial_adaptation: float,
) -> None:
    """Keep ``AdaptiveLIF``: ``(v - B) scale`` and, given a second plane, ``b = d trace_scale``.

    Where a neuron does not adapt, ``trace_scale`` and d are 0, and b follows from the spikes, for
    the gradient of the adaptation.
    """
    batch, steps, n = v.shape
    planes, samples, width = kept.shape[2:]
    parameters = aligned((4, width))
    parameters[0], parameters[2] = 1, 1
    rows = (threshold, 2.0 ** -exponent.astype(np.float64), scale, trace_scale)
    for row, values in zip(parameters, rows, strict=True):
        row[:n] = values
    arrays = [np.ascontiguousarray(x, np.int32) for x in (v, d)]
    where = (kept.ctypes.data, *(x.ctypes.data for x in arrays), parameters.ctypes.data)
    _keep_adaptive.call(Adaptive(*where, batch, steps, n, planes, samples, width), low, high)
    if planes > 1 and not trace_scale.min() > 0:
        weak = np.flatnonzero(trace_scale <= 0)
        ready(_follow_spikes)
        _follow_spikes.call(kept, low, high, weak, rho, np.float32(initial_adaptation))


def _follow(kept, low, high, neurons, rho, initial_adaptation):
    """Set b of the neurons that do not adapt from their spikes of the step before."""
    for block in range(low, high):
        for t in range(kept.shape[1]):
            for r in range(kept.shape[3]):
                for i in neurons:
                    fired, before = np.float32(0.0), initial_adaptation
                    if t > 0:
                        fired = np.float32(kept[block, t - 1, 0, r, i] > 0)
                        before = kept[block, t - 1, 1, r, i]
                    kept[block, t, 1, r, i] = fired + rho[i] * (before - fired)


_follow_spikes = Kernel(_follow, _NAME, (_KEPT, int64, int64, int64[::1], float32[::1], float32))


def _count(spikes, counts):
    """Add the spikes uint8 (batch, time, n) over time to ``counts`` float32 (batch, n)."""
    batch, steps, n = spikes.shape
    for b in range(batch):
        for t in range(steps):
            for i in range(n):
                counts[b, i] += np.float32(spikes[b, t, i])


count_spikes = Kernel(_count, _NAME, (uint8[:, :, ::1], float32[:, ::1]))


def _scale(values, scale, out):
    """Write int32 (batch, time, n) times float64 (n,) to float32."""
    batch, steps, n = values.shape
    for b in range(batch):
        for t in range(steps):
            for i in range(n):
                out[b, t, i] = np.float32(values[b, t, i] * scale[i])


scaled = Kernel(_scale, _NAME, (_STATES, _REALS, float32[:, :, ::1]))


def _keep_cuba(kept, low, high, v, u, keep, bias, threshold, scale):
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


keep_cuba = Kernel(
    _keep_cuba,
    _NAME,
    (_KEPT, int64, int64, _STATES, _STATES, *[_INTEGERS] * 3, _REALS),
)


def _keep_scaled(kept, low, high, v, scale):
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


keep_scaled = Kernel(_keep_scaled, _NAME, (_KEPT, int64, int64, _STATES, _REALS))


KEEPING: dict[type[FloatNeuron], Kernel] = {
    ALIF: _keep_adaptive, LIF: _keep_adaptive, CurrentLIF: keep_cuba, LI: keep_scaled,
}  # fmt: skip
"""What keeps the run of a neuron, compiled; all others take ``replayed.py``, also those of a user
that become the same integers."""


def prepare(neurons: Iterable[type[FloatNeuron]]) -> None:
    """Make ready what the layers of a run need: to be called before any of these kernels."""
    ready(*(KEEPING[kind] for kind in neurons if kind in KEEPING), count_spikes, scaled)
