"""``spiking_stack`` of ``train/engine`` on a CUDA device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ...export.errors import InputError
from ..engine.derived import COEFFICIENTS_MAX
from ..engine.events import Events
from ..engine.programs import STATES_MAX
from ..engine.stack import NAMES, StackLayer, StackResult
from ..engine.surrogates import STEP, Encoded
from .choice import INTERPRETED, why_not
from .events import dense_events
from .function import CudaLayer, KernelCall
from .plan import LAYOUTS, plan


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
) -> StackResult:
    """Run layers, each on the spikes of the one below, over a sequence; differentiable once.

    Arguments, equations and result are those of ``engine.stack.spiking_stack``, and no gradient is
    detached or dropped. The tensors are float32 on one CUDA device. Layers run one after another,
    each over the whole sequence. ``Events`` are converted to a dense tensor on that device, 4 bytes
    per sample, step and channel, for one matrix product over the whole sequence.

    Notes
    -----
    Kept for the backward pass, per sample, step and neuron: the membrane minus the threshold and,
    for ``alif``, ``alif_relu`` and ``cuba_lif``, the second state, 4 bytes each; the former
    overwrites the input product. In addition there are the outputs: 4 bytes for spikes, which the
    layer above needs for the gradient of its weights, and 4 for membranes if requested. The
    backward pass temporarily takes 8 more (4 without recurrence): the gradient of the current and
    the spikes of the previous step. Nothing is kept where no gradient is needed.

    The products over the whole sequence (the drive, and the gradients of both weights) are torch's
    and follow its TF32 setting, which is off by default. TF32 rounds factors to 11 bits, which
    moves some membranes across the threshold. The recurrent product is always computed in float32,
    and autocast has no effect here.

    Sums are taken in a fixed order: the same device and versions give the same bits.

    Raises
    ------
    InputError
        An unknown neuron, tensors that are not float32 on one CUDA device, shapes that do not fit,
        more recurrent neurons than a program can hold.
    """
    given = [layer.in_order() for layer in layers]
    for layer in layers:
        late = layer.delay is not None or layer.delay_rec is not None
        reason = why_not(layer.neuron, len(layer.bias), layer.recurrent_weight is not None, late)
        if reason is not None:
            raise InputError(f"cuda: {reason}")
    _check(inputs, given)
    device = layers[0].weight.device
    signal = dense_events(inputs, device) if isinstance(inputs, Events) else inputs
    sent: list[Tensor] = []
    states: list[tuple[Tensor, ...]] = []
    last = None
    # Under autocast the products would be rounded to half precision.
    with torch.cuda.device_of(layers[0].weight), torch.autocast(device.type, enabled=False):
        for index, (layer, tensors) in enumerate(zip(layers, given, strict=True)):
            wanted = membranes and index == len(layers) - 1
            last, signal, final = _run(layer.neuron, signal, tensors, surrogate, wanted)
            sent.append(signal)
            states.append(final)
    counted = tuple(
        _counts(signal, lengths) if counts and LAYOUTS[layer.neuron].spikes else None
        for layer, signal in zip(layers, sent, strict=True)
    )
    shown = [
        signal if spikes or (last_spikes and index == len(sent) - 1) else None
        for index, signal in enumerate(sent)
    ]
    return StackResult(last, tuple(shown), counted, tuple(states))


def _run(
    neuron: str,
    signal: Tensor,
    tensors: tuple[Tensor | None, ...],
    surrogate: Encoded,
    membranes: bool,
) -> tuple[Tensor | None, Tensor, tuple[Tensor, ...]]:
    """Return membranes if requested, the output, and the last state."""
    program = LAYOUTS[neuron]
    weight, recurrent_weight, bias, *rest = tensors
    assert weight is not None
    assert bias is not None
    state = rest[COEFFICIENTS_MAX:][:3]
    coefficients: list[Tensor | None] = [None] * 4
    for place, value in zip(program.coefficients, rest, strict=False):
        coefficients[place] = value
    no_state = bias.new_zeros(len(signal), len(bias))
    no_coefficient = torch.zeros_like(bias)
    parameters = torch.stack([bias, *(no_coefficient if x is None else x for x in coefficients)])
    states = torch.stack([no_state if x is None else x for x in state])
    needs_backward = torch.is_grad_enabled() and any(
        x is not None and x.requires_grad for x in (signal, *tensors)
    )
    call = KernelCall(
        program.number,
        program.states,
        program.spikes,
        STEP if neuron in {"li", "alif_relu"} else surrogate,
        plan(len(bias), recurrent_weight is not None),
        membranes or not program.spikes,
        needs_backward,
    )
    drive = functional.linear(signal, weight).contiguous()
    made = CudaLayer.apply(call, drive, recurrent_weight, parameters, states)
    assert isinstance(made, tuple)
    voltages, spikes, *final = made
    after = tuple(final[place] for place in program.states)
    return voltages, spikes if program.spikes else voltages, after


def _counts(spikes: Tensor, lengths: Tensor | None) -> Tensor:
    if lengths is None:
        return spikes.sum(1)
    step = torch.arange(spikes.shape[1], device=spikes.device)
    running = step < lengths.to(spikes.device)[:, None]
    return (spikes * running[:, :, None]).sum(1)


def _check(inputs: Tensor | Events, given: list[tuple[Tensor | None, ...]]) -> None:
    shape = tuple(inputs.shape)
    first = given[0][0]
    assert first is not None
    device = first.device
    if device.type != "cuda" and not INTERPRETED:
        raise InputError(f"cuda: weight is on {device}, not on a CUDA device")
    if len(shape) != 3 or shape[1] < 1 or shape[0] < 1:
        raise InputError(
            f"cuda: inputs {shape}; they are (batch, time, channel), at least one sample and one "
            "step"
        )
    below = shape[2]
    for index, tensors in enumerate(given):
        weight, _, bias, *_ = tensors
        assert weight is not None
        assert bias is not None
        n, where = len(bias), f"cuda, layer {index}" if len(given) > 1 else "cuda"
        own = [(n,)] * (1 + COEFFICIENTS_MAX) + [(shape[0], n)] * STATES_MAX
        expected = [(n, below), (n, n), *own]
        for name, tensor, fits in zip(NAMES, tensors, expected, strict=True):
            _check_tensor(f"{where}: {name}", tensor, fits, device)
        below = n
    if isinstance(inputs, Tensor):
        _check_tensor("cuda: inputs", inputs, shape, device)


def _check_tensor(
    what: str, tensor: Tensor | None, fits: tuple[int, ...], device: torch.device
) -> None:
    if tensor is None:
        return
    if tensor.dtype != torch.float32 or tensor.device != device:
        raise InputError(
            f"{what} is {tensor.dtype} on {tensor.device}; the kernels compute in float32 on "
            f"{device}, where the weights are"
        )
    if tuple(tensor.shape) != fits:
        raise InputError(f"{what} is {tuple(tensor.shape)}, not {fits}")
