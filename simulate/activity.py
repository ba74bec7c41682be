"""What a run did, counted: spikes, synaptic operations, neuron updates, in NeuroBench's terms.

A synaptic operation is counted per non-zero weight that a non-zero message meets: an accumulate
(AC) where the layer's messages are binary, a multiply-accumulate (MAC) where they are graded,
whatever values they take. *Dense* counts every weight at every step; of a convolution the taps that
fall on its padding are no synapses and count nowhere. NeuroBench 2.3.0 counts the
same way from the outputs of a float model (its Synaptic Operations, Activation Sparsity); there,
graded inputs that happen to be -1, 0 or 1 throughout a call count as ACs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..export.network import NEURONS, Layer, Network


@dataclass(frozen=True, eq=False)
class LayerActivity:
    """Counts of one layer over all samples and steps of a run.

    ``spikes`` int64 (n,): spikes of each neuron. ``effective_acs`` and ``effective_macs``: synaptic
    operations on non-zero weights. ``dense_operations``: those of a dense product at every step.
    ``neuron_updates``: neurons times steps. ``events_from_below``, ``events_recurrent``: messages
    that reached the layer's synapses. Spikes of a sample's last step reach no recurrent synapse.
    """

    name: str
    neuron: str
    size: int
    spikes: npt.NDArray[np.int64]
    effective_acs: int
    effective_macs: int
    dense_operations: int
    neuron_updates: int
    events_from_below: int
    events_recurrent: int

    @property
    def spiking(self) -> bool:
        """Whether the layer's neurons spike."""
        return NEURONS[self.neuron].SPIKING

    @property
    def spike_count(self) -> int:
        """Spikes of all neurons."""
        return int(self.spikes.sum())

    @property
    def firing_rate(self) -> float | None:
        """Spikes per neuron and step; None where the layer does not spike or nothing ran."""
        if not self.spiking or self.neuron_updates == 0:
            return None
        return self.spike_count / self.neuron_updates

    @property
    def activation_sparsity(self) -> float | None:
        """Share of silent (neuron, step) pairs, ``1 - firing_rate``."""
        rate = self.firing_rate
        return None if rate is None else 1.0 - rate

    def __add__(self, other: LayerActivity) -> LayerActivity:
        """Return the counts of both runs together."""
        if (self.name, self.neuron, self.size) != (other.name, other.neuron, other.size):
            raise ValueError(f"activity of layer {self.name} and of layer {other.name}")
        return LayerActivity(
            self.name,
            self.neuron,
            self.size,
            self.spikes + other.spikes,
            self.effective_acs + other.effective_acs,
            self.effective_macs + other.effective_macs,
            self.dense_operations + other.dense_operations,
            self.neuron_updates + other.neuron_updates,
            self.events_from_below + other.events_from_below,
            self.events_recurrent + other.events_recurrent,
        )


@dataclass(frozen=True, eq=False)
class Activity:
    """Counts of a run: ``samples``, ``steps`` (of all samples together) and one entry a layer."""

    samples: int
    steps: int
    layers: tuple[LayerActivity, ...]

    def __add__(self, other: Activity) -> Activity:
        """Return the counts of both runs together."""
        layers = zip(self.layers, other.layers, strict=True)
        return Activity(
            self.samples + other.samples,
            self.steps + other.steps,
            tuple(one + two for one, two in layers),
        )

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
    def spikes(self) -> int:
        """Spikes of all layers."""
        return sum(layer.spike_count for layer in self.layers)

    @property
    def activation_sparsity(self) -> float | None:
        """Share of silent (neuron, step) pairs over all spiking layers; None without any."""
        updates = sum(layer.neuron_updates for layer in self.layers if layer.spiking)
        return 1.0 - self.spikes / updates if updates else None

    def per_sample(self) -> dict[str, float]:
        """Return NeuroBench's Synaptic Operations, spikes and neuron updates of one sample."""
        return self._counts(self.samples)

    def per_step(self) -> dict[str, float]:
        """Return the same counts of one step of one sample."""
        return self._counts(self.steps)

    def _counts(self, share: int) -> dict[str, float]:
        counts = {
            "Effective_ACs": self.effective_acs,
            "Effective_MACs": self.effective_macs,
            "Dense": self.dense_operations,
            "spikes": self.spikes,
            "neuron_updates": self.neuron_updates,
        }
        return {name: count / share if share else 0.0 for name, count in counts.items()}

    def as_dict(self) -> dict[str, object]:
        """Return everything as plain values, as the reports write it."""
        return {
            "samples": self.samples,
            "steps": self.steps,
            "Activation Sparsity": self.activation_sparsity,
            "per_sample": self.per_sample(),
            "per_step": self.per_step(),
            "layers": [
                {
                    "name": layer.name,
                    "neuron": layer.neuron,
                    "size": layer.size,
                    "spikes": layer.spike_count if layer.spiking else None,
                    "firing_rate": layer.firing_rate,
                    "Activation Sparsity": layer.activation_sparsity,
                    "Effective_ACs": layer.effective_acs,
                    "Effective_MACs": layer.effective_macs,
                    "Dense": layer.dense_operations,
                    "neuron_updates": layer.neuron_updates,
                    "events_from_below": layer.events_from_below,
                    "events_recurrent": layer.events_recurrent,
                }
                for layer in self.layers
            ],
        }


def layer_activity(
    layer: Layer,
    spikes: npt.NDArray[np.int64],
    totals: Sequence[int],
    steps: int,
    graded: bool,
) -> LayerActivity:
    """Make one layer's counts from the kernel's.

    ``totals``: events from below, recurrent events, and the operations of each;
    ``steps`` of all samples together; ``graded``: whether messages from below carry values.
    """
    from_below, recurrent, operations_below, operations_recurrent = totals
    weights = layer.synapses.count
    if layer.recurrent is not None:
        weights += layer.recurrent.count
    return LayerActivity(
        name=layer.name,
        neuron=layer.neuron.TYPE,
        size=layer.size,
        spikes=spikes,
        effective_acs=operations_recurrent + (0 if graded else operations_below),
        effective_macs=operations_below if graded else 0,
        dense_operations=weights * steps,
        neuron_updates=layer.size * steps,
        events_from_below=from_below,
        events_recurrent=recurrent,
    )


def no_activity(network: Network) -> Activity:
    """Return the counts of a network that has not run."""
    return Activity(
        0,
        0,
        tuple(
            layer_activity(
                layer,
                np.zeros(layer.size, dtype=np.int64),
                (0, 0, 0, 0),
                0,
                graded=index == 0 and network.message_bits > 0,
            )
            for index, layer in enumerate(network.layers)
        ),
    )
