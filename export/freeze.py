"""From float weights to a network of integers, for given weight units (docs/FIXED_POINT.md).

The exporter finds the units by calibration (``quantize.py``) and freezes once; training on the grid
freezes at every step. Both get the same integers from the same weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..neurons.real import FloatNeuron, Integers, integers_of
from ..neurons.registry import FLOAT_NEURONS
from . import grid
from .config import DELAYS, RECURRENT_WEIGHT, LayerConfig, ModelConfig
from .errors import InputError, index_list
from .grid import FloatArray, IntArray
from .network import Layer, Network, Readout, Synapses
from .suggest import check_known

SCALES = ("neuron", "layer")
PARAMETER_LIMIT = 64
"""How often a unit may be doubled so that thresholds and biases fit, without simulation."""


@dataclass(frozen=True, eq=False)
class FloatLayer:
    """One layer's float weights, inputs already in integer units."""

    name: str
    config: LayerConfig
    weight: FloatArray
    recurrent_weight: FloatArray | None
    bias: FloatArray
    parameters: dict[str, FloatArray]
    delay: IntArray | None = None
    delay_rec: IntArray | None = None

    @property
    def neuron(self) -> type[FloatNeuron]:
        """Its neurons."""
        return FLOAT_NEURONS[self.config.neuron]

    def integers(self, unit: FloatArray, stock: bool) -> Integers:
        """Return its neurons of integers, for weight units (n,)."""
        given = SimpleNamespace(
            **self.parameters, bias=self.bias, initial_adaptation=self.config.initial_adaptation
        )
        return integers_of(self.neuron, given, unit, stock)


@dataclass(frozen=True)
class Quantization:
    """How to quantize.

    Parameters
    ----------
    scale
        One weight unit per neuron, or one per layer. One per neuron has no cost here.
    exponents
        Input and recurrent weights of a layer have an exponent each. Both use their 8 bits then;
        otherwise, and always in a network of CUBA neurons, since stock lava-dl ignores exponents,
        they share one unit.
    headroom
        Share of 2^23 that a state may reach on the calibration samples. The rest is reserved
        for unseen samples; states are membrane potentials and currents.
    weight_bits
        Bits of a weight, 3 to 8, including the sign.
    right_shifts
        Exponents may be negative. Weights keep their bits then where units were doubled and where
        one matrix is more than 2^7 times finer than the other; models that were trained on the
        grid before this entry existed do not use it.
    """

    scale: str = "neuron"
    exponents: bool = True
    headroom: float = 0.8
    weight_bits: int = grid.WEIGHT_BITS_MAX
    right_shifts: bool = True

    @property
    def lowest_exponent(self) -> int:
        """The smallest ``weight_exp`` that may be chosen."""
        return grid.WEIGHT_EXP_MIN if self.right_shifts else 0

    def __post_init__(self) -> None:
        if not 0 < self.headroom <= 1:
            raise InputError(f"quantization: headroom {self.headroom} is outside 0..1")
        if not grid.WEIGHT_BITS_MIN <= self.weight_bits <= grid.WEIGHT_BITS_MAX:
            raise InputError(
                f"quantization: weight_bits {self.weight_bits} is outside "
                f"{grid.WEIGHT_BITS_MIN}..{grid.WEIGHT_BITS_MAX}"
            )
        check_known("scale", self.scale, SCALES, "quantization")


@dataclass(frozen=True, eq=False)
class Frozen:
    """A network of integers and the float layers that it was frozen from.

    ``units`` (n,): the real value of one weight unit of a neuron; ``doublings`` (n,): how often it
    was doubled; ``layers``: the float layers.
    """

    network: Network
    layers: tuple[FloatLayer, ...]
    units: tuple[FloatArray, ...]
    doublings: tuple[IntArray, ...]


def freeze(  # noqa: PLR0917
    config: ModelConfig,
    weights: Mapping[str, npt.NDArray[Any]],
    task: Mapping[str, Any],
    options: Quantization,
    doublings: Sequence[npt.ArrayLike] | None = None,
    provenance: dict[str, Any] | None = None,
) -> Frozen:
    """Return the network of integers for float weights.

    Parameters
    ----------
    config, weights, task
        As in a ``model.pt``.
    options
        The scheme.
    doublings
        Per layer, how often the weight unit of each neuron is doubled, integers (n,); None for
        none. Parameters that do not fit may add to them.
    provenance
        The origin that the network stores.

    Raises
    ------
    InputError
        A layer without an integer form, a weight matrix of zeros, parameters that fit at no scale,
        doublings of another shape.
    """
    layers = float_layers(config, weights, task)
    stock = all(layer.neuron.STOCK for layer in layers)
    if doublings is None:
        doublings = [np.zeros(layer.config.size, np.int64) for layer in layers]
    counts = [np.asarray(count, np.int64) for count in doublings]
    sizes = [(layer.config.size,) for layer in layers]
    if [count.shape for count in counts] != sizes:
        raise InputError(
            f"quantization: doublings {[count.shape for count in counts]}, needs {sizes}"
        )
    made = [
        _freeze_layer(layer, options, stock, count)
        for layer, count in zip(layers, counts, strict=True)
    ]
    network = Network(
        layers=tuple(layer for layer, _, _ in made),
        readout=Readout(config.readout, config.skip_steps, tuple(task.get("classes", ()))),
        message_bits=int(task.get("message_bits", 0)),
        input_scale=float(task.get("input_scale", 1.0)),
        dt=task.get("dt"),
        task=dict(task),
        provenance=provenance or {},
    )
    return Frozen(
        network,
        layers,
        tuple(unit for _, unit, _ in made),
        tuple(count for _, _, count in made),
    )


def float_layers(
    config: ModelConfig, weights: Mapping[str, npt.NDArray[Any]], task: Mapping[str, Any]
) -> tuple[FloatLayer, ...]:
    """Return the layers of a float model, inputs in integer units.

    Raises
    ------
    InputError
        Layers without an integer form, all of them named.
    """
    dense = [layer.neuron for layer in config.layers if layer.dense]
    if dense:
        raise InputError(
            f"a dense baseline ({', '.join(dense)}) has no integer form; train the recipe without "
            "its baseline"
        )
    refused = [
        f"layer {index} ({layer.neuron}): {reason}"
        for index, layer in enumerate(config.layers)
        for reason in _obstacles(layer)
    ]
    if refused:
        raise InputError("no integer form for " + "; ".join(refused))
    layers = []
    scale = float(task.get("input_scale", 1.0))
    for index, layer in enumerate(config.layers):
        prefix = f"layers.{index}."
        own = {
            name[len(prefix) :]: np.asarray(value, dtype=np.float64)
            for name, value in weights.items()
            if name.startswith(prefix)
        }
        delays = {name: own.pop(name).astype(np.int64) for name in DELAYS if name in own}
        layers.append(
            FloatLayer(
                name=f"{index}",
                config=layer,
                weight=own.pop("weight") * (scale if index == 0 else 1.0),
                recurrent_weight=own.pop(RECURRENT_WEIGHT, None),
                bias=own.pop("bias"),
                parameters=own,
                **delays,
            )
        )
    return tuple(layers)


def _obstacles(layer: LayerConfig) -> list[str]:
    found = []
    if FLOAT_NEURONS[layer.neuron].RECORD is None:
        found.append(FLOAT_NEURONS[layer.neuron].WHY_NOT or "it has none")
    if layer.bidirectional:
        found.append("a bidirectional layer needs the sequence in reverse, which a stream lacks")
    return found


def weight_units(
    weight: FloatArray, recurrent_weight: FloatArray | None, options: Quantization, exponents: bool
) -> tuple[FloatArray, int, int]:
    """Return the unit k (n, 1) and the exponents of input and recurrent weights.

    With ``exponents`` the exponents differ by the ratio of the two matrices, so that both use the
    bits of a weight: the coarser one gets a positive exponent, which loses nothing, and the finer
    one what is left of the ratio beyond 2^7, a right shift.
    """
    shifts = [0, 0]
    peaks = [np.abs(weight).max(axis=1)]
    if recurrent_weight is not None:
        peaks.append(np.abs(recurrent_weight).max(axis=1))
        tops = [float(p.max()) for p in peaks]
        if exponents and min(tops) > 0:
            gap = int(np.floor(np.log2(max(tops) / min(tops))))
            coarse = int(np.argmax(tops))
            shifts[coarse] = min(gap, grid.WEIGHT_EXP_MAX)
            shifts[1 - coarse] = max(shifts[coarse] - gap, options.lowest_exponent)
    per_neuron = np.max([p / 2.0**e for p, e in zip(peaks, shifts, strict=False)], axis=0)
    top = float(per_neuron.max())
    unit = per_neuron if options.scale == "neuron" else np.full_like(per_neuron, top)
    # A neuron whose weights are all zero has no scale.
    unit = np.where(unit > 0, unit, top)
    return unit[:, None] / grid.weight_max(options.weight_bits), shifts[0], shifts[1]


def _freeze_layer(
    layer: FloatLayer, options: Quantization, stock: bool, doublings: IntArray
) -> tuple[Layer, FloatArray, IntArray]:
    """Return the layer of integers, its units, and the doublings (n,) for its parameters."""
    if not layer.weight.any() and (
        layer.recurrent_weight is None or not layer.recurrent_weight.any()
    ):
        raise InputError(f"layer {layer.name}: all weights are zero, there is nothing to quantize")
    recurrent = layer.recurrent_weight
    if recurrent is not None and not recurrent.any():
        recurrent = None
    exponents = options.exponents and not stock
    finest, exponent, exponent_rec = weight_units(layer.weight, recurrent, options, exponents)
    for _ in range(PARAMETER_LIMIT):
        unit = finest * 2.0 ** doublings[:, None]
        values = layer.integers(unit[:, 0], stock)
        too_large = values.out_of_range()
        if not too_large.any():
            break
        doublings = doublings + (too_large if options.scale == "neuron" else too_large.any())
    else:
        neurons = index_list(np.flatnonzero(too_large).tolist())
        raise InputError(
            f"layer {layer.name}: threshold, adaptation or bias of neurons {neurons} are too large "
            "relative to their weights for any weight unit"
        )
    # If the unit of every neuron grew, a smaller exponent restores bits of the weights.
    spare, lowest = int(doublings.min()), options.lowest_exponent if exponents else 0
    exponent, exponent_rec = (max(e - spare, min(e, lowest)) for e in (exponent, exponent_rec))
    weights = _integer_weights(layer.weight, unit, exponent, stock, options.weight_bits)
    if layer.weight.any() and not weights.any():
        shared = "in a network of CUBA neurons" if stock else "here"
        raise InputError(
            f"layer {layer.name}: all input weights become zero in the weight unit, which they "
            f"share with the recurrent ones {shared}; "
            + (
                "train with a larger weight_gain"
                if stock
                else "export with exponents and a unit per neuron"
            )
        )
    weights_rec = None
    if recurrent is not None:
        weights_rec = _integer_weights(recurrent, unit, exponent_rec, stock, options.weight_bits)
    made = Layer(
        name=layer.name,
        synapses=Synapses(weights.astype(np.int32), exponent, layer.delay),
        neuron=values.record(layer.config.size, **values.parameters),
        recurrent=None
        if weights_rec is None or not weights_rec.any()
        else Synapses(weights_rec.astype(np.int32), exponent_rec, layer.delay_rec),
        state_scale=values.state_scale,
    )
    return made, unit[:, 0], doublings


def _integer_weights(
    weight: FloatArray, unit: FloatArray, exponent: int, stock: bool, bits: int
) -> IntArray:
    integers = grid.even_weights(weight, unit * 2.0**exponent, bits)
    return avoid_lava_dl_defects(integers) if stock else integers


def avoid_lava_dl_defects(weight: IntArray) -> IntArray:
    """Weaken the strongest weights by one even step if lava-dl would corrupt the matrix.

    This concerns a matrix (n, n_in) without positive entries whose minimum is -2^k: lava-dl shifts
    it to -256 and clips that to -255. Source: ``netx/utils.py`` of lava-dl 0.6.0,
    ``optimize_weight_bits``.
    """
    strongest = -int(weight.min())
    while weight.max() <= 0 and strongest > 0 and strongest & (strongest - 1) == 0:
        weight = np.where(weight == -strongest, 2 - strongest, weight)
        strongest = -int(weight.min())
    return weight
