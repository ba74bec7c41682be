"""A spiking layer over a whole sequence: a stack of one."""

from __future__ import annotations

from typing import NamedTuple, cast

from torch import Tensor

from .events import Events
from .stack import StackLayer, spiking_stack
from .surrogates import STEP, Encoded


class Result(NamedTuple):
    """What a layer returns.

    ``membranes`` (batch, time, n) or None if not asked for; ``spikes`` (batch, time, n), of ``li``
    its membranes; ``state`` after the last step, in the order of ``Neuron.states``.
    """

    membranes: Tensor | None
    spikes: Tensor
    state: tuple[Tensor, ...]


def spiking_sequence(  # noqa: PLR0917
    neuron: str,
    inputs: Tensor | Events,
    weight: Tensor,
    recurrent_weight: Tensor | None,
    bias: Tensor,
    coefficients: tuple[Tensor, ...],
    state: tuple[Tensor, ...],
    surrogate: Encoded = STEP,
    membranes: bool = True,
) -> Result:
    """Run a layer over a sequence; differentiable with respect to every tensor argument, once.

    Parameters are those of ``StackLayer`` and ``spiking_stack``, which this calls with one layer;
    it raises what they raise.
    """
    layer = StackLayer(neuron, weight, recurrent_weight, bias, coefficients, state)
    made = spiking_stack((layer,), inputs, surrogate, membranes=membranes)
    return Result(made.membranes, cast(Tensor, made.spikes[0]), made.states[0])
