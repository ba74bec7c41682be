"""From a float model to a network of integers (docs/FIXED_POINT.md, last section).

No simulator is imported here: the command passes a ``run`` function for calibration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..neurons.expression import Expression, evaluate
from ..neurons.neuron import Neuron, program
from ..neurons.real import coefficients_of, meaning_of
from . import grid
from .checkpoint import FloatModel
from .config import ModelConfig
from .errors import InputError, index_list
from .freeze import SCALES, Frozen, Quantization, freeze
from .grid import FloatArray
from .network import Layer, Network, Synapses, dense
from .plain import build
from .trace import LayerTrace, Trace

__all__ = [
    "SCALES",
    "LayerReport",
    "Quantization",
    "calibrate",
    "dead_neurons",
    "lost_weights",
    "quantize",
]

RESCALE_LIMIT = 16
"""How often the unit of a layer may be doubled by calibration."""
Run = Callable[[Network, npt.NDArray[Any], npt.NDArray[Any] | None], Trace]


@dataclass(frozen=True)
class LayerReport:
    """The effect of quantization on a layer.

    ``weight_range``: smallest and largest integer weight. ``weight_error``: largest rounding error
    of an input weight in units of its neuron's largest input weight, ``recurrent_error`` the same
    of recurrent weights, None without any; ``decay_error``: of a decay factor. ``lost``: by matrix
    (``weight``, ``weight_rec``), the neurons whose weights all became zero.
    ``headroom``: largest |state| / 2^23 by state, on the calibration samples. ``doublings``: the
    largest number of times that a neuron's unit was doubled to keep a state in range, and
    ``doubled_neurons`` the number of such neurons. ``size_bytes``: weights at their bit width,
    parameters at theirs.
    """

    name: str
    neuron: str
    inputs: int
    size: int
    recurrent: bool
    parameters: int
    weight_range: tuple[int, int]
    weight_error: float
    recurrent_error: float | None
    lost: dict[str, tuple[int, ...]]
    decay_error: float
    headroom: dict[str, float]
    doublings: int
    doubled_neurons: int
    size_bytes: int


def quantize(
    model: FloatModel,
    options: Quantization | None,
    run: Run,
    inputs: npt.NDArray[Any],
    lengths: npt.NDArray[Any] | None = None,
) -> tuple[Network, list[LayerReport]]:
    """Quantize a model and report on every layer.

    A model that was trained on the grid keeps the integers of its training; any other is calibrated
    on samples.

    Parameters
    ----------
    model
        The float model.
    options
        The scheme; None: the one that the model was trained with, or the default.
    run
        ``run(network, inputs, lengths) -> Trace`` with all states recorded.
    inputs, lengths
        Calibration samples, integers (batch, time, channel) and (batch,).

    Raises
    ------
    InputError
        A layer without an integer form, a weight matrix of zeros, or a state that saturates at any
        scale.
    """
    provenance = {
        "recipe": model.recipe,
        "metrics": model.metrics,
        "versions": model.versions,
    }
    trained = None if options else trained_quantization(model)
    if trained is not None:
        options, doublings = trained
        frozen = freeze(
            model.config, model.weights, model.task, options, doublings,
            {"quantization": asdict(options), "trained_on_grid": True, **provenance},
        )  # fmt: skip
        trace = run(frozen.network, inputs, lengths)
    else:
        options = options or Quantization()
        frozen, trace = calibrate(
            model.config, model.weights, model.task, options, run, inputs, lengths,
            provenance={"quantization": asdict(options), **provenance},
        )  # fmt: skip
    reports = [
        _report(frozen, index, recorded, options.weight_bits)
        for index, recorded in enumerate(trace.layers)
    ]
    return frozen.network, reports


def trained_quantization(
    model: FloatModel,
) -> tuple[Quantization, list[npt.NDArray[np.int64]]] | None:
    """Return the scheme and the doublings that a model was trained with, None for a float model.

    Raises
    ------
    InputError
        The model's table ``quantization`` is malformed.
    """
    if not model.quantization:
        return None
    table = model.quantization
    counts = table.get("doublings")
    if set(table) != {"options", "doublings"} or not isinstance(counts, (list, tuple)):
        raise InputError("quantization: needs the entries options and doublings")
    stored = table["options"]
    if isinstance(stored, Mapping):
        # Models older than this entry were trained without.
        stored = {"right_shifts": False, **stored}
    options = build(Quantization, stored, "quantization.options")
    try:
        return options, [np.array(count, np.int64).reshape(-1) for count in counts]
    except (TypeError, ValueError, OverflowError):
        raise InputError("quantization: doublings are not integers") from None


def calibrate(  # noqa: PLR0917
    config: ModelConfig,
    weights: Mapping[str, npt.NDArray[Any]],
    task: Mapping[str, Any],
    options: Quantization,
    run: Run,
    inputs: npt.NDArray[Any],
    lengths: npt.NDArray[Any] | None = None,
    doublings: Sequence[npt.ArrayLike] | None = None,
    provenance: dict[str, Any] | None = None,
) -> tuple[Frozen, Trace]:
    """Double weight units, from ``doublings`` on, until no state of a run comes near 24 bits.

    Returns the network and its run. Other parameters are those of ``freeze`` and ``quantize``.

    Raises
    ------
    InputError
        What ``freeze`` raises; a state that saturates at any scale.
    """
    out_of_range: list[npt.NDArray[np.bool_]] = []
    for _ in range(RESCALE_LIMIT + 1):
        frozen = freeze(config, weights, task, options, doublings, provenance)
        trace = run(frozen.network, inputs, lengths)
        out_of_range = [
            _too_high(frozen, index, trace, inputs, options.headroom)
            for index in range(len(frozen.layers))
        ]
        if not any(mask.any() for mask in out_of_range):
            return frozen, trace
        doublings = [
            count + (mask if options.scale == "neuron" else mask.any())
            for count, mask in zip(frozen.doublings, out_of_range, strict=True)
        ]
    guilty = next(i for i, mask in enumerate(out_of_range) if mask.any())
    neurons = index_list(np.flatnonzero(out_of_range[guilty]).tolist())
    raise InputError(
        f"layer {guilty}: neurons {neurons} still leave 24 bits after the weight unit "
        f"was doubled {RESCALE_LIMIT} times; a time constant, threshold or weight is extreme"
    )


def _too_high(
    frozen: Frozen, index: int, trace: Trace, inputs: npt.NDArray[Any], headroom: float
) -> npt.NDArray[np.bool_]:
    """Return which neurons (n,) of a layer come too close to the limit of 24 bits.

    States that its quantizer keeps in range are left out. One that wraps may have any value, and is
    judged by what it would be without.
    """
    layer, recorded = frozen.network.layers[index], trace.layers[index]
    settled = frozen.layers[index].neuron.SETTLED
    peaks = [
        np.abs(values).max(axis=(0, 1), initial=0)
        for name, values in recorded.states.items()
        if name not in settled
    ]
    wrapped = {
        name: state.args[0]
        for name, state in program(type(layer.neuron)).states.items()
        if getattr(state, "op", "") == "wrap24"
    }
    messages = inputs if index == 0 else trace.layers[index - 1].spikes
    if wrapped and messages is not None:
        peaks.append(_largest_without_wrap(layer, wrapped, messages, recorded))
    return np.max(peaks, axis=0) >= headroom * grid.STATE_MAX


def _largest_without_wrap(
    layer: Layer, wrapped: Mapping[str, Any], messages: npt.NDArray[Any], recorded: LayerTrace
) -> FloatArray:
    """Return the largest magnitude (n,) that states would reach if they did not wrap."""
    batch, steps, _ = messages.shape
    states = {name: np.zeros((batch, layer.size)) for name in wrapped}
    largest = np.zeros(layer.size)
    weight = dense(layer.synapses).weight.T * 2.0**layer.synapses.weight_exp
    back, spikes = None, recorded.spikes
    if layer.recurrent is not None:
        back = layer.recurrent.weight.T * 2.0**layer.recurrent.weight_exp
    for step in range(steps):
        a = messages[:, step].astype(np.float64) @ weight
        if back is not None and spikes is not None and step > 0:
            a = a + spikes[:, step - 1] @ back
        leaves = {"a": a.astype(np.int64)} | {k: v.astype(np.int64) for k, v in states.items()}
        others = {
            name: values[:, max(step - 1, 0)].astype(np.int64)
            for name, values in recorded.states.items()
        }
        leaf = partial(_leaf, layer.neuron, others | leaves)
        known: dict[Any, Any] = {}
        states = {name: evaluate(value, leaf, known) for name, value in wrapped.items()}
        for values in states.values():
            largest = np.maximum(largest, np.abs(values).max(axis=0, initial=0))
    return largest


def _leaf(neuron: Neuron, values: Mapping[str, Any], part: Expression) -> Any:
    return getattr(neuron, part.name) if part.op == "parameter" else values[part.name]


def _report(frozen: Frozen, index: int, trace: LayerTrace, bits: int) -> LayerReport:
    layer, made = frozen.layers[index], frozen.network.layers[index]
    doublings = frozen.doublings[index]
    headroom = {
        name: float(np.abs(values).max(initial=0)) / grid.STATE_MAX
        for name, values in trace.states.items()
    }
    matrices = {"weight": (layer.weight, dense(made.synapses))}
    if layer.recurrent_weight is not None:
        # A recurrent matrix without any weight left is not kept in the layer.
        kept = made.recurrent or Synapses(np.zeros((made.size, made.size), np.int32))
        matrices["weight_rec"] = (layer.recurrent_weight, kept)
    unit = frozen.units[index]
    errors = {name: _largest_error(*pair, unit) for name, pair in matrices.items()}
    low = min(int(synapses.weight.min()) for _, synapses in matrices.values())
    high = max(int(synapses.weight.max()) for _, synapses in matrices.values())
    real = coefficients_of(layer.neuron, layer.parameters)
    represented = meaning_of(layer.neuron, made.neuron, made.state_scale)
    decay_errors = [
        float(np.abs(represented[name] - real[name]).max()) for name in layer.neuron.DECAYS
    ]
    return LayerReport(
        name=made.name,
        neuron=made.neuron.TYPE,
        inputs=made.synapses.n_in,
        size=made.size,
        recurrent=made.recurrent is not None,
        parameters=layer.weight.size
        + (0 if layer.recurrent_weight is None else layer.recurrent_weight.size)
        + layer.bias.size
        + sum(v.size for v in layer.parameters.values()),
        weight_range=(min(low, 0), max(high, 0)),
        weight_error=errors["weight"],
        recurrent_error=errors.get("weight_rec"),
        lost={name: lost for name, pair in matrices.items() if (lost := _lost(*pair))},
        decay_error=max(decay_errors, default=0.0),
        headroom=headroom,
        doublings=int(doublings.max()),
        doubled_neurons=int((doublings > 0).sum()),
        size_bytes=layer_bytes(made, bits),
    )


def _largest_error(real: FloatArray, synapses: Synapses, unit: FloatArray) -> float:
    top = np.maximum(np.abs(real).max(axis=1), np.finfo(float).tiny)
    restored = synapses.weight * unit[:, None] * 2.0**synapses.weight_exp
    return float((np.abs(restored - real).max(axis=1) / top).max())


def _lost(real: FloatArray, synapses: Synapses) -> tuple[int, ...]:
    lost = real.any(axis=1) & ~synapses.weight.any(axis=1)
    return tuple(np.flatnonzero(lost).tolist())


def lost_weights(reports: Sequence[LayerReport]) -> list[str]:
    """Return a remark per matrix in which neurons lost all their weights to rounding."""
    words = {"weight": "input", "weight_rec": "recurrent"}
    return [
        f"layer {report.name}: all {words[name]} weights of "
        + (
            f"its {report.size} neurons"
            if len(lost) == report.size
            else f"{len(lost)} neurons ({index_list(list(lost))})"
        )
        + " became zero: they are too small for the weight unit that these neurons share with "
        "larger weights; a unit per neuron and exponents keep more, or train with --quantize"
        for report in reports
        for name, lost in report.lost.items()
    ]


def layer_bytes(layer: Layer, weight_bits: int = grid.WEIGHT_BITS_MAX) -> int:
    """Return the layer's bytes on a chip: weights by bits, 2 per decay, 3 per 24-bit state."""
    synapses = dense(layer.synapses).count
    synapses += 0 if layer.recurrent is None else layer.recurrent.count
    widths = [2 if p.high <= grid.DECAY_ONE + 1 else 3 for p in layer.neuron.PARAMETERS]
    return -(-synapses * weight_bits // 8) + layer.size * sum(widths)


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
