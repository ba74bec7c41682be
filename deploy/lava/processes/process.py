"""A neuron record as a Lava process, and the model that runs its step of integers on a CPU.

Both are made from what the record declares (docs/FIXED_POINT.md has the equations), so that a new
neuron needs nothing here. Those of the registry have their names in this file, ``AdaptiveLIF`` for
example; ``process_of`` makes any other. Both take the place where Lava looks for models.

Every parameter and state is a ``Var`` with one entry per neuron, so ``Var.get`` reads it back. A
scalar stands for all neurons. ``start`` is the time step at which a process wakes: until then it
holds its initial state and sends no spikes, because layer l receives its first real input at step
l + 1 and neither a bias nor a decay may act before.
"""

from __future__ import annotations

import inspect
from functools import cache
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

# Absolute, because Lava executes this file outside of its package when it looks for models.
from srnn.neurons.expression import LEAVES, SPIKED, parts  # pyright: ignore[reportMissingImports]
from srnn.neurons.neuron import Neuron, program  # pyright: ignore[reportMissingImports]
from srnn.neurons.registry import NEURONS  # pyright: ignore[reportMissingImports]

OPTIONAL = {"b_exp": 0}
"""What a process may be made without although a record may not: without it, d has v's unit."""

_SETTINGS = {"start": 1, "name": None, "log_config": None}


class NeuronProcess(AbstractProcess):
    """A neuron; ``process_of`` makes the process of a record."""

    RECORD: ClassVar[type[Neuron]]
    PARAMETERS: ClassVar[dict[str, str]]
    """Parameters of the step to their Vars."""
    STATES: ClassVar[dict[str, str]]
    """States to their Vars."""
    KEYWORDS: ClassVar[dict[str, str]]
    """Keywords to the record's parameters; an initial state has its state's name."""
    REMEMBERS: ClassVar[bool]
    """Whether the step reads the spike before, which is the Var ``s``."""
    FIXED: ClassVar[type[NeuronModel]]
    """The model in integers."""

    def __init__(self, **keywords: Any) -> None:
        bound = inspect.signature(type(self)).bind(**keywords)
        bound.apply_defaults()
        given = bound.arguments
        shape = given["shape"]
        super().__init__(shape=shape, **{name: given[name] for name in _SETTINGS})
        # Lava stops a process when it is deleted, also one that was refused: base class first.
        if given["start"] < 1:
            raise ValueError(f"start: {given['start']} is below 1, the first time step")
        self.a_in = InPort(shape=shape)
        if self.RECORD.SPIKING:
            self.s_out = OutPort(shape=shape)
        for name in self.PARAMETERS.values():
            setattr(self, name, _var(shape, name, given[name]))
        for state, name in self.STATES.items():
            rest = self.PARAMETERS.get(f"{state}_init", name)
            setattr(self, name, _var(shape, name, given.get(rest, 0)))
        if self.REMEMBERS:
            self.s = _var(shape, "s", 0)


def _var(shape: tuple[int, ...], name: str, value: npt.ArrayLike) -> Var:
    array = np.asarray(value)
    if array.shape not in {(), (1,), shape}:
        raise ValueError(f"{name}: shape {array.shape}, needs a scalar or {shape}")
    return Var(shape=shape, init=np.broadcast_to(array, shape).copy())


class NeuronModel(PyLoihiProcessModel):
    """A model that sleeps until ``start`` and then takes its neuron's step."""

    PROCESS: ClassVar[type[NeuronProcess]]
    KIND: ClassVar[np.dtype[Any]]
    """The numbers that the step computes with."""
    step: ClassVar[Any] = None

    a_in: Any = None
    s_out: Any = None
    s: Any = None

    def __init__(self, proc_params: Any):
        super().__init__(proc_params)
        self.first_step = proc_params["start"]

    def run_spk(self):
        """Receive, integrate once awake, and send."""
        a_in = self.a_in.recv()
        awake = self.time_step >= self.first_step
        spikes = self.integrate(a_in) if awake else np.zeros_like(a_in)
        if self.s_out is not None:
            self.s_out.send(spikes)

    def integrate(self, a_in):
        """Update the states by one step and return the spikes, or None where there are none."""
        before = self._values(self.PROCESS.STATES)
        if self.s is not None:
            before.spiked = self.s != 0
        after = self.step(self._values(self.PROCESS.PARAMETERS), before, a_in.astype(self.KIND))
        for state, name in self.PROCESS.STATES.items():
            getattr(self, name)[:] = after[state]
        if self.s is not None:
            self.s[:] = after[SPIKED]
        return after.get(SPIKED)

    def _values(self, names):
        return SimpleNamespace(
            **{name: getattr(self, var).astype(self.KIND) for name, var in names.items()}
        )


_TAKEN = {
    *("shape", "run_directory", "window", *_SETTINGS),
    *AbstractProcess.__init__.__code__.co_names,
    *dir(NeuronProcess),
    *dir(NeuronModel({"start": 1})),
}
"""Names that a Var cannot have, since Lava or recording.py use them; it gets an underscore."""


@cache
def process_of(record: type[Neuron]) -> type[NeuronProcess]:
    """Return the Lava process of a neuron record, whose fixed-point model Lava finds.

    Raises
    ------
    InputError
        A step that uses what it may not, or returns other states than the record declares.
    """
    read = {(p.op, p.name) for p in parts(program(record).results) if p.op in LEAVES}
    states = _names(record.STATES, _TAKEN)
    # An initial value that the step does not read is no Var of its own.
    starts = {f"{state}_init": name for state, name in states.items()}
    names = [p.name for p in record.PARAMETERS]
    variables = [n for n in names if n not in starts or ("parameter", n) in read]
    parameters = _names(variables, {*_TAKEN, *states.values()})
    keywords = {parameters.get(name) or starts[name]: name for name in names}
    made = type(
        record.__name__,
        (NeuronProcess,),
        {
            "RECORD": record,
            "PARAMETERS": parameters,
            "STATES": states,
            "KEYWORDS": keywords,
            "REMEMBERS": ("state", SPIKED) in read,
            "__doc__": record.__doc__,
            "__module__": __name__,
            "__signature__": _signature(record, keywords),
        },
    )
    made.FIXED = model_of(made, record.step, np.int32, "Fixed", "bit_accurate_loihi", "fixed_pt")
    for one in (made, made.FIXED):
        free = one.__name__ not in globals()
        globals()[one.__name__ if free else f"{record.__module__}.{one.__name__}"] = one
    return made


def _names(names: Any, taken: set[str]) -> dict[str, str]:
    return {name: f"{name}_" if name in taken else name for name in names}


def _signature(record: type[Neuron], keywords: dict[str, str]) -> inspect.Signature:
    declared = {p.name: p.default for p in record.PARAMETERS}
    empty = inspect.Parameter.empty
    defaults: dict[str, Any] = {"shape": empty}
    for keyword, name in keywords.items():
        default = declared[name]
        defaults[keyword] = OPTIONAL.get(name, empty) if default is None else default
    kind = inspect.Parameter.KEYWORD_ONLY
    every = (defaults | _SETTINGS).items()
    return inspect.Signature([inspect.Parameter(name, kind, default=d) for name, d in every])


def model_of(
    process: type[NeuronProcess],
    step: Any,
    kind: type,
    suffix: str,
    *tags: str,
    module: str = __name__,
) -> type[NeuronModel]:
    """Return a model of a process in ``module``: its step, and the type of its Vars and ports."""
    names = [*process.PARAMETERS.values(), *process.STATES.values(), *["s"] * process.REMEMBERS]
    members: dict[str, Any] = dict.fromkeys(names, LavaPyType(np.ndarray, kind))
    members["a_in"] = LavaPyType(PyInPort.VEC_DENSE, kind)
    if process.RECORD.SPIKING:
        members["s_out"] = LavaPyType(PyOutPort.VEC_DENSE, kind)
    # States are int32 as in Lava's own models; a state of 24 bits times a decay does not fit them.
    members |= {"PROCESS": process, "KIND": np.promote_types(kind, np.int64)}
    members |= {"step": staticmethod(step), "__doc__": step.__doc__, "__module__": module}
    made = type(f"Py{process.__name__}Model{suffix}", (NeuronModel,), members)
    implements(proc=process, protocol=LoihiProtocol)(requires(CPU)(tag(*tags)(made)))
    return made


for _record in NEURONS.values():
    process_of(_record)
