"""Configuration of the float model: neurons, layers and readout, as records of plain values."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from ..neurons.loading import find, load_installed
from ..neurons.real import FloatParameter, Spread, names, sends
from ..neurons.registry import FLOAT_NEURONS
from .dense import DENSE_LAYERS, dense_weights
from .errors import InputError
from .grid import DELAY_MAX
from .network import READOUTS
from .plain import build
from .suggest import check_known, unknown
from .toml_text import IN_LINE

RECURRENT_WEIGHT = "weight_rec"
"""Name of a layer's recurrent weights in a ``model.pt``."""
DELAYS = ("delay", "delay_rec")
"""Names of the delays of a layer's synapses, if it has any."""
SURROGATES: dict[str, tuple[str, ...]] = {
    "multi_gaussian": ("gamma", "width", "height", "scale"),
    "gaussian": ("gamma", "width"),
    "linear": ("gamma", "width"),
    "exponential": ("gamma", "slope"),
    "arctan": ("gamma", "slope"),
    "fast_sigmoid": ("gamma", "slope"),
}
"""Surrogate gradients and their parameters; the formulas are in ``train/surrogate.py``."""
WEIGHT_INITS = ("xavier_uniform", "xavier_normal", "kaiming_normal", "uniform")
RECURRENT_INITS = (*WEIGHT_INITS, "orthogonal", "zero")


@dataclass(frozen=True)
class Init(Spread):
    """Initial time constants of a population; values are clipped to the range of time constants.

    Parameters
    ----------
    kind
        Distribution over the neurons: constant, normal, uniform, log_uniform.
    mean
        Mean of constant and normal, in steps.
    std
        Standard deviation of normal, in steps.
    low
        Lowest of uniform and log_uniform, in steps.
    high
        Highest of uniform and log_uniform, in steps.
    """

    kind: str = "constant"
    mean: float = 20.0
    std: float = 0.0
    low: float = 3.0
    high: float = 200.0

    WHAT: ClassVar[str] = "initial time constants"

    def __post_init__(self) -> None:
        for name in ("mean", "low", "high"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{self.WHAT}: {name} {getattr(self, name)} is not above 0 steps")
        super().__post_init__()


@dataclass(frozen=True)
class Delay:
    """Delays of a layer's synapses in whole steps, spread evenly over its neurons, low to high.

    A neuron has one delay for all its input synapses, and one for all its recurrent ones. Values
    are 0 to ``DELAY_MAX``, the limit of the chip's memory; they are not trained.

    Parameters
    ----------
    low
        Delay of the first neuron, in steps.
    high
        Delay of the last neuron, in steps; 0: no delays.
    """

    low: int = 0
    high: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= DELAY_MAX:
            raise InputError(
                f"delay: low {self.low} and high {self.high} are not 0 <= low <= high <= "
                f"{DELAY_MAX} steps"
            )


@dataclass(frozen=True)
class SurrogateConfig:
    """The surrogate gradient by name; None means that surrogate's default.

    The formulas are in ``train/surrogate.py``.

    Parameters
    ----------
    name
        One of multi_gaussian, gaussian, linear, exponential, arctan, fast_sigmoid.
    gamma
        Factor of the surrogate gradient.
    width
        Width of gaussian, linear and the middle one of multi_gaussian.
    height
        Height of the outer ones of multi_gaussian, relative to the middle one.
    scale
        Width of the outer ones of multi_gaussian, relative to the middle one.
    slope
        Steepness of exponential, arctan and fast_sigmoid.
    """

    name: str = "multi_gaussian"
    gamma: float | None = None
    width: float | None = None
    height: float | None = None
    scale: float | None = None
    slope: float | None = None

    def __post_init__(self) -> None:
        check_known("surrogate", self.name, SURROGATES)
        parameters = SURROGATES[self.name]
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name == "name" or value is None:
                continue
            check_known("parameter", f.name, parameters, f"surrogate {self.name}")
            if not value > 0:
                raise InputError(f"surrogate {self.name}: {f.name} {value} is not above 0")


@dataclass(frozen=True)
class LayerConfig:
    """One layer of the float model.

    A dense layer, one of ``DENSE_LAYERS`` of ``export/dense.py``, has only ``neuron`` and
    ``size``.

    Parameters
    ----------
    neuron
        Neuron: alif, lif, cuba_lif, li, adlif, brf, alif_relu or one of your own. Or a dense layer:
        rnn, gru, lstm, linear.
    size
        Number of neurons; of a last layer one per class where it is left out.
    recurrent
        Whether the layer's spikes come back to it one step later.
    bidirectional
        Whether a second half of the layer reads the sequence backwards.
    threshold
        Initial threshold, b0 of the paper.
    adaptation
        Initial strength of the adaptation, beta of the paper.
    initial_adaptation
        Adaptation trace before the first step.
    tau_mem
        Initial time constants of the membrane potential.
    tau_adp
        Initial time constants of the adaptation.
    tau_syn
        Initial time constants of the synaptic current, of cuba_lif.
    train_time_constants
        Train the time constants, neuron by neuron.
    train_threshold
        Train the thresholds, neuron by neuron.
    train_adaptation
        Train the strengths of the adaptation, neuron by neuron.
    parameters
        Initial values of the neuron's other parameters by name. A number, or a table of kind,
        mean, std, low, high.
    train_parameters
        Train the neuron's other parameters, neuron by neuron.
    weight_init
        One of xavier_uniform, xavier_normal, kaiming_normal, uniform. ``uniform`` is torch's
        default.
    weight_gain
        Factor of the initial weights.
    recurrent_init
        Of recurrent weights: those of weight_init, or orthogonal, zero.
    recurrent_gain
        Factor of the initial recurrent weights.
    delay
        Delays of the input from below, spread evenly over the neurons.
    delay_rec
        Delays of the layer's own spikes, in addition to the one step of recurrence.
    """

    neuron: str = "alif"
    size: int = 64
    recurrent: bool = False
    bidirectional: bool = False
    threshold: float = 0.01
    adaptation: float = 1.8
    initial_adaptation: float = 0.0
    tau_mem: Init = field(default_factory=Init)
    tau_adp: Init = field(default_factory=lambda: Init(mean=150.0))
    tau_syn: Init = field(default_factory=lambda: Init(mean=5.0))
    train_time_constants: bool = True
    train_threshold: bool = False
    train_adaptation: bool = False
    parameters: dict[str, Any] = field(default_factory=dict, metadata=IN_LINE)
    train_parameters: bool = True
    weight_init: str = "xavier_uniform"
    weight_gain: float = 1.0
    recurrent_init: str = "orthogonal"
    recurrent_gain: float = 1.0
    delay: Delay = field(default_factory=Delay)
    delay_rec: Delay = field(default_factory=Delay)

    def __post_init__(self) -> None:
        if not self.dense and find(self.neuron, FLOAT_NEURONS) is None:
            known = (*FLOAT_NEURONS, *DENSE_LAYERS)
            raise InputError(
                "; ".join(
                    (
                        unknown("neuron", self.neuron, known, "layer"),
                        "one of your own: give its file by --neurons FILE",
                        *load_installed(),
                    )
                )
            )
        if self.dense and self.bidirectional:
            raise InputError(f"layer: a dense layer ({self.neuron}) cannot be bidirectional")
        if self.size < 1:
            raise InputError(f"layer: size {self.size} is below 1")
        for name in ("threshold", "adaptation", "initial_adaptation"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"layer: {name} {getattr(self, name)} is not a number from 0 up")
        for name in ("weight_gain", "recurrent_gain"):
            if not math.isfinite(getattr(self, name)):
                raise InputError(f"layer: {name} {getattr(self, name)} is not a finite number")
        for name in ("threshold", "adaptation"):
            if getattr(self, f"train_{name}") and name not in self.parameter_names:
                raise InputError(f"layer: train_{name}: {self.neuron} has no {name}")
            if getattr(self, f"train_{name}") and getattr(self, name) == 0:
                raise InputError(
                    f"layer: train_{name}: from {name} 0 there is no gradient; start at 0.01"
                )
        if self.recurrent and not self.sends:
            raise InputError(
                f"layer: an {self.neuron} readout does not spike, so it cannot be recurrent"
            )
        self._set_parameters()
        self._check_delays()
        self._check_inits()

    def _set_parameters(self) -> None:
        """Check the table ``parameters``; a number stands for a constant."""
        own = [entry.name for entry in self.declared if entry.initial is not None]
        made = {}
        for name, given in self.parameters.items():
            where = "layer: parameters"
            check_known("parameter", name, own, f"{where} of {self.neuron}")
            plain = {"mean": given} if isinstance(given, (int, float)) else given
            made[name] = plain if isinstance(plain, Spread) else build(
                Spread, plain, f"{where}.{name}"
            )  # fmt: skip
        object.__setattr__(self, "parameters", made)

    def _check_delays(self) -> None:
        if self.delay_rec.high and not self.recurrent:
            raise InputError("layer: delay_rec of a layer that is not recurrent")
        if (self.delay.high or self.delay_rec.high) and (self.dense or self.bidirectional):
            raise InputError(
                "layer: delays need a spiking layer in one direction of time"
                + (f", not {self.neuron}" if self.dense else "")
            )

    def _check_inits(self) -> None:
        check_known("weight_init", self.weight_init, WEIGHT_INITS, "layer")
        check_known("recurrent_init", self.recurrent_init, RECURRENT_INITS, "layer")

    @property
    def dense(self) -> bool:
        """Whether this is a layer of a dense baseline instead of neurons."""
        return self.neuron in DENSE_LAYERS

    @property
    def declared(self) -> tuple[FloatParameter, ...]:
        """The parameters that its neuron has."""
        return () if self.dense else FLOAT_NEURONS[self.neuron].PARAMETERS

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Their names."""
        return () if self.dense else names(FLOAT_NEURONS[self.neuron])

    @property
    def sends(self) -> bool:
        """Whether it sends anything but its membranes."""
        return self.dense or sends(FLOAT_NEURONS[self.neuron])

    @property
    def width(self) -> int:
        """Number of outputs: twice the size where the layer runs in both directions."""
        return 2 * self.size if self.bidirectional else self.size


@dataclass(frozen=True)
class ModelConfig:
    """The float network: input channels, layers from the input up, readout and surrogate."""

    input_size: int
    layers: tuple[LayerConfig, ...]
    readout: str = "membrane"
    skip_steps: int = 0
    surrogate: SurrogateConfig = field(default_factory=SurrogateConfig)

    def __post_init__(self) -> None:
        if self.input_size < 1:
            raise InputError(f"model: input_size {self.input_size} is below 1")
        if not self.layers:
            raise InputError("model: has no layers")
        check_known("readout", self.readout, READOUTS, "model")
        if self.skip_steps < 0:
            raise InputError(f"model: skip_steps {self.skip_steps} is negative")
        for index, layer in enumerate(self.layers):
            last = index == len(self.layers) - 1
            if not layer.sends and not last:
                raise InputError(f"layer {index}: {layer.neuron} does not spike and must come last")
            if layer.neuron == "linear" and not last:
                raise InputError(f"layer {index}: linear is a readout and must come last")
            if layer.bidirectional and (index > 0 or last):
                raise InputError(
                    f"layer {index}: only a first layer that is not the last can be bidirectional"
                )
        if self.readout == "spike_count" and not self.layers[-1].sends:
            raise InputError(
                "model: readout spike_count needs a last layer that spikes, not "
                f"{self.layers[-1].neuron}"
            )

    def input_width(self, index: int) -> int:
        """Number of sources of layer ``index``."""
        return self.input_size if index == 0 else self.layers[index - 1].width


def expected_weights(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of a model's weights.

    Layer i has ``layers.i.weight`` (n, n_in), ``layers.i.bias`` (n,), ``layers.i.weight_rec`` (n,
    n) where recurrent, its neuron's parameters (n,), and ``delay`` and ``delay_rec`` (n,) in whole
    steps if its config has them. A bidirectional layer has them twice, as
    ``layers.0.forward.*`` and ``layers.0.backward.*``. The weights of dense layers are defined in
    ``export/dense.py``.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for index, layer in enumerate(config.layers):
        if layer.dense:
            own = dense_weights(layer.neuron, layer.size, config.input_width(index))
            shapes.update({f"layers.{index}.{name}": shape for name, shape in own.items()})
            continue
        directions = ("forward.", "backward.") if layer.bidirectional else ("",)
        for direction in directions:
            prefix = f"layers.{index}.{direction}"
            shapes[f"{prefix}weight"] = (layer.size, config.input_width(index))
            shapes[f"{prefix}bias"] = (layer.size,)
            if layer.recurrent:
                shapes[f"{prefix}{RECURRENT_WEIGHT}"] = (layer.size, layer.size)
            for name in DELAYS:
                if getattr(layer, name).high:
                    shapes[f"{prefix}{name}"] = (layer.size,)
            for name in layer.parameter_names:
                shapes[f"{prefix}{name}"] = (layer.size,)
    return shapes


def declared_parameter(config: ModelConfig, name: str) -> FloatParameter | None:
    """Return what a weight of ``expected_weights`` is declared as, None if it is no parameter."""
    _, index, *_, own = name.split(".")
    found = [entry for entry in config.layers[int(index)].declared if entry.name == own]
    return found[0] if found else None
