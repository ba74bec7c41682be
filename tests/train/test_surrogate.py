from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch
from srnn.export import config
from srnn.export.checkpoint import SurrogateConfig
from srnn.export.errors import InputError
from srnn.train.surrogate import SURROGATES, make_surrogate, spike


def normal(x: float, mean: float, sigma: float) -> float:
    return math.exp(-((x - mean) ** 2) / (2 * sigma**2)) / math.sqrt(2 * math.pi * sigma**2)


FORMULAS = {
    "multi_gaussian": lambda v: (
        0.5 * (1.15 * normal(v, 0, 0.5) - 0.15 * normal(v, 0.5, 3.0) - 0.15 * normal(v, -0.5, 3.0))
    ),
    "gaussian": lambda v: 0.5 * normal(v, 0, 0.5),
    "linear": lambda v: 0.5 * max(0.0, 1 - abs(v)),
    "exponential": lambda v: 0.5 * math.exp(-5 * abs(v)),
    "arctan": lambda v: 1 / (1 + (math.pi * v) ** 2),
    "fast_sigmoid": lambda v: 1 / (1 + 10 * abs(v)) ** 2,
}


def derivative(name: str, points: np.ndarray, **settings: float) -> np.ndarray:
    surrogate = make_surrogate(SurrogateConfig(name, **settings))
    return surrogate.derivative(torch.from_numpy(points)).numpy()


@pytest.mark.parametrize("name", SURROGATES)
def test_derivative_is_its_formula(name: str) -> None:
    points = np.linspace(-4, 4, 801)
    expected = [FORMULAS[name](v) for v in points]
    np.testing.assert_allclose(derivative(name, points), expected, atol=1e-12)


@pytest.mark.parametrize("name", SURROGATES)
def test_spike_is_a_strict_step_with_that_gradient(name: str) -> None:
    v = torch.tensor([-1.0, -0.1, 0.0, 0.1, 1.0], dtype=torch.float64, requires_grad=True)
    spikes = spike(v, make_surrogate(SurrogateConfig(name)))
    assert spikes.tolist() == [0, 0, 0, 1, 1]
    (3 * spikes).sum().backward()
    assert v.grad is not None
    np.testing.assert_allclose(v.grad, [3 * FORMULAS[name](x) for x in v.tolist()], atol=1e-12)


@pytest.mark.parametrize(
    ("name", "peak"),
    [("gaussian", 0.399), ("multi_gaussian", 0.439), ("linear", 0.5), ("exponential", 0.5)],
)
def test_published_values_at_zero(name: str, peak: float) -> None:
    assert derivative(name, np.zeros(1))[0] == pytest.approx(peak, abs=5e-4)


def test_lobes_of_the_multi_gaussian() -> None:
    points = np.linspace(0, 40, 400_001)
    f = derivative("multi_gaussian", points)
    assert points[np.argmax(f < 0)] == pytest.approx(1.272, abs=1e-3)
    assert f.min() == pytest.approx(-0.0159, abs=1e-4)
    assert points[f.argmin()] == pytest.approx(1.86, abs=0.01)
    step = points[1]
    assert 2 * (f.sum() - f[0] / 2) * step == pytest.approx(0.85 * 0.5, abs=1e-5)


def test_parameters_replace_defaults_one_by_one() -> None:
    assert derivative("gaussian", np.zeros(1), gamma=1.0)[0] == pytest.approx(0.79788, abs=1e-5)
    assert derivative("linear", np.ones(1), width=4.0)[0] == pytest.approx(0.375)
    assert derivative("fast_sigmoid", np.ones(1), slope=1.0)[0] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"name": "gausian"}, "unknown surrogate 'gausian'; did you mean 'gaussian'?"),
        (
            {"name": "gaussian", "slope": 2.0},
            "surrogate gaussian: unknown parameter 'slope' (known: gamma, width)",
        ),
        ({"name": "arctan", "width": 2.0}, "surrogate arctan: unknown parameter 'width'"),
        ({"name": "gaussian", "width": 0.0}, "width 0.0 is not above 0"),
        ({"name": "gaussian", "gamma": math.nan}, "gamma nan is not above 0"),
    ],
)
def test_what_a_surrogate_does_not_have(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as raised:
        SurrogateConfig(**settings)
    assert said in str(raised.value)


def test_the_table_of_parameters_is_that_of_the_surrogates() -> None:
    classes = {name: tuple(f.name for f in fields(kind)) for name, kind in SURROGATES.items()}
    assert classes == config.SURROGATES
