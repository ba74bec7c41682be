"""The sections on what goes on inside: rasters, membranes, time constants, activity."""

from __future__ import annotations

import numpy as np

from ...export.config import Init, LayerConfig
from ...export.errors import InputError
from ...export.network import Layer, Network
from ...export.plain import build
from ..activity import LayerActivity
from ..figures.activity import (
    layer_operations,
    layer_operations_series,
    rate_histogram,
    rate_histogram_series,
)
from ..figures.raster import input_raster, input_raster_series, raster, raster_series
from ..figures.states import states, states_series
from ..figures.time_constants import time_constant, time_constants, time_constants_series
from .document import Column, Item, Section, Table, Text
from .drawing import drawing
from .evidence import Evidence, Shown

TIME_CONSTANTS = {
    "v_decay": ("tau_mem", "membrane time constant"),
    "b_decay": ("tau_adp", "adaptation time constant"),
    "i_decay": ("tau_syn", "synaptic time constant"),
    "th_decay": ("tau_threshold", "threshold time constant"),
    "r_decay": ("tau_refractory", "refractory time constant"),
}
"""Decay codes of the neuron records, the recipe's name of the time constant, and in words."""

SATURATED = 0.9
"""A neuron that spikes at so large a share of steps carries no information."""

LISTED = 12


def samples_section(evidence: Evidence) -> Section:
    """Return rasters and state traces of the shown samples."""
    items: list[Item] = []
    for number, shown in enumerate(evidence.shown):
        items += _sample(evidence, number, shown)
    return Section("samples", "Samples in detail", tuple(items))


def _sample(evidence: Evidence, number: int, shown: Shown) -> list[Item]:
    items: list[Item] = []
    length = int(shown.trace.lengths[0])
    if not evidence.network.readout.per_step:
        items.append(
            drawing(
                f"inputs-{number}",
                f"Sample {shown.index} ({shown.why}): inputs",
                "Input events over time, a row for each channel.",
                input_raster,
                input_raster_series,
                shown.inputs[:length],
                wide=True,
            )
        )
    for index, layer in enumerate(evidence.network.layers):
        spikes = shown.trace.layers[index].spikes
        if spikes is None:
            continue
        items.append(
            drawing(
                f"raster-{number}-layer-{index}",
                f"Sample {shown.index} ({shown.why}): spikes of layer {layer.name}",
                f"Spikes of {layer.size} neurons over {length} steps.",
                raster,
                raster_series,
                shown.trace,
                index,
                caption=f"{int(spikes.sum()):,} spikes of {layer.size} neurons in {length:,} steps: "
                f"firing rate {spikes[0, :length].mean():.4f}.",
                wide=True,
            )
        )
    if number == 0:
        items += [_states(evidence, shown, index) for index in _with_states(shown)]
    return items


def _with_states(shown: Shown) -> list[int]:
    return [index for index, layer in enumerate(shown.trace.layers) if "v" in layer.states]


def _states(evidence: Evidence, shown: Shown, index: int) -> Item:
    layer = evidence.network.layers[index]
    spiking = layer.neuron.SPIKING
    return drawing(
        f"states-layer-{index}",
        f"Sample {shown.index}: membrane{' and threshold' if spiking else ''} of layer {layer.name}",
        "Membrane of three neurons over time"
        + (", the threshold that rises with every spike, and the spikes." if spiking else "."),
        states,
        states_series,
        evidence.network,
        shown.trace,
        index,
        caption="The busiest, the median and the rarest of the neurons that spike; real units."
        if spiking
        else "The first neurons; real units.",
        wide=True,
    )


def time_constants_section(evidence: Evidence) -> Section:
    """Return the histograms of learned time constants against the recipe's initial ones."""
    items: list[Item] = []
    rows, known = [], False
    for index, layer in enumerate(evidence.network.layers):
        for field, (name, words) in TIME_CONSTANTS.items():
            codes = getattr(layer.neuron, field, None)
            if codes is None:
                continue
            learned, initial = time_constant(codes), initial_time_constants(evidence.network, index, name)
            known |= initial is not None
            q = [float(v) if np.isfinite(v) else None for v in np.quantile(learned, (0, 0.5, 1), method="nearest")]
            rows.append((layer.name, name, layer.size, *q, _words(initial)))
            if layer.size == 1 or len(np.unique(learned)) == 1:
                continue
            items.append(
                drawing(
                    f"time-constants-layer-{index}-{name.replace('_', '-')}",
                    f"Layer {layer.name}: {words}",
                    f"Histogram of {layer.size} learned time constants in steps, logarithmic.",
                    time_constants,
                    time_constants_series,
                    learned,
                    initial,
                    words,
                    own=(learned, initial),
                )
            )
    text = (
        "Learned values are those of the network's 12-bit decays, -1 / ln(1 - code / 4096). Initial "
        "ones are the distribution that the recipe in the file draws them from; a run that started "
        "from another model began with that model's."
        if known
        else "The file stores no recipe, so that only learned values are shown: those of the "
        "network's 12-bit decays, -1 / ln(1 - code / 4096)."
    )
    table = Table(
        "time-constants-table",
        "Time constants",
        (
            Column("layer", "layer"),
            Column("parameter", "parameter"),
            Column("neurons", "neurons", "integer"),
            Column("least", "least", "number", "steps"),
            Column("median", "median", "number", "steps"),
            Column("largest", "largest", "number", "steps"),
            Column("initial", "initial"),
        ),
        tuple(rows),
    )
    return Section("time-constants", "Time constants", (Text("time-constants-origin", text), *items, table))


def _words(initial: Init | None) -> str | None:
    if initial is None:
        return None
    if initial.kind == "constant":
        return f"{initial.mean:g}"
    if initial.kind == "normal":
        return f"normal, {initial.mean:g} ± {initial.std:g}"
    return f"{initial.kind.replace('_', '-')}, {initial.low:g} to {initial.high:g}"


def initial_time_constants(network: Network, index: int, name: str) -> Init | None:
    """Return the distribution that the stored recipe draws a layer's time constants from, or None."""
    recipe = network.provenance.get("recipe")
    try:
        layers = recipe["model"]["layers"]  # type: ignore[index]
        if len(layers) != len(network.layers):
            return None
        return getattr(build(LayerConfig, layers[index], "recipe"), name)
    except (InputError, KeyError, TypeError, AttributeError):
        # Provenance is whatever a file says; what is no recipe tells nothing.
        return None


def activity_section(evidence: Evidence) -> Section:
    """Return counts by layer in NeuroBench's terms, and how rates spread over neurons."""
    activity = evidence.activity
    items: list[Item] = [
        drawing(
            "operations",
            "Synaptic operations by layer",
            "Bars of effective and of dense synaptic operations a step, for each layer.",
            layer_operations,
            layer_operations_series,
            activity,
            caption="ACs: accumulates, a binary spike on a non-zero weight. MACs: the same for graded "
            "inputs. Dense: every weight at every step. Counted as NeuroBench does.",
        )
    ]
    for index, layer in enumerate(activity.layers):
        if layer.spiking and activity.steps:
            items.append(
                drawing(
                    f"rates-layer-{index}",
                    f"Firing rates of layer {layer.name}",
                    f"Histogram of the firing rates of {layer.size} neurons.",
                    rate_histogram,
                    rate_histogram_series,
                    activity,
                    index,
                    caption=_extremes(layer, activity.steps),
                )
            )
    items += [layers_table(evidence), counts_table(evidence)]
    return Section("activity", "Activity", tuple(items))


def silent_neurons(layer: LayerActivity) -> list[int]:
    """Return the neurons that never spiked."""
    return np.flatnonzero(layer.spikes == 0).tolist() if layer.spiking else []


def saturated_neurons(layer: LayerActivity, steps: int) -> list[int]:
    """Return the neurons that spiked at 90 % of the steps or more."""
    if not layer.spiking or steps == 0:
        return []
    return np.flatnonzero(layer.spikes >= SATURATED * steps).tolist()


def _extremes(layer: LayerActivity, steps: int) -> str:
    parts = []
    for word, found in (
        ("never spiked", silent_neurons(layer)),
        (f"spiked at {SATURATED:.0%} of the steps or more", saturated_neurons(layer, steps)),
    ):
        if found:
            more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
            parts.append(f"{len(found)} {word}: {', '.join(map(str, found[:LISTED]))}{more}.")
        else:
            parts.append(f"None {word}.")
    return " ".join(parts)


def layers_table(evidence: Evidence) -> Table:
    """Return the counts of each layer, of one step."""
    steps = max(evidence.activity.steps, 1)
    rows = []
    for layer, record in zip(evidence.activity.layers, evidence.network.layers, strict=True):
        rows.append(
            (
                layer.name,
                layer.neuron,
                layer.size,
                synapses(record),
                layer.firing_rate,
                layer.activation_sparsity,
                len(silent_neurons(layer)) if layer.spiking else None,
                len(saturated_neurons(layer, steps)) if layer.spiking else None,
                layer.effective_acs / steps,
                layer.effective_macs / steps,
                layer.dense_operations / steps,
                layer.neuron_updates / steps,
            )
        )
    return Table(
        "layers",
        "By layer",
        (
            Column("layer", "layer"),
            Column("neuron", "neuron"),
            Column("neurons", "neurons", "integer"),
            Column("synapses", "synapses", "integer"),
            Column("firing-rate", "firing rate", "number", "spikes/step"),
            Column("activation-sparsity", "Activation Sparsity", "percent"),
            Column("silent", "silent", "integer"),
            Column("saturated", "saturated", "integer"),
            Column("effective-acs", "Effective ACs", "number", "1/step"),
            Column("effective-macs", "Effective MACs", "number", "1/step"),
            Column("dense", "Dense", "number", "1/step"),
            Column("updates", "Membrane Updates", "number", "1/step"),
        ),
        tuple(rows),
    )


def synapses(layer: Layer) -> int:
    """Return the number of a layer's synapses, recurrent ones included."""
    return layer.synapses.count + (0 if layer.recurrent is None else layer.recurrent.count)


def counts_table(evidence: Evidence) -> Table:
    """Return the counts of the network, of one sample and of one step."""
    sample, step = evidence.activity.per_sample(), evidence.activity.per_step()
    return Table(
        "counts",
        "Of the whole network",
        (
            Column("count", "count"),
            Column("per-sample", "per sample", "number"),
            Column("per-step", "per step", "number"),
        ),
        tuple((name, sample[name], step[name]) for name in sample),
        f"Over {evidence.activity.samples:,} samples and {evidence.activity.steps:,} steps.",
    )
