"""The engine's steps of neurons that srnn does not have, against the loop in float64."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import engine_reference
import pytest
from engine_reference import agreeing, draw, relative_errors, run_engine
from srnn.export.errors import InputError
from srnn.neurons.gradient import float_program
from srnn.neurons.real import FloatNeuron, detach, fma, lerp, relu, tau
from srnn.neurons.registry import FLOAT_NEURONS, register_float
from srnn.train.engine.derived import ARGUMENT, printed, why_not
from srnn.train.engine.programs import STATES_MAX, S, V
from srnn.train.engine.stack import kernels_for

pytestmark = pytest.mark.extra("train")


class _Own(FloatNeuron):
    PARAMETERS = (tau("tau_mem"),)
    NAMES: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def coefficients(cls, p: Any) -> dict[str, Any]:
        return dict.fromkeys(cls.NAMES, 0.0 * p.tau_mem)


class Squared(_Own):
    """Its gradient needs the current itself."""

    NAME = "squared"
    STATES = ("q", "v", "s")
    NAMES = ("alpha", "q_keep", "threshold")

    @staticmethod
    def step(c: Any, s: Any, current: Any, spike: Any) -> dict[str, Any]:
        q = fma(c.q_keep, s.q, current * current)
        v = fma(c.alpha, s.v, current - q * s.v) * (1.0 - s.s)
        return {"q": q, "v": v, "s": spike(v - c.threshold)}


class Crowded(_Own):
    """As many states and coefficients as there may be; w is v of the step before."""

    NAME = "crowded"
    STATES = ("w", "q", "v", "i", "b", "s")
    NAMES = ("alpha", "rho", "alpha_syn", "threshold", "adaptation", "w_step", "turn", "q_keep")
    BIAS_IN_STEP = True

    @staticmethod
    def step(c: Any, s: Any, current: Any, spike: Any) -> dict[str, Any]:
        i = fma(c.alpha_syn, s.i, current)
        b = lerp(s.s, s.b, c.rho)
        q = c.q_keep * s.q + detach(s.s) * 0.3
        v = fma(c.alpha, s.v, i + c.bias) - c.turn * s.w - relu_free(s.w)
        fired = spike(v - fma(c.adaptation, b, c.threshold) - q)
        return {
            "w": s.v + c.w_step * s.s,
            "q": q,
            "v": -(v * (fired - 1.0)),
            "i": i,
            "b": b,
            "s": fired,
        }


def relu_free(x: Any) -> Any:
    return 0.1 * (x - 0.5) * x


class Inverted(_Own):
    """Padding fires unless its bits are taken away: at rest its spike's argument is above 0."""

    NAME = "inverted"
    STATES = ("v", "s")
    NAMES = ("alpha", "threshold")

    @staticmethod
    def step(c: Any, s: Any, current: Any, spike: Any) -> dict[str, Any]:
        v = fma(c.alpha, s.v, current) + 0.6 * s.s
        return {"v": v, "s": spike(0.2 - v - c.threshold)}


class Graded(_Own):
    NAME = "graded"
    STATES = ("v", "s")
    NAMES = ("alpha", "threshold")
    SPIKING = False

    @staticmethod
    def step(c: Any, s: Any, current: Any, spike: Any) -> dict[str, Any]:  # noqa: ARG004
        v = fma(c.alpha, s.v, current) - 0.5 * s.s
        return {"v": v, "s": relu(v - c.threshold)}


class Numbers(_Own):
    """Numbers where tensors usually are; a state that is one, and one that is a coefficient."""

    NAME = "numbers"
    STATES = ("q", "b", "w", "v", "s")
    NAMES = ("alpha", "rho", "threshold")

    @staticmethod
    def step(c: Any, s: Any, current: Any, spike: Any) -> dict[str, Any]:
        w = lerp(0.2, s.w, c.rho) + lerp(s.w, 0.1, 0.5) + fma(0.5, c.rho, 0.1) + fma(c.rho, 2, s.w)
        v = fma(0.5, s.v, current) * c.alpha + 0.01 * (s.q + s.b - w)
        fired = spike(v - c.threshold)
        return {"q": 1.0, "b": c.rho, "w": 0.1 * w + relu_free(0.2), "v": v, "s": fired}


class Twice(_Own):
    NAME = "twice"
    STATES = ("v", "s")
    NAMES = ("alpha",)

    @staticmethod
    def step(c: Any, s: Any, current: Any, spike: Any) -> dict[str, Any]:
        v = fma(c.alpha, s.v, current)
        return {"v": v * (1.0 - spike(v - 2.0)), "s": spike(v - 1.0)}


OWN = {kind.NAME: kind for kind in (Squared, Crowded, Inverted, Graded, Numbers)}


@pytest.fixture(params=OWN)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    kind = OWN[request.param]
    register_float(kind)
    monkeypatch.setitem(engine_reference.NAMES, kind.NAME, kind.NAMES)
    yield kind.NAME
    del FLOAT_NEURONS[kind.NAME]


@pytest.mark.parametrize("n", [13, 64, 70])
@pytest.mark.parametrize("recurrent", [False, True])
def test_both_passes_are_those_of_the_loop(kind: str, recurrent: bool, n: int) -> None:
    case, exact = agreeing(lambda seed: draw(kind, seed, recurrent=recurrent, n=n))
    errors = relative_errors(case, exact)
    # Squares of currents lose digits in single precision.
    limit = 2e-3 if kind == "squared" else 1e-4
    assert {name: e for name, e in errors.items() if not e < limit} == {}
    assert 0 < float((run_engine(case)[1] != 0).float().mean()) < 1


def test_what_a_step_keeps() -> None:
    assert printed(Squared).kept == (ARGUMENT, "q", "current")
    assert printed(Inverted).kept == (ARGUMENT, "v")
    assert printed(Graded).kept == (ARGUMENT,)
    assert {name: printed(own).kept for name, own in FLOAT_NEURONS.items()} == {
        "alif": (ARGUMENT, "b"), "alif_relu": (ARGUMENT, "b"), "lif": (ARGUMENT,),
        "cuba_lif": (ARGUMENT, "i"), "li": (ARGUMENT,), "adlif": (ARGUMENT, "w"),
        "brf": (ARGUMENT, "v", "x", "q"),
    }  # fmt: skip


def test_what_the_engine_does_not_run() -> None:
    assert kernels_for("rnn") is None
    assert why_not(Twice) == "s is not the one spike of its step"


class Membranes(_Own):
    """As many states as there may be, were one of them s; no state is read."""

    NAME = "membranes"
    STATES = ("v", "a", "b", "d", "e", "f")
    SPIKING = False

    @classmethod
    def step(cls, c: Any, s: Any, current: Any, spike: Any) -> dict[str, Any]:  # noqa: ARG003
        return dict.fromkeys(cls.STATES, current * 0.5)


class Fewer(Membranes):
    STATES = Membranes.STATES[:-1]


def test_the_place_of_s_stays_free() -> None:
    assert why_not(Membranes) == "it has more than 8 coefficients or, with s, 6 states"
    assert why_not(Fewer) is None
    places = printed(Fewer).places
    assert S - V not in places
    assert max(places) < STATES_MAX


def test_a_step_that_reads_no_state_is_compiled() -> None:
    compile(printed(Fewer).backward, "backward", "exec")


@pytest.mark.parametrize("wrong", ["bias", "decays", "spike"])
def test_what_is_declared_wrongly_is_one_line(wrong: str) -> None:
    class Wrong(Inverted):
        NAME = "wrong"
        NAMES = ("alpha", "threshold", *(["bias"] if wrong == "bias" else []))
        DECAYS = ("rho",) if wrong == "decays" else ()

        @staticmethod
        def step(c: Any, s: Any, current: Any, spike: Any) -> dict[str, Any]:
            return {
                "v": fma(c.alpha, s.v, current),
                "s": spike(1.0 if wrong == "spike" else current),
            }

    expected = {
        "bias": "coefficients: bias is taken",
        "decays": "DECAYS names rho, which are no coefficients",
        "spike": r"spike\(1.0\): a number never changes",
    }
    with pytest.raises(InputError, match=f"neuron wrong: .*{expected[wrong]}"):
        register_float(Wrong)
    assert "wrong" not in FLOAT_NEURONS


@pytest.mark.parametrize(
    ("compute", "expected"),
    [
        (lambda x: x + float("inf"), "inf is not finite"),
        (lambda x: x / 2.0, "unsupported operand"),
        (lambda x: x if x > 0 else 0.0, "'>' not supported"),
        (lambda x: x.exp(), "a step has no exp"),
        (lambda x: x + "1", "'1' is not a number"),
    ],
)
def test_what_a_step_may_not_contain(compute: Any, expected: str) -> None:
    class Wrong(_Own):
        NAME = "wrong"
        STATES = ("v",)
        SPIKING = False

        @staticmethod
        def step(c: Any, s: Any, current: Any, spike: Any) -> dict[str, Any]:  # noqa: ARG004
            return {"v": compute(current)}

    with pytest.raises(InputError, match=f"neuron wrong: step: TypeError: .*{expected}"):
        float_program(Wrong)
