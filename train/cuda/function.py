"""The autograd function of a layer on a CUDA device: one kernel launch per pass."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ...export.compiling import late_report
from ..engine.surrogates import Encoded
from .choice import INTERPRETED
from .kernels import backward_kernel, forward_kernel
from .plan import STREAMED, LaunchPlan


@dataclass(frozen=True)
class KernelCall:
    """The arguments of a call that are not tensors.

    ``number``: of the neuron in ``plan.py``; ``states``: which of v, second and s it
    has, as indices; ``spikes``: whether its output is something other than its membrane;
    ``membranes``: whether they are requested.
    """

    number: int
    states: tuple[int, ...]
    spikes: bool
    surrogate: Encoded
    layout: LaunchPlan
    membranes: bool
    needs_backward: bool


_LAUNCHED: set[tuple[str, int, LaunchPlan, bool]] = set()


def _first(name: str, call: KernelCall) -> AbstractContextManager[None]:
    """Return what to launch a kernel in: where it is the first of its kind, Triton may compile."""
    kind = (name, call.number, call.layout, call.needs_backward)
    if INTERPRETED or kind in _LAUNCHED:
        return nullcontext()
    _LAUNCHED.add(kind)
    return late_report(f"{name} on CUDA")


class CudaLayer(torch.autograd.Function):
    """Membranes, spikes and the last v, second and s from a layer's drive; None where unused.

    ``drive`` (batch, time, n) is the product of weights and inputs, and is overwritten;
    ``parameters`` (5, n) and ``states`` (3, batch, n) are those of ``kernels.py``.
    """

    @staticmethod
    def forward(  # type: ignore[override]  # noqa: D102, PLR0917
        ctx: Any,
        call: KernelCall,
        drive: Tensor,
        recurrent_weight: Tensor | None,
        parameters: Tensor,
        states: Tensor,
    ) -> tuple[Tensor | None, ...]:
        layout = call.layout
        batch, steps, n = drive.shape
        # Nothing else reads the drive, so its memory is reused for what is kept of the same step.
        kept = drive if call.needs_backward else None
        second_kept = torch.empty_like(drive) if 1 in call.states and call.needs_backward else None
        membranes = torch.empty_like(drive) if call.membranes else None
        spikes = torch.empty_like(drive) if call.spikes else None
        final = [states.new_empty(batch, n) if row in call.states else None for row in range(3)]
        # Triton defines the types of a kernel's arguments.
        launch = cast(Any, forward_kernel)[batch, layout.blocks]
        with _first("forward pass", call):
            launch(
                drive, None if recurrent_weight is None else recurrent_weight.t().contiguous(),
                parameters, states,
                _exchange(layout, drive), kept, second_kept, membranes, spikes, *final,
                batch, steps, n, PROGRAM=call.number, RECURRENCE=layout.recurrence,
                WIDTH=layout.width, ROWS=layout.rows, num_warps=layout.warps,
            )  # fmt: skip
        if call.needs_backward:
            ctx.save_for_backward(kept, second_kept, recurrent_weight, parameters, states)
            ctx.call = call
        ctx.set_materialize_grads(False)
        return membranes, spikes, *final

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outside: Tensor | None) -> tuple[Tensor | None, ...]:  # type: ignore[override]  # noqa: D102
        call: KernelCall = ctx.call
        kept, second_kept, recurrent_weight, parameters, states = ctx.saved_tensors
        layout = call.layout
        batch, steps, n = kept.shape
        dc = torch.empty_like(kept)
        before = None if recurrent_weight is None else torch.empty_like(kept)
        d_parameters = parameters.new_empty(5, batch, n)
        d_states = torch.empty_like(states)
        given = [None if g is None else g.contiguous() for g in outside]
        launch = cast(Any, backward_kernel)[batch, layout.blocks]
        with torch.cuda.device_of(kept), _first("backward pass", call):
            launch(
                kept, second_kept,
                None if recurrent_weight is None else recurrent_weight.contiguous(),
                parameters, states, _exchange(layout, kept), *given, dc, before, d_parameters,
                d_states, batch, steps, n, *(float(f) for f in call.surrogate.factors),
                PROGRAM=call.number, KIND=call.surrogate.kind, RECURRENCE=layout.recurrence,
                WIDTH=layout.width, ROWS=layout.rows, num_warps=layout.warps,
            )  # fmt: skip
        d_rec = None
        if before is not None and ctx.needs_input_grad[2]:
            d_rec = dc.view(-1, n).t() @ before.view(-1, n)
        return None, dc, d_rec, d_parameters.sum(1), d_states


def _exchange(layout: LaunchPlan, like: Tensor) -> Tensor | None:
    batch, _, n = like.shape
    return like.new_empty(batch, 2, n) if layout.recurrence == STREAMED else None
