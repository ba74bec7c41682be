"""What a neuron of integers is: parameters and states that it declares, and its step.

A neuron is one file beside this one; docs/FIXED_POINT.md defines those that are built in.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from . import grid
from .checks import frozen, in_range, whole
from .errors import InputError
from .expression import SPIKED, Expression, StepError, parts, whole_or_expression
from .grid import IntArray
from .lava import Stock

NEURON_COUNT_MAX = 1 << 24


@dataclass(frozen=True)
class Parameter:
    """One integer parameter of a neuron record, stored per neuron.

    ``name`` is the record's field, ``key`` the dataset in a ``.net`` file; ``low`` and ``high``
    are inclusive; ``default`` None means that the parameter must be given. ``first``: of a decay,
    the code that a chip stores as 0; None where it is no decay.
    """

    name: str
    key: str
    low: int
    high: int
    unit: str
    default: int | None = None
    first: int | None = None


def parameter(
    key: str,
    low: int,
    high: int,
    unit: str,
    default: int | None = None,
    *,
    first: int | None = None,
) -> Any:
    """Declare a parameter of a record, as ``dataclasses.field`` does; see ``Parameter``."""
    made = {"parameter": (key, low, high, unit, default, first)}
    if default is None:
        return field(metadata=made)
    return field(default=default, metadata=made)


def decay(key: str, low: int = 0, high: int = grid.DECAY_ONE, first: int | None = None) -> Any:
    """Declare a decay code: 4096 clears the state in one step; chips store ``low`` as 0."""
    kept = low if first is None else first
    return parameter(key, low, high, "1/4096 of the state per step", first=kept)


def state(key: str, default: int | None = 0) -> Any:
    """Declare a parameter with the range and unit of a saturating state."""
    return parameter(key, -grid.STATE_MAX, grid.STATE_MAX, "state", default)


@dataclass(frozen=True)
class Response:
    """What merging neurons must know of their parameters, by their names in the record.

    ``leaks``: decays through which a constant input passes, the membrane's last; ``others``: all
    other decays. ``threshold``, and its ``step`` with the step's decay and exponent, or None.
    ``current_init`` and ``init`` are initial states before and after the last leak; ``step_init``
    that of the step.
    """

    leaks: tuple[str, ...]
    others: tuple[str, ...] = ()
    threshold: str | None = None
    step: str | None = None
    step_decay: str | None = None
    step_exp: str | None = None
    current_init: str | None = None
    init: str | None = None
    step_init: str | None = None


class _Parameters:
    """The parameters that a record's fields declare, in their order."""

    def __get__(self, _record: Neuron | None, owner: type[Neuron]) -> tuple[Parameter, ...]:
        # The dataclass decorator looks at it before there are fields.
        return _parameters_of(owner) if "__dataclass_fields__" in vars(owner) else ()


@cache
def _parameters_of(record: type[Neuron]) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(entry.name, *entry.metadata["parameter"])
        for entry in fields(record)
        if "parameter" in entry.metadata
    )


@dataclass(frozen=True, eq=False)
class Neuron:
    """A population of ``size`` neurons of one neuron model.

    Every parameter is an int64 array (size,); a scalar applies to all neurons.

    Raises
    ------
    InputError
        A parameter has another length, is not whole, or leaves its range.
    """

    size: int

    TYPE: ClassVar[str] = ""
    """The neuron's name in a ``.net`` file."""
    PARAMETERS: ClassVar[tuple[Parameter, ...]] = _Parameters()  # type: ignore[assignment]
    STATES: ClassVar[tuple[str, ...]] = ()
    """Names of the states, as a trace records them after each step; one of them is ``v``."""
    SPIKING: ClassVar[bool] = True
    ADAPTATION: ClassVar[str | None] = None
    """The parameter that is 0 where a spike does not raise the threshold."""
    PRODUCTS: ClassVar[tuple[int, int] | None] = None
    """Multiplications per step in energy models, without and with adaptation; those of the step
    where None."""
    NEEDS: ClassVar[str] = "a step of its own"
    """What a chip with other fixed neurons lacks."""
    NATIVE_AS: ClassVar[tuple[str, str] | None] = None
    """Another neuron, by its ``TYPE``, that can compute the same within 24 bits, and how; see
    ``native_form``."""
    RESPONSE: ClassVar[Response | None] = None
    """How neurons can be merged on chips of few profiles; None where they cannot."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "step" in vars(cls):
            # What was said of another step does not hold of this one.
            for name in set(_OF_A_STEP) - set(vars(cls)):
                setattr(cls, name, vars(Neuron)[name])

    def __post_init__(self) -> None:
        if not 1 <= self.size <= NEURON_COUNT_MAX:
            raise InputError(f"{self.TYPE}: size {self.size} is outside 1..{NEURON_COUNT_MAX}")
        for entry in self.PARAMETERS:
            where = f"{self.TYPE} neuron, {entry.key}"
            values = whole(getattr(self, entry.name), where)
            if values.shape not in {(), (1,), (self.size,)}:
                raise InputError(f"{where}: shape {values.shape}, needs a scalar or ({self.size},)")
            values = np.broadcast_to(values.reshape(-1), (self.size,))
            in_range(values, entry.low, entry.high, where)
            object.__setattr__(self, entry.name, frozen(values))

    @staticmethod
    def step(p: Any, s: Any, a: Any) -> dict[str, Any]:
        """Return the states after one step, and under ``spiked`` whether the neuron spikes.

        Written in the vocabulary of ``expression.py``; it runs on int64 arrays and on expressions.

        Parameters
        ----------
        p
            The parameters by name, int64 (n,).
        s
            The states by name before the step, int64 (batch, n); ``s.spiked``, a condition:
            whether the neuron spiked at the step before.
        a
            The sum of what the synapses deliver, int64 (batch, n).
        """
        raise NotImplementedError

    def threshold(self, states: Mapping[str, Any] | None = None) -> Any:  # noqa: ARG002
        """Return what v is compared with, for figures: (..., n) in units of v.

        ``states``: after a step, (..., n); at rest where None. None where there is no threshold.
        """
        return None

    def stock(self, lag: int, largest_sum: int) -> Stock | str:  # noqa: ARG002
        """Return the process of stock Lava that computes the same bits, or why there is none.

        ``lag``: steps that Lava runs before the layer's first input; ``largest_sum``: the largest
        magnitude of its synaptic sums.
        """
        if not self.SPIKING:
            return "Lava has no neuron without a threshold and with a wide bias"
        return "stock Lava has no such neuron"

    def native_form(self) -> Neuron:
        """Return the neurons of ``NATIVE_AS`` that compute the same; these where it is None."""
        return self

    @property
    def adapts(self) -> npt.NDArray[np.bool_]:
        """Which neurons adapt, (n,): those whose threshold a spike raises."""
        if self.ADAPTATION is None:
            return np.zeros(self.size, np.bool_)
        return getattr(self, self.ADAPTATION) != 0


_OF_A_STEP = ("PRODUCTS", "NEEDS", "NATIVE_AS", "RESPONSE", "stock", "native_form")
"""What a record says of its step, and a record with another step does not inherit."""

State = dict[str, IntArray]
"""States of one layer by name, int64 (batch, n)."""


def initial_state(neuron: Neuron, batch: int) -> State:
    """Return the states before the first step: the record's ``<name>_init``, or zero."""
    return {
        name: np.tile(
            getattr(neuron, f"{name}_init", np.zeros(neuron.size, dtype=np.int64)), (batch, 1)
        )
        for name in neuron.STATES
    }


def take_step(
    neuron: Neuron, states: State, a: IntArray, spiked: IntArray
) -> tuple[State, IntArray]:
    """Run a neuron's step on NumPy's integers: the executable specification.

    Parameters
    ----------
    neuron
        The record.
    states
        Before the step.
    a
        Synaptic sums, int64 (batch, n).
    spiked
        Spikes of the step before, (batch, n), not 0 where there was one.

    Returns
    -------
    states, spikes
        After the step; spikes are 0 or 1, int64 (batch, n).
    """
    before = SimpleNamespace(**states, **{SPIKED: spiked != 0})
    none = np.zeros_like(a)
    # What depends neither on states nor on inputs is one number, or one per neuron.
    after = {name: none + value for name, value in type(neuron).step(neuron, before, a).items()}
    return after, after.pop(SPIKED, none)


@dataclass(frozen=True, eq=False)
class Program:
    """A neuron's step as expressions.

    ``states``: each state after the step, in the order of the record's ``STATES``; ``spiked``: the
    condition of a spike, None where the neuron has none.
    """

    record: type[Neuron]
    states: Mapping[str, Any]
    spiked: Expression | None

    @property
    def results(self) -> tuple[Any, ...]:
        """All that the step computes: the states, then the spike."""
        return (*self.states.values(), *([] if self.spiked is None else [self.spiked]))


def products(record: type[Neuron]) -> tuple[int, int]:
    """Return the multiplications that a step is charged, without and with adaptation."""
    if record.PRODUCTS is not None:
        return record.PRODUCTS
    count = sum(part.op == "*" for part in parts(program(record).results))
    return count, count


@cache
def program(record: type[Neuron]) -> Program:
    """Return the expressions of a neuron's step.

    Raises
    ------
    InputError
        The step uses what a step may not, or does not return the states that the record declares;
        the message names the file and the line.
    """
    p = SimpleNamespace(
        **{entry.name: Expression.of("parameter", entry.name) for entry in record.PARAMETERS}
    )
    s = SimpleNamespace(**{name: Expression.of("state", name) for name in (*record.STATES, SPIKED)})
    where = f"neuron {record.TYPE}"
    try:
        after = record.step(p, s, Expression.of("input", "a"))
    except NotImplementedError:
        raise InputError(f"{where}: has no step") from None
    # The step is a user's own function, which may raise anything.
    except Exception as error:  # noqa: BLE001
        own = isinstance(error, (StepError, AttributeError, TypeError, ValueError))
        text = str(error) if own else f"{type(error).__name__}: {error}"
        raise InputError(f"{_place(record, error)}: {where}: {text}") from None
    where = f"{_place(record)}: {where}"
    wanted = {*record.STATES, *([SPIKED] if record.SPIKING else [])}
    if not isinstance(after, dict) or set(after) != wanted:
        found = ", ".join(map(str, after)) if isinstance(after, dict) else type(after).__name__
        raise InputError(
            f"{where}: step returns {found}, needs a dictionary of {', '.join(sorted(wanted))}"
        )
    spiked = after.get(SPIKED)
    if spiked is not None and not _is_condition(spiked):
        raise InputError(f"{where}: spiked is {spiked!r}, needs a condition")
    states = {}
    for name in record.STATES:
        try:
            states[name] = whole_or_expression(after[name])
        except StepError as error:
            raise InputError(f"{where}: {name}: {error}") from None
        if _is_condition(states[name]):
            raise InputError(f"{where}: {name} is {after[name]!r}, a condition; needs a number")
    return Program(record, states, spiked)


def _is_condition(value: Any) -> bool:
    return isinstance(value, Expression) and value.is_condition


def _place(record: type[Neuron], error: BaseException | None = None) -> str:
    """Return the file and line of a record's step, where it fails if an error is given."""
    file = inspect.getsourcefile(record.step) or "?"
    line = record.step.__code__.co_firstlineno
    for frame in traceback.extract_tb(error.__traceback__ if error else None):
        if frame.filename == record.step.__code__.co_filename:
            line = frame.lineno or line
    return f"{file}, line {line}"
