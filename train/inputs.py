"""What a network accepts as its inputs, and the line that says why it refuses others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..export.errors import InputError

if TYPE_CHECKING:
    from .engine.events import Events


def checked_inputs(inputs: Any, channels: int, weight: Tensor) -> Tensor | Events:
    """Return inputs (batch, time, channel) as a network with such weights reads them.

    Tensors whose values the weights' dtype holds are converted; event lists pass.

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
    return inputs.to(weight.dtype)


def checked_lengths(lengths: Any, batch: int, device: torch.device) -> Tensor | None:
    """Return the steps (batch,) of each sample on a device, None where none were given.

    Raises
    ------
    InputError
        No tensor of integers (batch,).
    """
    if lengths is None:
        return None
    if not isinstance(lengths, Tensor) or lengths.dtype.is_floating_point:
        kind = lengths.dtype if isinstance(lengths, Tensor) else type(lengths).__name__
        raise InputError(f"lengths: {kind}, needs a tensor of integers ({batch},)")
    if lengths.shape != (batch,):
        raise InputError(f"lengths: shape {tuple(lengths.shape)}, needs ({batch},)")
    return lengths.to(device)
