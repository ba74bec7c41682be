"""Surrogates of ``train/surrogate.py`` as the compiled kernels read them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..surrogate import Arctan, Exponential, FastSigmoid, Gaussian, Linear, MultiGaussian, Surrogate
from . import programs

WIDE_SCALE = 4.0
"""Width of the side lobes of a multi-Gaussian, relative to the centre, from which on the five terms
of cosh that are summed are exact in float32 wherever the lobes are not negligible."""


class Encoded(NamedTuple):
    """A surrogate's number in ``programs.py`` and its factors, float32 (5,)."""

    kind: int
    factors: npt.NDArray[np.float32]


def _normal(factor: float, sigma: float) -> tuple[float, float]:
    """Return c and k of ``factor N(x; 0, sigma) = c 2^(k x^2)``."""
    return factor / (sigma * math.sqrt(2 * math.pi)), -0.5 / (sigma**2 * math.log(2))


def encode(surrogate: Surrogate | Any) -> Encoded | None:  # noqa: PLR0911
    """Return what the kernels need, or None for a surrogate that they do not know.

    multi_gaussian: c0, k0, c1, k1, w of ``c0 2^(k0 x^2) - c1 (2^(k1 (x-w)^2) + 2^(k1 (x+w)^2))``;
    with side lobes of ``WIDE_SCALE`` times the width or more, c0, k0, c1, k1, q of
    ``c0 2^(k0 x^2) - c1 2^(k1 x^2) cosh(sqrt(q) x)``, which saves an exponential. All others c, k:
    gaussian ``c 2^(k x^2)``, linear ``c max(0, 1 - k |x|)``, exponential ``c 2^(k |x|)``, arctan
    ``c / (1 + k x^2)``, fast_sigmoid ``c / (1 + k |x|)^2``.
    """
    if type(surrogate) is MultiGaussian:
        s = surrogate
        c0, k0 = _normal(s.gamma * (1 + s.height), s.width)
        side = s.scale * s.width
        c1, k1 = _normal(s.gamma * s.height, side)
        if s.scale < WIDE_SCALE:
            return _pack(programs.NARROW_MULTI_GAUSSIAN, c0, k0, c1, k1, s.width)
        both = 2 * c1 * math.exp(-0.5 / s.scale**2)
        return _pack(programs.MULTI_GAUSSIAN, c0, k0, both, k1, (s.width / side**2) ** 2)
    if type(surrogate) is Gaussian:
        return _pack(programs.GAUSSIAN, *_normal(surrogate.gamma, surrogate.width))
    if type(surrogate) is Linear:
        return _pack(programs.LINEAR, surrogate.gamma, 1 / surrogate.width)
    if type(surrogate) is Exponential:
        return _pack(programs.EXPONENTIAL, surrogate.gamma, -surrogate.slope / math.log(2))
    if type(surrogate) is Arctan:
        slope = (0.5 * math.pi * surrogate.slope) ** 2
        return _pack(programs.ARCTAN, surrogate.gamma, slope)
    if type(surrogate) is FastSigmoid:
        return _pack(programs.FAST_SIGMOID, surrogate.gamma, surrogate.slope)
    return None


def _pack(kind: int, *factors: float) -> Encoded:
    packed = np.zeros(5, np.float32)
    packed[: len(factors)] = factors
    return Encoded(kind, packed)


STEP = Encoded(programs.STEP, np.zeros(5, np.float32))
"""The derivative of max(0, x), for neurons that do not spike."""
