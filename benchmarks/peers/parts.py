"""What the PyTorch implementations share: data on the device, the loss, a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .shapes import Shape, UnavailableError, draw


def prepare(threads: int, device: str) -> None:
    """Set torch's threads; raises UnavailableError without the device."""
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    if device == "cuda" and not torch.cuda.is_available():
        raise UnavailableError("torch sees no GPU")


def data(shape: Shape, device: str, time_first: bool) -> tuple[Tensor, Tensor]:
    """Return inputs, (time, batch, channel) if ``time_first``, and targets."""
    inputs, targets = (torch.from_numpy(x) for x in draw(shape))
    if time_first:
        inputs = inputs.transpose(0, 1).contiguous()
        targets = targets.t().contiguous() if shape.labels_per_step else targets
    return inputs.to(device), targets.to(device)


def loss(shape: Shape, outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy of every step, or of the mean over time (the first axis)."""
    if shape.labels_per_step:
        return functional.cross_entropy(outputs.flatten(0, 1), targets.flatten())
    return functional.cross_entropy(outputs.mean(0), targets)


def step(
    modules: Sequence[nn.Module],
    forward: Callable[[], tuple[Tensor, Sequence[Tensor]]],
    criterion: Callable[[Tensor], Tensor],
    device: str,
) -> Callable[[], Sequence[Tensor]]:
    """Return a function that takes a step with ``forward``, which returns outputs and spikes."""

    def take() -> Sequence[Tensor]:
        for module in modules:
            module.zero_grad(set_to_none=True)
        outputs, spikes = forward()
        criterion(outputs).backward()
        if device == "cuda":
            torch.cuda.synchronize()
        return [x.detach() for x in spikes]

    return take


def linear(weight: object, bias: object = None) -> nn.Linear:
    """Return a linear map with these weights (n, below), and bias if given."""
    w = torch.as_tensor(weight)
    made = nn.Linear(w.shape[1], w.shape[0], bias=bias is not None)
    with torch.no_grad():
        made.weight.copy_(w)
        if bias is not None:
            made.bias.copy_(torch.as_tensor(bias))
    return made
