"""The autograd function of a layer on a CUDA device: a launch forward, a launch back."""

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
from .plan import STREAMED, Plan


@dataclass(frozen=True)
class Call:
    """What is no tensor in a call.

    ``number`` of the neuron in ``engine/programs.py``; ``states``: places among u, second and s
    that it has; ``spikes``: whether it has an output other than its membrane; ``membranes``:
    whether they are wanted.
    """

    number: int
    states: tuple[int, ...]
    spikes: bool
    surrogate: Encoded
    layout: Plan
    membranes: bool
    needs_back: bool


_LAUNCHED: set[tuple[str, int, Plan, bool]] = set()


def _first(name: str, call: Call) -> AbstractContextManager[None]:
    """Return what to launch a kernel in: where it is the first of its kind, Triton may compile."""
    kind = (name, call.number, call.layout, call.needs_back)
    if INTERPRETED or kind in _LAUNCHED:
        return nullcontext()
    _LAUNCHED.add(kind)
    return late_report(f"{name} on CUDA")


class Layer(torch.autograd.Function):
    """Membranes, spikes and the last u, second and s from a layer's drive; None for what is not.

    ``drive`` (batch, time, n) is the inputs' product, and is overwritten; ``parameters`` (5, n) and
    ``states`` (3, batch, n) are those of ``kernels.py``.
    """

    @staticmethod
    def forward(  # type: ignore[override]  # noqa: D102, PLR0917
        ctx: Any,
        call: Call,
        drive: Tensor,
        weight_rec: Tensor | None,
        parameters: Tensor,
        states: Tensor,
    ) -> tuple[Tensor | None, ...]:
        layout = call.layout
        batch, steps, n = drive.shape
        # No one else reads the drive: its place is taken by what is kept of the same step.
        kept = drive if call.needs_back else None
        second_kept = torch.empty_like(drive) if 1 in call.states and call.needs_back else None
        membranes = torch.empty_like(drive) if call.membranes else None
        spikes = torch.empty_like(drive) if call.spikes else None
        final = [states.new_empty(batch, n) if row in call.states else None for row in range(3)]
        # Types of a kernel's call are Triton's own.
        launch = cast(Any, forward_kernel)[batch, layout.blocks]
        with _first("forward pass", call):
            launch(
                drive, None if weight_rec is None else weight_rec.t().contiguous(), parameters,
                states, _exchange(layout, drive), kept, second_kept, membranes, spikes, *final,
                batch, steps, n, PROGRAM=call.number, RECURRENCE=layout.recurrence,
                WIDTH=layout.width, ROWS=layout.rows, num_warps=layout.warps,
            )  # fmt: skip
        if call.needs_back:
            ctx.save_for_backward(kept, second_kept, weight_rec, parameters, states)
            ctx.call = call
        ctx.set_materialize_grads(False)
        return membranes, spikes, *final

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outside: Tensor | None) -> tuple[Tensor | None, ...]:  # type: ignore[override]  # noqa: D102
        call: Call = ctx.call
        kept, second_kept, weight_rec, parameters, states = ctx.saved_tensors
        layout = call.layout
        batch, steps, n = kept.shape
        dc = torch.empty_like(kept)
        before = None if weight_rec is None else torch.empty_like(kept)
        d_parameters = parameters.new_empty(5, batch, n)
        d_states = torch.empty_like(states)
        given = [None if g is None else g.contiguous() for g in outside]
        launch = cast(Any, backward_kernel)[batch, layout.blocks]
        with torch.cuda.device_of(kept), _first("backward pass", call):
            launch(
                kept, second_kept, None if weight_rec is None else weight_rec.contiguous(),
                parameters, states, _exchange(layout, kept), *given, dc, before, d_parameters,
                d_states, batch, steps, n, *(float(f) for f in call.surrogate.factors),
                PROGRAM=call.number, KIND=call.surrogate.kind, RECURRENCE=layout.recurrence,
                WIDTH=layout.width, ROWS=layout.rows, num_warps=layout.warps,
            )  # fmt: skip
        d_rec = None
        if before is not None and ctx.needs_input_grad[2]:
            d_rec = dc.view(-1, n).t() @ before.view(-1, n)
        return None, dc, d_rec, d_parameters.sum(1), d_states


def _exchange(layout: Plan, like: Tensor) -> Tensor | None:
    batch, _, n = like.shape
    return like.new_empty(batch, 2, n) if layout.recurrence == STREAMED else None
