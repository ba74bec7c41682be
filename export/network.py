"""The integer network: plain records of integers, checked when made.

Every other package builds on this module. A ``Network`` is what ``model.net`` holds and what the
simulator, the Lava processes and a chip compute, by the equations of docs/FIXED_POINT.md. Its
neurons are defined in ``srnn.neurons``, its connections in ``synapses.py``; this module re-exports
both.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from ..neurons.alif import AdaptiveLIF
from ..neurons.atrlif import ThresholdRefractoryLIF
from ..neurons.checks import frozen, whole
from ..neurons.cuba_lif import CubaLIF
from ..neurons.li import LeakyIntegrator
from ..neurons.neuron import NEURON_COUNT_MAX, Neuron, Parameter
from ..neurons.registry import NEURONS
from . import grid
from .errors import InputError
from .grid import FloatArray
from .suggest import check_known
from .synapses import Connection, Convolution, Synapses, dense, largest_sum

__all__ = [
    "NEURONS",
    "NEURON_COUNT_MAX",
    "READOUTS",
    "AdaptiveLIF",
    "Connection",
    "Convolution",
    "CubaLIF",
    "Layer",
    "LeakyIntegrator",
    "Network",
    "Neuron",
    "Parameter",
    "Readout",
    "Synapses",
    "ThresholdRefractoryLIF",
    "check_inputs",
    "dense",
    "same_network",
]


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer: synapses from below, a population of neurons, and recurrent synapses or None.

    ``state_scale`` float64 (n,): the real value of one unit of the membrane v, per neuron.
    """

    name: str
    synapses: Connection
    neuron: Neuron
    recurrent: Synapses | None = None
    state_scale: FloatArray = 1.0 / grid.DECAY_ONE  # type: ignore[assignment]

    def __post_init__(self) -> None:
        n = self.neuron.size
        if self.synapses.n_out != n:
            raise InputError(
                f"layer {self.name}: {self.synapses.n_out} rows of weights for {n} neurons"
            )
        if self.recurrent is not None:
            if self.recurrent.weight.shape != (n, n):
                raise InputError(
                    f"layer {self.name}: recurrent weights {self.recurrent.weight.shape}, "
                    f"needs ({n}, {n})"
                )
            if not self.neuron.SPIKING:
                raise InputError(
                    f"layer {self.name}: {self.neuron.TYPE} does not spike, so it cannot have "
                    "recurrent weights"
                )
        scale = np.asarray(self.state_scale, dtype=np.float64)
        if scale.shape not in {(), (n,)}:
            raise InputError(f"layer {self.name}: state scale {scale.shape}, needs ({n},)")
        if not (np.isfinite(scale).all() and (scale > 0).all()):
            raise InputError(f"layer {self.name}: a state scale is not a positive number")
        object.__setattr__(self, "state_scale", frozen(np.broadcast_to(scale, (n,))))

    @property
    def size(self) -> int:
        """Number of neurons."""
        return self.neuron.size

    def largest_sum(self, largest_message: int) -> int:
        """Return a bound of ``|a|``, recurrent synapses included, for messages up to that size."""
        bound = largest_sum(self.synapses, largest_message)
        return bound + (0 if self.recurrent is None else largest_sum(self.recurrent, 1))


READOUTS = ("membrane", "mean_softmax", "spike_count", "last_membrane")


@dataclass(frozen=True)
class Readout:
    """How the host reads the last layer, in float.

    ``kind``: ``membrane``, the membrane at every step (streaming labels); ``mean_softmax``, the
    mean over time of the softmax of the membrane; ``spike_count``, the sum of spikes;
    ``last_membrane``, the membrane at the last step. ``skip_steps``: number of first steps that the
    mean, the count and the accuracy ignore. ``classes``: a name per class, or empty.
    ``populations``: number of equal groups of consecutive neurons in the last layer, where the mean
    of a group is one class (SLAYER's ``Average``); 0: every neuron is a class.
    """

    kind: str = "membrane"
    skip_steps: int = 0
    classes: tuple[str, ...] = ()
    populations: int = 0

    def __post_init__(self) -> None:
        check_known("readout", self.kind, READOUTS)
        if self.skip_steps < 0:
            raise InputError(f"readout: skip_steps {self.skip_steps} is negative")
        if self.populations < 0:
            raise InputError(f"readout: populations {self.populations} is negative")

    @property
    def reads_spikes(self) -> bool:
        """Whether the output is the last layer's spikes, not its membrane."""
        return self.kind == "spike_count"

    @property
    def per_step(self) -> bool:
        """Whether there is an answer at every step."""
        return self.kind == "membrane"


@dataclass(frozen=True, eq=False)
class Network:
    """A network of integers.

    ``message_bits`` 0: inputs are binary spikes; else inputs are graded integers of at most that
    many bits plus a sign, which multiply the weight. ``input_scale``: real value of one input
    unit. ``dt``: seconds per step, or None if a step has no duration. ``task`` (name, options,
    encoder settings) and ``provenance`` are plain JSON values.
    """

    layers: tuple[Layer, ...]
    readout: Readout = field(default_factory=Readout)
    message_bits: int = 0
    input_scale: float = 1.0
    dt: float | None = None
    task: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.layers:
            raise InputError("network: has no layers")
        if not 0 <= self.message_bits <= grid.MESSAGE_BITS_MAX:
            raise InputError(
                f"network: message_bits {self.message_bits} is outside 0..{grid.MESSAGE_BITS_MAX}"
            )
        names = [layer.name for layer in self.layers]
        if len(set(names)) != len(names):
            raise InputError(f"network: two layers share a name in {', '.join(names)}")
        for below, layer in zip(self.layers, self.layers[1:], strict=False):
            if layer.synapses.n_in != below.size:
                raise InputError(
                    f"layer {layer.name}: weights for {layer.synapses.n_in} sources, but layer "
                    f"{below.name} has {below.size} neurons"
                )
            _check_blocks(below, layer)
            if not below.neuron.SPIKING:
                raise InputError(
                    f"layer {below.name}: {below.neuron.TYPE} does not spike and must come last"
                )
        for index, layer in enumerate(self.layers):
            _check_sums(layer, (1 << self.message_bits) - 1 if index == 0 else 1)
        last = self.layers[-1]
        if self.readout.reads_spikes and not last.neuron.SPIKING:
            raise InputError(
                f"readout spike_count: the last layer, {last.name}, is {last.neuron.TYPE} and does "
                "not spike; read its membrane"
            )
        populations = self.readout.populations
        if populations and last.size % populations:
            raise InputError(
                f"readout: {populations} populations do not divide {last.size} output neurons"
            )
        if self.readout.classes and len(self.readout.classes) != self.class_count:
            raise InputError(
                f"readout: {len(self.readout.classes)} class names for {self.class_count} "
                f"{'populations' if populations else 'output neurons'}"
            )

    @property
    def input_size(self) -> int:
        """Number of input channels."""
        return self.layers[0].synapses.n_in

    @property
    def output_size(self) -> int:
        """Number of output neurons."""
        return self.layers[-1].size

    @property
    def class_count(self) -> int:
        """Number of classes: populations of output neurons, or output neurons."""
        return self.readout.populations or self.output_size


def _check_sums(layer: Layer, largest_message: int) -> None:
    bound = layer.largest_sum(max(largest_message, 1))
    if bound > grid.SUM_MAX:
        raise InputError(
            f"layer {layer.name}: its synapses may deliver {bound}, at most {grid.SUM_MAX} (2^56); "
            "use a smaller weight_exp, fewer message_bits or fewer sources"
        )


def _check_blocks(below: Layer, layer: Layer) -> None:
    one, two = below.synapses, layer.synapses
    if not (isinstance(one, Convolution) and isinstance(two, Convolution)):
        return
    if one.shape_out != two.shape_in:
        raise InputError(
            f"layer {layer.name}: a convolution of {two.shape_in}, but layer {below.name} is "
            f"{one.shape_out} (channels, rows, columns)"
        )


def check_inputs(network: Network, inputs: npt.ArrayLike) -> npt.NDArray[np.int32]:
    """Return inputs as int32 (batch, time, channel), or refuse them.

    Raises
    ------
    InputError
        Not three axes, another number of channels, values that are not whole, that exceed the
        message bits, or that are not 0 or 1 although the network takes binary spikes.
    """
    array = np.asarray(inputs)
    if array.dtype == np.bool_:
        array = array.astype(np.uint8)
    if array.ndim != 3 or array.shape[2] != network.input_size:
        raise InputError(f"inputs: shape {array.shape}, needs (batch, time, {network.input_size})")
    values = whole(array, "inputs")
    low, high = (
        (0, 1)
        if network.message_bits == 0
        else (-(1 << network.message_bits) + 1, (1 << network.message_bits) - 1)
    )
    if values.size and (int(values.min()) < low or int(values.max()) > high):
        worst = int(values.min()) if int(values.min()) < low else int(values.max())
        kind = "binary spikes" if network.message_bits == 0 else f"{network.message_bits} bits"
        raise InputError(f"inputs: {worst} is outside {low}..{high} ({kind})")
    return values.astype(np.int32)


def same_network(one: Network, other: Network) -> bool:
    """Return whether two networks have equal integers, scales and readout, whatever provenance."""

    def equal(a: object, b: object) -> bool:
        if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
            return np.array_equal(a, b)  # type: ignore[arg-type]
        if isinstance(a, (Layer, Synapses, Convolution, Neuron)):
            return type(a) is type(b) and all(
                equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(a)
            )
        return a == b

    return (
        len(one.layers) == len(other.layers)
        and all(equal(a, b) for a, b in zip(one.layers, other.layers, strict=True))
        and one.readout == other.readout
        and (one.message_bits, one.input_scale, one.dt, one.task)
        == (other.message_bits, other.input_scale, other.dt, other.task)
    )
