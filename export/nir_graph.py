"""From a NIR graph to a chain of neuron populations, each with its inputs.

Between neurons a graph may have any acyclic arrangement of linear nodes (Linear, Affine, Scale,
Flatten, Delay, branches that are added): they are multiplied to one matrix, one constant and one
delay per neuron for each pair of populations.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .grid import FloatArray
from .nir_read import NodeGraph, Offence

NEURONS = ("LIF", "CubaLIF", "LI", "CubaLI")
SPIKING = ("LIF", "CubaLIF")
PARAMETERS = ("tau", "tau_mem", "tau_syn", "r", "w_in", "v_leak", "v_threshold", "v_reset")
"""Parameters of the nodes of ``NEURONS``; each node has some of them."""
LINEAR = ("Affine", "Linear", "Scale", "Flatten", "Delay")

WIDTH_MAX = 1 << 20
IDENTITY_MAX = 1 << 13
"""Largest population that may have one-to-one input, which becomes a full matrix."""

_NO_CONVOLUTION = "a trained srnn layer is dense; write the convolution as a Linear"
_WHY_NOT = {
    "Conv1d": _NO_CONVOLUTION,
    "Conv2d": _NO_CONVOLUTION,
    "SumPool2d": "there is no pooling; write it as a Linear",
    "AvgPool2d": "there is no pooling; write it as a Linear",
    "I": "an integrator without leak has no decay code; use LI with tau up to 4095 dt",
    "IF": "a neuron without leak has no decay code; use LIF with tau up to 4095 dt",
    "Threshold": "spikes come from LIF and CubaLIF only",
}


@dataclass(frozen=True, eq=False)
class Population:
    """A node of neurons and its input at every step.

    ``weight`` (n, n_in) from the population below or the input, ``recurrent_weight`` (n, n)
    from its own spikes one step before or None, ``constant`` (n,). ``delay``, ``delay_rec`` (n,):
    by how many seconds each neuron receives these late.
    """

    name: str
    kind: str
    node: Any
    weight: FloatArray
    recurrent_weight: FloatArray | None
    constant: FloatArray
    delay: FloatArray
    delay_rec: FloatArray

    @property
    def size(self) -> int:
        """Number of neurons."""
        return self.weight.shape[0]


@dataclass
class _Signal:
    """The signal on an edge: a sum of maps of sources, each with a delay, and a constant.

    A map is a matrix (n, n_in), or the diagonal of one, (n,) or (1,). ``late``: delay in seconds of
    each map's values, (n,) or (1,).
    """

    terms: dict[str, FloatArray] = field(default_factory=dict)
    constant: FloatArray = field(default_factory=lambda: np.zeros(1))
    late: dict[str, FloatArray] = field(default_factory=dict)

    def add(self, other: _Signal) -> None:
        for source, term in other.terms.items():
            if source not in self.terms:
                self.terms[source], self.late[source] = term, other.late[source]
                continue
            self.terms[source] = _sum(self.terms[source], term)
            if np.any(self.late[source] != other.late[source]):
                raise _LateError(source)
        self.constant = _same_length(self.constant, other.constant)

    def mapped(self, by: Callable[[FloatArray], FloatArray], constant: FloatArray) -> _Signal:
        terms = {source: by(term) for source, term in self.terms.items()}
        return _Signal(terms, constant, dict(self.late))


class _LateError(Exception):
    """A sum over different times of one source."""


def populations(graph: NodeGraph) -> tuple[list[Population], list[Offence]]:
    """Return the populations from the input up, and every node that prevents a chain.

    If there are such offences, the chain may be incomplete.
    """
    offences = list(graph.offences)
    kinds = {name: type(node).__name__ for name, node in graph.nodes.items()}
    for name, kind in kinds.items():
        if kind in _WHY_NOT:
            offences.append(Offence(name, kind, _WHY_NOT[kind]))
    ends = {
        kind: [n for n, k in kinds.items() if k == kind and n not in graph.inner]
        for kind in ("Input", "Output")
    }
    for kind, names in ends.items():
        if len(names) != 1:
            found = ", ".join(names) or "none"
            offences.append(Offence(found, kind, f"needs one {kind}, has {len(names)}"))
    if offences:
        return [], offences
    try:
        arriving = _multiplied_out(graph, kinds, ends["Input"][0])
    except _MisfitError as misfit:
        return [], [misfit.offence]
    return _chain(graph, kinds, ends["Input"][0], ends["Output"][0], arriving)


class _MisfitError(Exception):
    def __init__(self, offence: Offence, reads: int = 0) -> None:
        super().__init__(str(offence))
        self.offence, self.reads = offence, reads


def _multiplied_out(graph: NodeGraph, kinds: dict[str, str], entry: str) -> dict[str, _Signal]:
    """Return the input of every neuron node and of the output."""
    after: dict[str, list[str]] = defaultdict(list)
    waiting: dict[str, int] = defaultdict(int)
    for source, target in graph.edges:
        after[source].append(target)
        waiting[target] += 1
    sources = [name for name, kind in kinds.items() if kind in NEURONS or name == entry]
    passing = {name for name in kinds if name not in sources}
    arriving: dict[str, _Signal] = defaultdict(_Signal)
    leaving = {name: _Signal({name: np.ones(1)}, late={name: np.zeros(1)}) for name in sources}
    ready = [*sources, *(name for name in passing if not waiting[name])]
    while ready:
        name = ready.pop()
        if name in passing:
            leaving[name] = _through(name, kinds[name], graph.nodes[name], arriving[name])
        for target in after[name]:
            _arrive(target, kinds[target], arriving[target], leaving[name])
            waiting[target] -= 1
            if target in passing and not waiting[target]:
                ready.append(target)
    looped = sorted(name for name in passing if name not in leaving)
    if looped:
        raise _MisfitError(Offence(looped[0], kinds[looped[0]], "lies on a cycle without a neuron"))
    return arriving


def _arrive(name: str, kind: str, at: _Signal, signal: _Signal) -> None:
    try:
        at.add(signal)
    except ValueError:
        raise _MisfitError(Offence(name, kind, "adds signals of different lengths")) from None
    except _LateError as late:
        reason = f"adds what {late} sent at different times; a synapse has one delay"
        raise _MisfitError(Offence(name, kind, reason)) from None


def _through(name: str, kind: str, node: Any, signal: _Signal) -> _Signal:
    """Return the output of a linear node for a signal."""
    if kind == "Delay":
        return _delayed(name, kind, node, signal)
    if kind not in {"Affine", "Linear", "Scale"}:
        return signal
    by_row = kind == "Scale"
    factor = np.asarray(node.scale if by_row else node.weight, dtype=np.float64)
    if not by_row and factor.ndim != 2:
        raise _MisfitError(Offence(name, kind, f"weight {factor.shape}, needs (outputs, inputs)"))
    factor = factor.reshape(-1) if by_row else factor
    wanted = factor.shape[-1]
    parts = (*signal.terms.values(), *signal.late.values(), signal.constant)
    lengths = {len(part) for part in parts} - {1}
    if wanted != 1 and lengths - {wanted}:
        raise _MisfitError(
            Offence(name, kind, f"takes {wanted} values and receives {max(lengths - {wanted})}")
        )
    if by_row:
        return signal.mapped(
            lambda term: factor * term if term.ndim == 1 else factor[:, None] * term,
            factor * signal.constant,
        )
    late = {source: _mixed(name, kind, factor, late) for source, late in signal.late.items()}
    constant = factor @ np.broadcast_to(signal.constant, (wanted,))
    if kind == "Affine":
        bias = np.asarray(node.bias, dtype=np.float64).reshape(-1)
        if len(bias) not in {1, len(factor)}:
            reason = f"bias of {len(bias)} values, its weight has {len(factor)} rows"
            raise _MisfitError(Offence(name, kind, reason))
        constant = constant + bias
    made = signal.mapped(lambda term: factor * term if term.ndim == 1 else factor @ term, constant)
    return replace(made, late=late)


def _mixed(name: str, kind: str, factor: FloatArray, late: FloatArray) -> FloatArray:
    """Return the delays (n,) of a matrix's rows; ``late`` (n_in,) or (1,): of its columns."""
    if len(late) == 1:
        return late
    used = factor != 0
    latest = np.where(used, late, -np.inf).max(1)
    bad = np.flatnonzero((used & (late != latest[:, None])).any(1))
    if bad.size:
        reason = (
            f"mixes in output {bad[0]} values that a Delay before it delays by "
            f"{late[used[bad[0]]].min():g} to {latest[bad[0]]:g} s; a neuron of srnn has one "
            "delay: put the Delay after it"
        )
        raise _MisfitError(Offence(name, kind, reason))
    return np.maximum(latest, 0.0)


def _delayed(name: str, kind: str, node: Any, signal: _Signal) -> _Signal:
    """Return a signal after a Delay."""
    late = np.asarray(node.delay, dtype=np.float64).reshape(-1)
    bad = np.flatnonzero(~(np.isfinite(late) & (late >= 0)))
    if bad.size:
        reason = f"delay {late[bad[0]]:g} s of value {bad[0]} is not a time from 0 up"
        raise _MisfitError(Offence(name, kind, reason))
    if late.any() and signal.constant.any():
        reason = "delays a bias, which a chip adds at every step; put the Affine after it"
        raise _MisfitError(Offence(name, kind, reason))
    lengths = {len(part) for part in (*signal.terms.values(), late)} - {1}
    if len(lengths) > 1:
        raise _MisfitError(Offence(name, kind, f"delays {len(late)} of {max(lengths)} values"))
    return replace(signal, late={source: so_far + late for source, so_far in signal.late.items()})


def _same_length(one: FloatArray, other: FloatArray) -> FloatArray:
    if len(one) != len(other) and 1 not in {len(one), len(other)}:
        raise ValueError(f"{len(one)} and {len(other)} values")
    return one + other


def _sum(one: FloatArray, other: FloatArray) -> FloatArray:
    if one.ndim == other.ndim:
        return one + other if one.ndim == 2 else _same_length(one, other)
    diagonal, matrix = (one, other) if one.ndim == 1 else (other, one)
    return matrix + matrix_of(diagonal, matrix.shape[0])


def matrix_of(term: FloatArray, size: int) -> FloatArray:
    """Return a map as a matrix; the diagonal of one as (size, size)."""
    return term if term.ndim == 2 else np.diag(np.broadcast_to(term, (size,)))


def _chain(
    graph: NodeGraph, kinds: dict[str, str], entry: str, leave: str, arriving: dict[str, _Signal]
) -> tuple[list[Population], list[Offence]]:
    offences: list[Offence] = []
    neurons = [name for name, kind in kinds.items() if kind in NEURONS]
    follow: dict[str, list[str]] = defaultdict(list)
    for name in neurons:
        below = sorted(source for source in arriving[name].terms if source != name)
        for source in below:
            follow[source].append(name)
        if name in arriving[name].terms and kinds[name] not in SPIKING:
            offences.append(Offence(name, kinds[name], "does not spike and feeds back to itself"))
        if len(below) != 1:
            listed = ", ".join(below) or "nothing"
            reason = f"receives {listed}; srnn's layers form one chain, each with one below it"
            offences.append(Offence(name, kinds[name], reason))
    for source, targets in follow.items():
        if len(targets) > 1:
            reason = f"feeds {', '.join(sorted(targets))}; srnn's layers form one chain"
            offences.append(Offence(source, kinds[source], reason))
        elif source in neurons and kinds[source] not in SPIKING:
            offences.append(
                Offence(source, kinds[source], f"does not spike and feeds {targets[0]}")
            )
    offences.extend(_wrong_output(kinds, leave, arriving[leave], follow))
    if offences:
        return [], offences
    found, name = [], entry
    width = _width(np.asarray(graph.nodes[entry].input_type["input"]))
    if not width:
        return [], [Offence(entry, "Input", f"its shape is none of 1 to {WIDTH_MAX} channels")]
    while follow[name]:
        (name,) = follow[name]
        try:
            found.append(_population(name, kinds[name], graph.nodes[name], arriving[name], width))
        except _MisfitError as misfit:
            first = not found and _more_than_one_step(graph.nodes[entry], misfit.reads)
            return [], [Offence(entry, "Input", first) if first else misfit.offence]
        width = found[-1].size
    missed = set(neurons) - {population.name for population in found}
    offences.extend(
        Offence(name, kinds[name], "is not on a path from the input to the output")
        for name in sorted(missed)
    )
    return found, offences


def _more_than_one_step(entry: Any, reads: int) -> str:
    """Return what is wrong where an Input has the shape of a batch or of several steps, else ''."""
    shape = [int(size) for size in np.asarray(entry.input_type["input"]).reshape(-1)]
    own = next((k for k in range(1, len(shape)) if int(np.prod(shape[k:])) == reads), None)
    if own is None:
        return ""
    return (
        f"its shape {tuple(shape)} seems to hold samples or time steps before the channels; write "
        f"the file with sample data of one step, so that it is {tuple(shape[own:])}"
    )


def _width(shape: Any) -> int:
    """Return the number of channels of a shape; 0 if it is none."""
    sizes = shape.reshape(-1)
    if sizes.dtype.kind not in "iu" or not sizes.size or (sizes < 1).any():
        return 0
    width = float(np.prod(sizes.astype(np.float64)))
    return int(width) if width <= WIDTH_MAX else 0


def _wrong_output(
    kinds: dict[str, str], leave: str, signal: _Signal, follow: dict[str, list[str]]
) -> list[Offence]:
    sources = sorted(signal.terms)
    if len(sources) != 1 or kinds[sources[0]] not in NEURONS:
        listed = ", ".join(sources) or "nothing"
        return [Offence(leave, "Output", f"receives {listed}, needs only the last neurons")]
    term = signal.terms[sources[0]]
    unchanged = np.all(term == 1) if term.ndim == 1 else np.array_equal(term, np.eye(len(term)))
    if not unchanged or np.any(signal.constant != 0):
        reason = f"receives a weighted sum of {sources[0]}; put an LI node after the weights"
        return [Offence(leave, "Output", reason)]
    if signal.late[sources[0]].any():
        reason = f"receives {sources[0]} with a delay; remove the Delay, the answer is the same"
        return [Offence(leave, "Output", reason)]
    if follow[sources[0]]:
        reason = f"reads {sources[0]}, which is not the last layer"
        return [Offence(leave, "Output", reason)]
    return []


def _population(name: str, kind: str, node: Any, signal: _Signal, width: int) -> Population:
    recurrent = signal.terms.get(name)
    ((source, below),) = ((key, term) for key, term in signal.terms.items() if key != name)
    late, late_rec = signal.late[source], signal.late.get(name, np.zeros(1))
    parameters = [getattr(node, own) for own in PARAMETERS if hasattr(node, own)]
    sizes = {*map(np.size, parameters), len(below), len(signal.constant), len(late), len(late_rec)}
    sizes |= set() if recurrent is None else {len(recurrent)}
    sizes -= {1}
    # A matrix of one row is one input, which is not meant for several neurons.
    sizes |= {len(term) for term in (below, recurrent) if term is not None and term.ndim == 2}
    if len(sizes) > 1:
        raise _MisfitError(
            Offence(name, kind, f"parameters and inputs of {sorted(sizes)} values do not fit")
        )
    n = sizes.pop() if sizes else (1 if below.ndim == 2 else width)
    one_to_one = below.ndim == 1 or (recurrent is not None and recurrent.ndim == 1)
    if one_to_one and n > IDENTITY_MAX:
        reason = f"{n} neurons with one-to-one input, which needs a matrix; at most {IDENTITY_MAX}"
        raise _MisfitError(Offence(name, kind, reason))
    weight = matrix_of(below, n)
    if weight.shape[1] != width:
        reason = f"reads {weight.shape[1]} values and is sent {width}"
        raise _MisfitError(Offence(name, kind, reason), weight.shape[1])
    return Population(
        name,
        kind,
        node,
        weight,
        None if recurrent is None else matrix_of(recurrent, n),
        *(np.array(np.broadcast_to(x, (n,))) for x in (signal.constant, late, late_rec)),
    )
