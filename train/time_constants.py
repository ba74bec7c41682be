"""Time constants that training cannot move out of range.

A time constant tau (steps) is trained through a raw parameter x::

    log tau = log TAU_MIN + (log TAU_MAX - log TAU_MIN) sigmoid(x)

so that tau stays inside (TAU_MIN, TAU_MAX) for every x, an optimizer step changes it by a fraction
of itself whatever its size, and its gradient never vanishes at a clamp. Published networks whose
tau was trained without a clamp contain negative values, zeros and NaN.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..neurons.real import TAU_MAX, TAU_MIN, Spread

_LOW, _SPAN = math.log(TAU_MIN), math.log(TAU_MAX) - math.log(TAU_MIN)
_EDGE = 1e-6
"""Margin, as a share of the range, that keeps the raw value of a given tau finite."""


def tau_from_raw(raw: Tensor) -> Tensor:
    """Return tau in steps."""
    return torch.exp(_LOW + _SPAN * torch.sigmoid(raw))


def raw_from_tau(tau: Tensor) -> Tensor:
    """Return the raw parameter of a tau in steps; the inverse of ``tau_from_raw``."""
    share = (torch.log(tau.double()) - _LOW) / _SPAN
    return torch.logit(share.clamp(_EDGE, 1 - _EDGE)).to(tau.dtype)


def draw(init: Spread, size: int) -> Tensor:
    """Draw initial values (size,) with torch's global generator."""
    if init.kind == "normal":
        return init.mean + init.std * torch.randn(size)
    if init.kind == "uniform":
        return init.low + (init.high - init.low) * torch.rand(size)
    if init.kind == "log_uniform":
        low, high = math.log(init.low), math.log(init.high)
        return torch.exp(low + (high - low) * torch.rand(size))
    return torch.full((size,), init.mean)


def draw_tau(init: Spread, size: int) -> Tensor:
    """Draw initial time constants (size,) in steps with torch's global generator."""
    return draw(init, size).clamp(TAU_MIN * 1.01, TAU_MAX * 0.99)
