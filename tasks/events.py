"""From sampled signals or pixels to the integer inputs of a spiking network: pure functions.

Signals are (N, T, C). Functions that make events return two channels per input channel, in the
order of the published ECG data: channel 0 up, channel 0 down, channel 1 up, and so on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import DataError
from .pixels import window_index

Codes = npt.NDArray[np.integer[Any]]


def level_crossing(signals: npt.ArrayLike, thresholds: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Turn signals (N, T, C) into up and down events (N, T, 2C) as a level-crossing converter does.

    ::

        r_0 = x_0
        up_t   = [x_t - r_{t-1} >= threshold]      r_t = r_{t-1} + threshold where up
        down_t = [r_{t-1} - x_t >= threshold]      r_t = r_{t-1} - threshold where down

    There is at most one event per channel and step, and it moves the reference r by exactly one
    threshold. After a jump of several thresholds the reference follows over the next steps, so no
    event is lost if the signal stays there. The first step has no event. ``thresholds``
    is one number or (C,), in signal units.
    """
    x = np.asarray(signals, dtype=np.float64)
    step = np.broadcast_to(np.asarray(thresholds, dtype=np.float64), x.shape[2:])
    events = np.zeros((*x.shape, 2), dtype=np.uint8)
    reference = x[:, 0].copy()
    for t in range(1, x.shape[1]):
        difference = x[:, t] - reference
        up, down = difference >= step, -difference >= step
        events[:, t, :, 0], events[:, t, :, 1] = up, down
        reference += step * up - step * down
    return events.reshape(*x.shape[:2], -1)


def slope_events(
    signals: npt.ArrayLike,
    thresholds: npt.ArrayLike = 0.03,
    filter: str = "savitzky_golay",
    window: int = 5,
    order: int = 3,
) -> npt.NDArray[np.uint8]:
    """Turn signals (N, T, C) into up and down events (N, T, 2C) where the slope is steep.

    ::

        y = savitzky_golay(x; window 5, order 3)
        up_t   = [y_{t+1} - y_t >= threshold]
        down_t = [y_t - y_{t+1} >= threshold]

    The last step has no event. This is the encoder of the published ECG data (Yin, Corradi and
    Bohte, ``ECG/adapt_srnn_0.844_gpu-v1.py``), whose papers call it level crossing. ``thresholds``
    is one number or (C,), in signal units per step: choose it again for another sampling rate or
    gain.

    Raises
    ------
    DataError
        A sequence shorter than the filter's window.
    """
    x = np.asarray(signals, dtype=np.float64)
    if filter == "savitzky_golay":
        from scipy.signal import savgol_filter

        if x.shape[1] < window:
            raise DataError(
                f"slope encoder: a sequence of {x.shape[1]} steps is shorter than the filter's "
                f"window of {window}; drop it or use another encoding"
            )
        x = np.asarray(savgol_filter(x, window, order, axis=1))
    step = np.broadcast_to(np.asarray(thresholds, dtype=np.float64), x.shape[2:])
    slope = np.diff(x, axis=1)
    events = np.zeros((*x.shape, 2), dtype=np.uint8)
    events[:, :-1, :, 0], events[:, :-1, :, 1] = slope >= step, -slope >= step
    return events.reshape(*x.shape[:2], -1)


def quantise(
    signals: npt.ArrayLike, offsets: npt.ArrayLike, scales: npt.ArrayLike, bits: int
) -> Codes:
    """Turn signals (N, T, C) into integers ``clip(round((x - offset) / scale), +-(2^bits - 1))``.

    Ties round to even. ``bits`` counts magnitude bits, as ``message_bits`` of a network does.
    """
    limit = (1 << bits) - 1
    x = np.asarray(signals, dtype=np.float64)
    codes = np.rint((x - np.asarray(offsets)) / np.asarray(scales))
    return np.clip(codes, -limit, limit).astype(code_dtype(bits))


def sliding_window(pixels: npt.NDArray[Any], window: int) -> npt.NDArray[Any]:
    """Turn pixel sequences (N, T) into windows (N, T, window); see ``pixels.window_index``."""
    return pixels[:, window_index(pixels.shape[1], window)]


def code_dtype(bits: int) -> type[np.integer[Any]]:
    """Return the type of codes of so many bits without the sign; uint8 for spikes."""
    if bits == 0:
        return np.uint8
    return np.int16 if bits <= 15 else np.int32
