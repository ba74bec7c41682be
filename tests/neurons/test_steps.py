"""The steps of neurons: against a second reading by hand, and as expressions."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from neuron_draws import random_record, sums
from second_reading import STEPS
from srnn.export.errors import InputError
from srnn.neurons.expression import Expression, evaluate, parts
from srnn.neurons.grid import sat
from srnn.neurons.neuron import Neuron, initial_state, program, take_step
from srnn.neurons.registry import NEURONS

SIZE, STEPS_RUN = 5000, 512


@pytest.mark.parametrize("name", NEURONS)
def test_against_the_second_reading(name: str) -> None:
    """Together 10^7 steps of a neuron, over the whole range of parameters."""
    assert len(NEURONS) * SIZE * STEPS_RUN > 10_000_000
    rng = np.random.default_rng(sum(map(ord, name)))
    neuron = random_record(rng, NEURONS[name], SIZE)
    found, expected = initial_state(neuron, 1), initial_state(neuron, 1)
    spiked = again = np.zeros((1, SIZE), np.int64)
    fired = 0
    for _ in range(STEPS_RUN):
        a = sums(rng, SIZE)
        found, spiked = take_step(neuron, found, a, spiked)
        expected, other = STEPS[name](neuron, expected, a, again)
        again = other.astype(np.int64)
        np.testing.assert_array_equal(spiked, again)
        for state in neuron.STATES:
            np.testing.assert_array_equal(found[state], expected[state], err_msg=state)
        fired += int(spiked.sum())
    assert (fired > SIZE) == neuron.SPIKING


@pytest.mark.parametrize("name", NEURONS)
def test_expressions_compute_what_the_step_does(name: str) -> None:
    rng = np.random.default_rng(1)
    neuron = random_record(rng, NEURONS[name], 300)
    made = program(NEURONS[name])
    states = {state: rng.integers(-(1 << 23), 1 << 23, (1, 300)) for state in neuron.STATES}
    spiked, a = rng.integers(0, 2, (1, 300)), sums(rng, 300)

    def leaf(part: Expression) -> Any:
        if part.op == "input":
            return a
        if part.op == "parameter":
            return getattr(neuron, part.name)
        return spiked != 0 if part.name == "spiked" else states[part.name]

    after, spikes = take_step(neuron, states, a, spiked)
    known: dict[Any, Any] = {}
    for state, value in made.states.items():
        np.testing.assert_array_equal(evaluate(value, leaf, known), after[state], err_msg=state)
    if made.spiked is not None:
        np.testing.assert_array_equal(evaluate(made.spiked, leaf, known), spikes != 0)


def test_equal_parts_are_one() -> None:
    a, b = Expression.of("input", "a"), Expression.of("parameter", "b")
    assert (a + b) * 2 is (a + b) * 2
    assert [str(part) for part in parts(((a + b) * (a + b), b))] == [
        "a", "b", "(a + b)", "((a + b) * (a + b))",
    ]  # fmt: skip


STEPS_REFUSED = {
    "a float": (lambda p, s, a: sat(s.v + 0.5 * a), "0.5 is not a whole number"),
    "a division": (lambda p, s, a: sat(s.v / 2 + a), "write rtz or >>"),
    "a branch": (lambda p, s, a: sat(a if a > 0 else s.v), "cannot branch on a value"),
    "a number as condition": (lambda p, s, a: sat(a * (s.v > 0)), "do not mix"),
    "an unknown parameter": (lambda p, s, a: sat(a + p.gain), "no attribute 'gain'"),
    "an error of its own": (lambda p, s, a: {}["gain"], "KeyError: 'gain'"),
    "NumPy": (lambda p, s, a: np.clip(a, 0, 1), "cannot branch"),
}  # fmt: skip


def neuron_of(own_step: Any, spiking: bool = False) -> type[Neuron]:
    class Wrong(Neuron):
        TYPE: ClassVar[str] = "WRONG"
        STATES: ClassVar[tuple[str, ...]] = ("v",)
        SPIKING: ClassVar[bool] = spiking

        @staticmethod
        def step(p: Any, s: Any, a: Any) -> dict[str, Any]:
            return own_step(p, s, a)

    return Wrong


@pytest.mark.parametrize("what", STEPS_REFUSED)
def test_what_a_step_may_not_contain(what: str) -> None:
    compute, expected = STEPS_REFUSED[what]
    with pytest.raises(InputError) as raised:
        program(neuron_of(lambda p, s, a: {"v": compute(p, s, a)}))
    line = str(raised.value)
    assert expected in line
    assert line.startswith(f"{__file__}, line ")
    assert "neuron WRONG" in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("after", "spiking", "expected"),
    [
        ({"u": 1}, False, "step returns u, needs a dictionary of v"),
        ({"v": 1}, True, "step returns v, needs a dictionary of spiked, v"),
        ([], False, "step returns list"),
        ({"v": 1, "spiked": 1}, True, "spiked is 1, needs a condition"),
        ({"v": 1.5}, False, "1.5 is not a whole number"),
        ({"v": Expression.of("state", "spiked")}, False, "v is spiked, a condition"),
    ],
)
def test_what_a_step_must_return(after: Any, spiking: bool, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        program(neuron_of(lambda p, s, a: after, spiking))


def test_a_neuron_without_a_step() -> None:
    class Without(Neuron):
        TYPE: ClassVar[str] = "WITHOUT"

    with pytest.raises(InputError, match="neuron WITHOUT: has no step"):
        program(Without)


def test_a_step_on_symbols_needs_no_numpy() -> None:
    symbols = SimpleNamespace(v=Expression.of("state", "v"))
    assert str(sat(symbols.v + 1)) == "sat((v + 1))"
