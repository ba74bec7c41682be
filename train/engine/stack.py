"""A stack of spiking layers over a whole sequence as one differentiable function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...export.errors import InputError
from ...export.suggest import check_known
from . import programs
from .events import Events
from .function import Call, Delays, NeuronKernels, Stack
from .replay import Replay
from .surrogates import STEP, Encoded
from .threads import not_compiled

NEURON_KERNELS = {
    "alif": NeuronKernels(programs.ALIF, (0, 1, 2), 2, (0, 1, 2, 3)),
    "alif_relu": NeuronKernels(programs.ALIF_RELU, (0, 1, 2), 2, (0, 1, 2, 3)),
    "lif": NeuronKernels(programs.LIF, (0, 2), 1, (0, 2)),
    "cuba_lif": NeuronKernels(programs.CUBA_LIF, (1, 0, 2), 2, (1, 0, 2)),
    "li": NeuronKernels(programs.LI, (0,), 1, (0,), spikes=False),
}
NAMES = (
    "weight", "recurrent_weight", "bias", "alpha", "rho", "threshold", "adaptation",
    "v", "second", "s",
)  # fmt: skip
"""A layer's tensors in the order in which the function takes them."""


@dataclass(frozen=True)
class StackLayer:
    """A layer of a stack.

    Parameters
    ----------
    neuron
        ``alif``, ``alif_relu``, ``lif``, ``cuba_lif`` or ``li``.
    weight, recurrent_weight, bias
        (n, channel), (n, n) or None, (n,). Already multiplied by the gain of the current.
    coefficients
        Per neuron (n,), decays per step: ``alif`` alpha, rho, threshold, adaptation; ``lif`` alpha,
        threshold; ``cuba_lif`` alpha_syn, alpha, threshold; ``li`` alpha.
    state
        The state before the first step, each (batch, n): ``alif`` v, b, s; ``lif`` v, s;
        ``cuba_lif`` i, v, s; ``li`` v.
    delay, delay_rec
        Delays (n,) in whole steps of each neuron's input from below and from the layer itself; None
        for no delays. A recurrent synapse takes one step more. No messages are in transit before
        the first step.
    """

    neuron: str
    weight: Tensor
    recurrent_weight: Tensor | None
    bias: Tensor
    coefficients: tuple[Tensor, ...]
    state: tuple[Tensor, ...]
    delay: Delays | None = None
    delay_rec: Delays | None = None

    def in_order(self) -> tuple[Tensor | None, ...]:
        """Return the tensors in the order of ``NAMES``; None where the neuron has none.

        Raises
        ------
        InputError
            An unknown neuron, another number of coefficients or states than it has, recurrence of
            a neuron that does not spike, or delays that are not whole steps, one per neuron.
        """
        check_known("neuron", self.neuron, NEURON_KERNELS, "engine")
        program = NEURON_KERNELS[self.neuron]
        for name, given, places in (
            ("coefficients", self.coefficients, program.coefficients),
            ("states", self.state, program.states),
        ):
            if len(given) != len(places):
                raise InputError(
                    f"engine: {self.neuron} has {len(places)} {name}, given {len(given)}"
                )
        if self.recurrent_weight is not None and not program.spikes:
            raise InputError(f"engine: {self.neuron} does not spike and cannot be recurrent")
        for name, late in (("delay", self.delay), ("delay_rec", self.delay_rec)):
            # The kernels index by these delays without a check.
            if late is not None and (
                late.shape != self.bias.shape or late.dtype.kind not in "iu" or (late < 0).any()
            ):
                raise InputError(
                    f"engine: {name} is {late.dtype} {late.shape} from {late.min(initial=0)} on, "
                    f"needs whole steps {tuple(self.bias.shape)} from 0 on"
                )
        coefficients: list[Tensor | None] = [None] * 4
        states: list[Tensor | None] = [None] * 3
        for place, value in zip(program.coefficients, self.coefficients, strict=True):
            coefficients[place] = value
        for place, value in zip(program.states, self.state, strict=True):
            states[place] = value
        return (self.weight, self.recurrent_weight, self.bias, *coefficients, *states)


class StackResult(NamedTuple):
    """What a stack returns.

    ``membranes`` (batch, time, n) of the last layer, or None if not requested; ``spikes`` one
    (batch, time, n) per layer, membranes for ``li``, None if not requested; ``counts`` one
    (batch, n) per layer, the spikes of each neuron within the sample's length, None if not
    requested or if the layer does not spike; ``states`` after the last step, in the neuron's order.
    """

    membranes: Tensor | None
    spikes: tuple[Tensor | None, ...]
    counts: tuple[Tensor | None, ...]
    states: tuple[tuple[Tensor, ...], ...]


@not_compiled
def spiking_stack(
    layers: Sequence[StackLayer],
    inputs: Tensor | Events,
    surrogate: Encoded = STEP,
    *,
    membranes: bool = True,
    spikes: bool = True,
    last_spikes: bool = False,
    counts: bool = False,
    lengths: Tensor | None = None,
    replay: Sequence[Replay] | None = None,
) -> StackResult:
    """Run layers, each on the spikes of the one below, over a sequence; differentiable once.

    The equations are those of ``neurons/``, the current without its gain:
    ``c_t = weight x_t + recurrent_weight s_{t-1}`` and ``v_t = alpha v_{t-1} + c_t + bias - ...``.
    No gradient is detached or dropped: they reach every tensor of every layer, and the inputs.

    Parameters
    ----------
    layers
        From the input up. A layer above ``alif_relu`` or ``li`` reads their graded outputs.
    inputs
        float32 (batch, time, channel) on the CPU, or ``Events``.
    surrogate
        From ``surrogates.encode``; neurons that do not spike ignore it.
    membranes, spikes, counts
        Which outputs to return; the others cost nothing.
    last_spikes
        Whether to return the spikes of the last layer even if ``spikes`` is false.
    lengths
        int64 (batch,): steps of each sample that ``counts`` counts; all when None.
    replay
        Per layer, a run that was computed elsewhere: outputs are taken from it, and gradients are
        those of the equations at its states.

    Notes
    -----
    Kept for the backward pass, per sample, step and neuron: two float32 (``alif``, ``alif_relu``,
    ``cuba_lif``) or one. Nothing is kept where no gradient is needed. Outputs have the same
    bits whichever path the kernels choose; gradients have for the same number of threads.

    Raises
    ------
    InputError
        An unknown neuron, tensors that are not float32 on the CPU, shapes that do not fit.
    """
    events = inputs if isinstance(inputs, Events) else None
    dense = None if isinstance(inputs, Events) else inputs
    given = [layer.in_order() for layer in layers]
    _check(inputs, given)
    flat = [tensor for tensors in given for tensor in tensors]
    needs_backward = torch.is_grad_enabled() and any(
        x is not None and x.requires_grad for x in (dense, *flat)
    )
    kinds = tuple(NEURON_KERNELS[layer.neuron] for layer in layers)
    ends = None if lengths is None else lengths.detach().cpu().numpy().astype(np.int64)
    call = Call(
        kinds, surrogate, events, ends, membranes or not kinds[-1].spikes, spikes,
        spikes or last_spikes, counts, needs_backward,
        tuple((layer.delay, layer.delay_rec) for layer in layers), replay,
    )  # fmt: skip
    made = Stack.apply(call, dense, *flat)
    assert isinstance(made, tuple)
    last, *rest = made
    parts = [rest[5 * index : 5 * index + 5] for index in range(len(layers))]
    sent: list[Tensor | None] = [part[0] for part in parts]
    if not kinds[-1].spikes:
        sent[-1] = last
    states = (
        tuple(part[2 + place] for place in kind.states)
        for kind, part in zip(kinds, parts, strict=True)
    )
    return StackResult(last, tuple(sent), tuple(part[1] for part in parts), tuple(states))


def _check(inputs: Tensor | Events, given: list[tuple[Tensor | None, ...]]) -> None:
    shape = tuple(inputs.shape)
    below = None
    for index, tensors in enumerate(given):
        weight = tensors[0]
        assert weight is not None
        where = f"engine, layer {index}" if len(given) > 1 else "engine"
        if weight.ndim != 2:
            raise InputError(f"{where}: weight is {tuple(weight.shape)}, not (n, channel)")
        n, channels = weight.shape
        if below is None and (
            len(shape) != 3 or shape[2] != channels or shape[1] < 1 or shape[0] < 1
        ):
            raise InputError(
                f"{where}: inputs {shape} for weights {tuple(weight.shape)}; inputs are "
                f"(batch, time, {channels}), at least one sample and one step"
            )
        if below is not None and below != channels:
            raise InputError(f"{where}: weight reads {channels} neurons of {below} below")
        expected = [(n, channels), (n, n), *[(n,)] * 5, *[(shape[0], n)] * 3]
        for name, tensor, fits in zip(NAMES, tensors, expected, strict=True):
            _check_tensor(where, name, tensor, fits)
        below = n
    if isinstance(inputs, Tensor):
        _check_tensor("engine", "inputs", inputs, shape)


def _check_tensor(where: str, name: str, tensor: Tensor | None, fits: tuple[int, ...]) -> None:
    if tensor is None:
        return
    if tensor.dtype != torch.float32 or tensor.device.type != "cpu":
        raise InputError(
            f"{where}: {name} is {tensor.dtype} on {tensor.device}; the engine computes in "
            "float32 on the CPU, the loop elsewhere"
        )
    if tuple(tensor.shape) != fits:
        raise InputError(f"{where}: {name} is {tuple(tensor.shape)}, not {fits}")
