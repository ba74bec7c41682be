"""Neuron programs: one step forward and one step back of a block of samples.

The equations are those of ``train/neurons.py``. A program keeps, per step and neuron, the distance
to the threshold ``v`` and, where it has one, a second state (``b`` of ALIF, ``i`` of the CUBA
neuron); everything else is computed again on the way back.

Writing dX for the gradient of the loss by X, a step back of ALIF is, from the end to the start::

    ds_t = gs_t + W_rec^T dc_{t+1} + (1 - rho) db_{t+1} - B_{t+1} du_{t+1}
    dv_t = ds_t f(v_t)
    du_t = gu_t + alpha du_{t+1} + dv_t          dc_t = du_t (c: the input of the membrane)
    dB_t = -dv_t - du_t s_{t-1}
    db_t = rho db_{t+1} + adaptation dB_t

with gs and gu the gradients from outside. Between steps a block carries ``ds`` without the part of
the recurrence, and the terms of t+1 in du and db, already multiplied by their decays.

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

DRIVE, U, SECOND, S = range(4)
"""Planes of a block on the way ahead."""
CARRY_U, CARRY_SECOND, DS, DC, U0, SECOND0, S0, OUT = range(8)
"""Planes of a block on the way back; those with 0 are the states before the first step."""


@njit(forceinline=True)
def bit_words(width):
    """Return the words of 64 bits in a row of ``width`` neurons."""
    return (width + 63) // 64


@njit(forceinline=True)
def _factor(f, place):
    return splat(get_float(f, place))


@njit(forceinline=True)
def _derivative(kind, f, v):
    """Return the surrogate at v; what ``f`` holds is said in ``engine/surrogates.py``."""
    one, zero = splat(1.0), splat(0.0)
    if kind == MULTI_GAUSSIAN:
        y = v * v
        # Beyond the limit the lobes are 0; without it, z^4 could become infinite.
        z = minimum(_factor(f, 4) * y, splat(64.0))
        cosh = fma(fma(fma(z, splat(1 / 56), one), z * splat(1 / 30), one), z * splat(1 / 12), one)
        cosh = fma(z * splat(0.5), cosh, one)
        lobes = _factor(f, 2) * exp2(_factor(f, 3), y) * cosh
        return _factor(f, 0) * exp2(_factor(f, 1), y) - lobes
    if kind == NARROW_MULTI_GAUSSIAN:
        left, right = v - _factor(f, 4), v + _factor(f, 4)
        lobes = exp2(_factor(f, 3), left * left) + exp2(_factor(f, 3), right * right)
        return _factor(f, 0) * exp2(_factor(f, 1), v * v) - _factor(f, 2) * lobes
    if kind == GAUSSIAN:
        return _factor(f, 0) * exp2(_factor(f, 1), v * v)
    if kind == LINEAR:
        x = one - _factor(f, 1) * absolute(v)
        return _factor(f, 0) * where_positive(x, x, zero)
    if kind == EXPONENTIAL:
        return _factor(f, 0) * exp2(_factor(f, 1), absolute(v))
    if kind == ARCTAN:
        return _factor(f, 0) / (one + _factor(f, 1) * v * v)
    if kind == FAST_SIGMOID:
        x = one + _factor(f, 1) * absolute(v)
        return _factor(f, 0) / (x * x)
    return where_positive(v, one, zero)


@njit(forceinline=True)
def _spike(program, v):
    return where_positive(v, v if program == ALIF_RELU else splat(1.0), splat(0.0))


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
            x = fma(alpha, load(planes, U * block + at), drive) - limit * before
            v = x - limit
            store(planes, U * block + at, x)
            store(planes, SECOND * block + at, b)
            store(planes, S * block + at, _spike(program, v))
            _keep(kept, at, v)
            _keep(kept, block + at, b)
            put_bits(bits, row * words + c // LANES, positive_bits(v))


@njit
def _lif_forward(p, samples, width, planes, bits, kept):
    words, block = bit_words(width) * (64 // LANES), samples * width
    for c in range(0, width, LANES):
        bias, alpha, threshold = load(p, c), load(p, width + c), load(p, 3 * width + c)
        for row in range(samples):
            at = row * width + c
            drive = load(planes, DRIVE * block + at) + bias
            x = fma(alpha, load(planes, U * block + at), drive)
            x = x - threshold * load(planes, S * block + at)
            v = x - threshold
            store(planes, U * block + at, x)
            store(planes, S * block + at, _spike(LIF, v))
            _keep(kept, at, v)
            put_bits(bits, row * words + c // LANES, positive_bits(v))


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
            x = fma(alpha, load(planes, U * block + at), i + bias)
            v = x - threshold
            spike = _spike(CUBA_LIF, v)
            store(planes, U * block + at, x * (one - spike))
            store(planes, SECOND * block + at, i)
            store(planes, S * block + at, spike)
            _keep(kept, at, v)
            _keep(kept, block + at, i)
            put_bits(bits, row * words + c // LANES, positive_bits(v))


@njit
def _li_forward(p, samples, width, planes, kept):
    block = samples * width
    for c in range(0, width, LANES):
        bias, alpha = load(p, c), load(p, width + c)
        for row in range(samples):
            at = row * width + c
            drive = load(planes, DRIVE * block + at) + bias
            x = fma(alpha, load(planes, U * block + at), drive)
            store(planes, U * block + at, x)
            _keep(kept, at, x)


@njit
def step_forward(program, p, samples, width, planes, bits, kept):
    """Take one step of a block, from ``DRIVE`` and the states in ``planes``.

    ``bits`` int64 (samples, words of a row): which neurons fired, bits of padding are 0. ``kept``:
    where v and the second state of this step go, (2 or 1, samples, width), or 0 where no way back
    follows.
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
def _alif_back(program, p, kind, f, samples, width, kept, before, ahead, planes, bits, dp):
    words, block = bit_words(width) * (64 // LANES), samples * width
    zero = splat(0.0)
    for c in range(0, width, LANES):
        alpha, rho = load(p, width + c), load(p, 2 * width + c)
        threshold, adaptation = load(p, 3 * width + c), load(p, 4 * width + c)
        d_bias, d_alpha, d_rho, d_threshold, d_adaptation = zero, zero, zero, zero, zero
        for row in range(samples):
            at = row * width + c
            v, b = load(kept, at), load(kept, block + at)
            prefetch(ahead, at)
            prefetch(ahead, block + at)
            if before == 0:
                u_before = load(planes, U0 * block + at)
                b_before = load(planes, SECOND0 * block + at)
                s_before = load(planes, S0 * block + at)
            else:
                v_before, b_before = load(before, at), load(before, block + at)
                s_before = _spike(program, v_before)
                u_before = v_before + fma(adaptation, b_before, threshold)
            limit = fma(adaptation, b, threshold)
            dv = load(planes, DS * block + at) * _derivative(kind, f, v)
            du = load(planes, CARRY_U * block + at) + dv
            d_limit = zero - fma(du, s_before, dv)
            db = fma(adaptation, d_limit, load(planes, CARRY_SECOND * block + at))
            d_bias = d_bias + du
            d_alpha = fma(du, u_before, d_alpha)
            d_rho = fma(db, b_before - s_before, d_rho)
            d_threshold = d_threshold + d_limit
            d_adaptation = fma(d_limit, b, d_adaptation)
            kept_db = rho * db
            store(planes, CARRY_U * block + at, alpha * du)
            store(planes, CARRY_SECOND * block + at, kept_db)
            store(planes, DC * block + at, du)
            store(planes, DS * block + at, db - kept_db - limit * du)
            put_bits(bits, row * words + c // LANES, positive_bits(s_before))
        _add_to(dp, c, d_bias)
        _add_to(dp, width + c, d_alpha)
        _add_to(dp, 2 * width + c, d_rho)
        _add_to(dp, 3 * width + c, d_threshold)
        _add_to(dp, 4 * width + c, d_adaptation)


@njit
def _lif_back(p, kind, f, samples, width, kept, before, ahead, planes, bits, dp):
    words, block = bit_words(width) * (64 // LANES), samples * width
    zero = splat(0.0)
    for c in range(0, width, LANES):
        alpha, threshold = load(p, width + c), load(p, 3 * width + c)
        d_bias, d_alpha, d_threshold = zero, zero, zero
        for row in range(samples):
            at = row * width + c
            prefetch(ahead, at)
            if before == 0:
                u_before, s_before = load(planes, U0 * block + at), load(planes, S0 * block + at)
            else:
                v_before = load(before, at)
                s_before, u_before = _spike(LIF, v_before), v_before + threshold
            dv = load(planes, DS * block + at) * _derivative(kind, f, load(kept, at))
            du = load(planes, CARRY_U * block + at) + dv
            d_bias = d_bias + du
            d_alpha = fma(du, u_before, d_alpha)
            d_threshold = d_threshold - fma(du, s_before, dv)
            store(planes, CARRY_U * block + at, alpha * du)
            store(planes, DC * block + at, du)
            store(planes, DS * block + at, zero - threshold * du)
            put_bits(bits, row * words + c // LANES, positive_bits(s_before))
        _add_to(dp, c, d_bias)
        _add_to(dp, width + c, d_alpha)
        _add_to(dp, 3 * width + c, d_threshold)


@njit
def _cuba_lif_back(p, kind, f, samples, width, kept, before, ahead, planes, bits, dp):
    words, block = bit_words(width) * (64 // LANES), samples * width
    one, zero = splat(1.0), splat(0.0)
    for c in range(0, width, LANES):
        alpha, alpha_syn = load(p, width + c), load(p, 2 * width + c)
        threshold = load(p, 3 * width + c)
        d_bias, d_alpha, d_alpha_syn, d_threshold = zero, zero, zero, zero
        for row in range(samples):
            at = row * width + c
            v = load(kept, at)
            prefetch(ahead, at)
            prefetch(ahead, block + at)
            if before == 0:
                u_before = load(planes, U0 * block + at)
                i_before = load(planes, SECOND0 * block + at)
                s_before = load(planes, S0 * block + at)
            else:
                v_before, i_before = load(before, at), load(before, block + at)
                s_before = _spike(CUBA_LIF, v_before)
                u_before = (v_before + threshold) * (one - s_before)
            du = load(planes, CARRY_U * block + at)
            dv = (load(planes, DS * block + at) - (v + threshold) * du) * _derivative(kind, f, v)
            dx = fma(du, one - _spike(CUBA_LIF, v), dv)
            di = load(planes, CARRY_SECOND * block + at) + dx
            d_bias = d_bias + dx
            d_alpha = fma(dx, u_before, d_alpha)
            d_alpha_syn = fma(di, i_before, d_alpha_syn)
            d_threshold = d_threshold - dv
            store(planes, CARRY_U * block + at, alpha * dx)
            store(planes, CARRY_SECOND * block + at, alpha_syn * di)
            store(planes, DC * block + at, di)
            store(planes, DS * block + at, zero)
            put_bits(bits, row * words + c // LANES, positive_bits(s_before))
        _add_to(dp, c, d_bias)
        _add_to(dp, width + c, d_alpha)
        _add_to(dp, 2 * width + c, d_alpha_syn)
        _add_to(dp, 3 * width + c, d_threshold)


@njit
def _li_back(p, samples, width, before, ahead, planes, dp):
    block, zero = samples * width, splat(0.0)
    for c in range(0, width, LANES):
        alpha = load(p, width + c)
        d_bias, d_alpha = zero, zero
        for row in range(samples):
            at = row * width + c
            prefetch(ahead, at)
            u_before = load(planes, U0 * block + at) if before == 0 else load(before, at)
            # What follows reads a leaky integrator's membrane, as output or as spikes.
            du = load(planes, CARRY_U * block + at) + load(planes, DS * block + at)
            d_bias = d_bias + du
            d_alpha = fma(du, u_before, d_alpha)
            store(planes, CARRY_U * block + at, alpha * du)
            store(planes, DC * block + at, du)
            store(planes, DS * block + at, zero)
        _add_to(dp, c, d_bias)
        _add_to(dp, width + c, d_alpha)


@njit
def step_back(program, p, kind, f, samples, width, kept, before, ahead, planes, bits, dp):
    """Take one step back of a block.

    ``kept`` is where the way ahead left v and the second state of the step, ``before`` those of the
    step before; at the first step it is 0 and the planes with the initial states stand for it.
    ``ahead``: what comes after that and is fetched already.
    ``DS``, ``CARRY_U``, ``CARRY_SECOND`` are rewritten for the step before, ``DC`` is the gradient
    of the drive; ``bits`` tells the spikes of the step before. ``dp`` is added to.
    """
    if program == LI:
        _li_back(p, samples, width, before, ahead, planes, dp)
    elif program == LIF:
        _lif_back(p, kind, f, samples, width, kept, before, ahead, planes, bits, dp)
    elif program == CUBA_LIF:
        _cuba_lif_back(p, kind, f, samples, width, kept, before, ahead, planes, bits, dp)
    else:
        kind = STEP if program == ALIF_RELU else kind
        _alif_back(program, p, kind, f, samples, width, kept, before, ahead, planes, bits, dp)


@njit
def outputs_of(program, block, kept, out):
    """Write what a layer sends on at a step, (samples, width), from what was kept of the step."""
    for c in range(0, block, LANES):
        v = load(kept, c)
        store(out, c, v if program == LI else _spike(program, v))


@njit
def bits_of(samples, width, kept, bits):
    """Write which neurons fired at a step, from what was kept of it."""
    words = bit_words(width) * (64 // LANES)
    for row in range(samples):
        for c in range(0, width, LANES):
            fired = positive_bits(load(kept, row * width + c))
            put_bits(bits, row * words + c // LANES, fired)
