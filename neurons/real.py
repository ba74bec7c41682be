"""What a neuron of real numbers is: its parameters, its step, and the integers that it becomes.

The step is a pure function of real numbers. It runs as it stands on torch tensors (training's plain
loop, the reference of every gradient) and on NumPy arrays (answers without torch). Its vocabulary,
besides ``+ - *`` and numbers, is the functions of this file and the spike that it is given.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from .errors import InputError, shown
from .grid import FloatArray, IntArray
from .neuron import Neuron

TAU_MIN, TAU_MAX = 0.2, 4095.0
"""Range of time constants in steps: what a 12-bit decay code can represent."""

TIME_CONSTANT, MAGNITUDE, VALUE = "time constant", "magnitude", "value"
"""How a parameter is trained: as a share of the logarithm of its range, without its sign, or as it
is, used within its range."""

LAYER_SETTINGS = ("tau_mem", "tau_adp", "tau_syn", "threshold", "adaptation")
"""Parameters whose initial values every layer of a recipe has as settings of their own."""
RESERVED = ("weight", "bias", "weight_rec", "delay", "delay_rec", "initial_adaptation")
"""Names in a ``model.pt`` that no parameter of a neuron may have."""

SPREADS = ("constant", "normal", "uniform", "log_uniform")


@dataclass(frozen=True)
class Spread:
    """Initial values of a parameter over the neurons of a layer.

    Parameters
    ----------
    kind
        Distribution over the neurons: constant, normal, uniform, log_uniform.
    mean
        Mean of constant and normal.
    std
        Standard deviation of normal.
    low
        Lowest of uniform and log_uniform.
    high
        Highest of uniform and log_uniform.
    """

    kind: str = "constant"
    mean: float = 0.0
    std: float = 0.0
    low: float = 0.0
    high: float = 0.0

    WHAT: ClassVar[str] = "initial values"

    def __post_init__(self) -> None:
        if self.kind not in SPREADS:
            raise InputError(
                f"{self.WHAT}: unknown kind {shown(self.kind)} (known: {', '.join(SPREADS)})"
            )
        for name in ("mean", "std", "low", "high"):
            if not math.isfinite(getattr(self, name)):
                raise InputError(f"{self.WHAT}: {name} {getattr(self, name)} is not finite")
        if self.std < 0 or self.high < self.low:
            raise InputError(
                f"{self.WHAT}: std {self.std} below 0 or high {self.high} below low {self.low}"
            )
        if self.kind == "log_uniform" and self.low <= 0:
            raise InputError(f"{self.WHAT}: low {self.low} of log_uniform is not above 0")


@dataclass(frozen=True)
class FloatParameter:
    """A parameter of every neuron of a layer; ``name`` is its name in recipes and a ``model.pt``.

    ``kind``: how it is trained; ``low``, ``high``: its range, both included; ``initial``: its
    values before training where the recipe says nothing, None for a setting of every layer.
    """

    name: str
    kind: str
    low: float
    high: float
    unit: str = ""
    initial: Spread | None = None


def tau(name: str, initial: Spread | None = None, low: float = TAU_MIN) -> FloatParameter:
    """Declare a time constant in steps."""
    return FloatParameter(name, TIME_CONSTANT, low, TAU_MAX, "steps", initial)


def magnitude(name: str, initial: Spread | None = None) -> FloatParameter:
    """Declare a parameter that is used without its sign, so that it recovers from zero."""
    return FloatParameter(name, MAGNITUDE, 0.0, math.inf, "", initial)


def value(name: str, low: float, high: float, initial: Spread) -> FloatParameter:
    """Declare a parameter that keeps to a range."""
    return FloatParameter(name, VALUE, low, high, "", initial)


@dataclass(frozen=True, eq=False)
class Integers:
    """A record's unchecked parameters, and the real value (n,) of a unit of its membrane."""

    record: type[Neuron]
    parameters: dict[str, IntArray]
    state_scale: FloatArray

    def out_of_range(self) -> npt.NDArray[np.bool_]:
        """Return which neurons (n,) have a parameter beyond its limit."""
        mask = np.zeros(self.state_scale.shape, dtype=bool)
        for entry in self.record.PARAMETERS:
            if entry.name in self.parameters:
                values = self.parameters[entry.name]
                mask |= (values < entry.low) | (values > entry.high)
        return mask


class FloatNeuron:
    """A neuron of real numbers; a class of declarations and pure functions, never instantiated.

    In every equation ``current`` is W x_t + W_rec s_{t-1}, both times ``gain``, and the bias times
    ``gain`` unless ``BIAS_IN_STEP``. The state before the first step is zero, or the setting of the
    layer that ``INITIAL`` names. Nothing is detached but by ``detach``: gradients flow through
    resets and thresholds.
    """

    NAME: ClassVar[str] = ""
    """Its name in recipes and in a ``model.pt``."""
    PARAMETERS: ClassVar[tuple[FloatParameter, ...]] = ()
    STATES: ClassVar[tuple[str, ...]] = ()
    """One of them is v; ``s``, what the neuron sends, comes last where it sends anything."""
    INITIAL: ClassVar[Mapping[str, str]] = {}
    SPIKING: ClassVar[bool] = True
    """Whether s is 0 or 1."""
    BIAS_IN_STEP: ClassVar[bool] = False
    """Whether the step adds the bias, ``c.bias``; it is a part of ``current`` otherwise."""
    RECORD: ClassVar[type[Neuron] | None] = None
    """What it becomes on a chip, None where it has no integer form."""
    WHY_NOT: ClassVar[str] = ""
    """Why it has none."""
    STOCK: ClassVar[bool] = False
    """Whether lava-dl has the neuron: a network of such neurons is quantized as lava-dl needs."""
    DECAYS: ClassVar[tuple[str, ...]] = ()
    """The coefficients that are decay factors."""
    SETTLED: ClassVar[tuple[str, ...]] = ()
    """States of the record that no input saturates, because ``integers`` sees to it."""

    @staticmethod
    def coefficients(p: Any) -> dict[str, Any]:
        """Return what a step reads, (n,) each, from the parameters; computed once per sequence."""
        raise NotImplementedError

    @staticmethod
    def gain(c: Any) -> Any:  # noqa: ARG004
        """Return the factor (n,) of the current, from the coefficients; None for 1."""
        return None

    @staticmethod
    def step(c: Any, s: Any, current: Any, spike: Any) -> dict[str, Any]:
        """Return the states after a step.

        Parameters
        ----------
        c
            The coefficients by name, (n,), and where ``BIAS_IN_STEP`` the bias.
        s
            The states before the step by name, (batch, n).
        current
            (batch, n), see above.
        spike
            ``spike(x)`` is 1 where x > 0, else 0, with a surrogate gradient.
        """
        raise NotImplementedError

    @staticmethod
    def integers(p: Any, unit: FloatArray, stock: bool) -> Integers:
        """Return the record's parameters.

        Parameters
        ----------
        p
            The parameters by name, float64 (n,); ``bias``; ``initial_adaptation`` of the layer.
        unit
            The real value of one unit of each neuron's integer weights, (n,).
        stock
            Whether the whole network is of neurons that lava-dl has.
        """
        raise NotImplementedError

    @staticmethod
    def meaning(record: Any, scale: FloatArray) -> dict[str, Any]:
        """Return the coefficients (n,) that integers stand for, the inverse of ``integers``.

        ``record``: its parameters as float64 (n,), by name; ``scale``: the real value of a unit of
        the membrane, (n,).
        """
        raise NotImplementedError

    @staticmethod
    def real_states(record: Any, scale: FloatArray, states: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG004
        """Return the states that a record's states (..., n) stand for, all but s.

        ``record``, ``scale``: as in ``meaning``.
        """
        return {"v": scale * states["v"]}


def names(neuron: type[FloatNeuron]) -> tuple[str, ...]:
    """Return the names of a neuron's parameters."""
    return tuple(entry.name for entry in neuron.PARAMETERS)


def sends(neuron: type[FloatNeuron]) -> bool:
    """Whether a neuron sends anything but its membrane."""
    return "s" in neuron.STATES


def check_declared(neuron: type[FloatNeuron]) -> None:
    """Refuse a neuron whose declarations do not fit together.

    Raises
    ------
    InputError
        A name that is none, a parameter that is declared twice, has the name of something else,
        no initial values or those of a layer's setting, states without v or with s before the end,
        or without s where the neuron spikes.
    """
    where = f"neuron {neuron.__name__}"
    if not (neuron.NAME.isascii() and neuron.NAME.isidentifier()):
        raise InputError(f"{where}: NAME {shown(neuron.NAME)} is not a name of letters and _")
    declared = names(neuron)
    wrong = sorted({name for name in declared if name in RESERVED or declared.count(name) > 1})
    if wrong:
        raise InputError(f"{where}: parameters {', '.join(wrong)} have names that are taken")
    for entry in neuron.PARAMETERS:
        if entry.initial is None and entry.name not in LAYER_SETTINGS:
            raise InputError(f"{where}: parameter {entry.name} has no initial values")
        if entry.initial is not None and entry.name in LAYER_SETTINGS:
            raise InputError(
                f"{where}: the initial values of {entry.name} are a setting of every layer; "
                "declare it without, or under another name"
            )
    states = neuron.STATES
    if "v" not in states or "s" in states[:-1] or len(set(states)) < len(states):
        raise InputError(f"{where}: STATES {shown(states)}, needs v, and s last or not at all")
    if neuron.SPIKING and not sends(neuron):
        raise InputError(f"{where}: STATES {shown(states)}, a neuron that spikes needs s last")


def coefficients_of(neuron: type[FloatNeuron], p: Mapping[str, Any]) -> dict[str, Any]:
    """Return a neuron's coefficients from its parameters by name."""
    return _called(neuron, "coefficients", SimpleNamespace(**p))


def integers_of(neuron: type[FloatNeuron], p: Any, unit: FloatArray, stock: bool) -> Integers:
    """Return what ``integers`` does, checked.

    Raises
    ------
    InputError
        It fails, returns something else, parameters that the record has not or lacks, another
        shape than (n,), or a unit of the membrane that is not above 0.
    """
    made = _called(neuron, "integers", p, unit, stock)
    where = f"neuron {neuron.NAME}: integers"
    if not isinstance(made, Integers):
        raise InputError(f"{where} returns {type(made).__name__}, needs Integers")
    declared = {entry.name for entry in made.record.PARAMETERS}
    needed = {entry.name for entry in made.record.PARAMETERS if entry.default is None}
    wrong, lacking = set(made.parameters) - declared, needed - set(made.parameters)
    for words, found in (("has no parameter", wrong), ("needs", lacking)):
        if found:
            name = made.record.__name__
            raise InputError(f"{where}: {name} {words} {', '.join(sorted(found))}")
    scale = _arrays(where, {"state_scale": made.state_scale}, unit.shape)["state_scale"]
    if not (scale > 0).all():
        raise InputError(f"{where}: state_scale {scale.min():g} is not above 0")
    parameters = _arrays(where, made.parameters, unit.shape)
    return Integers(made.record, parameters, scale)


def meaning_of(neuron: type[FloatNeuron], record: Any, scale: FloatArray) -> dict[str, FloatArray]:
    """Return what ``meaning`` does, (n,) each.

    Raises
    ------
    InputError
        It fails, or returns other coefficients than ``coefficients`` or another shape.
    """
    ones = {entry.name: np.ones(1) for entry in neuron.PARAMETERS}
    found = _called(neuron, "meaning", record, scale)
    return _checked(neuron, "meaning", found, coefficients_of(neuron, ones), scale.shape)


def states_of(
    neuron: type[FloatNeuron], record: Any, scale: FloatArray, states: Mapping[str, Any]
) -> dict[str, FloatArray]:
    """Return what ``real_states`` does, of the shape of ``v`` each.

    Raises
    ------
    InputError
        It fails, or returns other states than the neuron's or another shape.
    """
    found = _called(neuron, "real_states", record, scale, states)
    wanted = [name for name in neuron.STATES if name != "s"]
    return _checked(neuron, "real_states", found, wanted, states["v"].shape)


def _called(neuron: type[FloatNeuron], name: str, *args: Any) -> Any:
    try:
        return getattr(neuron, name)(*args)
    except InputError:
        raise
    except NotImplementedError:
        raise InputError(f"neuron {neuron.NAME}: has no {name}") from None
    # Functions of a user's own file may raise anything.
    except Exception as error:
        text = f"neuron {neuron.NAME}: {name}: {type(error).__name__}: {error}"
        raise InputError(" ".join(text.split())) from error


def _checked(
    neuron: type[FloatNeuron], name: str, found: Any, wanted: Iterable[str], shape: tuple[int, ...]
) -> dict[str, FloatArray]:
    where = f"neuron {neuron.NAME}: {name}"
    wanted = tuple(wanted)
    if not isinstance(found, Mapping) or set(found) != set(wanted):
        given = ", ".join(map(str, found)) if isinstance(found, Mapping) else type(found).__name__
        raise InputError(f"{where} returns {given}, needs {', '.join(wanted)}")
    return _arrays(where, found, shape)


def _arrays(where: str, found: Mapping[str, Any], shape: tuple[int, ...]) -> dict[str, Any]:
    """Return values of one shape."""
    made = {}
    for name, value in found.items():
        array = np.asarray(value)
        if array.shape not in {(), shape}:
            raise InputError(f"{where}: {name} has the shape {array.shape}, needs {shape}")
        if array.dtype.kind not in "iuf":
            raise InputError(f"{where}: {name} holds {array.dtype}, needs numbers")
        made[name] = array if array.shape == shape else np.full(shape, array)
    return made


def exp(x: Any) -> Any:
    """Return e^x."""
    return x.exp() if hasattr(x, "exp") else np.exp(x)


def sqrt(x: Any) -> Any:
    """Return the square root."""
    return x.sqrt() if hasattr(x, "sqrt") else np.sqrt(x)


def fma(x: Any, y: Any, z: Any) -> Any:
    """Return ``x y + z``."""
    return z.addcmul(x, y) if _all_have("addcmul", x, y, z) else x * y + z


def lerp(a: Any, b: Any, weight: Any) -> Any:
    """Return ``a + weight (b - a)``."""
    return a.lerp(b, weight) if _all_have("lerp", a, b, weight) else a + weight * (b - a)


def _all_have(name: str, *values: Any) -> bool:
    # Torch takes no numbers here.
    return all(hasattr(one, name) for one in values)


def relu(x: Any) -> Any:
    """Return ``max(0, x)``."""
    return x.relu() if hasattr(x, "relu") else np.maximum(x, 0.0)


def detach(x: Any) -> Any:
    """Return x without its gradient."""
    return x.detach() if hasattr(x, "detach") else x
