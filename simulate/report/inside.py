"""The sections on the inside of a network: rasters, membranes, time constants, activity."""

from __future__ import annotations

import numpy as np

from ...export.config import Init, LayerConfig
from ...export.errors import InputError
from ...export.network import Network
from ...export.plain import build
from ..activity import LayerActivity
from ..figures.activity import (
    layer_operations,
    layer_operations_series,
    rate_histogram,
    rate_histogram_series,
)
from ..figures.rasters import input_raster, input_raster_series, raster, raster_series
from ..figures.state_traces import states, states_series
from ..figures.time_constant_bars import time_constant, time_constants, time_constants_series
from ..measures import measure_network
from .document import Column, Fact, Facts, Item, Section, Table, Text
from .drawing import drawing
from .evidence import Evidence, Shown
from .values import shown as written

TIME_CONSTANTS = {
    "v_decay": ("tau_mem", "membrane time constant"),
    "b_decay": ("tau_adp", "adaptation time constant"),
    "i_decay": ("tau_syn", "synaptic time constant"),
    "th_decay": ("tau_threshold", "threshold time constant"),
    "r_decay": ("tau_refractory", "refractory time constant"),
}
"""Decay codes of the neuron records, the recipe's name of the time constant, and in words."""

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
                caption=f"{int(spikes.sum()):,} spikes of {layer.size} neurons in {length} steps, "
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
        f"Sample {shown.index}: membrane potential{' and threshold' if spiking else ''}, "
        f"layer {layer.name}",
        "Membrane potential of three neurons over time"
        + (", the threshold that rises with every spike, and the spikes." if spiking else "."),
        states,
        states_series,
        evidence.network,
        shown.trace,
        index,
        caption="The busiest, the median and the rarest of the neurons that spike; real units, "
        "the first 400 steps at most."
        if spiking
        else "The first neurons; real units, the first 400 steps at most.",
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
            learned, initial = (
                time_constant(codes),
                initial_time_constants(evidence.network, index, name),
            )
            known |= initial is not None
            q = [
                float(v) if np.isfinite(v) else None
                for v in np.quantile(learned, (0, 0.5, 1), method="nearest")
            ]
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
        "Learned values are those of the network's 12-bit decays, -1 / ln(1 - code / 4096). "
        "Initial values follow the distribution in the file's recipe; a run that "
        "started from another model began with the values of that model."
        if known
        else "The file stores no recipe, so only learned values are shown: those of the "
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
    return Section(
        "time-constants", "Time constants", (Text("time-constants-origin", text), *items, table)
    )


def _words(initial: Init | None) -> str | None:
    if initial is None:
        return None
    if initial.kind == "constant":
        return f"{initial.mean:g}"
    if initial.kind == "normal":
        return f"normal, {initial.mean:g} ± {initial.std:g}"
    return f"{initial.kind.replace('_', '-')}, {initial.low:g} to {initial.high:g}"


def initial_time_constants(network: Network, index: int, name: str) -> Init | None:
    """Return the stored recipe's distribution of a layer's time constants, or None."""
    recipe = network.provenance.get("recipe")
    try:
        layers = recipe["model"]["layers"]  # type: ignore[index]
        if len(layers) != len(network.layers):
            return None
        return getattr(build(LayerConfig, layers[index], "recipe"), name)
    except (InputError, KeyError, TypeError, AttributeError):
        # Provenance is whatever a file says; what is not a recipe is ignored.
        return None


def activity_section(evidence: Evidence) -> Section:
    """Return counts by layer in NeuroBench's terms, and how rates spread over neurons."""
    activity = evidence.activity
    items: list[Item] = [
        Facts("activity-facts", "Activity", tuple(_facts(evidence))),
        drawing(
            "operations",
            "Synaptic operations by layer",
            "Bars of effective and dense synaptic operations per step, for each layer.",
            layer_operations,
            layer_operations_series,
            activity,
            caption="ACs: accumulates, a binary spike on a non-zero weight. MACs: the same for "
            "graded inputs. Dense: every weight at every step. Counted as NeuroBench does.",
        ),
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
                    caption=_extremes(layer),
                )
            )
    items += [layers_table(evidence), counts_table(evidence), measures_table(evidence)]
    unusual = unusual_table(evidence)
    if unusual is not None:
        items.append(unusual)
    return Section("activity", "Activity", tuple(items))


def _facts(evidence: Evidence) -> list[Fact]:
    activity, measures = evidence.activity, measure_network(evidence.network)
    facts = []
    if activity.activation_sparsity is not None:
        note = f"a neuron spikes at {1 - activity.activation_sparsity:.2%} of the steps"
        facts.append(Fact("Activation Sparsity", activity.activation_sparsity, "", "percent", note))
    note = f"{measures.zero_weights:,} of {measures.weights:,} weights are 0"
    facts.append(Fact("Connection Sparsity", measures.connection_sparsity, "", "percent", note))
    if measures.execution_rate is not None:
        note = "the network's own step rate, 1 / dt"
        facts.append(Fact("Model Execution Rate", measures.execution_rate, "Hz", "si", note))
    if evidence.seconds > 0:
        rate = activity.steps / evidence.seconds
        note = "measured: this simulator on this machine, not a chip"
        facts.append(Fact("Simulation speed", rate, "steps/s", "si", note))
    return facts


def _extremes(layer: LayerActivity) -> str:
    parts = []
    for words, found in (
        ("never spiked", layer.silent_neurons),
        ("spiked at every step", layer.saturated_neurons),
    ):
        if found:
            more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
            parts.append(f"{len(found)} {words}: {', '.join(map(str, found[:LISTED]))}{more}.")
        else:
            parts.append(f"None {words}.")
    return " ".join(parts)


def unusual_table(evidence: Evidence) -> Table | None:
    """Return all silent and saturated neurons by layer, or None where there are none."""
    rows = [
        (layer.name, words, len(found), ", ".join(map(str, found)))
        for layer in evidence.activity.layers
        for words, found in (
            ("silent", layer.silent_neurons),
            ("saturated", layer.saturated_neurons),
        )
        if found
    ]
    if not rows:
        return None
    return Table(
        "unusual-neurons",
        "Silent and saturated neurons",
        (
            Column("layer", "layer"),
            Column("kind", "kind"),
            Column("count", "neurons", "integer"),
            Column("which", "which", "code"),
        ),
        tuple(rows),
        "Silent: no spike in any sample. Saturated: a spike at every step of every sample.",
    )


def layers_table(evidence: Evidence) -> Table:
    """Return the counts per step of each layer."""
    steps = max(evidence.activity.steps, 1)
    rows = []
    for layer in evidence.activity.layers:
        rows.append(
            (
                layer.name,
                layer.neuron,
                layer.size,
                layer.weights,
                layer.firing_rate,
                layer.activation_sparsity,
                len(layer.silent_neurons) if layer.spiking else None,
                len(layer.saturated_neurons) if layer.spiking else None,
                layer.effective_acs / steps,
                layer.effective_macs / steps,
                layer.dense_operations / steps,
                layer.membrane_updates / steps,
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


def counts_table(evidence: Evidence) -> Table:
    """Return how the counts of the network spread over samples, and their mean per step."""
    activity = evidence.activity
    step = activity.per_step()
    rows = [
        (
            name.replace("_", " "),
            step[name],
            *(
                (None,) * 5
                if one is None
                else (
                    one.mean,
                    one.standard_deviation,
                    one.percentile_5,
                    one.median,
                    one.percentile_95,
                )
            ),
        )
        for name, one in activity.distributions().items()
    ]
    return Table(
        "counts",
        "The whole network",
        (
            Column("count", "count"),
            Column("per-step", "per step, mean", "number"),
            Column("per-sample", "per sample, mean", "number"),
            Column("deviation", "standard deviation", "number"),
            Column("percentile-5", "5 %", "number"),
            Column("median", "median", "number"),
            Column("percentile-95", "95 %", "number"),
        ),
        tuple(rows),
        f"Over {written(activity.samples, 'integer', 'samples')} and "
        f"{written(activity.steps, 'integer', 'steps')}. Names and counting are "
        "NeuroBench's; neuron updates are neurons times steps.",
    )


def measures_table(evidence: Evidence) -> Table:
    """Return what each layer stores: weights, bytes, and the number of weights that are 0."""
    measures = measure_network(evidence.network)
    rows = [
        (one.name, one.weights, one.connection_sparsity, one.parameters, one.footprint)
        for one in measures.layers
    ]
    total = ("all", measures.weights, measures.connection_sparsity, measures.parameters)
    return Table(
        "measures",
        "Stored parameters",
        (
            Column("layer", "layer"),
            Column("weights", "weights", "integer"),
            Column("connection-sparsity", "Connection Sparsity", "percent"),
            Column("parameters", "Parameter Count", "integer"),
            Column("footprint", "Footprint", "integer", "B"),
        ),
        (*rows, (*total, measures.footprint)),
        "Footprint in the integer format: 1 byte per weight, 2 per decay, 3 per 24-bit state.",
    )
