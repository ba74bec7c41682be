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

Arrays of a block are (samples, width), rows padded to vectors. Parameters and their gradients are
(5, width): bias, alpha, rho (alpha_syn for CUBA), threshold, adaptation.
"""

# Compiled functions take their arguments by position.
# ruff: noqa: PLR0911, PLR0915, PLR0917

# An intrinsic takes one argument less than its definition.
# pyright: reportCallIssue=false

from __future__ import annotations

from numba import njit

from .simd import (
    LANES,
    absolute,
    exp,
    fma,
    get_float,
    load,
    positive_bits,
    put_int64,
    splat,
    store,
    where_positive,
)

ALIF, ALIF_RELU, LIF, CUBA_LIF, LI = range(5)
MULTI_GAUSSIAN, GAUSSIAN, LINEAR, EXPONENTIAL, ARCTAN, FAST_SIGMOID, STEP = range(7)


@njit(forceinline=True)
def _derivative(kind, p, v):
    """Return f(v) of a surrogate; what ``p`` holds is said in ``engine/surrogates.py``."""
    one, zero = splat(1.0), splat(0.0)
    if kind == MULTI_GAUSSIAN:
        left, right = v - splat(get_float(p, 4)), v + splat(get_float(p, 4))
        k = splat(get_float(p, 3))
        lobes = exp(k * left * left) + exp(k * right * right)
        return (
            splat(get_float(p, 0)) * exp(splat(get_float(p, 1)) * v * v)
            - splat(get_float(p, 2)) * lobes
        )
    if kind == GAUSSIAN:
        return splat(get_float(p, 0)) * exp(splat(get_float(p, 1)) * v * v)
    if kind == LINEAR:
        x = one - splat(get_float(p, 1)) * absolute(v)
        return splat(get_float(p, 0)) * where_positive(x, x, zero)
    if kind == EXPONENTIAL:
        return splat(get_float(p, 0)) * exp(splat(get_float(p, 1)) * absolute(v))
    if kind == ARCTAN:
        return splat(get_float(p, 0)) / (one + splat(get_float(p, 1)) * v * v)
    if kind == FAST_SIGMOID:
        x = one + splat(get_float(p, 1)) * absolute(v)
        return splat(get_float(p, 0)) / (x * x)
    return where_positive(v, one, zero)


@njit(forceinline=True)
def _spike(program, v):
    return where_positive(v, v if program == ALIF_RELU else splat(1.0), splat(0.0))


@njit
def step_forward(program, p, samples, width, drive, u, second, s, bits, v_kept, kept, second_kept):
    """Take one step of a block; states and ``s`` change in place, v and the second are kept.

    ``bits`` int64 (samples, width / LANES): which neurons fired. ``kept``: offset of the step.
    """
    words = width // LANES
    one = splat(1.0)
    for c in range(0, width, LANES):
        bias, alpha = load(p, c), load(p, width + c)
        rho, threshold = load(p, 2 * width + c), load(p, 3 * width + c)
        adaptation = load(p, 4 * width + c)
        for row in range(samples):
            at = row * width + c
            if program in (ALIF, ALIF_RELU):
                before = load(s, at)
                b = fma(rho, load(second, at) - before, before)
                limit = fma(adaptation, b, threshold)
                x = fma(alpha, load(u, at), load(drive, at) + bias) - limit * before
                v = x - limit
                store(u, at, x)
                store(second, at, b)
                store(second_kept, kept + at, b)
                store(s, at, _spike(program, v))
            elif program == LIF:
                x = fma(alpha, load(u, at), load(drive, at) + bias) - threshold * load(s, at)
                v = x - threshold
                store(u, at, x)
                store(s, at, _spike(program, v))
            elif program == CUBA_LIF:
                i = fma(rho, load(second, at), load(drive, at))
                x = fma(alpha, load(u, at), i + bias)
                v = x - threshold
                spike = _spike(program, v)
                store(u, at, x * (one - spike))
                store(second, at, i)
                store(second_kept, kept + at, i)
                store(s, at, spike)
            else:
                v = fma(alpha, load(u, at), load(drive, at) + bias)
                store(u, at, v)
            store(v_kept, kept + at, v)
            put_int64(bits, row * words + c // LANES, positive_bits(v))


@njit
def step_back(
    program, p, kind, f, samples, width, kept, v_kept, second_kept,
    first, u0, second0, s0, ds, carry_u, carry_second, dc, before_s, bits, dp,
):  # fmt: skip
    """Take one step back of a block.

    ``kept`` is the offset of the step in what was kept; the step before it lies ``samples * width``
    lower, and at the first step the initial states ``u0``, ``second0``, ``s0`` stand for it.
    ``ds``, ``carry_u``, ``carry_second`` are rewritten for the step before, ``dc`` is the gradient
    of the drive; ``before_s`` and ``bits`` tell the spikes of the step before. ``dp`` is added to.
    """
    words = width // LANES
    one, zero = splat(1.0), splat(0.0)
    back = kept - samples * width
    for c in range(0, width, LANES):
        alpha, rho = load(p, width + c), load(p, 2 * width + c)
        threshold, adaptation = load(p, 3 * width + c), load(p, 4 * width + c)
        d_bias, d_alpha, d_rho, d_threshold, d_adaptation = zero, zero, zero, zero, zero
        for row in range(samples):
            at = row * width + c
            v = load(v_kept, kept + at)
            if program == LI:
                du = load(carry_u, at)
                u_before = load(u0, at) if first else load(v_kept, back + at)
                d_bias = d_bias + du
                d_alpha = fma(du, u_before, d_alpha)
                store(carry_u, at, alpha * du)
                store(dc, at, du)
            elif program == CUBA_LIF:
                spike = _spike(program, v)
                if first:
                    u_before, i_before, s_before = load(u0, at), load(second0, at), load(s0, at)
                else:
                    v_before = load(v_kept, back + at)
                    s_before = _spike(program, v_before)
                    u_before = (v_before + threshold) * (one - s_before)
                    i_before = load(second_kept, back + at)
                du = load(carry_u, at)
                dv = (load(ds, at) - (v + threshold) * du) * _derivative(kind, f, v)
                dw = fma(du, one - spike, dv)
                di = load(carry_second, at) + dw
                d_bias = d_bias + dw
                d_alpha = fma(dw, u_before, d_alpha)
                d_rho = fma(di, i_before, d_rho)
                d_threshold = d_threshold - dv
                store(carry_u, at, alpha * dw)
                store(carry_second, at, rho * di)
                store(dc, at, di)
                store(ds, at, zero)
                store(before_s, at, s_before)
                put_int64(bits, row * words + c // LANES, positive_bits(s_before))
            elif program == LIF:
                if first:
                    u_before, s_before = load(u0, at), load(s0, at)
                else:
                    v_before = load(v_kept, back + at)
                    s_before = _spike(program, v_before)
                    u_before = v_before + threshold
                dv = load(ds, at) * _derivative(kind, f, v)
                du = load(carry_u, at) + dv
                d_bias = d_bias + du
                d_alpha = fma(du, u_before, d_alpha)
                d_threshold = d_threshold - dv - du * s_before
                store(carry_u, at, alpha * du)
                store(dc, at, du)
                store(ds, at, zero - threshold * du)
                store(before_s, at, s_before)
                put_int64(bits, row * words + c // LANES, positive_bits(s_before))
            else:
                b = load(second_kept, kept + at)
                if first:
                    u_before, b_before, s_before = load(u0, at), load(second0, at), load(s0, at)
                else:
                    v_before = load(v_kept, back + at)
                    b_before = load(second_kept, back + at)
                    s_before = _spike(program, v_before)
                    u_before = v_before + fma(adaptation, b_before, threshold)
                limit = fma(adaptation, b, threshold)
                dv = load(ds, at) * _derivative(kind, f, v)
                du = load(carry_u, at) + dv
                d_limit = zero - fma(du, s_before, dv)
                db = fma(adaptation, d_limit, load(carry_second, at))
                d_bias = d_bias + du
                d_alpha = fma(du, u_before, d_alpha)
                d_rho = fma(db, b_before - s_before, d_rho)
                d_threshold = d_threshold + d_limit
                d_adaptation = fma(d_limit, b, d_adaptation)
                store(carry_u, at, alpha * du)
                store(carry_second, at, rho * db)
                store(dc, at, du)
                store(ds, at, (one - rho) * db - limit * du)
                store(before_s, at, s_before)
                put_int64(bits, row * words + c // LANES, positive_bits(s_before))
        store(dp, c, load(dp, c) + d_bias)
        store(dp, width + c, load(dp, width + c) + d_alpha)
        store(dp, 2 * width + c, load(dp, 2 * width + c) + d_rho)
        store(dp, 3 * width + c, load(dp, 3 * width + c) + d_threshold)
        store(dp, 4 * width + c, load(dp, 4 * width + c) + d_adaptation)
