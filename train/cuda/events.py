"""Conversion of event lists to dense tensors on a device."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..engine.events import Events


def dense_events(events: Events, device: torch.device) -> Tensor:
    """Return float32 (batch, time, channel) on ``device``; only the events are copied there."""
    batch, steps, channels = events.shape
    starts = events.starts
    own = [slice(first, last) for first, last in zip(starts[:, 0], starts[:, -1], strict=True)]
    sources = np.concatenate([events.sources[part] for part in own]).astype(np.int64)
    step = np.repeat(np.arange(batch * steps), np.diff(starts, axis=1).ravel())
    where = torch.from_numpy(step * channels + sources).to(device)
    if events.values is None:
        values = torch.ones(len(sources), device=device)
    else:
        values = torch.from_numpy(np.concatenate([events.values[part] for part in own])).to(device)
    dense = torch.zeros(batch * steps * channels, device=device)
    # Two events of a step at one channel add up; unlike index_add_, this sums in a fixed order.
    dense.index_put_((where,), values, accumulate=True)
    return dense.view(batch, steps, channels)
