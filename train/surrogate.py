"""Surrogate gradients of the spike, by name.

The forward pass is the step ``s = [v > 0]`` with ``v = u - B``; the backward pass takes f(v) for
ds/dv. v is in the membrane's own units, not divided by the threshold. Every f has the factor
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
    """A function f(v) in place of the derivative of the step."""

    def derivative(self, v: Tensor) -> Tensor:
        """Return f(v), of the shape of v."""
        ...


def _normal(v: Tensor, mean: float, sigma: float) -> Tensor:
    z = (v - mean) / sigma
    return torch.exp(-0.5 * z * z) / (sigma * math.sqrt(2 * math.pi))


@dataclass(frozen=True)
class MultiGaussian:
    """``f = gamma [(1 + h) N(v; 0, w) - h N(v; w, s w) - h N(v; -w, s w)]`` (2021).

    w ``width`` 0.5, h ``height`` 0.15, s ``scale`` 6, gamma 0.5. The negative lobes give a neuron
    far from its threshold a gradient of the other sign.
    """

    gamma: float = 0.5
    width: float = 0.5
    height: float = 0.15
    scale: float = 6.0

    def derivative(self, v: Tensor) -> Tensor:
        """Return f(v)."""
        w, h, wide = self.width, self.height, self.scale * self.width
        lobes = _normal(v, w, wide) + _normal(v, -w, wide)
        return self.gamma * ((1 + h) * _normal(v, 0.0, w) - h * lobes)


@dataclass(frozen=True)
class Gaussian:
    """``f = gamma N(v; 0, w)`` (2020), w ``width`` 0.5, gamma 0.5."""

    gamma: float = 0.5
    width: float = 0.5

    def derivative(self, v: Tensor) -> Tensor:
        """Return f(v)."""
        return self.gamma * _normal(v, 0.0, self.width)


@dataclass(frozen=True)
class Linear:
    """``f = gamma max(0, 1 - |v| / w)``, a triangle; w ``width`` 1, gamma 0.5."""

    gamma: float = 0.5
    width: float = 1.0

    def derivative(self, v: Tensor) -> Tensor:
        """Return f(v)."""
        return self.gamma * torch.relu(1 - v.abs() / self.width)


@dataclass(frozen=True)
class Exponential:
    """``f = gamma exp(-k |v|)``, as SLAYER; k ``slope`` 5, gamma 0.5."""

    gamma: float = 0.5
    slope: float = 5.0

    def derivative(self, v: Tensor) -> Tensor:
        """Return f(v)."""
        return self.gamma * torch.exp(-self.slope * v.abs())


@dataclass(frozen=True)
class Arctan:
    """``f = gamma / (1 + (pi k v / 2)^2)``, the arctangent's derivative.

    k ``slope`` 2, gamma 1.
    """

    gamma: float = 1.0
    slope: float = 2.0

    def derivative(self, v: Tensor) -> Tensor:
        """Return f(v)."""
        return self.gamma / (1 + (0.5 * math.pi * self.slope * v) ** 2)


@dataclass(frozen=True)
class FastSigmoid:
    """``f = gamma / (1 + k |v|)^2``, k ``slope`` 10, gamma 1 (SuperSpike)."""

    gamma: float = 1.0
    slope: float = 10.0

    def derivative(self, v: Tensor) -> Tensor:
        """Return f(v)."""
        return self.gamma / (1 + self.slope * v.abs()) ** 2


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
    def forward(ctx: Any, v: Tensor, surrogate: Surrogate) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(v)
        ctx.surrogate = surrogate
        return (v > 0).to(v.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (v,) = ctx.saved_tensors
        return gradient * ctx.surrogate.derivative(v), None


def spike(v: Tensor, surrogate: Surrogate) -> Tensor:
    """Return ``[v > 0]`` as 0.0 or 1.0, with the surrogate as its gradient."""
    result = _Spike.apply(v, surrogate)
    assert isinstance(result, Tensor)
    return result
