"""What the steps of all neurons share: planes of a block, surrogate gradients, what is sent.

The steps are printed from those of ``neurons/`` (``derived.py``). From step to step of the backward
pass a block carries the gradient of every state: that of s without its recurrent part, those of the
others multiplied by what is kept of them.

A block has planes (samples, width), rows padded to vectors. Parameters and their gradients are
(1 + coefficients, width): the bias, then the neuron's coefficients in their order.
"""

# Compiled functions take their arguments by position.
# ruff: noqa: PLR0911

# An intrinsic takes one argument less than its definition.
# pyright: reportCallIssue=false

from __future__ import annotations

from numba import njit

from .simd import (
    LANES,
    absolute,
    exp2,
    fma,
    get_float,
    load,
    minimum,
    positive_bits,
    put_bits,
    splat,
    store,
    where_positive,
)

SPIKES, GRADED, MEMBRANE = range(3)
"""What a neuron sends: 1 or 0, its spike's argument where that is above 0, or its membrane."""
(
    MULTI_GAUSSIAN,
    NARROW_MULTI_GAUSSIAN,
    GAUSSIAN,
    LINEAR,
    EXPONENTIAL,
    ARCTAN,
    FAST_SIGMOID,
    STEP,
) = range(8)

STATES_MAX = 6
"""States that a neuron may have: v, second, s and more of them, in this order."""
DRIVE, V, SECOND, S = range(4)
"""Planes of a block in the forward pass; those of more states follow."""
FORWARD_PLANES = V + STATES_MAX
CARRY_V, CARRY_SECOND, DS = range(3)
"""Planes of a block in the backward pass: the gradients of the states, as many as there may be."""
DC, V0 = STATES_MAX, STATES_MAX + 1
SECOND0, S0 = V0 + 1, V0 + 2
"""0 marks the states before the first step, which follow one another from V0 on."""
OUT = V0 + STATES_MAX
BACKWARD_PLANES = OUT + 1


@njit(forceinline=True)
def bit_words(width):
    """Return the words of 64 bits in a row of ``width`` neurons."""
    return (width + 63) // 64


@njit(forceinline=True)
def _factor(f, place):
    return splat(get_float(f, place))


@njit(forceinline=True)
def derivative(kind, f, x):
    """Return the surrogate gradient at x; ``engine/surrogates.py`` says what ``f`` holds."""
    one, zero = splat(1.0), splat(0.0)
    if kind == MULTI_GAUSSIAN:
        y = x * x
        # Beyond the limit the lobes are 0; without it, z^4 could become infinite.
        z = minimum(_factor(f, 4) * y, splat(64.0))
        cosh = fma(fma(fma(z, splat(1 / 56), one), z * splat(1 / 30), one), z * splat(1 / 12), one)
        cosh = fma(z * splat(0.5), cosh, one)
        lobes = _factor(f, 2) * exp2(_factor(f, 3), y) * cosh
        return _factor(f, 0) * exp2(_factor(f, 1), y) - lobes
    if kind == NARROW_MULTI_GAUSSIAN:
        left, right = x - _factor(f, 4), x + _factor(f, 4)
        lobes = exp2(_factor(f, 3), left * left) + exp2(_factor(f, 3), right * right)
        return _factor(f, 0) * exp2(_factor(f, 1), x * x) - _factor(f, 2) * lobes
    if kind == GAUSSIAN:
        return _factor(f, 0) * exp2(_factor(f, 1), x * x)
    if kind == LINEAR:
        y = one - _factor(f, 1) * absolute(x)
        return _factor(f, 0) * where_positive(y, y, zero)
    if kind == EXPONENTIAL:
        return _factor(f, 0) * exp2(_factor(f, 1), absolute(x))
    if kind == ARCTAN:
        return _factor(f, 0) / (one + _factor(f, 1) * x * x)
    if kind == FAST_SIGMOID:
        y = one + _factor(f, 1) * absolute(x)
        return _factor(f, 0) / (y * y)
    return where_positive(x, one, zero)


@njit(forceinline=True)
def add_to(target, at, value):
    """Add a vector to what is there."""
    store(target, at, load(target, at) + value)


@njit
def outputs_of(sends, block, kept, out):
    """Write what a layer sends at a step, (samples, width), from what was kept of the step."""
    one, zero = splat(1.0), splat(0.0)
    for c in range(0, block, LANES):
        x = load(kept, c)
        if sends == SPIKES:
            x = where_positive(x, one, zero)
        elif sends == GRADED:
            x = where_positive(x, x, zero)
        store(out, c, x)


@njit
def bits_of(samples, width, kept, bits):
    """Write which neurons fired at a step, from what was kept of it."""
    words = bit_words(width) * (64 // LANES)
    for row in range(samples):
        for c in range(0, width, LANES):
            fired = positive_bits(load(kept, row * width + c))
            put_bits(bits, row * words + c // LANES, fired)
