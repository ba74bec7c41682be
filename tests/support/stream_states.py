"""Comparison of two states of a stream."""

from __future__ import annotations

import numpy as np
from srnn.simulate.stream_state import StreamState


def assert_same_state(one: StreamState, other: StreamState) -> None:
    assert (one.network, one.steps, one.counted) == (other.network, other.steps, other.counted)
    np.testing.assert_array_equal(one.total, other.total)
    for a, b in zip(one.layers, other.layers, strict=True):
        for name in ("states", "spikes", "pending", "pending_recurrent"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
