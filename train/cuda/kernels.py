"""Triton kernels: forward and backward pass of one sample through all steps of a layer.

The equations are those of ``neurons/``; kept are x, the argument of the spike, and the second
state. A kernel is launched once per sequence; every program owns one sample,
and its states, parameters and parameter gradients stay in registers from step to step.

Arrays are float32 and contiguous: (batch, time, n) over time, (batch, n) for states,
``parameters`` (5, n): bias, alpha, rho (alpha_syn for CUBA), threshold, adaptation. A pointer is
None where a neuron lacks something or it was not requested. ``recurrent_weight`` is laid out
(sending neuron, receiving neuron).

What a step needs from memory is loaded one step early, to hide the latency.
"""

# A kernel takes its arguments by position; its branches are resolved at compile time.
# ruff: noqa: PLR0912, PLR0915, PLR0917

# Triton is an optional dependency, and Python's type rules do not apply inside a kernel.
# pyright: reportMissingImports=false, reportGeneralTypeIssues=false, reportArgumentType=false
# pyright: reportCallIssue=false, reportOperatorIssue=false, reportIndexIssue=false
# pyright: reportUnboundVariable=false, reportPossiblyUnboundVariable=false
# pyright: reportAttributeAccessIssue=false
# pyright: reportOptionalOperand=false

from __future__ import annotations

import math

import triton  # pyright: ignore[reportMissingImports]
import triton.language as tl  # pyright: ignore[reportMissingImports]

from ..engine import programs
from . import plan

ALIF = tl.constexpr(plan.ALIF)
ALIF_RELU = tl.constexpr(plan.ALIF_RELU)
LIF = tl.constexpr(plan.LIF)
CUBA_LIF = tl.constexpr(plan.CUBA_LIF)
LI = tl.constexpr(plan.LI)
MULTI_GAUSSIAN = tl.constexpr(programs.MULTI_GAUSSIAN)
NARROW_MULTI_GAUSSIAN = tl.constexpr(programs.NARROW_MULTI_GAUSSIAN)
GAUSSIAN = tl.constexpr(programs.GAUSSIAN)
LINEAR = tl.constexpr(programs.LINEAR)
EXPONENTIAL = tl.constexpr(programs.EXPONENTIAL)
ARCTAN = tl.constexpr(programs.ARCTAN)
FAST_SIGMOID = tl.constexpr(programs.FAST_SIGMOID)
LOG2_E = tl.constexpr(math.log2(math.e))
RESIDENT = tl.constexpr(plan.RESIDENT)
STREAMED = tl.constexpr(plan.STREAMED)

SIZES = ("batch", "steps", "n")
"""Compiled once for all sizes of a width. If Triton knew sizes to be multiples of 16, each thread
would read four neighbours: as many bytes, more sums across threads, and states out of registers."""


@triton.jit
def derivative(x, f0, f1, f2, f3, f4, KIND: tl.constexpr):
    """Return f(x) of a surrogate; ``engine/surrogates.py`` defines the factors."""
    if KIND == MULTI_GAUSSIAN:
        # Written as two powers: a large cosh times a small power would overflow.
        y, z = f3 * x * x, LOG2_E * tl.sqrt(f4) * x
        f = f0 * tl.exp2(f1 * x * x) - 0.5 * f2 * (tl.exp2(y + z) + tl.exp2(y - z))
    elif KIND == NARROW_MULTI_GAUSSIAN:
        lobes = tl.exp2(f3 * (x - f4) * (x - f4)) + tl.exp2(f3 * (x + f4) * (x + f4))
        f = f0 * tl.exp2(f1 * x * x) - f2 * lobes
    elif KIND == GAUSSIAN:
        f = f0 * tl.exp2(f1 * x * x)
    elif KIND == LINEAR:
        f = f0 * tl.maximum(1.0 - f1 * tl.abs(x), 0.0)
    elif KIND == EXPONENTIAL:
        f = f0 * tl.exp2(f1 * tl.abs(x))
    elif KIND == ARCTAN:
        f = f0 / (1.0 + f1 * x * x)
    elif KIND == FAST_SIGMOID:
        y = 1.0 + f1 * tl.abs(x)
        f = f0 / (y * y)
    else:
        f = tl.where(x > 0, 1.0, 0.0)
    return f


@triton.jit
def spike(x, PROGRAM: tl.constexpr):
    """Return the output of a neuron whose membrane is ``x`` above its threshold."""
    return tl.maximum(x, 0.0) if PROGRAM == ALIF_RELU else tl.where(x > 0, 1.0, 0.0)


@triton.jit
def streamed_product(
    vector, weight, n, columns, inside, WIDTH: tl.constexpr, ROWS: tl.constexpr,
    SPARSE: tl.constexpr,
):  # fmt: skip
    """Return vector times weight; with ``SPARSE``, rows whose factor is zero are not loaded."""
    rows = tl.arange(0, ROWS)
    total = tl.zeros((ROWS, WIDTH), tl.float32)
    upcoming = tl.load(vector + rows, mask=rows < n, other=0.0)
    for _ in range(0, n, ROWS):
        factor = upcoming
        # The rows to load are known one iteration early, so that the two latencies overlap.
        upcoming = tl.load(vector + rows + ROWS, mask=rows + ROWS < n, other=0.0)
        wanted = factor != 0.0 if SPARSE else rows < n
        w = tl.load(
            weight + rows[:, None] * n + columns[None, :],
            mask=wanted[:, None] & inside[None, :],
            other=0.0,
        )
        total += factor[:, None] * w
        rows += ROWS
    return tl.sum(total, axis=0)


@triton.jit
def resident_weights(weight, n, columns, inside, ROWS: tl.constexpr):
    """Return the whole padded matrix, for registers."""
    rows = tl.arange(0, ROWS)
    wanted = (rows < n)[:, None] & inside[None, :]
    return tl.load(weight + rows[:, None] * n + columns[None, :], mask=wanted, other=0.0)


@triton.jit(do_not_specialize=SIZES)
def forward_kernel(
    drive, recurrent_weight, parameters, states, exchange, kept, second_kept, membranes, spikes,
    final_v, final_second, final_s, batch, steps, n,
    PROGRAM: tl.constexpr, RECURRENCE: tl.constexpr, WIDTH: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    """Run sample ``program_id(0)``, neurons of block ``program_id(1)``, over all steps.

    ``drive``: the product of weights and inputs, without bias. ``kept`` may be ``drive`` itself: a
    step is read before it is written. ``exchange`` (batch, 2, n): where the threads of a streamed
    layer exchange their spikes, with two buffers, so that one barrier per step is enough.
    """
    sample = tl.program_id(0)
    columns = tl.program_id(1) * WIDTH + tl.arange(0, WIDTH)
    inside = columns < n
    bias = tl.load(parameters + columns, mask=inside, other=0.0)
    alpha = tl.load(parameters + n + columns, mask=inside, other=0.0)
    rho = tl.load(parameters + 2 * n + columns, mask=inside, other=0.0)
    threshold = tl.load(parameters + 3 * n + columns, mask=inside, other=0.0)
    adaptation = tl.load(parameters + 4 * n + columns, mask=inside, other=0.0)
    state = sample * n + columns
    v = tl.load(states + state, mask=inside, other=0.0)
    second = tl.load(states + batch * n + state, mask=inside, other=0.0)
    s = tl.load(states + 2 * batch * n + state, mask=inside, other=0.0)
    at = sample.to(tl.int64) * steps * n + columns
    shown = sample * 2 * n
    if RECURRENCE == RESIDENT:
        weights = resident_weights(recurrent_weight, n, columns, inside, ROWS)
    upcoming = tl.load(drive + at, mask=inside, other=0.0)
    for t in range(steps):
        current = upcoming
        upcoming = tl.load(drive + at + n, mask=inside & (t + 1 < steps), other=0.0)
        if RECURRENCE == RESIDENT:
            current += tl.sum(s[:, None] * weights, axis=0)
        elif RECURRENCE == STREAMED:
            place = exchange + shown + (t % 2) * n
            tl.store(place + columns, s, mask=inside)
            tl.debug_barrier()
            current += streamed_product(
                place, recurrent_weight, n, columns, inside, WIDTH, ROWS, True
            )
        if PROGRAM == LI:
            v = alpha * v + (current + bias)
            x = v
        elif PROGRAM == LIF:
            v = alpha * v + (current + bias) - threshold * s
            x = v - threshold
            s = spike(x, PROGRAM)
        elif PROGRAM == CUBA_LIF:
            second = rho * second + current
            v = alpha * v + (second + bias)
            x = v - threshold
            s = spike(x, PROGRAM)
            v = v * (1.0 - s)
        else:
            second = rho * (second - s) + s
            limit = adaptation * second + threshold
            v = alpha * v + (current + bias) - limit * s
            x = v - limit
            s = spike(x, PROGRAM)
        if kept is not None:
            tl.store(kept + at, x, mask=inside)
        if second_kept is not None:
            tl.store(second_kept + at, second, mask=inside)
        if membranes is not None:
            tl.store(membranes + at, v, mask=inside)
        if spikes is not None:
            tl.store(spikes + at, s, mask=inside)
        at += n
    tl.store(final_v + state, v, mask=inside)
    if final_second is not None:
        tl.store(final_second + state, second, mask=inside)
    if final_s is not None:
        tl.store(final_s + state, s, mask=inside)


@triton.jit(do_not_specialize=SIZES)
def backward_kernel(
    kept, second_kept, recurrent_weight, parameters, states, exchange,
    g_membranes, g_spikes, g_v, g_second, g_s,
    dc_out, s_before_out, d_parameters, d_states, batch, steps, n, f0, f1, f2, f3, f4,
    PROGRAM: tl.constexpr, KIND: tl.constexpr, RECURRENCE: tl.constexpr, WIDTH: tl.constexpr,
    ROWS: tl.constexpr,
):  # fmt: skip
    """Run a sample from the last step to the first.

    ``g_*``: gradients from outside, of outputs over time and of the last state. Written:
    ``dc_out``, the gradient of the drive, and ``s_before_out``, the spikes of the step before, each
    (batch, time, n), whose products are the weights' gradients; ``d_parameters`` (5, batch, n),
    summed over steps; ``d_states`` (3, batch, n), of the initial state.
    """
    sample = tl.program_id(0)
    columns = tl.program_id(1) * WIDTH + tl.arange(0, WIDTH)
    inside = columns < n
    alpha = tl.load(parameters + n + columns, mask=inside, other=0.0)
    rho = tl.load(parameters + 2 * n + columns, mask=inside, other=0.0)
    threshold = tl.load(parameters + 3 * n + columns, mask=inside, other=0.0)
    adaptation = tl.load(parameters + 4 * n + columns, mask=inside, other=0.0)
    state = sample * n + columns
    v0 = tl.load(states + state, mask=inside, other=0.0)
    second0 = tl.load(states + batch * n + state, mask=inside, other=0.0)
    s0 = tl.load(states + 2 * batch * n + state, mask=inside, other=0.0)
    zero = tl.zeros((WIDTH,), tl.float32)
    carry_v, carry_second, ds = zero, zero, zero
    d_bias, d_alpha, d_rho, d_threshold, d_adaptation = zero, zero, zero, zero, zero
    if g_v is not None:
        carry_v = tl.load(g_v + state, mask=inside, other=0.0)
    if g_second is not None:
        carry_second = tl.load(g_second + state, mask=inside, other=0.0)
    if g_s is not None:
        ds = tl.load(g_s + state, mask=inside, other=0.0)
    shown = sample * 2 * n
    if RECURRENCE == RESIDENT:
        weights = resident_weights(recurrent_weight, n, columns, inside, ROWS)
    at = (sample.to(tl.int64) * steps + (steps - 1)) * n + columns
    x = tl.load(kept + at, mask=inside, other=0.0)
    x_before = tl.load(kept + at - n, mask=inside & (steps > 1), other=0.0)
    second, second_before, second_next = zero, zero, zero
    if second_kept is not None:
        second = tl.load(second_kept + at, mask=inside, other=0.0)
        second_before = tl.load(second_kept + at - n, mask=inside & (steps > 1), other=0.0)
    gv, gs = zero, zero
    if g_membranes is not None:
        gv = tl.load(g_membranes + at, mask=inside, other=0.0)
    if g_spikes is not None:
        gs = tl.load(g_spikes + at, mask=inside, other=0.0)
    for back in range(steps):
        t = steps - 1 - back
        x_next = tl.load(kept + at - 2 * n, mask=inside & (t > 1), other=0.0)
        if second_kept is not None:
            second_next = tl.load(second_kept + at - 2 * n, mask=inside & (t > 1), other=0.0)
        if g_membranes is not None:
            carry_v += gv
            gv = tl.load(g_membranes + at - n, mask=inside & (t > 0), other=0.0)
        if g_spikes is not None:
            ds += gs
            gs = tl.load(g_spikes + at - n, mask=inside & (t > 0), other=0.0)
        s_before = tl.where(t == 0, s0, spike(x_before, PROGRAM))
        if PROGRAM == LI:
            dv = carry_v
            d_alpha += dv * tl.where(t == 0, v0, x_before)
            dc = dv
        elif PROGRAM == LIF:
            v_before = tl.where(t == 0, v0, x_before + threshold)
            dx = ds * derivative(x, f0, f1, f2, f3, f4, KIND)
            dv = carry_v + dx
            d_alpha += dv * v_before
            d_threshold -= dx + dv * s_before
            ds = -threshold * dv
            dc = dv
        elif PROGRAM == CUBA_LIF:
            v_before = tl.where(t == 0, v0, (x_before + threshold) * (1.0 - s_before))
            i_before = tl.where(t == 0, second0, second_before)
            fired = spike(x, PROGRAM)
            dx = ds - (x + threshold) * carry_v
            dx *= derivative(x, f0, f1, f2, f3, f4, KIND)
            dv = carry_v * (1.0 - fired) + dx
            dc = carry_second + dv
            d_alpha += dv * v_before
            d_rho += dc * i_before
            d_threshold -= dx
            carry_second = rho * dc
            ds = zero
        else:
            b_before = tl.where(t == 0, second0, second_before)
            v_before = tl.where(t == 0, v0, x_before + (adaptation * b_before + threshold))
            limit = adaptation * second + threshold
            dx = ds * derivative(x, f0, f1, f2, f3, f4, KIND)
            dv = carry_v + dx
            d_limit = -(dv * s_before + dx)
            db = adaptation * d_limit + carry_second
            d_alpha += dv * v_before
            d_rho += db * (b_before - s_before)
            d_threshold += d_limit
            d_adaptation += d_limit * second
            carry_second = rho * db
            ds = (1.0 - rho) * db - limit * dv
            dc = dv
        d_bias += dv
        carry_v = alpha * dv
        tl.store(dc_out + at, dc, mask=inside)
        if s_before_out is not None:
            tl.store(s_before_out + at, s_before, mask=inside)
        if RECURRENCE == RESIDENT:
            ds += tl.sum(dc[:, None] * weights, axis=0)
        elif RECURRENCE == STREAMED:
            place = exchange + shown + (t % 2) * n
            tl.store(place + columns, dc, mask=inside)
            tl.debug_barrier()
            ds += streamed_product(place, recurrent_weight, n, columns, inside, WIDTH, ROWS, False)
        x, x_before = x_before, x_next
        second, second_before = second_before, second_next
        at -= n
    tl.store(d_parameters + state, d_bias, mask=inside)
    tl.store(d_parameters + batch * n + state, d_alpha, mask=inside)
    tl.store(d_parameters + 2 * batch * n + state, d_rho, mask=inside)
    tl.store(d_parameters + 3 * batch * n + state, d_threshold, mask=inside)
    tl.store(d_parameters + 4 * batch * n + state, d_adaptation, mask=inside)
    tl.store(d_states + state, carry_v, mask=inside)
    tl.store(d_states + batch * n + state, carry_second, mask=inside)
    tl.store(d_states + 2 * batch * n + state, ds, mask=inside)
