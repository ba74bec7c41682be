"""What a float neuron's functions return is checked: a mistake is one line."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from srnn.export.config import Init
from srnn.export.errors import InputError
from srnn.neurons.alif import AdaptiveLIF
from srnn.neurons.real import (
    FloatNeuron,
    Integers,
    Spread,
    check_declared,
    integers_of,
    meaning_of,
    states_of,
    tau,
)

N = 3
SCALE: Any = np.ones(N)
NEEDED = ("v_decay", "b_decay", "v_threshold", "b_step", "b_exp")
GOOD: dict[str, Any] = {name: np.full(N, 9) for name in NEEDED}


class _Own(FloatNeuron):
    NAME: ClassVar[str] = "own"
    PARAMETERS = (tau("tau_mem"),)
    STATES = ("v", "w", "s")

    @staticmethod
    def coefficients(p: Any) -> dict[str, Any]:
        return {"alpha": p.tau_mem, "rho": p.tau_mem}


def returning(name: str, value: Any) -> type[FloatNeuron]:
    def function(*_args: Any) -> Any:
        if isinstance(value, Exception):
            raise value
        return value

    return type("Own", (_Own,), {name: staticmethod(function)})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"alpha": SCALE}, "meaning returns alpha, needs alpha, rho"),
        ({"alpha": SCALE, "rho": SCALE, "x": 1}, "returns alpha, rho, x, needs alpha, rho"),
        ({"alpha": SCALE, "rho": np.ones(2)}, r"rho has the shape \(2,\), needs \(3,\)"),
        ({"alpha": SCALE, "rho": None}, "rho holds object, needs numbers"),
        ([], "meaning returns list, needs alpha, rho"),
        (AttributeError("no attribute \n 'rho'"), "meaning: AttributeError: no attribute 'rho'"),
        (NotImplementedError(), "has no meaning"),
    ],
)
def test_meaning(value: Any, expected: str) -> None:
    with pytest.raises(InputError, match=f"^neuron own: .*{expected}"):
        meaning_of(returning("meaning", value), SimpleNamespace(), SCALE)


def test_a_number_stands_for_all_neurons() -> None:
    own = returning("meaning", {"alpha": 0.5, "rho": SCALE})
    np.testing.assert_array_equal(meaning_of(own, None, SCALE)["alpha"], [0.5] * N)


def test_real_states() -> None:
    states = {"v": np.ones((2, 5, N))}
    with pytest.raises(InputError, match="real_states returns v, needs v, w"):
        states_of(_Own, None, SCALE, states)
    found = states_of(returning("real_states", {"w": 0.0, "v": states["v"]}), None, SCALE, states)
    assert found["w"].shape == (2, 5, N)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Integers(AdaptiveLIF, {"v_decay": SCALE}, SCALE), "AdaptiveLIF needs b_decay, "),
        (
            Integers(AdaptiveLIF, {**GOOD, "v_treshold": SCALE}, SCALE),
            "AdaptiveLIF has no parameter v_treshold$",
        ),
        (Integers(AdaptiveLIF, GOOD, np.ones(2)), r"state_scale has the shape \(2,\)"),
        (Integers(AdaptiveLIF, GOOD, np.array([1, 0, 1])), "state_scale 0 is not above 0"),
        (Integers(AdaptiveLIF, GOOD, SCALE * np.nan), "state_scale nan is not above 0"),
        ({}, "returns dict, needs Integers"),
        (KeyError("kept"), "integers: KeyError: 'kept'"),
    ],
)
def test_integers(value: Any, expected: str) -> None:
    with pytest.raises(InputError, match=f"^neuron own: .*{expected}"):
        integers_of(returning("integers", value), None, SCALE, False)


def test_a_parameter_has_one_place_for_its_initial_values() -> None:
    class Own(_Own):
        PARAMETERS = (tau("tau_mem", Spread("constant", 5.0)),)

    with pytest.raises(InputError, match="initial values of tau_mem are a setting of every layer"):
        check_declared(Own)

    class Other(_Own):
        PARAMETERS = (tau("memory"),)

    with pytest.raises(InputError, match="parameter memory has no initial values"):
        check_declared(Other)


def test_initial_values_and_time_constants_are_checked_alike() -> None:
    for kind, what in ((Spread, "initial values"), (Init, "initial time constants")):
        for wrong in ({"kind": "normall"}, {"std": -1.0}, {"low": 5.0, "high": 2.0}):
            with pytest.raises(InputError, match=f"^{what}: "):
                kind(**wrong)
