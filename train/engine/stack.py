"""A stack of spiking layers over a whole sequence as one differentiable function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from ...export.config import FLOAT_NEURONS
from ...export.errors import InputError
from ...export.suggest import unknown
from ...neurons.real import FloatNeuron
from .derived import COEFFICIENTS_MAX, kernels_of, printed, why_not
from .events import Events
from .function import OUTPUTS, Call, Delays, NeuronKernels, Stack
from .programs import STATES_MAX
from .replay import Replay
from .surrogates import STEP, Encoded
from .threads import not_compiled


@cache
def _kernels(neuron: type[FloatNeuron]) -> NeuronKernels:
    made = printed(neuron)
    return NeuronKernels(
        made.sends, made.places, len(made.kept), len(made.coefficients), kernels_of(neuron)
    )


def kernels_for(name: str) -> NeuronKernels | None:
    """Return how the engine runs a neuron, None where it cannot."""
    neuron = FLOAT_NEURONS.get(name)
    return None if neuron is None or why_not(neuron) is not None else _kernels(neuron)


NAMES = (
    "weight", "recurrent_weight", "bias",
    *(f"coefficient {number}" for number in range(1, COEFFICIENTS_MAX + 1)),
    "v", "second", "s", *(f"state {number}" for number in range(4, STATES_MAX + 1)),
)  # fmt: skip
"""A layer's tensors in the order in which the function takes them."""


@dataclass(frozen=True)
class StackLayer:
    """A layer of a stack.

    Parameters
    ----------
    neuron
        One of ``FLOAT_NEURONS``.
    weight, recurrent_weight, bias
        (n, channel), (n, n) or None, (n,). Already multiplied by the gain of the current.
    coefficients
        Per neuron (n,), in the order in which the neuron's ``coefficients`` has them.
    state
        The state before the first step, each (batch, n), in the order of the neuron's ``STATES``.
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
        program = kernels_for(self.neuron)
        if program is None:
            raise InputError(unknown("neuron", self.neuron, FLOAT_NEURONS, "engine"))
        for name, given, count in (
            ("coefficients", self.coefficients, program.coefficients),
            ("states", self.state, len(program.states)),
        ):
            if len(given) != count:
                raise InputError(f"engine: {self.neuron} has {count} {name}, given {len(given)}")
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
        none = [None] * (COEFFICIENTS_MAX - program.coefficients)
        states: list[Tensor | None] = [None] * STATES_MAX
        for place, value in zip(program.states, self.state, strict=True):
            states[place] = value
        return (self.weight, self.recurrent_weight, self.bias, *self.coefficients, *none, *states)


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
    ``cuba_lif``, ``adlif``), four (``brf``) or one. Nothing is kept where no gradient is needed.
    Outputs have the same bits whichever path the kernels choose; gradients have for the same number
    of threads.

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
    kinds = tuple(cast(NeuronKernels, kernels_for(layer.neuron)) for layer in layers)
    ends = None if lengths is None else lengths.detach().cpu().numpy().astype(np.int64)
    call = Call(
        kinds, surrogate, events, ends, membranes or not kinds[-1].spikes, spikes,
        spikes or last_spikes, counts, needs_backward,
        tuple((layer.delay, layer.delay_rec) for layer in layers), replay,
    )  # fmt: skip
    made = Stack.apply(call, dense, *flat)
    assert isinstance(made, tuple)
    last, *rest = made
    parts = [rest[OUTPUTS * index : OUTPUTS * (index + 1)] for index in range(len(layers))]
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
        own = [(n,)] * (1 + COEFFICIENTS_MAX) + [(shape[0], n)] * STATES_MAX
        expected = [(n, channels), (n, n), *own]
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
