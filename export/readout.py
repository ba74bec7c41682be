"""From the integers of the last layer to answers, on the host and in float.

The only place where integers become real numbers again; every stage that reports the accuracy of an
integer network uses it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .grid import FloatArray, IntArray
from .network import Network


def real_output(network: Network, output: npt.ArrayLike) -> FloatArray:
    """Return the output in real units, float64 (batch, time, n_out).

    Membranes are multiplied by the last layer's ``state_scale``; spikes stay counts.
    """
    values = np.asarray(output, dtype=np.float64)
    if network.readout.reads_spikes:
        return values
    return values * network.layers[-1].state_scale


def scores(
    network: Network, output: npt.ArrayLike, lengths: npt.NDArray[np.int64] | None = None
) -> FloatArray:
    """Return class scores: (batch, time, class) for a per-step readout, else (batch, class).

    Parameters
    ----------
    network
        Its ``readout`` defines how; see ``Readout``.
    output
        int (batch, time, n_out) as in a ``Trace``.
    lengths
        int (batch,), steps of each sample; all steps when None.
    """
    real = class_output(network, output)
    return readout_scores(network.readout.kind, real, network.readout.skip_steps, lengths)


def class_output(network: Network, output: npt.ArrayLike) -> FloatArray:
    """Return ``real_output`` per class, float64 (batch, time, class): means of populations."""
    real, populations = real_output(network, output), network.readout.populations
    if populations:
        real = real.reshape(*real.shape[:2], populations, -1).mean(axis=3)
    return real


def softmax(output: FloatArray) -> FloatArray:
    """Return the softmax over the last axis of outputs (batch, time, class)."""
    shifted = np.exp(output - output.max(axis=2, keepdims=True))
    return shifted / shifted.sum(axis=2, keepdims=True)


def readout_scores(
    kind: str,
    output: FloatArray,
    skip_steps: int = 0,
    lengths: npt.NDArray[np.int64] | None = None,
) -> FloatArray:
    """Apply a readout (see ``Readout``) to real outputs, float64 (batch, time, class)."""
    batch, steps, _ = output.shape
    ends = np.full(batch, steps, dtype=np.int64) if lengths is None else lengths
    if kind == "membrane":
        return output
    if kind == "last_membrane":
        return output[np.arange(batch), np.maximum(ends - 1, 0)]
    step = np.arange(steps)
    counted = (step >= skip_steps) & (step < ends[:, None])
    if kind == "spike_count":
        return (output * counted[..., None]).sum(axis=1)
    total = (softmax(output) * counted[..., None]).sum(axis=1)
    return total / np.maximum(counted.sum(axis=1), 1)[:, None]


def predictions(
    network: Network, output: npt.ArrayLike, lengths: npt.NDArray[np.int64] | None = None
) -> IntArray:
    """Return class indices: (batch, time) for a per-step readout, else (batch,)."""
    return np.argmax(scores(network, output, lengths), axis=-1)
