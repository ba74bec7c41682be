from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from srnn.export.checkpoint import Init
from srnn.export.errors import InputError
from srnn.neurons.real import TAU_MAX, TAU_MIN
from srnn.train.time_constants import draw_tau, raw_from_tau, tau_from_raw

raws = st.one_of(st.floats(-1e30, 1e30), st.floats(-30, 30))


@settings(deadline=None)
@given(st.lists(raws, min_size=1, max_size=20))
def test_no_raw_value_leaves_the_range(values: list[float]) -> None:
    raw = torch.tensor([*values, 1e30, -1e30], requires_grad=True)
    tau = tau_from_raw(raw)
    assert bool(((tau >= TAU_MIN * (1 - 1e-6)) & (tau <= TAU_MAX * (1 + 1e-6))).all())
    alpha = torch.exp(-1 / tau)
    assert bool(((alpha > 0) & (alpha < 1)).all())
    alpha.sum().backward()
    assert raw.grad is not None
    assert bool(torch.isfinite(raw.grad).all())
    assert bool((raw.grad[raw.detach().abs() < 5] > 0).all())


@settings(deadline=None)
@given(st.floats(TAU_MIN * 1.001, TAU_MAX * 0.999))
def test_inverse_brings_tau_back(tau: float) -> None:
    there = raw_from_tau(torch.tensor([tau], dtype=torch.float64))
    assert tau_from_raw(there).item() == pytest.approx(tau, rel=1e-9)
    short = tau_from_raw(raw_from_tau(torch.tensor([tau])))
    assert short.item() == pytest.approx(tau, rel=2e-5)


def test_limits_themselves_have_finite_raw_values() -> None:
    raw = raw_from_tau(torch.tensor([TAU_MIN, TAU_MAX]))
    assert bool(torch.isfinite(raw).all())
    np.testing.assert_allclose(tau_from_raw(raw), [TAU_MIN, TAU_MAX], rtol=1e-4)


def test_draws_follow_their_kind_and_are_clipped() -> None:
    torch.manual_seed(0)
    assert bool((draw_tau(Init(mean=7.0), 50) == 7.0).all())
    normal = draw_tau(Init("normal", mean=20.0, std=5.0), 4000)
    assert normal.mean().item() == pytest.approx(20, abs=0.5)
    assert normal.std().item() == pytest.approx(5, abs=0.5)
    uniform = draw_tau(Init("uniform", low=10.0, high=30.0), 4000)
    assert (uniform.min() >= 10, uniform.max() <= 30) == (True, True)
    assert uniform.mean().item() == pytest.approx(20, abs=0.5)
    logs = torch.log(draw_tau(Init("log_uniform", low=1.0, high=100.0), 4000))
    assert logs.mean().item() == pytest.approx(np.log(10), abs=0.1)
    for init in (
        Init("normal", mean=1.0, std=1000.0),
        Init("constant", mean=1e9),
        Init("uniform", low=1e-9, high=1e9),
    ):
        drawn = draw_tau(init, 2000)
        assert TAU_MIN < drawn.min() <= drawn.max() < TAU_MAX


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "gauss"},
        {"mean": 0.0},
        {"mean": float("nan")},
        {"mean": float("inf")},
        {"kind": "normal", "std": -1.0},
        {"kind": "normal", "std": float("nan")},
        {"kind": "uniform", "low": 5.0, "high": 4.0},
    ],
)
def test_initial_values_that_make_no_sense(settings: dict) -> None:
    with pytest.raises(InputError, match="initial time constants"):
        Init(**settings)
