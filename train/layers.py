"""A spiking layer over a sequence: weights and neurons, run by the engine or step by step.

In the loop a layer's input product is computed for the whole sequence at once and then split into
steps with ``unbind``: indexing it would make the backward pass quadratic in time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..export.config import DELAYS, Delay, LayerConfig
from ..export.errors import InputError
from .neurons import Neuron, State

if TYPE_CHECKING:
    from .engine.events import Events
    from .engine.stack import StackLayer, StackResult
    from .engine.surrogates import Encoded


_FORMER = {
    "ahead": "forward_direction",
    "back": "backward_direction",
    "weight_rec": "recurrent_weight",
}
"""Names in a ``checkpoint.pt`` that was written before they were renamed, and the present ones."""


class Weights(NamedTuple):
    """What a layer's steps are computed with: (n, inputs), (n, n) or None, (n,), (n,) each.

    Weights and bias are already multiplied by the gain of the current.
    """

    weight: Tensor
    recurrent_weight: Tensor | None
    bias: Tensor
    coefficients: tuple[Tensor, ...]


class Direction(nn.Module):
    """Weights and neurons of a layer in one direction of time."""

    def __init__(self, config: LayerConfig, inputs: int) -> None:
        super().__init__()
        n = config.size
        self.weight = nn.Parameter(torch.empty(n, inputs))
        self.bias = nn.Parameter(torch.zeros(n))
        self.neuron = Neuron(config)
        self.delay: Tensor | None
        self.delay_rec: Tensor | None
        _initialise(self.weight, config.weight_init, config.weight_gain)
        if config.recurrent:
            self.recurrent_weight = nn.Parameter(torch.empty(n, n))
            _initialise(self.recurrent_weight, config.recurrent_init, config.recurrent_gain)
        else:
            self.register_parameter("recurrent_weight", None)
        for name in DELAYS:
            spread: Delay = getattr(config, name)
            steps = torch.linspace(spread.low, spread.high, n).round()
            self.register_buffer(name, steps if spread.high else None)

    def delays(self) -> dict[str, Tensor]:
        """Return the delays that the layer has, whole steps (n,)."""
        every = {name: getattr(self, name) for name in DELAYS}
        return {name: steps for name, steps in every.items() if steps is not None}

    def forward(
        self,
        inputs: Tensor | Events,
        state: State | None,
        spike_function: Any,
        encoded: Encoded | None = None,
        membranes_wanted: bool = True,
    ) -> tuple[Tensor | None, Tensor, State]:
        """Run over (batch, time, inputs): membranes and spikes (batch, time, n), and the state.

        With ``encoded``, the surrogate in the form of ``train/engine``, the engine runs the
        sequence; it skips membranes that are not requested, and returns None for them.
        """
        if encoded is not None:
            layer = self.on_engine(inputs.shape[0], state)
            spiking_stack = stack_on(self.weight.device)
            made = spiking_stack((layer,), inputs, encoded, membranes=membranes_wanted)
            return made.membranes, cast(Tensor, made.spikes[0]), made.states[0]
        if not isinstance(inputs, Tensor):
            raise InputError(
                'layer: event lists need the engine "events" in float32, on the CPU or on CUDA'
            )
        return self.loop(inputs, state, spike_function)

    def loop(
        self,
        inputs: Tensor,
        state: State | None,
        spike_function: Any,
        weights: Weights | None = None,
        meant: State | None = None,
    ) -> tuple[Tensor, Tensor, State]:
        """Run step by step; parameters as of ``steps``, returns as ``forward``."""
        membrane = self.neuron.states.index("v")
        membranes, spikes = [], []
        for after in self.steps(inputs, state, spike_function, weights, meant):
            membranes.append(after[membrane])
            spikes.append(after[-1])
            state = after
        assert state is not None
        return torch.stack(membranes, 1), torch.stack(spikes, 1), state

    def steps(
        self,
        inputs: Tensor,
        state: State | None,
        spike_function: Any,
        weights: Weights | None = None,
        meant: State | None = None,
    ) -> Iterator[State]:
        """Yield the state after each step of (batch, time, inputs), computed one by one.

        ``weights``: in place of the layer's own; ``meant``: states (batch, time, n) that take the
        place of those computed, whose gradients stay.
        """
        neuron = self.neuron
        weight, recurrent_weight, bias, coefficients = weights or self.weights()
        if neuron.kind.BIAS_IN_STEP:
            coefficients, bias = (*coefficients, bias), None
        if self.delay is None:
            drive = functional.linear(inputs, weight, bias).unbind(1)
        else:
            arriving = _late(functional.linear(inputs, weight), self.delay)
            drive = (arriving if bias is None else arriving + bias).unbind(1)
        if state is None:
            state = neuron.initial_state(drive[0])
        elif self.delays():
            raise _no_state()
        recurrent = None if recurrent_weight is None else recurrent_weight.t()
        late, waiting = self.delay_rec, []
        for step, current in enumerate(drive):
            if recurrent is not None and late is not None:
                waiting.append(state[-1] @ recurrent)
                current = current + _due(waiting, late)  # noqa: PLW2901
            elif recurrent is not None:
                current = torch.addmm(current, state[-1], recurrent)  # noqa: PLW2901
            state = neuron.step(state, current, coefficients, spike_function)
            if meant is not None:
                state = tuple(
                    (x - x.detach()) + y[:, step] for x, y in zip(state, meant, strict=True)
                )
            yield state

    def weights(self) -> Weights:
        """Return what the layer's steps are computed with."""
        gain, weight, recurrent = self.neuron.current_gain(), self.weight, self.recurrent_weight
        bias = self.bias
        if gain is not None:
            weight, bias = gain[:, None] * weight, gain * bias
            recurrent = None if recurrent is None else gain[:, None] * recurrent
        return Weights(weight, recurrent, bias, self.neuron.coefficients())

    def on_engine(
        self, batch: int, state: State | None, weights: Weights | None = None
    ) -> StackLayer:
        """Return the layer as ``train/engine`` takes it, for ``batch`` samples.

        ``weights``: in place of its own.
        """
        from .engine.stack import StackLayer

        weights = weights or self.weights()
        if state is None:
            state = self.neuron.initial_state(self.weight.new_zeros(batch, self.neuron.size))
        elif self.delays():
            raise _no_state()
        late = {name: steps.cpu().numpy().astype(np.int32) for name, steps in self.delays().items()}
        return StackLayer(self.neuron.name, *weights, state, **late)


class SpikingLayer(nn.Module):
    """A layer: one direction of time, or two whose outputs are concatenated."""

    def __init__(self, config: LayerConfig, inputs: int) -> None:
        super().__init__()
        self.forward_direction = Direction(config, inputs)
        self.backward_direction = Direction(config, inputs) if config.bidirectional else None

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        # Older checkpoints have the former names.
        for name in [name for name in state_dict if name.startswith(prefix)]:
            words = name.removeprefix(prefix).split(".")
            current = ".".join(_FORMER.get(word, word) for word in words)
            state_dict[prefix + current] = state_dict.pop(name)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def forward(  # noqa: PLR0917
        self,
        inputs: Tensor | Events,
        lengths: Tensor | None,
        state: State | None,
        spike_function: Any,
        encoded: Encoded | None = None,
        membranes_wanted: bool = True,
    ) -> tuple[Tensor | None, Tensor, State]:
        """Return membranes and spikes (batch, time, width), and the state of the forward direction.

        Raises
        ------
        ValueError
            A state to continue from, with a second direction, which needs the whole sequence.
        """
        how = (spike_function, encoded, membranes_wanted)
        membrane, spikes, after = self.forward_direction(inputs, state, *how)
        if self.backward_direction is None:
            return membrane, spikes, after
        if state is not None:
            raise ValueError("a bidirectional layer needs the whole sequence: no state to continue")
        if not isinstance(inputs, Tensor):
            raise InputError("layer: a bidirectional layer reads tensors, not event lists")
        order = reversed_steps(inputs, lengths)
        turned = torch.gather(inputs, 1, order.expand(-1, -1, inputs.shape[2]))
        back_membrane, back_spikes, _ = self.backward_direction(turned, None, *how)
        order = order.expand(-1, -1, back_spikes.shape[2])
        spikes = torch.cat((spikes, torch.gather(back_spikes, 1, order)), 2)
        if membrane is None or back_membrane is None:
            return None, spikes, after
        return torch.cat((membrane, torch.gather(back_membrane, 1, order)), 2), spikes, after

    def directions(self) -> dict[str, Direction]:
        """Return the directions by the prefix of their weights' names in a ``model.pt``."""
        if self.backward_direction is None:
            return {"": self.forward_direction}
        return {"forward.": self.forward_direction, "backward.": self.backward_direction}


def _late(drive: Tensor, delay: Tensor) -> Tensor:
    """Return drives (batch, time, n) delayed by each neuron's delay (n,)."""
    steps = torch.arange(drive.shape[1], device=drive.device)[:, None] - delay.long()
    index = steps.clamp(min=0).expand(len(drive), -1, -1)
    return torch.gather(drive, 1, index) * (steps >= 0)


def _due(waiting: list[Tensor], delay: Tensor) -> Tensor:
    """Return which of the sums (batch, n) of all steps so far is due now, per neuron."""
    now = len(waiting) - 1
    total = torch.zeros_like(waiting[0])
    for late in delay.unique().long().tolist():
        if late <= now:
            total = total + waiting[now - late] * (delay == late)
    return total


def _no_state() -> InputError:
    return InputError(
        "layer: with delays a sequence cannot continue from a state, which does not hold the "
        "messages in transit; set truncate_steps to 0"
    )


def stack_on(device: torch.device) -> Callable[..., StackResult]:
    """Return ``spiking_stack`` for a kind of device."""
    if device.type == "cuda":
        from .cuda import load_stack

        return load_stack()
    from .engine.stack import spiking_stack

    return spiking_stack


def reversed_steps(signal: Tensor, lengths: Tensor | None) -> Tensor:
    """Return for (batch, time, n) the source step (batch, time, 1) of each step in reversed time.

    A sample is reversed within its own length; steps beyond it stay in place.
    """
    batch, steps, _ = signal.shape
    step = torch.arange(steps, device=signal.device)
    if lengths is None:
        lengths = torch.full((batch,), steps, device=signal.device)
    ends = lengths.to(signal.device)[:, None]
    return torch.where(step < ends, ends - 1 - step, step)[:, :, None]


def _initialise(weight: Tensor, kind: str, gain: float) -> None:
    if kind == "xavier_uniform":
        nn.init.xavier_uniform_(weight)
    elif kind == "xavier_normal":
        nn.init.xavier_normal_(weight)
    elif kind == "kaiming_normal":
        nn.init.kaiming_normal_(weight)
    elif kind == "orthogonal":
        nn.init.orthogonal_(weight)
    elif kind == "zero":
        nn.init.zeros_(weight)
    else:
        nn.init.kaiming_uniform_(weight, a=math.sqrt(5))
    with torch.no_grad():
        weight.mul_(gain)
