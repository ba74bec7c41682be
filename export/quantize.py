"""From a float model to a network of integers (docs/FIXED_POINT.md, last section).

No simulator is imported here: calibration is given a ``run`` function by the command.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from . import grid
from .checkpoint import FloatModel
from .config import LayerConfig
from .errors import InputError, index_list
from .grid import FloatArray, IntArray
from .integer_neurons import INTEGER_NEURONS, FloatLayer
from .network import CubaLIF, Layer, Network, Readout, Synapses
from .trace import LayerTrace, Trace

SCALES = ("neuron", "layer")
RESCALE_LIMIT = 16
"""How often the unit of a layer may be doubled because of what calibration shows."""
PARAMETER_LIMIT = 64
"""How often it may be doubled so that thresholds and biases fit, which costs no simulation."""

Run = Callable[[Network, npt.NDArray[Any], npt.NDArray[Any] | None], Trace]


@dataclass(frozen=True)
class Quantization:
    """How to quantize.

    ``scale``: one weight unit per ``neuron``, which costs nothing here, or one per ``layer``.
    ``exponents``: input and recurrent weights of a layer have an exponent each, so that both use
    their 8 bits; without, and always in a network of CUBA neurons, since stock lava-dl ignores
    exponents, they share one unit.
    ``headroom``: share of 2^23 that a membrane or current may reach on the calibration samples; the
    rest is kept for samples not seen.
    """

    scale: str = "neuron"
    exponents: bool = True
    headroom: float = 0.8

    def __post_init__(self) -> None:
        if not 0 < self.headroom <= 1:
            raise InputError(f"quantization: headroom {self.headroom} is outside 0..1")
        if self.scale not in SCALES:
            raise InputError(
                f"quantization: scale {self.scale!r} is not one of {', '.join(SCALES)}"
            )


@dataclass(frozen=True)
class LayerReport:
    """What quantization did to a layer.

    ``weight_range``: smallest and largest integer weight. ``weight_error``: largest rounding error
    of a weight in units of its neuron's largest weight; ``decay_error``: of a decay factor.
    ``headroom``: largest |state| / 2^23 by state, on the calibration samples. ``doublings``: how
    often, at most, the unit of a neuron was doubled to keep a state in range, and
    ``doubled_neurons`` for how many. ``size_bytes``: weights at 8 bits, parameters at their widths.
    """

    name: str
    neuron: str
    inputs: int
    size: int
    recurrent: bool
    parameters: int
    weight_range: tuple[int, int]
    weight_error: float
    decay_error: float
    headroom: dict[str, float]
    doublings: int
    doubled_neurons: int
    size_bytes: int


def quantize(
    model: FloatModel,
    options: Quantization,
    run: Run,
    inputs: npt.NDArray[Any],
    lengths: npt.NDArray[Any] | None = None,
) -> tuple[Network, list[LayerReport]]:
    """Quantize a model, calibrate it on samples, and report on every layer.

    Parameters
    ----------
    model
        The float model.
    options
        The scheme.
    run
        ``run(network, inputs, lengths) -> Trace`` with all states recorded.
    inputs, lengths
        Calibration samples, integers (batch, time, channel) and (batch,).

    Raises
    ------
    InputError
        A layer that has no integer form, a weight matrix without content, or a state that saturates
        whatever the scale.
    """
    layers = _float_layers(model)
    stock = all(layer.config.neuron in {"cuba_lif", "li"} for layer in layers)
    doublings = [np.zeros(layer.config.size, dtype=np.int64) for layer in layers]
    out_of_range: list[npt.NDArray[np.bool_]] = []
    for _ in range(RESCALE_LIMIT + 1):
        made = []
        for index, layer in enumerate(layers):
            integer, doublings[index] = _fitting_layer(layer, options, stock, doublings[index])
            made.append(integer)
        network = _network(model, options, made)
        trace = run(network, inputs, lengths)
        out_of_range = [
            _too_high(network, index, trace, inputs, options.headroom)
            for index in range(len(layers))
        ]
        if not any(mask.any() for mask in out_of_range):
            reports = [
                _report(*parts)
                for parts in zip(layers, network.layers, trace.layers, doublings, strict=True)
            ]
            return network, reports
        doublings = [
            count + (mask if options.scale == "neuron" else mask.any())
            for count, mask in zip(doublings, out_of_range, strict=True)
        ]
    guilty = next(i for i, mask in enumerate(out_of_range) if mask.any())
    neurons = index_list(np.flatnonzero(out_of_range[guilty]).tolist())
    raise InputError(
        f"layer {layers[guilty].name}: neurons {neurons} still leave 24 bits after the weight unit "
        f"was doubled {RESCALE_LIMIT} times; a time constant, threshold or weight is extreme"
    )


def _float_layers(model: FloatModel) -> list[FloatLayer]:
    dense = [layer.neuron for layer in model.config.layers if layer.dense]
    if dense:
        raise InputError(
            f"a dense baseline ({', '.join(dense)}) has no integer form; train the recipe without "
            "its baseline"
        )
    refused = [
        f"layer {index} ({layer.neuron}): {reason}"
        for index, layer in enumerate(model.config.layers)
        for reason in _obstacles(layer)
    ]
    if refused:
        raise InputError("no integer form for " + "; ".join(refused))
    layers = []
    scale = float(model.task.get("input_scale", 1.0))
    for index, config in enumerate(model.config.layers):
        prefix = f"layers.{index}."
        own = {
            name[len(prefix) :]: np.asarray(value, dtype=np.float64)
            for name, value in model.weights.items()
            if name.startswith(prefix)
        }
        layers.append(
            FloatLayer(
                name=f"{index}",
                config=config,
                weight=own.pop("weight") * (scale if index == 0 else 1.0),
                weight_rec=own.pop("weight_rec", None),
                bias=own.pop("bias"),
                parameters=own,
            )
        )
    return layers


def _obstacles(layer: LayerConfig) -> list[str]:
    found = []
    if layer.neuron not in INTEGER_NEURONS:
        found.append("graded activations do not exist on the chip; train alif instead")
    if layer.bidirectional:
        found.append("a bidirectional layer needs the sequence backwards, which no stream has")
    return found


def _network(model: FloatModel, options: Quantization, layers: list[Layer]) -> Network:
    task = model.task
    return Network(
        layers=tuple(layers),
        readout=Readout(
            model.config.readout, model.config.skip_steps, tuple(task.get("classes", ()))
        ),
        message_bits=int(task.get("message_bits", 0)),
        input_scale=float(task.get("input_scale", 1.0)),
        dt=task.get("dt"),
        task=task,
        provenance={
            "quantization": asdict(options),
            "recipe": model.recipe,
            "metrics": model.metrics,
            "versions": model.versions,
        },
    )


def weight_units(
    weight: FloatArray, weight_rec: FloatArray | None, scale: str, exponents: bool
) -> tuple[FloatArray, int, int]:
    """Return the unit k (n, 1) and the exponents of input and recurrent weights.

    With ``exponents`` the unit is that of the finer matrix; the coarser one gets a positive
    exponent, which shifts its sums left and loses nothing, so that both use the 8 bits.
    """
    shifts = [0, 0]
    peaks = [np.abs(weight).max(axis=1)]
    if weight_rec is not None:
        peaks.append(np.abs(weight_rec).max(axis=1))
        tops = [float(p.max()) for p in peaks]
        if exponents and min(tops) > 0:
            gap = int(np.floor(np.log2(max(tops) / min(tops))))
            shifts[int(np.argmax(tops))] = min(gap, grid.WEIGHT_EXP_MAX)
    per_neuron = np.max([p / 2.0**e for p, e in zip(peaks, shifts, strict=False)], axis=0)
    top = float(per_neuron.max())
    unit = per_neuron if scale == "neuron" else np.full_like(per_neuron, top)
    # A neuron without any weight has no scale of its own.
    unit = np.where(unit > 0, unit, top)
    return unit[:, None] / grid.WEIGHT_MAX, shifts[0], shifts[1]


def _fitting_layer(
    layer: FloatLayer, options: Quantization, stock: bool, doublings: IntArray
) -> tuple[Layer, IntArray]:
    """Return the layer of integers, and the doublings (n,) that it took to fit all parameters."""
    if not layer.weight.any() and (layer.weight_rec is None or not layer.weight_rec.any()):
        raise InputError(f"layer {layer.name}: all weights are zero, there is nothing to quantize")
    recurrent = layer.weight_rec
    if recurrent is not None and not recurrent.any():
        recurrent = None
    finest, exponent, exponent_rec = weight_units(
        layer.weight, recurrent, options.scale, options.exponents and not stock
    )
    for _ in range(PARAMETER_LIMIT):
        unit = finest * 2.0 ** doublings[:, None]
        values = INTEGER_NEURONS[layer.config.neuron](layer, unit[:, 0], stock)
        too_large = values.out_of_range()
        if not too_large.any():
            break
        doublings = doublings + (too_large if options.scale == "neuron" else too_large.any())
    else:
        neurons = index_list(np.flatnonzero(too_large).tolist())
        raise InputError(
            f"layer {layer.name}: threshold, adaptation or bias of neurons {neurons} are too large "
            "beside their weights for any weight unit"
        )
    # Where the unit of every neuron grew, a smaller shift gives the coarser matrix its bits back.
    spare = int(doublings.min())
    exponent, exponent_rec = max(exponent - spare, 0), max(exponent_rec - spare, 0)
    weights = _integer_weights(layer.weight, unit, exponent, stock)
    if stock and not weights.any():
        raise InputError(
            f"layer {layer.name}: the input weights vanish beside the recurrent ones in the unit "
            "that both share in a network of CUBA neurons; train with a larger weight_gain"
        )
    weights_rec = None
    if recurrent is not None:
        weights_rec = _integer_weights(recurrent, unit, exponent_rec, stock)
    made = Layer(
        name=layer.name,
        synapses=Synapses(weights.astype(np.int32), exponent),
        neuron=values.record(layer.config.size, **values.parameters),
        recurrent=None
        if weights_rec is None or not weights_rec.any()
        else Synapses(weights_rec.astype(np.int32), exponent_rec),
        state_scale=values.state_scale,
    )
    return made, doublings


def _integer_weights(weight: FloatArray, unit: FloatArray, exponent: int, stock: bool) -> IntArray:
    integers = grid.even_weights(weight, unit * 2.0**exponent)
    return avoid_lava_dl_defects(integers) if stock else integers


def avoid_lava_dl_defects(weight: IntArray) -> IntArray:
    """Weaken the strongest weights by one even step where lava-dl would mangle the matrix.

    That is a matrix (n, n_in) without positive entries whose minimum is -2^k: lava-dl shifts it to
    -256 and clips that to -255. Source: ``netx/utils.py`` of lava-dl 0.6.0,
    ``optimize_weight_bits``.
    """
    strongest = -int(weight.min())
    while weight.max() <= 0 and strongest > 0 and strongest & (strongest - 1) == 0:
        weight = np.where(weight == -strongest, 2 - strongest, weight)
        strongest = -int(weight.min())
    return weight


def _too_high(
    network: Network, index: int, trace: Trace, inputs: npt.NDArray[Any], headroom: float
) -> npt.NDArray[np.bool_]:
    """Return which neurons (n,) of a layer come too near to the edge of 24 bits.

    The adaptation d is left out: ``adaptation_exponent`` rules out that it saturates. A current
    that wraps may land anywhere, hence u is judged by what is delivered to it.
    """
    layer, recorded = network.layers[index], trace.layers[index]
    peaks = [
        np.abs(values).max(axis=(0, 1), initial=0)
        for name, values in recorded.states.items()
        if name != "d"
    ]
    if isinstance(layer.neuron, CubaLIF):
        messages = inputs if index == 0 else trace.layers[index - 1].spikes
        if messages is not None and recorded.spikes is not None:
            peaks.append(_largest_current(layer, messages, recorded.spikes))
    return np.max(peaks, axis=0) >= headroom * grid.STATE_MAX


def _largest_current(
    layer: Layer, messages: npt.NDArray[Any], spikes: npt.NDArray[Any]
) -> FloatArray:
    """Return the largest |u| (n,) that a CUBA layer would reach if its current did not wrap."""
    decay = getattr(layer.neuron, "i_decay")  # noqa: B009
    batch, steps, _ = messages.shape
    u = np.zeros((batch, layer.size))
    largest = np.zeros(layer.size)
    weight = layer.synapses.weight.T * 2.0**layer.synapses.weight_exp
    back = None
    if layer.recurrent is not None:
        back = layer.recurrent.weight.T * 2.0**layer.recurrent.weight_exp
    for step in range(steps):
        a = messages[:, step].astype(np.float64) @ weight
        if back is not None and step > 0:
            a = a + spikes[:, step - 1] @ back
        u = u * grid.decay_factor(decay) + a * grid.STATE_ONE
        largest = np.maximum(largest, np.abs(u).max(axis=0, initial=0.0))
    return largest


def _report(layer: FloatLayer, made: Layer, trace: LayerTrace, doublings: IntArray) -> LayerReport:
    headroom = {
        name: float(np.abs(values).max(initial=0)) / grid.STATE_MAX
        for name, values in trace.states.items()
    }
    pairs = [(layer.weight, made.synapses)]
    if made.recurrent is not None and layer.weight_rec is not None:
        pairs.append((layer.weight_rec, made.recurrent))
    unit = made.state_scale * grid.STATE_ONE
    if not isinstance(made.neuron, CubaLIF):
        unit = unit * grid.DECAY_ONE / getattr(made.neuron, "v_decay")  # noqa: B009
    error, low, high = 0.0, 0, 0
    top = np.max([np.abs(real).max(axis=1) for real, _ in pairs], axis=0)
    top = np.maximum(top, np.finfo(float).tiny)
    for real, synapses in pairs:
        restored = synapses.weight * unit[:, None] * 2.0**synapses.weight_exp
        error = max(error, float((np.abs(restored - real).max(axis=1) / top).max()))
        low, high = min(low, int(synapses.weight.min())), max(high, int(synapses.weight.max()))
    codes = {"tau_mem": "v_decay", "tau_adp": "b_decay", "tau_syn": "i_decay"}
    decay_error = max(
        float(
            np.abs(grid.decay_factor(getattr(made.neuron, codes[tau])) - np.exp(-1 / values)).max()
        )
        for tau, values in layer.parameters.items()
        if tau in codes
    )
    return LayerReport(
        name=made.name,
        neuron=made.neuron.TYPE,
        inputs=made.synapses.n_in,
        size=made.size,
        recurrent=made.recurrent is not None,
        parameters=layer.weight.size
        + (0 if layer.weight_rec is None else layer.weight_rec.size)
        + layer.bias.size
        + sum(v.size for v in layer.parameters.values()),
        weight_range=(low, high),
        weight_error=error,
        decay_error=decay_error,
        headroom=headroom,
        doublings=int(doublings.max()),
        doubled_neurons=int((doublings > 0).sum()),
        size_bytes=layer_bytes(made),
    )


def layer_bytes(layer: Layer) -> int:
    """Return the layer's bytes on a chip: 1 a weight, 2 a 12-bit decay, 3 a 24-bit state."""
    synapses = layer.synapses.weight.size
    synapses += 0 if layer.recurrent is None else layer.recurrent.weight.size
    widths = [2 if p.high <= grid.DECAY_ONE + 1 else 3 for p in layer.neuron.PARAMETERS]
    return synapses + layer.size * sum(widths)


def dead_neurons(trace: Trace) -> list[str]:
    """Return a remark per layer whose neurons never spiked, or always did, on the samples."""
    remarks = []
    ran = max(int(trace.lengths.sum()), 1)
    for index, layer in enumerate(trace.layers):
        if layer.spikes is None:
            continue
        rate = layer.spikes.sum(axis=(0, 1)) / ran
        for word, which in (("never", rate == 0), ("always", rate == 1)):
            indices = np.flatnonzero(which).tolist()
            if indices:
                remarks.append(f"layer {index}: neurons {index_list(indices)} {word} spiked")
    return remarks
