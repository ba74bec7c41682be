"""Finds where a training step went wrong, after a loss or gradient was found to be bad.

A loss that is NaN says nothing about its origin. Here the batch is run once more through the plain
equations, one time step after another, and the first value that is not finite is reported. Normal
training pays nothing for this.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

import torch
from torch import Tensor

from ..export.config import RECURRENT_WEIGHT, ModelConfig
from ..export.errors import InputError
from .layers import SpikingLayer, reversed_steps
from .network import SRNN
from .neurons import State
from .recipe import TrainingConfig

if TYPE_CHECKING:
    from .engine.events import Events

CAUSES = ("parameter", "input", "state", "refused", "gradient", "loss")
"""Kinds of faults; where several are found, an earlier kind causes a later one."""
NO_INTEGERS = "the weights have no integers"
LARGE = 1e4
"""A weight or threshold beyond this is named in a hint; trained ones are below 100."""
_STATES = {"v": "membrane v", "b": "adaptation b", "i": "current i", "s": "activation s"}
_STORED = {"recurrent_weight": RECURRENT_WEIGHT, "weight_hh_l0": RECURRENT_WEIGHT}
_STORED |= {"weight_ih_l0": "weight", "bias_ih_l0": "bias", "bias_hh_l0": "bias_rec"}


class DivergedError(FloatingPointError):
    """Training cannot go on: a loss or a gradient is not finite, or the gradient exploded.

    ``fault``: where it began; None if that was not searched. ``of_gradient``: the loss was
    finite, but its gradient was not.
    """

    def __init__(
        self, message: str, fault: Fault | None = None, *, of_gradient: bool = False
    ) -> None:
        super().__init__(message)
        self.fault, self.of_gradient = fault, of_gradient


@dataclass(frozen=True)
class Fault:
    """Where a training step went wrong.

    Parameters
    ----------
    cause
        One of ``CAUSES``.
    what
        What was found, such as ``membrane v of neuron 3 is inf``.
    hint
        How to fix it.
    layer
        Index of the layer; None if the fault is in the data or the loss.
    sample, step
        Place in the batch and time step from 0; None if the fault has none.
    """

    cause: str
    what: str
    hint: str
    layer: int | None = None
    sample: int | None = None
    step: int | None = None

    def order(self) -> tuple[int, int, int]:
        """Return a sort key that is smallest for the fault that caused the others."""
        return CAUSES.index(self.cause), self.step or 0, self.layer or 0

    def describe(self, config: ModelConfig, split: str) -> str:
        """Describe where it began and what was found; ``split``: name of the samples' split."""
        layer, places = self.layer, []
        if layer is not None:
            places.append(f"layer {layer} ({config.layers[layer].neuron})")
        if self.sample is not None:
            places.append(f"{split} sample {self.sample}")
        if self.step is not None:
            places.append(f"step {self.step}")
        return f"it began in {', '.join((*places, self.what))}" if places else self.what


class _Seen(NamedTuple):
    """A state (batch, n) of a layer after a time step (batch,), in the order of computation."""

    layer: int
    name: str
    values: Tensor
    steps: Tensor


@torch.no_grad()
def find_fault(  # noqa: PLR0917
    model: SRNN,
    inputs: Tensor | Events,
    lengths: Tensor | None,
    state: tuple[State, ...] | None,
    training: TrainingConfig,
    first_step: int = 0,
    *,
    of_gradient: bool = False,
) -> Fault:
    """Find where a bad loss, or a bad gradient, of a batch began.

    Searched in this order: parameters, inputs, states, then the gradients that the parameters hold,
    then the loss.

    Parameters
    ----------
    model
        The network, its weights as they were in the forward pass.
    inputs, lengths, state
        The arguments of ``SRNN.forward``.
    training
        The settings that hints refer to.
    first_step
        Time step at which ``inputs`` begin.
    of_gradient
        Whether the loss was finite and its gradient was not.
    """
    fault = parameter_fault(model, training) or _input_fault(inputs, first_step)
    if fault is not None:
        return fault
    dense = _dense(inputs)
    found, largest = _walk(model, dense, lengths, state)
    if found is not None:
        layer = cast(int, found.layer)
        below = float(dense.abs().max()) if layer == 0 else largest[layer - 1]
        hint = _state_hint(model, layer, below, training)
        step = cast(int, found.step) + first_step
        return Fault("state", found.what, hint, layer, found.sample, step)
    if of_gradient:
        return gradient_fault(model, training)
    top = max(range(len(largest)), key=largest.__getitem__)
    hint = _parameter_hint(model, training)
    if training.rate_weight > LARGE:
        hint = f"lower --rate-weight (it is {training.rate_weight:g}), or {hint}"
    return Fault(
        "loss",
        f"every state is finite (at most {largest[top]:.3g}, in layer {top}), the loss of readout "
        f"{model.config.readout} is not",
        hint,
    )


@contextmanager
def integers_needed(model: SRNN, training: TrainingConfig) -> Iterator[None]:
    """Distinguish weights that diverged beyond all integers from a mistake in the settings.

    Raises
    ------
    DivergedError
        The grid raised something, and the weights cannot be frozen to integers.
    """
    try:
        yield
    except (FloatingPointError, InputError):
        fault = None if model.grid is None else refused_fault(model, training)
        if fault is None:
            raise
        raise DivergedError(NO_INTEGERS, fault) from None


def refused_fault(
    model: SRNN, training: TrainingConfig, error: InputError | None = None
) -> Fault | None:
    """Return why the weights have no integers, or None; ``error``: the reason, if known."""
    fault = parameter_fault(model, training)
    if fault is None and error is None:
        assert model.grid is not None
        try:
            model.grid.freeze(model.weights())
        except InputError as raised:
            error = raised
    if error is None or fault is not None:
        return fault
    return Fault("refused", str(error), _parameter_hint(model, training))


def parameter_fault(model: SRNN, training: TrainingConfig) -> Fault | None:
    """Return the first weight or per-neuron parameter that is not finite, or None."""
    for full, values in model.state_dict().items():
        bad = ~torch.isfinite(values)
        if bool(bad.any()):
            layer, name = parameter_name(full)
            at = torch.nonzero(bad)[0].tolist()
            return Fault(
                "parameter",
                f"{name}{at} is {_shown(values[tuple(at)])}",
                "an optimizer step caused it: lower --learning-rate (it is "
                f"{training.learning_rate:g})",
                layer,
            )
    return None


def parameter_name(full: str) -> tuple[int, str]:
    """Return the layer of a module's parameter and its name as in a ``model.pt``.

    A raw time constant (``train/time_constants.py``) is named after the time constant that it
    encodes.
    """
    _, index, *parts = full.split(".")
    name = _STORED.get(parts[-1], parts[-1]).removeprefix("raw_")
    return int(index), f"backward.{name}" if parts[0] == "backward_direction" else name


def gradient_norm(model: SRNN) -> float:
    """Return the norm of the whole gradient, in float64, which can hold squares of float32."""
    norms = [p.grad.double().norm() for p in model.parameters() if p.grad is not None]
    return float(torch.stack(norms).norm()) if norms else 0.0


def gradient_fault(model: SRNN, training: TrainingConfig) -> Fault:
    """Return the parameter whose gradient is bad, in the layer nearest to the loss, where it began.

    If all gradients are finite, it is the one with the largest norm.
    """
    gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    bad = [name for name, gradient in gradients.items() if not torch.isfinite(gradient).all()]
    if not bad:
        norms = {name: float(gradient.double().norm()) for name, gradient in gradients.items()}
        full = max(norms, key=norms.__getitem__)
        layer, name = parameter_name(full)
        hint = _gradient_hint(model, training, finite=True)
        return Fault("gradient", f"the gradient of {name} has norm {norms[full]:.3g}", hint, layer)
    layer = max(parameter_name(full)[0] for full in bad)
    names = [full for full in bad if parameter_name(full)[0] == layer]
    gradient = gradients[names[0]]
    at = torch.nonzero(~torch.isfinite(gradient))[0].tolist()
    rest = ", ".join(parameter_name(full)[1] for full in names[1:])
    what = f"the gradient of {parameter_name(names[0])[1]}{at} is {_shown(gradient[tuple(at)])}"
    hint = _gradient_hint(model, training, finite=False)
    return Fault("gradient", f"{what} (and that of {rest})" if rest else what, hint, layer)


def first_fault(faults: Sequence[Fault]) -> Fault:
    """Return the fault that caused the others."""
    return min(faults, key=Fault.order)


def _shown(value: Tensor) -> str:
    return f"{float(value):g}"


def _dense(inputs: Tensor | Events) -> Tensor:
    return inputs if isinstance(inputs, Tensor) else torch.from_numpy(inputs.to_dense())


def _input_fault(inputs: Tensor | Events, first_step: int) -> Fault | None:
    dense = _dense(inputs)
    bad = torch.nonzero(~torch.isfinite(dense))
    if not len(bad):
        return None
    sample, step, channel = bad[bad[:, 1].argmin()].tolist()
    return Fault(
        "input",
        f"input channel {channel} is {_shown(dense[sample, step, channel])}",
        "fix or leave out this sample, or scale the data down",
        sample=sample,
        step=step + first_step,
    )


def _walk(
    model: SRNN, inputs: Tensor, lengths: Tensor | None, state: tuple[State, ...] | None
) -> tuple[Fault | None, list[float]]:
    """Return where the first non-finite state is, and the largest |state| of each layer."""
    largest = [0.0] * len(model.layers)
    faults: dict[int, Fault] = {}
    device = next(model.parameters()).device
    seen = (
        _float_states(model, inputs.to(device), lengths, state)
        if model.grid is None
        else _integer_states(model, inputs, lengths)
    )
    for layer, name, values, steps in seen:
        bad = torch.nonzero(~torch.isfinite(values))
        if len(bad) and layer not in faults:
            sample, neuron = bad[0].tolist()
            what = f"{_STATES.get(name, name)} of neuron {neuron} is "
            what += _shown(values[sample, neuron])
            faults[layer] = Fault("state", what, "", layer, sample, int(steps[sample]))
        elif not len(bad):
            largest[layer] = max(largest[layer], float(values.abs().max()))
    if not faults:
        return None, largest
    if any(layer.bidirectional for layer in model.config.layers):
        # The output of a bidirectional layer depends on its last step from the first step on.
        return faults[min(faults)], largest
    return first_fault(list(faults.values())), largest


def _float_states(
    model: SRNN, inputs: Tensor, lengths: Tensor | None, state: tuple[State, ...] | None
) -> Iterator[_Seen]:
    """Yield every state of the float equations, layer by layer, step by step."""
    signal = inputs
    for index, layer in enumerate(model.layers):
        before = None if state is None else state[index]
        _, sent, _ = layer(signal, lengths, before, model.spike_function)
        if isinstance(layer, SpikingLayer):
            yield from _directions(index, layer, signal, lengths, before, model)
        else:
            for step, values in enumerate(sent.unbind(1)):
                yield _Seen(index, "output", values, _same(step, values))
        signal = sent


def _directions(  # noqa: PLR0917
    index: int,
    layer: SpikingLayer,
    signal: Tensor,
    lengths: Tensor | None,
    before: State | None,
    model: SRNN,
) -> Iterator[_Seen]:
    for direction in layer.directions().values():
        order, given = None, signal
        if direction is layer.backward_direction:
            order = reversed_steps(signal, lengths)
            given = torch.gather(signal, 1, order.expand(-1, -1, signal.shape[2]))
            order = order.expand(len(signal), -1, -1)[..., 0]
        for step, after in enumerate(direction.steps(given, before, model.spike_function)):
            for name, values in zip(direction.neuron.states, after, strict=True):
                steps = _same(step, values) if order is None else order[:, step]
                yield _Seen(index, name, values, steps)


def _integer_states(model: SRNN, inputs: Tensor, lengths: Tensor | None) -> Iterator[_Seen]:
    """Yield the real values of the membranes and currents of a run on the grid."""
    grid = model.grid
    assert grid is not None
    frozen = grid.freeze(model.weights())
    ends = None if lengths is None else lengths.cpu().numpy()
    trace = grid.run(frozen.network, grid.integers(inputs), ends)
    for index, (layer, recorded) in enumerate(
        zip(frozen.network.layers, trace.layers, strict=True)
    ):
        scale = torch.from_numpy(layer.state_scale.copy())
        for name, shown in (("v", "membrane v"), ("u", "current u")):
            if name in recorded.states:
                for step, integers in enumerate(recorded.states[name].swapaxes(0, 1)):
                    # In float32, as in the gradient.
                    values = (torch.from_numpy(integers.copy()) * scale).float()
                    yield _Seen(index, shown, values, _same(step, values))


def _same(step: int, values: Tensor) -> Tensor:
    return torch.full((len(values),), step)


def _largest_parameter(model: SRNN, layer: int | None = None) -> tuple[int, str, float]:
    """Return layer, name and size of the largest parameter, except raw time constants."""
    found = [
        (*parameter_name(full), float(values.abs().max()))
        for full, values in model.state_dict().items()
        if "raw_" not in full
    ]
    return max((x for x in found if layer in {None, x[0]}), key=lambda entry: entry[2])


def _state_hint(model: SRNN, layer: int, below: float, training: TrainingConfig) -> str:
    _, name, size = _largest_parameter(model, layer)
    if below > max(size, LARGE):
        if layer == 0:
            return f"the inputs reach {below:.3g}: scale the data down"
        return (
            f"layer {layer - 1} sends up to {below:.3g}: lower {_rate(training)}, or raise its "
            "threshold"
        )
    if size > LARGE:
        return (
            f"its {name} reaches {size:.3g}: lower {_rate(training)}, or start from other weights"
        )
    return (
        f"activity grows from step to step: lower {_rate(training)} or --layers.{layer}."
        "recurrent_gain, or raise the layer's threshold"
    )


def _parameter_hint(model: SRNN, training: TrainingConfig) -> str:
    layer, name, size = _largest_parameter(model)
    if size > LARGE:
        return (
            f"{name} of layer {layer} reaches {size:.3g}: lower {_rate(training)}, or start from "
            "other weights"
        )
    return f"lower {_rate(training)}"


def _gradient_hint(model: SRNN, training: TrainingConfig, *, finite: bool) -> str:
    hint = _parameter_hint(model, training)
    if _largest_parameter(model)[2] > LARGE:
        return hint
    if finite and not training.clip_gradient:
        return f"set --clip-gradient 1.0, or {hint}"
    shorter = "" if training.quantize else " --truncate-steps 100,"
    return (
        f"{hint}, or reduce the growth of the gradient over time:{shorter} shorter tau_mem and "
        "tau_adp, a larger threshold, a smaller surrogate.gamma"
    )


def _rate(training: TrainingConfig) -> str:
    return f"--learning-rate (it is {training.learning_rate:g})"
