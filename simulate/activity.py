"""Counts of what a run did: spikes, synaptic operations, neuron updates, in NeuroBench's terms.

A synaptic operation is counted per non-zero weight that a non-zero message meets: an accumulate
(AC) where the layer's messages are binary, a multiply-accumulate (MAC) where they are graded,
whatever values they take. *Dense* counts every weight at every step; taps of a
convolution that fall on its padding are not synapses and are never counted. *Membrane Updates* are
the membrane potentials v that differ from the step before; at a sample's first step all count.
NeuroBench 2.3.0 counts the same way from the outputs of a float model (its Synaptic Operations,
Activation Sparsity, Membrane Updates); there, graded inputs that happen to be -1, 0 or 1 throughout
a call count as ACs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..export.grid import IntArray
from ..export.network import NEURONS, Layer, Network
from .distribution import Distribution, distribution

BELOW, RECURRENT, OPERATIONS_BELOW, OPERATIONS_RECURRENT, SPIKES, MEMBRANES = range(6)
"""Columns of a layer's counts of each sample, in the kernel's order (``kernels.TOTALS``)."""

COUNTS = (
    "Effective_ACs",
    "Effective_MACs",
    "Dense",
    "spikes",
    "neuron_updates",
    "Membrane Updates",
)
"""Counts that are reported per sample and per step, in this order."""


@dataclass(frozen=True, eq=False)
class LayerActivity:
    """Counts of one layer over all samples and steps of a run.

    ``weights``: synapses, zero weights included; ``adaptive`` bool (n,): neurons whose threshold a
    spike raises; ``recurrent``: whether there are recurrent synapses; ``graded``: whether messages
    from below carry values. ``spikes`` int64 (n,): spikes of each neuron; ``last_spikes``:
    those in the last step of each sample, which reach no recurrent synapse. ``counts`` int64
    (samples, 6): events from below, recurrent events, operations of each, spikes, Membrane Updates.
    ``lengths`` int64 (samples,): steps of each sample.
    """

    name: str
    neuron: str
    size: int
    weights: int
    adaptive: npt.NDArray[np.bool_]
    recurrent: bool
    graded: bool
    spikes: IntArray
    last_spikes: IntArray
    counts: IntArray
    lengths: IntArray

    @property
    def spiking(self) -> bool:
        """Whether the layer's neurons spike."""
        return NEURONS[self.neuron].SPIKING

    @property
    def steps(self) -> int:
        """Steps of all samples in total."""
        return int(self.lengths.sum())

    @property
    def spike_count(self) -> int:
        """Spikes of all neurons."""
        return int(self.spikes.sum())

    @property
    def adaptive_neurons(self) -> int:
        """Number of neurons that adapt."""
        return int(np.count_nonzero(self.adaptive))

    @property
    def adaptive_spikes(self) -> int:
        """Spikes of neurons that adapt."""
        return int(self.spikes[self.adaptive].sum())

    def _total(self, column: int) -> int:
        return int(self.counts[:, column].sum())

    @property
    def events_from_below(self) -> int:
        """Messages from below, each counted once however many synapses it reaches."""
        return self._total(BELOW)

    @property
    def events_recurrent(self) -> int:
        """Spikes of the layer that reach its recurrent synapses, each counted once."""
        return self._total(RECURRENT)

    @property
    def operations_from_below(self) -> int:
        """Synaptic operations of messages from below."""
        return self._total(OPERATIONS_BELOW)

    @property
    def operations_recurrent(self) -> int:
        """Synaptic operations of the layer's own spikes."""
        return self._total(OPERATIONS_RECURRENT)

    @property
    def effective_acs(self) -> int:
        """Accumulates on non-zero weights."""
        return self.operations_recurrent + (0 if self.graded else self.operations_from_below)

    @property
    def effective_macs(self) -> int:
        """Multiply-accumulates on non-zero weights."""
        return self.operations_from_below if self.graded else 0

    @property
    def dense_operations(self) -> int:
        """Synaptic operations of a dense product at every step."""
        return self.weights * self.steps

    @property
    def neuron_updates(self) -> int:
        """Neurons times steps."""
        return self.size * self.steps

    @property
    def adaptation_updates(self) -> int:
        """Updates of neurons that adapt."""
        return self.adaptive_neurons * self.steps

    @property
    def membrane_updates(self) -> int:
        """NeuroBench's Membrane Updates, of all samples."""
        return self._total(MEMBRANES)

    @property
    def firing_rate(self) -> float | None:
        """Spikes per neuron and step; None where the layer does not spike or nothing ran."""
        if not self.spiking or self.neuron_updates == 0:
            return None
        return self.spike_count / self.neuron_updates

    @property
    def activation_sparsity(self) -> float | None:
        """Share of silent (neuron, step) pairs, ``1 - firing_rate``."""
        if self.firing_rate is None:
            return None
        return (self.neuron_updates - self.spike_count) / self.neuron_updates

    @property
    def silent_neurons(self) -> list[int]:
        """Neurons that spiked in no sample; empty where the layer does not spike."""
        ran = self.spiking and self.steps > 0
        return np.flatnonzero(self.spikes == 0).tolist() if ran else []

    @property
    def saturated_neurons(self) -> list[int]:
        """Neurons that spiked at every step of every sample."""
        ran = self.spiking and self.steps > 0
        return np.flatnonzero(self.spikes == self.steps).tolist() if ran else []

    def by_sample(self) -> dict[str, IntArray]:
        """Return ``COUNTS`` of each sample, int64 (samples,)."""
        below, recurrent = self.counts[:, OPERATIONS_BELOW], self.counts[:, OPERATIONS_RECURRENT]
        values = (
            recurrent if self.graded else below + recurrent,
            below if self.graded else np.zeros_like(below),
            self.weights * self.lengths,
            self.counts[:, SPIKES],
            self.size * self.lengths,
            self.counts[:, MEMBRANES],
        )
        return dict(zip(COUNTS, values, strict=True))

    def __add__(self, other: LayerActivity) -> LayerActivity:
        """Return the counts of both runs together."""
        if (self.name, self.neuron, self.size) != (other.name, other.neuron, other.size):
            raise ValueError(f"activity of layer {self.name} and of layer {other.name}")
        return LayerActivity(
            self.name,
            self.neuron,
            self.size,
            self.weights,
            self.adaptive,
            self.recurrent,
            self.graded,
            self.spikes + other.spikes,
            self.last_spikes + other.last_spikes,
            np.concatenate((self.counts, other.counts)),
            np.concatenate((self.lengths, other.lengths)),
        )

    def as_dict(self) -> dict[str, object]:
        """Return everything as plain values: sums over all samples unless the name differs."""
        return {
            "name": self.name,
            "neuron": self.neuron,
            "size": self.size,
            "spikes": self.spike_count if self.spiking else None,
            "firing_rate": self.firing_rate,
            "Activation Sparsity": self.activation_sparsity,
            "Effective_ACs": self.effective_acs,
            "Effective_MACs": self.effective_macs,
            "Dense": self.dense_operations,
            "neuron_updates": self.neuron_updates,
            "adaptation_updates": self.adaptation_updates,
            "Membrane Updates": self.membrane_updates,
            "events_from_below": self.events_from_below,
            "events_recurrent": self.events_recurrent,
            "operations_from_below": self.operations_from_below,
            "operations_recurrent": self.operations_recurrent,
            "silent_neurons": self.silent_neurons,
            "saturated_neurons": self.saturated_neurons,
            "distribution_per_sample": _described(self.by_sample()),
        }


@dataclass(frozen=True, eq=False)
class Activity:
    """Counts of a run.

    ``lengths`` int64 (samples,): steps of each sample; ``input_events`` int64 (channels,): inputs
    that were not 0; ``layers``: one entry per layer.
    """

    lengths: IntArray
    input_events: IntArray
    layers: tuple[LayerActivity, ...]

    def __add__(self, other: Activity) -> Activity:
        """Return the counts of both runs together."""
        layers = zip(self.layers, other.layers, strict=True)
        return Activity(
            np.concatenate((self.lengths, other.lengths)),
            self.input_events + other.input_events,
            tuple(one + two for one, two in layers),
        )

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self.lengths)

    @property
    def steps(self) -> int:
        """Steps of all samples in total."""
        return int(self.lengths.sum())

    @property
    def input_rate(self) -> float | None:
        """Share of inputs that were not 0; None where nothing ran."""
        pairs = self.steps * len(self.input_events)
        return int(self.input_events.sum()) / pairs if pairs else None

    @property
    def effective_acs(self) -> int:
        """Accumulates of all layers."""
        return sum(layer.effective_acs for layer in self.layers)

    @property
    def effective_macs(self) -> int:
        """Multiply-accumulates of all layers."""
        return sum(layer.effective_macs for layer in self.layers)

    @property
    def dense_operations(self) -> int:
        """Synaptic operations of a network that skips nothing."""
        return sum(layer.dense_operations for layer in self.layers)

    @property
    def neuron_updates(self) -> int:
        """Neuron updates of all layers."""
        return sum(layer.neuron_updates for layer in self.layers)

    @property
    def adaptation_updates(self) -> int:
        """Updates of neurons that adapt, of all layers."""
        return sum(layer.adaptation_updates for layer in self.layers)

    @property
    def membrane_updates(self) -> int:
        """Membrane Updates of all layers."""
        return sum(layer.membrane_updates for layer in self.layers)

    @property
    def spikes(self) -> int:
        """Spikes of all layers."""
        return sum(layer.spike_count for layer in self.layers)

    @property
    def axon_messages(self) -> dict[str, int]:
        """Messages from layer to layer by the layer that receives them, inputs from the host first.

        A message is counted once, however many synapses and cores it reaches; recurrent ones are
        ``LayerActivity.events_recurrent``, those by core are in ``core_activity.py``.
        """
        return {layer.name: layer.events_from_below for layer in self.layers}

    @property
    def activation_sparsity(self) -> float | None:
        """Share of silent (neuron, step) pairs over all spiking layers; None without any."""
        updates = sum(layer.neuron_updates for layer in self.layers if layer.spiking)
        return (updates - self.spikes) / updates if updates else None

    def per_sample(self) -> dict[str, float]:
        """Return the means of ``COUNTS`` over samples; NeuroBench's Synaptic Operations first."""
        return self._means(self.samples)

    def per_step(self) -> dict[str, float]:
        """Return the same counts of one step of one sample."""
        return self._means(self.steps)

    def by_sample(self) -> dict[str, IntArray]:
        """Return ``COUNTS`` of each sample over all layers, int64 (samples,)."""
        total = {name: np.zeros(self.samples, np.int64) for name in COUNTS}
        for layer in self.layers:
            for name, values in layer.by_sample().items():
                total[name] += values
        return total

    def distributions(self) -> dict[str, Distribution | None]:
        """Describe how each of ``COUNTS`` spreads over the samples."""
        return {name: distribution(values) for name, values in self.by_sample().items()}

    def step_distributions(self) -> dict[str, Distribution | None]:
        """Describe how the counts per step of a sample spread, without empty samples."""
        ran = self.lengths > 0
        return {
            name: distribution(values[ran] / self.lengths[ran])
            for name, values in self.by_sample().items()
        }

    def _means(self, share: int) -> dict[str, float]:
        totals = (
            self.effective_acs,
            self.effective_macs,
            self.dense_operations,
            self.spikes,
            self.neuron_updates,
            self.membrane_updates,
        )
        counts = zip(COUNTS, totals, strict=True)
        return {name: count / share if share else 0.0 for name, count in counts}

    def as_dict(self) -> dict[str, object]:
        """Return everything as plain values, in the form that reports use."""
        return {
            "samples": self.samples,
            "steps": self.steps,
            "Activation Sparsity": self.activation_sparsity,
            "input_rate": self.input_rate,
            "per_sample": self.per_sample(),
            "per_step": self.per_step(),
            "distribution_per_sample": _described(self.by_sample()),
            "adaptation_updates": self.adaptation_updates,
            "axon_messages": self.axon_messages,
            "layers": [layer.as_dict() for layer in self.layers],
        }


def _described(by_sample: dict[str, IntArray]) -> dict[str, dict[str, float] | None]:
    found = {name: distribution(values) for name, values in by_sample.items()}
    return {name: None if one is None else one.as_dict() for name, one in found.items()}


def layer_activity(
    layer: Layer,
    spikes: IntArray,
    last_spikes: IntArray,
    counts: npt.NDArray[np.int64],
    lengths: IntArray,
    *,
    graded: bool,
) -> LayerActivity:
    """Make one layer's record from the kernel's counts; see ``LayerActivity``."""
    weights = layer.synapses.count
    if layer.recurrent is not None:
        weights += layer.recurrent.count
    return LayerActivity(
        name=layer.name,
        neuron=layer.neuron.TYPE,
        size=layer.size,
        weights=weights,
        adaptive=layer.neuron.adapts,
        recurrent=layer.recurrent is not None,
        graded=graded,
        spikes=spikes,
        last_spikes=last_spikes,
        counts=counts,
        lengths=lengths,
    )


def no_activity(network: Network) -> Activity:
    """Return the counts of a network that has not run."""
    none = np.zeros(0, np.int64)
    return Activity(
        none,
        np.zeros(network.input_size, np.int64),
        tuple(
            layer_activity(
                layer,
                np.zeros(layer.size, np.int64),
                np.zeros(layer.size, np.int64),
                np.zeros((0, 6), np.int64),
                none,
                graded=index == 0 and network.message_bits > 0,
            )
            for index, layer in enumerate(network.layers)
        ),
    )
