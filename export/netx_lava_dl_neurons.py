"""Neurons of a NetX file written by lava-dl's SLAYER, with their biases.

Sources: ``lava.lib.dl.netx.hdf5`` and ``lava.lib.dl.slayer.neuron`` of lava-dl 0.6.0.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import grid
from .errors import InputError
from .grid import IntArray
from .network import CubaLIF, Neuron, ThresholdRefractoryLIF
from .netx_stock import BIAS_MAX, BIAS_MIN, BIAS_UNIT, NEVER_SPIKES
from .netx_values import Contents, whole

_OURS = ("SRNN_", "ATRLIF")


@dataclass(frozen=True)
class Block:
    """A population of ``size`` neurons in ``channels`` channels; a parameter belongs to a channel.

    Each neuron of a dense layer is a channel.
    """

    size: int
    channels: int

    def spread(self, values: IntArray, path: str) -> IntArray:
        """Return a scalar, or one value per channel, as one per neuron (size,)."""
        if values.shape not in {(), (1,), (self.channels,)}:
            raise InputError(f"{path}: shape {values.shape}, needs a scalar or ({self.channels},)")
        by_channel = np.broadcast_to(values.reshape(-1), (self.channels,))
        return np.repeat(by_channel, self.size // self.channels)


def read_bias(contents: Contents, path: str, block: Block) -> IntArray:
    """Return the bias (size,) in state units; 0 if the file has none."""
    if path not in contents.values:
        return np.zeros(block.size, np.int64)
    mantissa = whole(contents.numbers(path), path, BIAS_MIN, BIAS_MAX)
    return block.spread(mantissa, path) * BIAS_UNIT


def _cuba(contents: Contents, base: str, block: Block, bias: IntArray) -> Neuron:
    threshold = _parameter(contents, base, "vThMant", block, grid.THRESHOLD_MANTISSA_NEVER)
    for name in ("tauRho", "scaleRho"):  # of the surrogate gradient, not of the dynamics
        if f"{base}/{name}" in contents.values:
            contents.numbers(f"{base}/{name}")
    if f"{base}/theta" in contents.values:
        theta = _parameter(contents, base, "theta", block, grid.THRESHOLD_MANTISSA_NEVER << 6)
        bad = np.flatnonzero(theta != threshold * grid.STATE_ONE)
        if bad.size:
            text = (
                f"{base}/theta: {theta[bad[0]]} is not read, only 64 vThMant, "
                f"{threshold[bad[0]] * grid.STATE_ONE}: netx ignores the key"
            )
            if (threshold[bad] < NEVER_SPIKES).any():
                raise InputError(text)
            # lava-dl's own readouts have it; neither threshold is ever reached.
            warnings.warn(f"{text}, and these neurons never spike", stacklevel=2)
    return CubaLIF(
        block.size,
        i_decay=_parameter(contents, base, "iDecay", block, grid.DECAY_ONE),
        v_decay=_parameter(contents, base, "vDecay", block, grid.DECAY_ONE),
        v_threshold=threshold,
        bias=bias,
    )


def _adaptive(contents: Contents, base: str, block: Block, bias: IntArray) -> Neuron:
    i_decay = _parameter(contents, base, "iDecay", block, grid.DECAY_ONE)
    if bias.any() and (i_decay != grid.DECAY_ONE).any():
        raise InputError(
            f"{base}/type: ALIF with a bias is read only with iDecay {grid.DECAY_ONE}; SLAYER adds "
            "the bias before the current's filter, which Lava's ATRLIF cannot"
        )
    limit = grid.STATE_MAX // grid.STATE_ONE
    return ThresholdRefractoryLIF(
        block.size,
        i_decay=i_decay,
        v_decay=_parameter(contents, base, "vDecay", block, grid.DECAY_ONE),
        th_decay=_parameter(contents, base, "thDecay", block, grid.DECAY_ONE),
        r_decay=_parameter(contents, base, "refDecay", block, grid.DECAY_ONE),
        th_init=_parameter(contents, base, "vThMant", block, limit) * grid.STATE_ONE,
        th_step=_parameter(contents, base, "vThStep", block, limit) * grid.STATE_ONE,
        bias=bias,
    )


_NEURONS: dict[str, Callable[[Contents, str, Block, IntArray], Neuron]] = {
    "CUBA": _cuba,
    "LOIHI": _cuba,
    "ALIF": _adaptive,
}


def read_neuron(contents: Contents, base: str, block: Block, bias: IntArray) -> Neuron:
    """Return the neurons of the group ``base``; those of an affine block if there is none.

    Raises
    ------
    InputError
        An unsupported neuron, with the list of supported ones; a parameter that is missing or out
        of range, or that netx would ignore.
    """
    if base not in contents.groups:
        if base in contents.values:
            raise InputError(f"{base}: is a dataset, needs a group")
        # netx's defaults for an affine block: no decay of the current, no spikes.
        return CubaLIF(
            block.size,
            i_decay=np.zeros((), np.int64),
            v_decay=np.array(grid.DECAY_ONE, np.int64),
            v_threshold=np.array(NEVER_SPIKES, np.int64),
            bias=bias,
        )
    kind = contents.text(f"{base}/type")
    if kind not in _NEURONS:
        ours = kind.startswith(_OURS)
        raise InputError(
            f"{base}/type: {kind!r} neurons are "
            + ("read with the /srnn part only, which this file lacks" if ours else "not read")
            + f"; supported are {', '.join(_NEURONS)}"
        )
    _fixed(contents, f"{base}/refDelay", 1)
    _fixed(contents, f"{base}/gradedSpike", 0)
    _fixed(contents, f"{base}/wgtExp", 0)
    _fixed(contents, f"{base}/weight_exp", 0)
    return _NEURONS[kind](contents, base, block, bias)


def _fixed(contents: Contents, path: str, value: int) -> None:
    """Refuse a value other than the one that Lava uses, if the file has one."""
    if path not in contents.values:
        return
    found = contents.numbers(path)
    if found.size != 1:
        raise InputError(f"{path}: shape {found.shape}, needs a scalar")
    if found.reshape(-1)[0] != value:
        raise InputError(
            f"{path}: {found.reshape(-1)[0]} is not read, only {value}: netx ignores the key"
        )


def _parameter(contents: Contents, base: str, key: str, block: Block, high: int) -> IntArray:
    path = f"{base}/{key}"
    return block.spread(whole(contents.numbers(path), path, 0, high), path)
