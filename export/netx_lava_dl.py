"""From a NetX file as lava-dl's SLAYER writes it to a network, by the rules of lava-dl's ``netx``.

What ``netx`` would silently drop or change is refused by name. Sources: ``lava.lib.dl.netx.hdf5``
and ``lava.lib.dl.slayer.block.base`` of lava-dl 0.6.0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from . import grid
from .errors import InputError
from .grid import IntArray
from .network import Convolution, CubaLIF, Layer, Network, Readout, Synapses
from .netx_lava_dl_neurons import Block, read_bias, read_neuron
from .netx_stock import NEVER_SPIKES
from .netx_values import Contents, layer_indices, whole
from .reading.files import located

INPUT_BITS = 8
"""Message bits of a network that begins with an input block: a pixel of a byte."""

INPUT_WEIGHT = 64
"""netx's default weight of an input block: 1 in SLAYER's units."""

_GEOMETRY_MAX = 1 << 24


@dataclass
class _Walk:
    """What was read so far: layers, the output shape of the last group, and its average."""

    contents: Contents
    layers: list[Layer] = field(default_factory=list)
    shape: tuple[int, ...] | None = None
    flat: bool = True
    populations: int = 0

    @property
    def width(self) -> int | None:
        return None if self.shape is None else math.prod(self.shape)

    def add(self, layer: Layer, shape: tuple[int, ...]) -> None:
        self.layers.append(layer)
        self.shape, self.flat = shape, math.prod(shape[1:]) == 1


def network_of_lava_dl(contents: Contents, num_layers: int | None = None) -> Network:
    """Build a network from the standard part of a file, its first ``num_layers`` groups or all.

    Channels of a (C, H, W) shape are taken in C order, as a flatten layer outputs them. The readout
    counts spikes, or reads the membrane if the last layer cannot spike; an average layer at the end
    turns it into populations.

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
    walk = _Walk(contents)
    graded = False
    for index in indices:
        base = f"/layer/{index}"
        kind = contents.text(f"{base}/type")
        if kind not in _READERS:
            raise InputError(
                f"{base}/type: {kind!r} layers are not read; supported are {', '.join(_READERS)}"
            )
        if walk.populations:
            raise InputError(f"{base}/type: {kind!r} after an average layer, which must come last")
        _READERS[kind](walk, base, index)
        graded |= kind == "input" and bool(walk.layers)
        contents.refuse_unasked(base)
    if not walk.layers:
        raise InputError("/layer: has no layer of neurons")
    last = walk.layers[-1].neuron
    silent = isinstance(last, CubaLIF) and bool((last.v_threshold >= NEVER_SPIKES).all())
    return Network(
        tuple(walk.layers),
        Readout("membrane" if silent else "spike_count", populations=walk.populations),
        message_bits=INPUT_BITS if graded else 0,
        provenance={"format": "NetX of lava-dl"},
    )


def _input(walk: _Walk, base: str, index: int) -> None:
    contents = walk.contents
    if index:
        raise InputError(f"{base}/type: an input layer must come first")
    if f"{base}/neuron" in contents.groups:
        _input_block(walk, base)
        return
    _only_shape(contents, base, "input layers without a neuron")
    walk.shape = _shape(contents, base)


def _input_block(walk: _Walk, base: str) -> None:
    """Read an affine input with neurons: each channel drives one of them, by one weight.

    netx lets the host write ``weight x + bias`` to the neuron's bias, SLAYER adds it to the
    current. With a current that lasts one step both are the same.
    """
    contents, shape = walk.contents, _shape(walk.contents, base)
    if shape is None:
        raise InputError(f"{base}/shape: missing; an input layer with neurons needs it")
    block = Block(math.prod(shape), shape[0])
    weight = _scalar(contents, f"{base}/weight", -grid.STATE_MAX, INPUT_WEIGHT)
    bias = contents.values.get(f"{base}/bias")
    if bias is not None and not isinstance(bias, str) and bias.size != 1:
        raise InputError(f"{base}/bias: shape {bias.shape}, needs a scalar")
    neuron = read_neuron(
        contents, f"{base}/neuron", block, read_bias(contents, f"{base}/bias", block)
    )
    decay = getattr(neuron, "i_decay", None)
    if not isinstance(neuron, CubaLIF) or (decay != grid.DECAY_ONE).any():
        raise InputError(
            f"{base}/neuron: input layers are read with CUBA or LOIHI neurons of iDecay "
            f"{grid.DECAY_ONE} only; with others netx and SLAYER put the input in different places"
        )
    channels, rows, columns = (*shape, 1, 1)[:3]
    kernel = np.full((channels, 1, 1, 1), weight)
    with located(base):
        synapses = Convolution(kernel, (channels, rows, columns), groups=channels)
        walk.add(Layer("input", synapses, neuron), shape)


def _flatten(walk: _Walk, base: str, _index: int) -> None:
    _only_shape(walk.contents, base, "flatten layers")
    shape, width = _shape(walk.contents, base), walk.width
    if shape is not None and width is not None and math.prod(shape) != width:
        raise InputError(
            f"{base}/shape: {math.prod(shape)} values, but the layer before has {width}"
        )
    size = math.prod(shape) if shape is not None else width
    walk.shape, walk.flat = None if size is None else (size,), True


def _average(walk: _Walk, base: str, _index: int) -> None:
    _only_shape(walk.contents, base, "average layers")
    shape = _shape(walk.contents, base)
    if shape is None:
        raise InputError(f"{base}/shape: missing; its first number is the number of populations")
    if not walk.layers:
        raise InputError(f"{base}/type: an average layer needs a layer of neurons before it")
    size = walk.layers[-1].size
    if math.prod(shape[1:]) != 1 or size % shape[0]:
        raise InputError(f"{base}/shape: {list(shape)} does not average {size} neurons in groups")
    walk.populations = shape[0]


def _only_shape(contents: Contents, base: str, what: str) -> None:
    for name in contents.names(base):
        if name not in {"type", "shape"}:
            raise InputError(f"{base}/{name}: {what} are read only with a shape and nothing else")


def _shape(contents: Contents, base: str) -> tuple[int, ...] | None:
    path = f"{base}/shape"
    if path not in contents.values:
        return None
    shape = whole(contents.numbers(path), path, 1, 1 << 24).reshape(-1)
    if shape.size > 3 or math.prod(shape.tolist()) > 1 << 24:
        raise InputError(
            f"{path}: {shape.tolist()[:8]} is not [neurons] or [channels, rows, columns]"
        )
    return tuple(shape.tolist())


def _dense(walk: _Walk, base: str, index: int) -> None:
    walk.add(*_dense_layer(walk, base, index, None))


def _dense_rec(walk: _Walk, base: str, index: int) -> None:
    contents = walk.contents
    weight = _matrix(contents, base, "weight_rec")
    n = _matrix(contents, base, "weight").shape[0]
    if weight.shape != (n, n):
        raise InputError(f"{base}/weight_rec: shape {weight.shape}, needs ({n}, {n})")
    with located(f"{base}/weight_rec"):
        recurrent = Synapses(*_on_grid(weight))  # type: ignore[arg-type]
    walk.add(*_dense_layer(walk, base, index, recurrent))


def _dense_layer(
    walk: _Walk, base: str, index: int, recurrent: Synapses | None
) -> tuple[Layer, tuple[int, ...]]:
    contents = walk.contents
    weight = _matrix(contents, base, "weight")
    n_out, n_in = weight.shape
    shape = _shape(contents, base)
    for path, found, wanted in (
        (f"{base}/weight", n_in, walk.width),
        (f"{base}/shape", n_out, None if shape is None else math.prod(shape)),
        (f"{base}/inFeatures", n_in, _count(contents, f"{base}/inFeatures")),
        (f"{base}/outFeatures", n_out, _count(contents, f"{base}/outFeatures")),
    ):
        if wanted is not None and found != wanted:
            raise InputError(
                f"{path}: weights {weight.shape} do not fit: needs {wanted}, has {found}"
            )
    if not walk.flat:
        raise InputError(f"{base}/type: a dense layer over {walk.shape} needs a flatten layer")
    block = Block(n_out, n_out)
    neuron = read_neuron(
        contents, f"{base}/neuron", block, read_bias(contents, f"{base}/bias", block)
    )
    delay = _delay(contents, f"{base}/delay", weight.shape)
    if recurrent is not None and delay.any():
        raise InputError(
            f"{base}/delay: delays in a recurrent layer are not read; SLAYER delays the "
            "output, netx the inputs"
        )
    with located(f"{base}/weight"):
        kept, exponent = _on_grid(weight)
        synapses = Synapses(kept, exponent, delay)  # type: ignore[arg-type]
    return Layer(f"layer{index}", synapses, neuron, recurrent), (n_out,)


def _conv(walk: _Walk, base: str, index: int) -> None:
    contents, below = walk.contents, walk.shape
    if below is None or len(below) != 3:
        raise InputError(
            f"{base}/type: a conv layer needs the shape [channels, rows, columns] of what it "
            f"reads; the layer before gives {'none' if below is None else list(below)}"
        )
    kernel = _kernel(contents, f"{base}/weight")
    for name, found in (
        ("inChannels", below[0]), ("outChannels", kernel.shape[0]),
    ):  # fmt: skip
        wanted = _count(contents, f"{base}/{name}")
        if wanted is not None and wanted != found:
            raise InputError(f"{base}/{name}: {wanted}, but there are {found}")
    pairs = {
        name: _pair(contents, f"{base}/{name}", low)
        for name, low in (("stride", 1), ("padding", 0), ("dilation", 1))
    }
    if f"{base}/kernelSize" in contents.values:
        size = _pair(contents, f"{base}/kernelSize", 1)
        if size != kernel.shape[2:]:
            raise InputError(f"{base}/kernelSize: {size}, but the weights are {kernel.shape}")
    contents.value(f"{base}/groups")
    groups = _count(contents, f"{base}/groups") or 1
    delay = _delay(contents, f"{base}/delay", (kernel.shape[0], 1))
    with located(f"{base}/weight"):
        kept, exponent = _on_grid(kernel)
        convolution = Convolution(
            kept, below, **pairs, groups=groups, weight_exp=exponent, delay=delay.reshape(-1)
        )  # type: ignore[arg-type]
    shape = _shape(contents, base)
    if shape is not None and shape != convolution.shape_out:
        raise InputError(
            f"{base}/shape: {list(shape)}, but the convolution gives {list(convolution.shape_out)}"
        )
    block = Block(convolution.n_out, kernel.shape[0])
    bias = read_bias(contents, f"{base}/bias", block)
    if convolution.delay is not None and bias.any():
        raise InputError(
            f"{base}/delay: delays and a bias in a conv layer are not read; SLAYER delays the "
            "output, netx nothing"
        )
    neuron = read_neuron(contents, f"{base}/neuron", block, bias)
    walk.add(Layer(f"layer{index}", convolution, neuron), convolution.shape_out)


_READERS: dict[str, Callable[[_Walk, str, int], None]] = {
    "input": _input,
    "flatten": _flatten,
    "dense": _dense,
    "dense_rec": _dense_rec,
    "conv": _conv,
    "average": _average,
}
LAYERS_READ = tuple(_READERS)


def _count(contents: Contents, path: str) -> int | None:
    if path not in contents.values:
        return None
    return _scalar(contents, path, 1, None)


def _scalar(contents: Contents, path: str, low: int, default: int | None) -> int:
    if default is not None and path not in contents.values:
        return default
    values = contents.numbers(path)
    if values.size != 1:
        raise InputError(f"{path}: shape {values.shape}, needs a scalar")
    return int(whole(values, path, low, grid.STATE_MAX).reshape(-1)[0])


def _pair(contents: Contents, path: str, low: int) -> tuple[int, int]:
    values = whole(contents.numbers(path), path, low, _GEOMETRY_MAX)
    if values.shape not in {(), (1,), (2,)}:
        raise InputError(f"{path}: shape {values.shape}, needs a scalar or (rows, columns)")
    row, column = np.broadcast_to(values.reshape(-1), (2,)).tolist()
    return row, column


def _weights(contents: Contents, path: str) -> npt.NDArray[np.generic]:
    if path in contents.groups:
        raise InputError(f"{path}: complex weights are not read, only real ones")
    return contents.numbers(path)


def _matrix(contents: Contents, base: str, name: str) -> IntArray:
    path = f"{base}/{name}"
    values, shape = _weights(contents, path), _shape(contents, base)
    rows = None if shape is None else math.prod(shape)
    if values.ndim == 1 and rows and values.size % rows == 0:
        values = values.reshape(rows, -1)
    if values.ndim != 2:
        raise InputError(f"{path}: shape {values.shape}, needs (neurons, sources)")
    return whole(values, path, grid.WEIGHT_MIN, grid.WEIGHT_MAX_ONE_SIGN)


def _kernel(contents: Contents, path: str) -> IntArray:
    values = _weights(contents, path)
    if values.ndim == 5 and values.shape[4] == 1:
        values = values[..., 0]
    if values.ndim != 4:
        raise InputError(
            f"{path}: shape {values.shape}, needs (channels out, channels in, rows, columns)"
        )
    return whole(values, path, grid.WEIGHT_MIN, grid.WEIGHT_MAX_ONE_SIGN)


def _on_grid(weight: IntArray) -> tuple[IntArray, int]:
    mixed = weight.min() < 0 < weight.max()
    # netx keeps odd weights of both signs exactly, up to 7 bits, by a shift; (2 W s) >> 1 does too.
    if mixed and (weight % 2).any() and np.abs(2 * weight + 1).max() < -grid.WEIGHT_MIN:
        return 2 * weight, -1
    return weight, 0


def _delay(contents: Contents, path: str, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Return steps as netx broadcasts them: scalar, per neuron, per source or per synapse."""
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
