"""From a NetX file as lava-dl's SLAYER writes it to a network, by the rules of lava-dl's ``netx``.

What ``netx`` would drop or change in silence is refused by name. Sources: ``lava.lib.dl.netx.hdf5``
and ``lava.lib.dl.slayer.block.base`` of lava-dl 0.6.0.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from . import grid
from .errors import InputError
from .grid import IntArray
from .network import CubaLIF, Layer, Network, Neuron, Readout, Synapses, ThresholdRefractoryLIF
from .netx_stock import BIAS_MAX, BIAS_MIN, BIAS_UNIT, NEVER_SPIKES
from .netx_values import Contents, layer_indices, located, whole

LAYERS_READ = ("input", "flatten", "dense", "dense_rec")
_OURS = ("SRNN_", "ATRLIF")


def network_of_lava_dl(contents: Contents, num_layers: int | None = None) -> Network:
    """Build a network from the standard part of a file, its first ``num_layers`` groups or all.

    Input channels of a (C, H, W) shape are taken in C order, as a flatten layer gives them. The
    readout counts spikes, or is the membrane where the last layer cannot spike.

    Raises
    ------
    InputError
        Names the layer, the value and what is supported.
    """
    indices = layer_indices(contents, "/layer", first=0)
    if num_layers is not None:
        if not 1 <= num_layers <= len(indices):
            raise InputError(f"/layer: num_layers {num_layers} is outside 1..{len(indices)}")
        indices = indices[:num_layers]
    layers: list[Layer] = []
    width: int | None = None
    for index in indices:
        base = f"/layer/{index}"
        kind = contents.text(f"{base}/type")
        if kind in {"input", "flatten"}:
            width = _passing(contents, base, kind, index, width)
        elif kind in {"dense", "dense_rec"}:
            layers.append(_dense(contents, base, kind, index, width))
            width = layers[-1].size
        else:
            raise InputError(_unsupported(base, kind, index))
        contents.refuse_unasked(base)
    if not layers:
        raise InputError("/layer: has no dense layer")
    last = layers[-1].neuron
    silent = isinstance(last, CubaLIF) and bool((last.v_threshold >= NEVER_SPIKES).all())
    return Network(
        tuple(layers),
        Readout("membrane" if silent else "spike_count"),
        provenance={"format": "NetX of lava-dl"},
    )


def _unsupported(base: str, kind: str, index: int) -> str:
    text = f"{base}/type: {kind!r} layers are not read; supported are {', '.join(LAYERS_READ)}"
    if kind == "average" and index > 0:
        return f"{text}; read with num_layers={index} to stop before it and average on the host"
    return text


def _passing(contents: Contents, base: str, kind: str, index: int, width: int | None) -> int | None:
    if kind == "input" and index:
        raise InputError(f"{base}/type: an input layer must come first")
    for name in contents.names(base):
        if name not in {"type", "shape"}:
            raise InputError(
                f"{base}/{name}: {kind} layers are read only with a shape and nothing else; "
                "feed the spikes that this block would send"
            )
    size = _shape_size(contents, base)
    if size is not None and width is not None and size != width:
        raise InputError(f"{base}/shape: {size} values, but the layer before has {width}")
    return width if size is None else size


def _shape_size(contents: Contents, base: str) -> int | None:
    path = f"{base}/shape"
    if path not in contents.values:
        return None
    shape = whole(contents.numbers(path), path, 1, 1 << 24)
    return math.prod(int(size) for size in shape.reshape(-1))


def _dense(contents: Contents, base: str, kind: str, index: int, width: int | None) -> Layer:
    weight = _matrix(contents, base, "weight")
    n_out, n_in = weight.shape
    for path, found, wanted in (
        (f"{base}/weight", n_in, width),
        (f"{base}/shape", n_out, _shape_size(contents, base)),
        (f"{base}/inFeatures", n_in, _count(contents, f"{base}/inFeatures")),
        (f"{base}/outFeatures", n_out, _count(contents, f"{base}/outFeatures")),
    ):
        if wanted is not None and found != wanted:
            raise InputError(
                f"{path}: weights {weight.shape} do not fit, {wanted} needed in place of {found}"
            )
    bias = _bias(contents, f"{base}/bias", n_out)
    neuron = _neuron(contents, f"{base}/neuron", n_out, bias)
    delay = _delay(contents, f"{base}/delay", weight.shape)
    recurrent = None
    if kind == "dense_rec":
        if delay.any():
            raise InputError(
                f"{base}/delay: delays in a recurrent layer are not read; SLAYER delays the "
                "output, netx the inputs"
            )
        weight_rec = _matrix(contents, base, "weight_rec")
        if weight_rec.shape != (n_out, n_out):
            raise InputError(
                f"{base}/weight_rec: shape {weight_rec.shape}, needs ({n_out}, {n_out})"
            )
        with located(f"{base}/weight_rec"):
            recurrent = _on_grid(weight_rec, np.zeros((), np.int64))
    with located(f"{base}/weight"):
        synapses = _on_grid(weight, delay)
    return Layer(f"layer{index}", synapses, neuron, recurrent)


def _count(contents: Contents, path: str) -> int | None:
    if path not in contents.values:
        return None
    values = contents.numbers(path)
    if values.size != 1:
        raise InputError(f"{path}: shape {values.shape}, needs a scalar")
    return int(whole(values, path, 1, grid.STATE_MAX).reshape(-1)[0])


def _matrix(contents: Contents, base: str, name: str) -> IntArray:
    path = f"{base}/{name}"
    if path in contents.groups:
        raise InputError(f"{path}: complex weights are not read, only real ones")
    values = contents.numbers(path)
    rows = _shape_size(contents, base)
    if values.ndim == 1 and rows and values.size % rows == 0:
        values = values.reshape(rows, -1)
    if values.ndim != 2:
        raise InputError(f"{path}: shape {values.shape}, needs (neurons, sources)")
    return whole(values, path, grid.WEIGHT_MIN, grid.WEIGHT_MAX_ONE_SIGN)


def _on_grid(weight: IntArray, delay: IntArray) -> Synapses:
    mixed = weight.min() < 0 < weight.max()
    # netx keeps odd weights of both signs exactly, up to 7 bits, by a shift; so does (2 W s) >> 1.
    if mixed and (weight % 2).any() and np.abs(2 * weight + 1).max() < -grid.WEIGHT_MIN:
        return Synapses(2 * weight, -1, delay)  # type: ignore[arg-type]
    return Synapses(weight, 0, delay)  # type: ignore[arg-type]


def _bias(contents: Contents, path: str, size: int) -> IntArray:
    if path not in contents.values:
        return np.zeros(size, np.int64)
    values = contents.numbers(path)
    if values.shape not in {(), (1,), (size,)}:
        raise InputError(f"{path}: shape {values.shape}, needs a scalar or ({size},)")
    mantissa = whole(values, path, BIAS_MIN, BIAS_MAX)
    return np.broadcast_to(mantissa.reshape(-1), (size,)) * BIAS_UNIT


def _delay(contents: Contents, path: str, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Return steps as netx spreads them: scalar, per neuron, per source or per synapse."""
    if path not in contents.values:
        return np.zeros((), np.int64)
    values = contents.numbers(path)
    floored = np.floor(values) if values.dtype.kind == "f" else values
    steps = whole(floored, path, 0, grid.DELAY_MAX)
    if steps.size == 1 and steps.ndim < 2:
        return steps.reshape(())
    if steps.shape == shape[:1]:
        return steps[:, None]
    if steps.shape == shape[1:]:
        return np.broadcast_to(steps, shape)
    if steps.shape == shape:
        return steps
    raise InputError(f"{path}: shape {steps.shape}, needs ({shape[0]},), ({shape[1]},) or {shape}")


def _cuba(contents: Contents, base: str, size: int, bias: IntArray) -> Neuron:
    threshold = _parameter(contents, base, "vThMant", size, grid.THRESHOLD_MANTISSA_NEVER)
    for name in ("tauRho", "scaleRho"):  # of the surrogate gradient, no part of the dynamics
        if f"{base}/{name}" in contents.values:
            contents.numbers(f"{base}/{name}")
    _fixed(contents, f"{base}/theta", threshold * grid.STATE_ONE)
    return CubaLIF(
        size,
        i_decay=_parameter(contents, base, "iDecay", size, grid.DECAY_ONE),
        v_decay=_parameter(contents, base, "vDecay", size, grid.DECAY_ONE),
        v_threshold=threshold,
        bias=bias,
    )


def _adaptive(contents: Contents, base: str, size: int, bias: IntArray) -> Neuron:
    i_decay = _parameter(contents, base, "iDecay", size, grid.DECAY_ONE)
    if bias.any() and (i_decay != grid.DECAY_ONE).any():
        raise InputError(
            f"{base}/type: ALIF with a bias is read only with iDecay {grid.DECAY_ONE}; SLAYER adds "
            "the bias before the current's filter, which Lava's ATRLIF cannot"
        )
    limit = grid.STATE_MAX // grid.STATE_ONE
    return ThresholdRefractoryLIF(
        size,
        i_decay=i_decay,
        v_decay=_parameter(contents, base, "vDecay", size, grid.DECAY_ONE),
        th_decay=_parameter(contents, base, "thDecay", size, grid.DECAY_ONE),
        r_decay=_parameter(contents, base, "refDecay", size, grid.DECAY_ONE),
        th_init=_parameter(contents, base, "vThMant", size, limit) * grid.STATE_ONE,
        th_step=_parameter(contents, base, "vThStep", size, limit) * grid.STATE_ONE,
        bias=bias,
    )


_NEURONS: dict[str, Callable[[Contents, str, int, IntArray], Neuron]] = {
    "CUBA": _cuba,
    "LOIHI": _cuba,
    "ALIF": _adaptive,
}


def _neuron(contents: Contents, base: str, size: int, bias: IntArray) -> Neuron:
    if base not in contents.groups:
        if base in contents.values:
            raise InputError(f"{base}: is a dataset, needs a group")
        # What netx takes for an affine block: no decay of the current, no spikes.
        return CubaLIF(
            size,
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
    _fixed(contents, f"{base}/refDelay", np.int64(1))
    _fixed(contents, f"{base}/gradedSpike", np.int64(0))
    _fixed(contents, f"{base}/wgtExp", np.int64(0))
    _fixed(contents, f"{base}/weight_exp", np.int64(0))
    return _NEURONS[kind](contents, base, size, bias)


def _fixed(contents: Contents, path: str, value: npt.NDArray[np.int64] | np.int64) -> None:
    """Refuse another value than the one that Lava computes with, where the file has one."""
    if path not in contents.values:
        return
    found = contents.numbers(path)
    if found.size != 1 and found.shape != np.shape(value):
        raise InputError(f"{path}: shape {found.shape}, needs a scalar")
    bad = np.flatnonzero(np.atleast_1d(found.astype(np.float64) != value))
    if bad.size:
        shown = found.reshape(-1)[min(int(bad[0]), found.size - 1)]
        wanted = np.broadcast_to(value, np.broadcast_shapes(found.shape, np.shape(value)))
        raise InputError(
            f"{path}: {shown} is not read, only {wanted.reshape(-1)[bad[0]]}: netx ignores the key"
        )


def _parameter(contents: Contents, base: str, key: str, size: int, high: int) -> IntArray:
    path = f"{base}/{key}"
    values = contents.numbers(path)
    if values.shape not in {(), (1,), (size,)}:
        raise InputError(f"{path}: shape {values.shape}, needs a scalar or ({size},)")
    return np.broadcast_to(whole(values, path, 0, high).reshape(-1), (size,))
