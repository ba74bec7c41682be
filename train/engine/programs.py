"""Neuron models, compiled: one step of the forward and one of the backward pass, block by block.

The equations are those of ``neurons/``. Kept per step and neuron are ``x``, the membrane
potential ``v`` minus the threshold ``B``, and, where the neuron has one, a second state (``b`` of
ALIF, ``i`` of the CUBA neuron); the backward pass computes everything else again.

Writing dX for the gradient of the loss with respect to X, a backward step of ALIF is, from the last
step to the first::

    ds_t = gs_t + W_rec^T dc_{t+1} + (1 - rho) db_{t+1} - B_{t+1} dv_{t+1}
    dx_t = ds_t f(x_t)
    dv_t = gv_t + alpha dv_{t+1} + dx_t          dc_t = dv_t (c: the input of the membrane)
    dB_t = -dx_t - dv_t s_{t-1}
    db_t = rho db_{t+1} + adaptation dB_t

where gs and gv are the gradients from outside. From step to step a block carries ``ds`` without the
recurrent part, and the terms of t+1 in dv and db, already multiplied by their decays.

A block has planes (samples, width), rows padded to vectors. Parameters and their gradients are
(5, width): bias, alpha, rho (alpha_syn for CUBA), threshold, adaptation.
"""

# Compiled functions take their arguments by position.
# ruff: noqa: PLR0911, PLR0917

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
    prefetch,
    put_bits,
    splat,
    store,
    stream,
    where_positive,
)

ALIF, ALIF_RELU, LIF, CUBA_LIF, LI = range(5)
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

DRIVE, V, SECOND, S = range(4)
"""Planes of a block in the forward pass."""
CARRY_V, CARRY_SECOND, DS, DC, V0, SECOND0, S0, OUT = range(8)
"""Planes of a block in the backward pass; 0 marks the states before the first step."""


@njit(forceinline=True)
def bit_words(width):
    """Return the words of 64 bits in a row of ``width`` neurons."""
    return (width + 63) // 64


@njit(forceinline=True)
def _factor(f, place):
    return splat(get_float(f, place))


@njit(forceinline=True)
def _derivative(kind, f, x):
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
def _spike(program, x):
    return where_positive(x, x if program == ALIF_RELU else splat(1.0), splat(0.0))


@njit(forceinline=True)
def _keep(kept, at, value):
    if kept != 0:
        stream(kept, at, value)


@njit
def _alif_forward(program, p, samples, width, planes, bits, kept):
    words, block = bit_words(width) * (64 // LANES), samples * width
    for c in range(0, width, LANES):
        bias, alpha, rho = load(p, c), load(p, width + c), load(p, 2 * width + c)
        threshold, adaptation = load(p, 3 * width + c), load(p, 4 * width + c)
        for row in range(samples):
            at = row * width + c
            before = load(planes, S * block + at)
            b = fma(rho, load(planes, SECOND * block + at) - before, before)
            limit = fma(adaptation, b, threshold)
            drive = load(planes, DRIVE * block + at) + bias
            v = fma(alpha, load(planes, V * block + at), drive) - limit * before
            x = v - limit
            store(planes, V * block + at, v)
            store(planes, SECOND * block + at, b)
            store(planes, S * block + at, _spike(program, x))
            _keep(kept, at, x)
            _keep(kept, block + at, b)
            put_bits(bits, row * words + c // LANES, positive_bits(x))


@njit
def _lif_forward(p, samples, width, planes, bits, kept):
    words, block = bit_words(width) * (64 // LANES), samples * width
    for c in range(0, width, LANES):
        bias, alpha, threshold = load(p, c), load(p, width + c), load(p, 3 * width + c)
        for row in range(samples):
            at = row * width + c
            drive = load(planes, DRIVE * block + at) + bias
            v = fma(alpha, load(planes, V * block + at), drive)
            v = v - threshold * load(planes, S * block + at)
            x = v - threshold
            store(planes, V * block + at, v)
            store(planes, S * block + at, _spike(LIF, x))
            _keep(kept, at, x)
            put_bits(bits, row * words + c // LANES, positive_bits(x))


@njit
def _cuba_lif_forward(p, samples, width, planes, bits, kept):
    words, block = bit_words(width) * (64 // LANES), samples * width
    one = splat(1.0)
    for c in range(0, width, LANES):
        bias, alpha, alpha_syn = load(p, c), load(p, width + c), load(p, 2 * width + c)
        threshold = load(p, 3 * width + c)
        for row in range(samples):
            at = row * width + c
            i = fma(alpha_syn, load(planes, SECOND * block + at), load(planes, DRIVE * block + at))
            v = fma(alpha, load(planes, V * block + at), i + bias)
            x = v - threshold
            spike = _spike(CUBA_LIF, x)
            store(planes, V * block + at, v * (one - spike))
            store(planes, SECOND * block + at, i)
            store(planes, S * block + at, spike)
            _keep(kept, at, x)
            _keep(kept, block + at, i)
            put_bits(bits, row * words + c // LANES, positive_bits(x))


@njit
def _li_forward(p, samples, width, planes, kept):
    block = samples * width
    for c in range(0, width, LANES):
        bias, alpha = load(p, c), load(p, width + c)
        for row in range(samples):
            at = row * width + c
            drive = load(planes, DRIVE * block + at) + bias
            v = fma(alpha, load(planes, V * block + at), drive)
            store(planes, V * block + at, v)
            _keep(kept, at, v)


@njit
def step_forward(program, p, samples, width, planes, bits, kept):
    """Compute one step of a block, from ``DRIVE`` and the states in ``planes``.

    ``bits`` int64 (samples, words of a row): which neurons fired, bits of padding are 0. ``kept``:
    where x and the second state of this step are written, (2 or 1, samples, width), or 0 where no
    backward pass follows.
    """
    if program == LI:
        _li_forward(p, samples, width, planes, kept)
    elif program == LIF:
        _lif_forward(p, samples, width, planes, bits, kept)
    elif program == CUBA_LIF:
        _cuba_lif_forward(p, samples, width, planes, bits, kept)
    else:
        _alif_forward(program, p, samples, width, planes, bits, kept)


@njit(forceinline=True)
def _add_to(target, at, value):
    store(target, at, load(target, at) + value)


@njit
def _alif_backward(program, p, kind, f, samples, width, kept, before, prefetched, planes, bits, dp):
    words, block = bit_words(width) * (64 // LANES), samples * width
    zero = splat(0.0)
    for c in range(0, width, LANES):
        alpha, rho = load(p, width + c), load(p, 2 * width + c)
        threshold, adaptation = load(p, 3 * width + c), load(p, 4 * width + c)
        d_bias, d_alpha, d_rho, d_threshold, d_adaptation = zero, zero, zero, zero, zero
        for row in range(samples):
            at = row * width + c
            x, b = load(kept, at), load(kept, block + at)
            prefetch(prefetched, at)
            prefetch(prefetched, block + at)
            if before == 0:
                v_before = load(planes, V0 * block + at)
                b_before = load(planes, SECOND0 * block + at)
                s_before = load(planes, S0 * block + at)
            else:
                x_before, b_before = load(before, at), load(before, block + at)
                s_before = _spike(program, x_before)
                v_before = x_before + fma(adaptation, b_before, threshold)
            limit = fma(adaptation, b, threshold)
            dx = load(planes, DS * block + at) * _derivative(kind, f, x)
            dv = load(planes, CARRY_V * block + at) + dx
            d_limit = zero - fma(dv, s_before, dx)
            db = fma(adaptation, d_limit, load(planes, CARRY_SECOND * block + at))
            d_bias = d_bias + dv
            d_alpha = fma(dv, v_before, d_alpha)
            d_rho = fma(db, b_before - s_before, d_rho)
            d_threshold = d_threshold + d_limit
            d_adaptation = fma(d_limit, b, d_adaptation)
            kept_db = rho * db
            store(planes, CARRY_V * block + at, alpha * dv)
            store(planes, CARRY_SECOND * block + at, kept_db)
            store(planes, DC * block + at, dv)
            store(planes, DS * block + at, db - kept_db - limit * dv)
            put_bits(bits, row * words + c // LANES, positive_bits(s_before))
        _add_to(dp, c, d_bias)
        _add_to(dp, width + c, d_alpha)
        _add_to(dp, 2 * width + c, d_rho)
        _add_to(dp, 3 * width + c, d_threshold)
        _add_to(dp, 4 * width + c, d_adaptation)


@njit
def _lif_backward(p, kind, f, samples, width, kept, before, prefetched, planes, bits, dp):
    words, block = bit_words(width) * (64 // LANES), samples * width
    zero = splat(0.0)
    for c in range(0, width, LANES):
        alpha, threshold = load(p, width + c), load(p, 3 * width + c)
        d_bias, d_alpha, d_threshold = zero, zero, zero
        for row in range(samples):
            at = row * width + c
            prefetch(prefetched, at)
            if before == 0:
                v_before, s_before = load(planes, V0 * block + at), load(planes, S0 * block + at)
            else:
                x_before = load(before, at)
                s_before, v_before = _spike(LIF, x_before), x_before + threshold
            dx = load(planes, DS * block + at) * _derivative(kind, f, load(kept, at))
            dv = load(planes, CARRY_V * block + at) + dx
            d_bias = d_bias + dv
            d_alpha = fma(dv, v_before, d_alpha)
            d_threshold = d_threshold - fma(dv, s_before, dx)
            store(planes, CARRY_V * block + at, alpha * dv)
            store(planes, DC * block + at, dv)
            store(planes, DS * block + at, zero - threshold * dv)
            put_bits(bits, row * words + c // LANES, positive_bits(s_before))
        _add_to(dp, c, d_bias)
        _add_to(dp, width + c, d_alpha)
        _add_to(dp, 3 * width + c, d_threshold)


@njit
def _cuba_lif_backward(p, kind, f, samples, width, kept, before, prefetched, planes, bits, dp):
    words, block = bit_words(width) * (64 // LANES), samples * width
    one, zero = splat(1.0), splat(0.0)
    for c in range(0, width, LANES):
        alpha, alpha_syn = load(p, width + c), load(p, 2 * width + c)
        threshold = load(p, 3 * width + c)
        d_bias, d_alpha, d_alpha_syn, d_threshold = zero, zero, zero, zero
        for row in range(samples):
            at = row * width + c
            x = load(kept, at)
            prefetch(prefetched, at)
            prefetch(prefetched, block + at)
            if before == 0:
                v_before = load(planes, V0 * block + at)
                i_before = load(planes, SECOND0 * block + at)
                s_before = load(planes, S0 * block + at)
            else:
                x_before, i_before = load(before, at), load(before, block + at)
                s_before = _spike(CUBA_LIF, x_before)
                v_before = (x_before + threshold) * (one - s_before)
            dv = load(planes, CARRY_V * block + at)
            dx = (load(planes, DS * block + at) - (x + threshold) * dv) * _derivative(kind, f, x)
            dv_pre = fma(dv, one - _spike(CUBA_LIF, x), dx)
            di = load(planes, CARRY_SECOND * block + at) + dv_pre
            d_bias = d_bias + dv_pre
            d_alpha = fma(dv_pre, v_before, d_alpha)
            d_alpha_syn = fma(di, i_before, d_alpha_syn)
            d_threshold = d_threshold - dx
            store(planes, CARRY_V * block + at, alpha * dv_pre)
            store(planes, CARRY_SECOND * block + at, alpha_syn * di)
            store(planes, DC * block + at, di)
            store(planes, DS * block + at, zero)
            put_bits(bits, row * words + c // LANES, positive_bits(s_before))
        _add_to(dp, c, d_bias)
        _add_to(dp, width + c, d_alpha)
        _add_to(dp, 2 * width + c, d_alpha_syn)
        _add_to(dp, 3 * width + c, d_threshold)


@njit
def _li_backward(p, samples, width, before, prefetched, planes, dp):
    block, zero = samples * width, splat(0.0)
    for c in range(0, width, LANES):
        alpha = load(p, width + c)
        d_bias, d_alpha = zero, zero
        for row in range(samples):
            at = row * width + c
            prefetch(prefetched, at)
            v_before = load(planes, V0 * block + at) if before == 0 else load(before, at)
            # The membrane is a leaky integrator's output and stands for its spikes.
            dv = load(planes, CARRY_V * block + at) + load(planes, DS * block + at)
            d_bias = d_bias + dv
            d_alpha = fma(dv, v_before, d_alpha)
            store(planes, CARRY_V * block + at, alpha * dv)
            store(planes, DC * block + at, dv)
            store(planes, DS * block + at, zero)
        _add_to(dp, c, d_bias)
        _add_to(dp, width + c, d_alpha)


@njit
def step_backward(program, p, kind, f, samples, width, kept, before, prefetched, planes, bits, dp):
    """Compute one backward step of a block.

    ``kept`` is where the forward pass left x and the second state of the step, ``before`` those of
    the step before; at the first step it is 0 and the planes of the initial states are used.
    ``prefetched``: what the next call will read, fetched already. ``DS``, ``CARRY_V`` and
    ``CARRY_SECOND`` are overwritten for the step before; ``DC`` is the gradient of the drive;
    ``bits`` receives the spikes of the step before; gradients of parameters are added to ``dp``.
    """
    if program == LI:
        _li_backward(p, samples, width, before, prefetched, planes, dp)
    elif program == LIF:
        _lif_backward(p, kind, f, samples, width, kept, before, prefetched, planes, bits, dp)
    elif program == CUBA_LIF:
        _cuba_lif_backward(p, kind, f, samples, width, kept, before, prefetched, planes, bits, dp)
    else:
        kind = STEP if program == ALIF_RELU else kind
        _alif_backward(
            program, p, kind, f, samples, width, kept, before, prefetched, planes, bits, dp
        )


@njit
def outputs_of(program, block, kept, out):
    """Write what a layer sends at a step, (samples, width), from what was kept of the step."""
    for c in range(0, block, LANES):
        x = load(kept, c)
        store(out, c, x if program == LI else _spike(program, x))


@njit
def bits_of(samples, width, kept, bits):
    """Write which neurons fired at a step, from what was kept of it."""
    words = bit_words(width) * (64 // LANES)
    for row in range(samples):
        for c in range(0, width, LANES):
            fired = positive_bits(load(kept, row * width + c))
            put_bits(bits, row * words + c // LANES, fired)
