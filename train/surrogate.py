"""Surrogate gradients of the spike, by name.

The forward pass is the step ``s = [x > 0]`` with ``x = v - B``; the backward pass takes f(x) for
ds/dv. x is in units of the membrane, not divided by the threshold. Every f has the factor
``gamma``. Sources: Yin, Corradi, Bohte 2020 (gaussian), 2021 (multi_gaussian) and their code;
SLAYER (exponential).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Protocol

import torch
from torch import Tensor

from ..export.checkpoint import SurrogateConfig


class Surrogate(Protocol):
    """A function f(x) that replaces the derivative of the step."""

    def derivative(self, x: Tensor) -> Tensor:
        """Return f(x), of the shape of x."""
        ...


def _normal(x: Tensor, mean: float, sigma: float) -> Tensor:
    z = (x - mean) / sigma
    return torch.exp(-0.5 * z * z) / (sigma * math.sqrt(2 * math.pi))


@dataclass(frozen=True)
class MultiGaussian:
    """``f = gamma [(1 + h) N(x; 0, w) - h N(x; w, s w) - h N(x; -w, s w)]`` (2021).

    w ``width`` 0.5, h ``height`` 0.15, s ``scale`` 6, gamma 0.5. The negative lobes give a neuron
    far from its threshold a gradient of the other sign.
    """

    gamma: float = 0.5
    width: float = 0.5
    height: float = 0.15
    scale: float = 6.0

    def derivative(self, x: Tensor) -> Tensor:
        """Return f(x)."""
        w, h, wide = self.width, self.height, self.scale * self.width
        lobes = _normal(x, w, wide) + _normal(x, -w, wide)
        return self.gamma * ((1 + h) * _normal(x, 0.0, w) - h * lobes)


@dataclass(frozen=True)
class Gaussian:
    """``f = gamma N(x; 0, w)`` (2020), w ``width`` 0.5, gamma 0.5."""

    gamma: float = 0.5
    width: float = 0.5

    def derivative(self, x: Tensor) -> Tensor:
        """Return f(x)."""
        return self.gamma * _normal(x, 0.0, self.width)


@dataclass(frozen=True)
class Linear:
    """``f = gamma max(0, 1 - |x| / w)``, a triangle; w ``width`` 1, gamma 0.5."""

    gamma: float = 0.5
    width: float = 1.0

    def derivative(self, x: Tensor) -> Tensor:
        """Return f(x)."""
        return self.gamma * torch.relu(1 - x.abs() / self.width)


@dataclass(frozen=True)
class Exponential:
    """``f = gamma exp(-k |x|)``, as SLAYER; k ``slope`` 5, gamma 0.5."""

    gamma: float = 0.5
    slope: float = 5.0

    def derivative(self, x: Tensor) -> Tensor:
        """Return f(x)."""
        return self.gamma * torch.exp(-self.slope * x.abs())


@dataclass(frozen=True)
class Arctan:
    """``f = gamma / (1 + (pi k x / 2)^2)``, the arctangent's derivative.

    k ``slope`` 2, gamma 1.
    """

    gamma: float = 1.0
    slope: float = 2.0

    def derivative(self, x: Tensor) -> Tensor:
        """Return f(x)."""
        return self.gamma / (1 + (0.5 * math.pi * self.slope * x) ** 2)


@dataclass(frozen=True)
class FastSigmoid:
    """``f = gamma / (1 + k |x|)^2``, k ``slope`` 10, gamma 1 (SuperSpike)."""

    gamma: float = 1.0
    slope: float = 10.0

    def derivative(self, x: Tensor) -> Tensor:
        """Return f(x)."""
        return self.gamma / (1 + self.slope * x.abs()) ** 2


SURROGATES: dict[str, type[Any]] = {
    "multi_gaussian": MultiGaussian,
    "gaussian": Gaussian,
    "linear": Linear,
    "exponential": Exponential,
    "arctan": Arctan,
    "fast_sigmoid": FastSigmoid,
}


def make_surrogate(config: SurrogateConfig) -> Surrogate:
    """Build the surrogate that a config names."""
    kind = SURROGATES[config.name]
    given = {f.name: getattr(config, f.name) for f in fields(kind)}
    return kind(**{name: value for name, value in given.items() if value is not None})


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, surrogate: Surrogate) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(x)
        ctx.surrogate = surrogate
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        return gradient * ctx.surrogate.derivative(x), None


def spike(x: Tensor, surrogate: Surrogate) -> Tensor:
    """Return ``[x > 0]`` as 0.0 or 1.0, with the surrogate as its gradient."""
    result = _Spike.apply(x, surrogate)
    assert isinstance(result, Tensor)
    return result
