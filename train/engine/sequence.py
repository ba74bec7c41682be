"""A spiking layer over a whole sequence as one differentiable function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ...export.errors import InputError
from . import programs
from .events import Events
from .kernels import Gradients, Kept, Scratch, Signal, Sizes, run_back, run_forward
from .memory import aligned
from .simd import LANES
from .surrogates import STEP, Encoded
from .threads import get_threads, run_shares, shares

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Program:
    """How a neuron of ``train/neurons.py`` maps to the compiled programs.

    ``number`` in ``programs.py``; ``states``: rows of the kernel's (u, second, s) that are the
    neuron's states, in its order; ``second``: whether a second state is kept; ``spikes``: whether
    it has an output other than its membrane.
    """

    number: int
    states: tuple[int, ...]
    second: bool
    spikes: bool = True


PROGRAMS = {
    "alif": Program(programs.ALIF, (0, 1, 2), True),
    "alif_relu": Program(programs.ALIF_RELU, (0, 1, 2), True),
    "lif": Program(programs.LIF, (0, 2), False),
    "cuba_lif": Program(programs.CUBA_LIF, (1, 0, 2), True),
    "li": Program(programs.LI, (0,), False, spikes=False),
}


class Result(NamedTuple):
    """What a layer returns.

    ``membranes`` (batch, time, n) or None if not asked for; ``spikes`` (batch, time, n), of ``li``
    its membranes; ``state`` after the last step, in the order of ``Neuron.states``.
    """

    membranes: Tensor | None
    spikes: Tensor
    state: tuple[Tensor, ...]


@dataclass(frozen=True)
class _Call:
    """What is no tensor in a call."""

    program: Program
    surrogate: Encoded
    events: Events | None
    membranes: bool
    needs_back: bool


def spiking_sequence(  # noqa: PLR0917
    neuron: str,
    inputs: Tensor | Events,
    weight: Tensor,
    weight_rec: Tensor | None,
    bias: Tensor,
    coefficients: tuple[Tensor, ...],
    state: tuple[Tensor, ...],
    surrogate: Encoded = STEP,
    membranes: bool = True,
) -> Result:
    """Run a layer over a sequence; differentiable by every tensor given, once.

    The equations are those of ``train/neurons.py``, the current without its gain:
    ``c_t = weight x_t + weight_rec s_{t-1}`` and ``u_t = alpha u_{t-1} + c_t + bias - ...``.
    Nothing is detached or dropped.

    Parameters
    ----------
    neuron
        ``alif``, ``alif_relu``, ``lif``, ``cuba_lif`` or ``li``.
    inputs
        float32 (batch, time, channel) on the CPU, or ``Events``.
    weight, weight_rec, bias
        (n, channel), (n, n) or None, (n,). A gain of the current is already in them.
    coefficients
        Per neuron (n,), decays per step: ``alif`` alpha, rho, threshold, adaptation; ``lif`` alpha,
        threshold; ``cuba_lif`` alpha_syn, alpha, threshold; ``li`` alpha.
    state
        The state before the first step, each (batch, n): ``alif`` u, b, s; ``lif`` u, s;
        ``cuba_lif`` i, u, s; ``li`` u.
    surrogate
        From ``surrogates.encode``; neurons that do not spike ignore it.
    membranes
        Whether membranes are wanted.

    Notes
    -----
    Kept for the way back, per sample, step and neuron: two float32 (``alif``, ``cuba_lif``) or one.
    Nothing is kept where no gradient is needed. Results are the same bits for any path that the
    kernels choose; gradients are for the same number of threads.

    Raises
    ------
    InputError
        An unknown neuron, tensors that are not float32 on the CPU, shapes that do not fit.
    """
    if neuron not in PROGRAMS:
        raise InputError(f"engine: neuron {neuron!r} is not one of {', '.join(PROGRAMS)}")
    program = PROGRAMS[neuron]
    events = inputs if isinstance(inputs, Events) else None
    dense = None if isinstance(inputs, Events) else inputs
    zero = torch.zeros_like(bias)
    alpha, rho, threshold, adaptation = _in_kernel_order(neuron, coefficients, zero)
    kernel_states: list[Tensor | None] = [None, None, None]
    if len(state) != len(program.states):
        raise InputError(f"engine: {neuron} has {len(program.states)} states, given {len(state)}")
    for row, part in zip(program.states, state, strict=True):
        kernel_states[row] = part
    given = (dense, weight, weight_rec, bias, alpha, rho, threshold, adaptation, *kernel_states)
    _check(events, given)
    needs_back = torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in given)
    if neuron in {"li", "alif_relu"}:
        surrogate = STEP
    call = _Call(program, surrogate, events, membranes or not program.spikes, needs_back)
    made = _Sequence.apply(call, *given)
    assert isinstance(made, tuple)
    voltages, spikes, *final = made
    after = tuple(final[row] for row in program.states)
    return Result(voltages, spikes if program.spikes else voltages, after)


def _in_kernel_order(
    neuron: str, coefficients: tuple[Tensor, ...], zero: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return alpha, rho, threshold and adaptation, zero where the neuron has none."""
    expected = {"alif": 4, "alif_relu": 4, "lif": 2, "cuba_lif": 3, "li": 1}[neuron]
    if len(coefficients) != expected:
        raise InputError(f"engine: {neuron} has {expected} coefficients, given {len(coefficients)}")
    if neuron == "lif":
        return coefficients[0], zero, coefficients[1], zero
    if neuron == "cuba_lif":
        return coefficients[1], coefficients[0], coefficients[2], zero
    if neuron == "li":
        return coefficients[0], zero, zero, zero
    alpha, rho, threshold, adaptation = coefficients
    return alpha, rho, threshold, adaptation


def _check(events: Events | None, given: tuple[Tensor | None, ...]) -> None:
    names = [
        "inputs",
        "weight",
        "weight_rec",
        "bias",
        "alpha",
        "rho",
        "threshold",
        "adaptation",
        "u",
        "second",
        "s",
    ]
    dense, weight = given[0], given[1]
    assert weight is not None
    n, channels = weight.shape
    shape = (events.batch, events.steps, events.channels) if events else tuple(dense.shape)  # type: ignore[union-attr]
    if len(shape) != 3 or shape[2] != channels or shape[1] < 1 or shape[0] < 1:
        raise InputError(
            f"engine: inputs {shape} for weights {tuple(weight.shape)}; inputs are "
            f"(batch, time, {channels}), at least one sample and one step"
        )
    expected = [None, (n, channels), (n, n), *[(n,)] * 5, *[(shape[0], n)] * 3]
    for name, tensor, fits in zip(names, given, expected, strict=True):
        if tensor is None:
            continue
        if tensor.dtype != torch.float32 or tensor.device.type != "cpu":
            raise InputError(
                f"engine: {name} is {tensor.dtype} on {tensor.device}; the engine computes in "
                "float32 on the CPU, the loop elsewhere"
            )
        if fits is not None and tuple(tensor.shape) != fits:
            raise InputError(f"engine: {name} is {tuple(tensor.shape)}, not {fits}")


class _Sequence(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]  # noqa: PLR0917
        ctx: Any, call: _Call, dense: Tensor | None, weight: Tensor, weight_rec: Tensor | None,
        bias: Tensor, alpha: Tensor, rho: Tensor, threshold: Tensor, adaptation: Tensor,
        u: Tensor | None, second: Tensor | None, s: Tensor | None,
    ) -> tuple[Tensor | None, ...]:  # fmt: skip
        program, events = call.program, call.events
        n, channels = weight.shape
        if events is None:
            assert dense is not None
            values = _array(dense)
            batch, steps = values.shape[:2]
            held = (values,)
            signal = Signal(_address(values), 0, 0, 0)
        else:
            batch, steps = events.batch, events.steps
            held = (events,)
            signal = Signal(
                0, _address(events.starts), _address(events.sources), _address(events.values)
            )
        threads = get_threads()
        samples = _block_size(batch, threads)
        width = _padded(n)
        kept_steps = steps if call.needs_back else 1
        sizes = Sizes(batch, steps, channels, _padded(channels), n, width, samples, kept_steps)
        blocks = -(-batch // samples)
        p = aligned((5, width))
        for row, value in enumerate((bias, alpha, rho, threshold, adaptation)):
            p[row, :n] = _array(value)
        # Neurons of the padding never reach a threshold of 1.
        p[3, n:] = 1
        forward_weight = aligned((channels, width))
        forward_weight[:, :n] = _array(weight).T
        forward_rec = aligned((n, width)) if weight_rec is not None else None
        if weight_rec is not None and forward_rec is not None:
            forward_rec[:, :n] = _array(weight_rec).T
        states = aligned((3, batch, width))
        for row, state in enumerate((u, second, s)):
            if state is not None:
                states[row, :, :n] = _array(state)
        kept_count = (blocks * kept_steps * samples * width,)
        v_kept = aligned(kept_count, clear=False)
        second_kept = aligned(kept_count, clear=False) if program.second else None
        kept = Kept(_address(v_kept), _address(second_kept), _address(states))
        final = aligned((3, batch, width))
        spikes = aligned((batch, steps, n), clear=False) if program.spikes else None
        membranes = aligned((batch, steps, n), clear=False) if call.membranes else None
        parts = shares(blocks, threads)

        def run(_: int, low: int, high: int) -> None:
            scratch, room = _scratch(sizes)
            run_forward(
                program.number, sizes, _address(p), signal, _address(forward_weight),
                _address(forward_rec), kept, _address(final), _address(membranes),
                _address(spikes), low, high, scratch,
            )  # fmt: skip
            del room

        run_shares(run, parts)
        if call.needs_back:
            # inputs are saved by torch, so that a change of them before the way back is an error.
            ctx.save_for_backward(dense, weight, weight_rec)
            ctx.call, ctx.sizes, ctx.p, ctx.signal, ctx.kept = call, sizes, p, signal, kept
            ctx.held = (*held, v_kept, second_kept, states)
            ctx.threads = threads
        ctx.set_materialize_grads(False)
        after = [torch.from_numpy(final[row, :, :n].copy()) for row in range(3)]
        return (
            None if membranes is None else torch.from_numpy(membranes),
            None if spikes is None else torch.from_numpy(spikes),
            *after,
        )

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outside: Tensor | None) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        call, sizes, kept = ctx.call, ctx.sizes, ctx.kept
        _, weight, weight_rec = ctx.saved_tensors
        batch, steps, channels, channels_width, n, width, samples, _ = sizes
        needs_inputs = ctx.needs_input_grad[1]
        back_weight = aligned((n if needs_inputs else 0, channels_width))
        if needs_inputs:
            back_weight[:, :channels] = _array(weight)
        back_rec = aligned((n, width)) if weight_rec is not None else None
        if weight_rec is not None and back_rec is not None:
            back_rec[:, :n] = _array(weight_rec)
        final = aligned((3, batch, width))
        for row, value in enumerate(outside[2:]):
            if value is not None:
                final[row, :, :n] = _array(value)
        initial = aligned((3, batch, width))
        inputs = aligned((batch, steps, channels), clear=False) if needs_inputs else None
        membranes, spikes = (None if x is None else _array(x) for x in outside[:2])
        blocks = -(-batch // samples)
        parts = shares(blocks, ctx.threads)
        dw = aligned((len(parts), -(-channels // 8) * 8, width))
        dw_rec = aligned((len(parts), *((width, width) if weight_rec is not None else (0, 0))))
        dp = aligned((len(parts), 5, width))

        def run(number: int, low: int, high: int) -> None:
            scratch, room = _scratch(sizes)
            gradients = Gradients(
                *(_address(x) for x in (membranes, spikes, final, initial, inputs)),
                *(_address(x[number]) for x in (dw, dw_rec, dp)),
            )
            run_back(
                call.program.number, sizes, _address(ctx.p), call.surrogate.kind,
                _address(call.surrogate.factors), ctx.signal, _address(back_weight),
                _address(back_rec), kept, gradients, low, high, scratch,
            )  # fmt: skip
            del room

        run_shares(run, parts)
        d_weight = torch.from_numpy(dw.sum(0)[:channels, :n].T.copy())
        d_rec = None
        if weight_rec is not None:
            d_rec = torch.from_numpy(dw_rec.sum(0)[:n, :n].T.copy())
        parameters = [torch.from_numpy(row.copy()) for row in dp.sum(0)[:, :n]]
        states = [
            torch.from_numpy(initial[row, :, :n].copy()) if ctx.needs_input_grad[9 + row] else None
            for row in range(3)
        ]
        d_inputs = None if inputs is None else torch.from_numpy(inputs)
        return (None, d_inputs, d_weight, d_rec, *parameters, *states)


def _address(array: npt.NDArray[Any] | None) -> int:
    """Return where an array's elements begin, 0 for none; the caller keeps the array."""
    return 0 if array is None else array.ctypes.data


def _scratch(sizes: Sizes) -> tuple[Scratch, object]:
    """Return the addresses of one thread's room, and what holds it."""
    samples, width, channels = sizes.samples, sizes.width, sizes.channels_width
    room = (
        aligned((8, samples * width)),
        aligned((3, samples * channels)),
        np.zeros(samples * (width + channels), np.int32),
        np.zeros(samples * width // LANES, np.int64),
        np.zeros(2 * samples, np.int64),
    )
    return Scratch(*(_address(x) for x in room)), room


def _array(tensor: Tensor) -> Floats:
    return tensor.detach().contiguous().numpy()


def _padded(count: int) -> int:
    return -(-count // LANES) * LANES


def _block_size(batch: int, threads: int) -> int:
    """Return samples in a block: 8 use the product best, fewer let small batches be shared."""
    if batch >= 6 * threads:
        return 8
    return 4 if batch >= 3 * threads or (batch >= 3 and threads == 1) else 1
