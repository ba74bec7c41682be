"""What a network accepts as its inputs, and the line that says why it refuses others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..export.errors import InputError

if TYPE_CHECKING:
    from .engine.events import Events


def checked_inputs(
    inputs: Any, channels: int, weight: Tensor, finite: bool = True
) -> Tensor | Events:
    """Return inputs (batch, time, channel) as a network with such weights reads them.

    Tensors whose values the weights' dtype holds are converted; event lists pass. ``finite``:
    refuse other values.

    Raises
    ------
    InputError
        No tensor and no event lists; another shape or device; a dtype of more precision.
    """
    if isinstance(inputs, np.ndarray):
        raise InputError("inputs: a NumPy array; give torch.from_numpy(inputs)")
    if not isinstance(inputs, Tensor) and not hasattr(inputs, "starts"):
        raise InputError(
            f"inputs: a {type(inputs).__name__}, needs a tensor (batch, time, {channels})"
        )
    if inputs.ndim != 3 or inputs.shape[1] == 0 or inputs.shape[2] != channels:
        raise InputError(f"inputs: shape {tuple(inputs.shape)}, needs (batch, time, {channels})")
    if not isinstance(inputs, Tensor):
        return inputs
    if inputs.device != weight.device:
        raise InputError(
            f"inputs: on {inputs.device}, the model is on {weight.device}; move one with .to()"
        )
    if torch.promote_types(inputs.dtype, weight.dtype) != weight.dtype:
        given, held = (str(x.dtype).removeprefix("torch.") for x in (inputs, weight))
        raise InputError(
            f"inputs: {given}, the model's weights are {held}; give inputs.to(torch.{held})"
        )
    if finite:
        _check_finite(inputs)
    return inputs.to(weight.dtype)


def _check_finite(inputs: Tensor) -> None:
    """Refuse NaN, of which a threshold makes silence, and infinity; on a GPU nothing waits for it.

    A sum is finite only where all its terms are, and takes a fraction of the time of a search.
    """
    if not inputs.dtype.is_floating_point or inputs.device.type != "cpu":
        return
    if not torch.isfinite(inputs.detach().sum()):
        bad = torch.nonzero(~torch.isfinite(inputs.detach()))
        if len(bad):
            at = bad[0].tolist()
            raise InputError(f"inputs: {at} is {float(inputs[tuple(at)])}, not a finite number")


def checked_lengths(lengths: Any, shape: Sequence[int], device: torch.device) -> Tensor | None:
    """Return the steps (batch,) of each sample on a device, None where none were given.

    ``shape``: that of the inputs (batch, time, channel).

    Raises
    ------
    InputError
        No tensor of integers (batch,), or one outside 0..time.
    """
    batch, steps = shape[:2]
    if lengths is None:
        return None
    if not isinstance(lengths, Tensor) or lengths.dtype.is_floating_point:
        kind = lengths.dtype if isinstance(lengths, Tensor) else type(lengths).__name__
        raise InputError(f"lengths: {kind}, needs a tensor of integers ({batch},)")
    if lengths.shape != (batch,):
        raise InputError(f"lengths: shape {tuple(lengths.shape)}, needs ({batch},)")
    if lengths.device.type == "cpu" and batch:
        low, high = (int(x) for x in torch.aminmax(lengths))
        if low < 0 or high > steps:
            wrong = low if low < 0 else high
            at = int((lengths == wrong).nonzero()[0, 0])
            raise InputError(f"lengths: [{at}] is {wrong}, outside 0..{steps}, the inputs' steps")
    return lengths.to(device)
