"""``spiking_sequence`` of ``train/engine`` on a CUDA device: a launch forward, a launch back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from ...export.errors import InputError
from ..engine.events import Events
from ..engine.sequence import PROGRAMS, Program, Result
from ..engine.surrogates import STEP, Encoded
from .choice import INTERPRETED, why_not
from .events import dense_events
from .kernels import backward_kernel, forward_kernel
from .plan import STREAMED, Plan, plan

_COEFFICIENTS = {
    "alif": ("alpha", "rho", "threshold", "adaptation"),
    "alif_relu": ("alpha", "rho", "threshold", "adaptation"),
    "lif": ("alpha", "threshold"),
    "cuba_lif": ("rho", "alpha", "threshold"),
    "li": ("alpha",),
}
"""The kernels' names of a neuron's coefficients, in the neuron's order."""


@dataclass(frozen=True)
class _Call:
    """What is no tensor in a call."""

    program: Program
    surrogate: Encoded
    layout: Plan
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
    """Run a layer over a sequence on a CUDA device; differentiable by every tensor, once.

    Arguments, equations and result are those of ``engine.sequence.spiking_sequence``, and nothing
    is detached or dropped. The tensors are float32 on one CUDA device. ``Events`` are made dense on
    that device, 4 bytes per sample, step and channel: the input product of the whole sequence is
    one dense matrix product here.

    Notes
    -----
    Kept for the way back, per sample, step and neuron: v and, of ``alif`` and ``cuba_lif``, the
    second state, 4 bytes each; v takes the place of the input product. Besides them there are the
    outputs, 4 bytes for spikes and 4 for membranes if wanted, and on the way back for a while 8
    bytes (4 without recurrence): the gradient of the current and the spikes of the step before.
    Nothing is kept where no gradient is needed.

    The three products over the whole sequence (the drive, and the gradients of both weights) are
    torch's, and follow torch's own setting of TF32, which is off unless a program turns it on. It
    rounds factors to 11 bits; spikes then fall on the other side of the threshold. The recurrent
    product is always computed in float32.

    Sums are taken in a fixed order: the same device and versions give the same bits.

    Raises
    ------
    InputError
        An unknown neuron, tensors that are not float32 on one CUDA device, shapes that do not fit,
        more recurrent neurons than a program holds.
    """
    if neuron not in PROGRAMS:
        raise InputError(f"cuda: neuron {neuron!r} is not one of {', '.join(PROGRAMS)}")
    program = PROGRAMS[neuron]
    names = _COEFFICIENTS[neuron]
    if len(coefficients) != len(names) or len(state) != len(program.states):
        raise InputError(
            f"cuda: {neuron} has {len(names)} coefficients and {len(program.states)} states, given "
            f"{len(coefficients)} and {len(state)}"
        )
    n, recurrent = len(bias), weight_rec is not None
    reason = why_not(neuron, n, recurrent)
    if reason is not None:
        raise InputError(f"cuda: {reason}")
    _check(inputs, weight, weight_rec, bias, coefficients, state)
    by_name = dict(zip(names, coefficients, strict=True))
    by_row = dict(zip(program.states, state, strict=True))
    given = (weight, weight_rec, bias, *coefficients, *state)
    needs_back = torch.is_grad_enabled() and any(
        isinstance(x, Tensor) and x.requires_grad for x in (inputs, *given)
    )
    call = _Call(
        program,
        STEP if neuron in {"li", "alif_relu"} else surrogate,
        plan(n, recurrent),
        membranes or not program.spikes,
        needs_back,
    )
    # Under autocast the products would be rounded to half precision.
    with torch.cuda.device_of(weight), torch.autocast(weight.device.type, enabled=False):
        zero = torch.zeros_like(bias)
        parameters = torch.stack(
            [bias, *(by_name.get(k, zero) for k in ("alpha", "rho", "threshold", "adaptation"))]
        )
        nothing = torch.zeros_like(state[0])
        states = torch.stack([by_row.get(row, nothing) for row in range(3)])
        dense = dense_events(inputs, weight.device) if isinstance(inputs, Events) else inputs
        drive = functional.linear(dense, weight).contiguous()
        made = _Sequence.apply(call, drive, weight_rec, parameters, states)
    assert isinstance(made, tuple)
    voltages, spikes, *final = made
    after = tuple(final[row] for row in program.states)
    return Result(voltages, spikes if program.spikes else voltages, after)


def _check(  # noqa: PLR0917
    inputs: Tensor | Events,
    weight: Tensor,
    weight_rec: Tensor | None,
    bias: Tensor,
    coefficients: tuple[Tensor, ...],
    state: tuple[Tensor, ...],
) -> None:
    n, channels = weight.shape
    shape = tuple(inputs.shape)
    if len(shape) != 3 or shape[2] != channels or shape[1] < 1 or shape[0] < 1:
        raise InputError(
            f"cuda: inputs {shape} for weights {tuple(weight.shape)}; inputs are "
            f"(batch, time, {channels}), at least one sample and one step"
        )
    device = weight.device
    if device.type != ("cpu" if INTERPRETED else "cuda"):
        raise InputError(f"cuda: weight is on {device}, not on a CUDA device")
    expected: list[tuple[str, Tensor | Events | None, tuple[int, ...]]] = [
        ("inputs", inputs, shape),
        ("weight", weight, (n, channels)),
        ("weight_rec", weight_rec, (n, n)),
        ("bias", bias, (n,)),
        *((f"coefficient {i}", x, (n,)) for i, x in enumerate(coefficients)),
        *((f"state {i}", x, (shape[0], n)) for i, x in enumerate(state)),
    ]
    for name, tensor, fits in expected:
        if not isinstance(tensor, Tensor):
            continue
        if tensor.dtype != torch.float32 or tensor.device != device:
            raise InputError(
                f"cuda: {name} is {tensor.dtype} on {tensor.device}; the kernels compute in "
                f"float32 on {device}, where the weights are"
            )
        if tuple(tensor.shape) != fits:
            raise InputError(f"cuda: {name} is {tuple(tensor.shape)}, not {fits}")


class _Sequence(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]  # noqa: PLR0917
        ctx: Any,
        call: _Call,
        drive: Tensor,
        weight_rec: Tensor | None,
        parameters: Tensor,
        states: Tensor,
    ) -> tuple[Tensor | None, ...]:
        program, layout = call.program, call.layout
        batch, steps, n = drive.shape
        # No one else reads the drive: its place is taken by what is kept of the same step.
        kept = drive if call.needs_back else None
        second_kept = torch.empty_like(drive) if program.second and call.needs_back else None
        membranes = torch.empty_like(drive) if call.membranes else None
        spikes = torch.empty_like(drive) if program.spikes else None
        final = [states.new_empty(batch, n) if row in program.states else None for row in range(3)]
        # Types of a kernel's call are Triton's own.
        launch = cast(Any, forward_kernel)[batch, layout.blocks]
        launch(
            drive, None if weight_rec is None else weight_rec.t().contiguous(), parameters, states,
            _exchange(layout, drive), kept, second_kept, membranes, spikes, *final,
            batch, steps, n, PROGRAM=program.number, RECURRENCE=layout.recurrence,
            WIDTH=layout.width, ROWS=layout.rows, num_warps=layout.warps,
        )  # fmt: skip
        if call.needs_back:
            ctx.save_for_backward(kept, second_kept, weight_rec, parameters, states)
            ctx.call = call
        ctx.set_materialize_grads(False)
        return membranes, spikes, *final

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outside: Tensor | None) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        call: _Call = ctx.call
        kept, second_kept, weight_rec, parameters, states = ctx.saved_tensors
        layout = call.layout
        batch, steps, n = kept.shape
        dc = torch.empty_like(kept)
        before = None if weight_rec is None else torch.empty_like(kept)
        d_parameters = parameters.new_empty(5, batch, n)
        d_states = torch.empty_like(states)
        given = [None if g is None else g.contiguous() for g in outside]
        launch = cast(Any, backward_kernel)[batch, layout.blocks]
        with torch.cuda.device_of(kept):
            launch(
                kept, second_kept, None if weight_rec is None else weight_rec.contiguous(),
                parameters, states, _exchange(layout, kept), *given, dc, before, d_parameters,
                d_states, batch, steps, n, *(float(f) for f in call.surrogate.factors),
                PROGRAM=call.program.number, KIND=call.surrogate.kind,
                RECURRENCE=layout.recurrence, WIDTH=layout.width, ROWS=layout.rows,
                num_warps=layout.warps,
            )  # fmt: skip
        d_rec = None
        if before is not None and ctx.needs_input_grad[2]:
            d_rec = dc.view(-1, n).t() @ before.view(-1, n)
        return None, dc, d_rec, d_parameters.sum(1), d_states


def _exchange(layout: Plan, like: Tensor) -> Tensor | None:
    batch, _, n = like.shape
    return like.new_empty(batch, 2, n) if layout.recurrence == STREAMED else None
