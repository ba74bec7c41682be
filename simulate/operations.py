"""Operations of one time step of one sample: by the paper's formulas, and as a run counted them.

A layer of m inputs and n neurons, firing rate Fr in spikes per neuron and step, inputs at Fr_in::

    LIF    m n Fr_in AC + (n n + n) Fr AC   + n MAC       n n where it is recurrent
    ALIF   m n Fr_in AC + (n n + 2 n) Fr AC + 3 n MAC     3 n: by the decays of v and b, and beta b
    LI     m n Fr_in AC + n MAC
    RNN    (m n + n n) MAC + 3 n MAC
    GRU    3 (m n + n n) MAC + 13 n MAC
    LSTM   4 (m n + n n) MAC + 17 n MAC
    linear m n MAC

Graded inputs turn m n Fr_in AC into m n MAC. A bidirectional layer is two of its kind, and the
layer above has 2 n inputs. The formulas are those of Yin, Corradi and Bohte as reprinted in later
papers (TC-LIF, AAAI 2024, supplementary table 4); primary source not checked. The 3 n of ALIF is
our own count: not verified.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

from ..export.errors import InputError
from ..export.suggest import check_known
from ..neurons.neuron import products
from ..neurons.registry import NEURONS
from .activity import Activity, LayerActivity


@dataclass(frozen=True)
class Operations:
    """Operations by kind; of one step of one sample, unless said otherwise.

    ``synaptic_acs``, ``synaptic_macs``: on weights that an event reaches, or all in a dense
    network. ``dense_operations``: those of a machine that skips nothing. ``neuron_acs``: additions
    that a spike causes in its own neuron, of reset and adaptation. ``neuron_macs``: multiplications
    of states, gates and activations. ``neuron_updates``; ``adaptation_updates``: of neurons that
    adapt. ``messages``: spikes and inputs sent, once for each layer that they reach, or for each
    core where a placement is given.
    """

    synaptic_acs: float = 0.0
    synaptic_macs: float = 0.0
    dense_operations: float = 0.0
    neuron_acs: float = 0.0
    neuron_macs: float = 0.0
    neuron_updates: float = 0.0
    adaptation_updates: float = 0.0
    messages: float = 0.0

    def __add__(self, other: Operations) -> Operations:
        """Return the sum of both, kind by kind."""
        return Operations(**{name: getattr(self, name) + getattr(other, name) for name in KINDS})

    def __mul__(self, factor: float) -> Operations:
        """Return the operations times a number."""
        return Operations(**{name: getattr(self, name) * factor for name in KINDS})

    def as_dict(self) -> dict[str, float]:
        """Return the numbers by kind."""
        return asdict(self)


KINDS = tuple(entry.name for entry in fields(Operations))
"""Kinds of operations, the keys of an energy model's costs."""

_SPIKING = {"lif": (1, 1), "alif": (2, 3)}
"""Additions per spike and products per step of a spiking neuron, by its kind."""
_DENSE = {"rnn": (1, 3), "gru": (3, 13), "lstm": (4, 17)}
"""Gates, and further products per neuron, of a dense layer, by its kind."""
FORMULAS = (*_SPIKING, "li", *_DENSE, "linear")
"""Kinds of layers that have a formula."""


@dataclass(frozen=True)
class FormulaLayer:
    """A layer as the formulas take it.

    ``kind`` is one of ``FORMULAS``; ``inputs`` m and ``size`` n of one direction; ``input_rate``:
    share of inputs that carry a spike, or None where they are graded; ``rate``: spikes per neuron
    and step, of lif and alif.

    Raises
    ------
    InputError
        An unknown kind, sizes below 1, rates outside 0..1, a recurrent readout.
    """

    kind: str
    inputs: int
    size: int
    recurrent: bool = False
    bidirectional: bool = False
    input_rate: float | None = None
    rate: float = 0.0

    def __post_init__(self) -> None:
        check_known("kind", self.kind, FORMULAS)
        for name in ("inputs", "size"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}: {getattr(self, name)} is below 1")
        for name in ("input_rate", "rate"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise InputError(f"{name}: {value} is outside 0..1")
        if self.recurrent and self.kind in {"li", "linear"}:
            raise InputError(f"recurrent: a layer of kind {self.kind} cannot be recurrent")

    @property
    def outputs(self) -> int:
        """Channels that the layer above sees."""
        return self.size * (2 if self.bidirectional else 1)


def formula_operations(layers: Sequence[FormulaLayer]) -> Operations:
    """Add up the formulas of a network's layers; one step of one sample.

    Raises
    ------
    InputError
        A layer whose inputs are not the outputs of the one below.
    """
    total = Operations()
    for index, layer in enumerate(layers):
        if index and layer.inputs != layers[index - 1].outputs:
            raise InputError(
                f"layer {index}: {layer.inputs} inputs, but the layer below has "
                f"{layers[index - 1].outputs} outputs"
            )
        total += _formula(layer) * (2 if layer.bidirectional else 1)
    return total


def _formula(layer: FormulaLayer) -> Operations:
    m, n = layer.inputs, layer.size
    if layer.kind in _DENSE:
        gates, multiplied = _DENSE[layer.kind]
        macs = float(gates * (m * n + n * n))
        return Operations(
            synaptic_macs=macs, dense_operations=macs, neuron_macs=multiplied * n, neuron_updates=n
        )
    if layer.kind == "linear":
        return Operations(synaptic_macs=m * n, dense_operations=m * n)
    additions, multiplied = _SPIKING.get(layer.kind, (0, 1))
    recurrent = n * n if layer.recurrent else 0
    graded = layer.input_rate is None
    below = 0.0 if layer.input_rate is None else m * n * layer.input_rate
    sent = 0.0 if layer.input_rate is None else m * layer.input_rate
    return Operations(
        synaptic_acs=below + recurrent * layer.rate,
        synaptic_macs=m * n if graded else 0.0,
        dense_operations=m * n + recurrent,
        neuron_acs=additions * n * layer.rate,
        neuron_macs=multiplied * n,
        neuron_updates=n,
        adaptation_updates=n if layer.kind == "alif" else 0,
        messages=(m if graded else sent) + (n * layer.rate if layer.recurrent else 0.0),
    )


def counted_operations(activity: Activity) -> Operations:
    """Return the operations that a run counted, as the mean per step of a sample.

    Synaptic operations are the effective ones: zero weights cost nothing, unlike in the formulas.
    Of ``SRNN_ALIF``, neurons that adapt are charged as ALIF and those that do not as LIF.

    Raises
    ------
    InputError
        Nothing ran.
    """
    if activity.steps == 0:
        raise InputError("activity: no step was run")
    total = Operations()
    for layer in activity.layers:
        total += _counted(layer)
    return total * (1.0 / activity.steps)


def _counted(layer: LayerActivity) -> Operations:
    steps = layer.steps
    plain, adapting = products(NEURONS[layer.neuron])
    macs = plain * layer.size + (adapting - plain) * layer.adaptive_neurons
    return Operations(
        synaptic_acs=layer.effective_acs,
        synaptic_macs=layer.effective_macs,
        dense_operations=layer.dense_operations,
        neuron_acs=layer.spike_count + layer.adaptive_spikes,
        neuron_macs=macs * steps,
        neuron_updates=layer.neuron_updates,
        adaptation_updates=layer.adaptation_updates,
        messages=layer.events_from_below + layer.events_recurrent,
    )


def formula_of(activity: Activity) -> tuple[FormulaLayer, ...]:
    """Return a run's layers as the formulas take them, at the firing rates that were measured.

    A layer in which any neuron adapts is charged as ALIF, others that spike as LIF.
    """
    layers = []
    rate: float | None = None if activity.layers[0].graded else activity.input_rate or 0.0
    inputs = len(activity.input_events)
    for layer in activity.layers:
        kind = "li"
        if layer.spiking:
            kind = "alif" if layer.adaptive_neurons else "lif"
        fired = layer.firing_rate or 0.0
        layers.append(FormulaLayer(kind, inputs, layer.size, layer.recurrent, False, rate, fired))
        inputs, rate = layer.size, fired
    return tuple(layers)


def same_shape(layers: Sequence[FormulaLayer], kind: str) -> tuple[FormulaLayer, ...]:
    """Return the dense network with the shape of a spiking one.

    Recurrent layers become layers of ``kind`` (rnn, gru or lstm), all others linear ones.

    Raises
    ------
    InputError
        Another kind.
    """
    check_known("kind", kind, _DENSE)
    return tuple(
        FormulaLayer(
            kind if layer.recurrent else "linear",
            layer.inputs,
            layer.size,
            layer.recurrent,
            layer.bidirectional,
        )
        for layer in layers
    )
