"""Ranges of a step's values hold for what it computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from neuron_draws import random_record, sums
from srnn.neurons.expression import evaluate
from srnn.neurons.grid import STATE_MAX, IntArray, decayed, sat, wrap24
from srnn.neurons.neuron import Neuron, decay, initial_state, program, take_step
from srnn.neurons.ranges import limited_states, ranges
from srnn.neurons.registry import NEURONS

LIMIT = (1 << 31) - 1


def test_states_that_saturate() -> None:
    assert {name: set(limited_states(record)) for name, record in NEURONS.items()} == {
        "CUBA": {"v"}, "SRNN_ALIF": {"d", "v"}, "SRNN_LI": {"v"}, "ATRLIF": {"v"},
        "SRNN_ADLIF": {"w", "v"}, "SRNN_BRF": {"q", "x", "v"},
    }  # fmt: skip


@pytest.mark.parametrize("name", NEURONS)
def test_every_part_stays_in_its_range(name: str) -> None:
    rng = np.random.default_rng(5)
    neuron, step = random_record(rng, NEURONS[name], 500), program(NEURONS[name])
    found = ranges(step, 1 << 25, LIMIT)
    state, spiked = initial_state(neuron, 1), np.zeros((1, 500), np.int64)
    for _ in range(60):
        a = sums(rng, 500)
        before, fired = state, spiked

        def leaf(part, a=a, before=before, fired=fired):
            if part.op == "input":
                return a
            if part.op == "parameter":
                return getattr(neuron, part.name)
            return fired != 0 if part.name == "spiked" else before[part.name]

        known: dict = {}
        for result in step.results:
            evaluate(result, leaf, known)
        if any(np.abs(before[watched]).max() > LIMIT for watched in found.watched):
            break
        for part, values in known.items():
            low, high = found.parts[part]
            assert low <= int(np.min(values)), part
            assert int(np.max(values)) <= high, part
        state, spiked = take_step(neuron, state, a, spiked)


@dataclass(frozen=True, eq=False)
class Slow(Neuron):
    """States that take thousands of steps to their limits, and one that has none."""

    x_decay: IntArray = decay("xDecay")

    TYPE: ClassVar[str] = "TEST_SLOW"
    STATES: ClassVar[tuple[str, ...]] = ("x", "y", "n", "v")

    @staticmethod
    def step(p: Any, s: Any, a: Any) -> dict[str, Any]:
        x = wrap24(decayed(s.x, p.x_decay) + a)
        y = sat(s.y + (s.x >> 20))
        return {"x": x, "y": y, "n": s.n + 1, "v": sat(x - y), "spiked": x > y}


def test_a_state_that_takes_long_to_its_limit_has_one() -> None:
    found = ranges(program(Slow), 1000, LIMIT)
    assert found.watched == {"n"}
    assert found.states["x"] == (1 - (1 << 23), 1 << 23)
    assert found.states["y"] == found.states["v"] == (-STATE_MAX, STATE_MAX)
