"""Short-time spectra in mel bands, and the spikes made from them: pure functions.

Mel scale: O'Shaughnessy's ``mel(f) = 2595 log10(1 + f / 700)``, triangular filters of unit peak.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import DataError

Real = npt.NDArray[np.float64]


def mel_filters(sample_rate: int, fft: int, bands: int, low: float, high: float) -> Real:
    """Return triangular filters (bands, fft // 2 + 1) over the bins of a real transform.

    ::

        mel(f) = 2595 log10(1 + f / 700)
        e_0 .. e_{bands+1} evenly spaced in mel from low to high (Hz)
        filter_j(f) = max(0, min((f - e_j) / (e_{j+1} - e_j), (e_{j+2} - f) / (e_{j+2} - e_{j+1})))

    Raises
    ------
    DataError
        A filter that is so narrow that it contains no bin.
    """
    first, last = (2595 * np.log10(1 + frequency / 700) for frequency in (low, high))
    edges = 700 * (10 ** (np.linspace(first, last, bands + 2) / 2595) - 1)
    bins = np.arange(fft // 2 + 1) * sample_rate / fft
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    filters = np.maximum(0, np.minimum(rising, falling))
    empty = np.flatnonzero(filters.sum(axis=1) == 0)
    if len(empty):
        raise DataError(
            f"mel filters: band {empty[0]} of {bands} contains none of {len(bins)} frequencies; "
            "use fewer bands or a longer fft"
        )
    return filters


def mel_levels(audio: npt.NDArray[Any], filters: Real, fft: int, hop: int, span: float) -> Real:
    """Return the level of each band over time, (steps, bands), in dB above the floor.

    ::

        p_{t,j} = sum_f filter_j(f) |FFT(hann * x[t hop - fft/2 : t hop + fft/2])|^2
        level = max(0, span + 10 log10(p / max p))

    Step t uses ``fft`` samples around sample ``t hop``; the clip is padded with zeros. The
    loudest band and step of the clip has level ``span``, and what is more than ``span`` dB below
    it has level 0, so a recording's gain has no effect. There are ``ceil(samples / hop)`` steps.
    """
    from scipy.signal import get_window

    x = np.asarray(audio, dtype=np.float64)
    steps = -(-len(x) // hop)
    padded = np.zeros((steps - 1) * hop + fft)
    kept = min(len(x), len(padded) - fft // 2)
    padded[fft // 2 : fft // 2 + kept] = x[:kept]
    frames = np.lib.stride_tricks.sliding_window_view(padded, fft)[::hop]
    spectrum = np.fft.rfft(frames * get_window("hann", fft), axis=1)
    power = (spectrum.real**2 + spectrum.imag**2) @ filters.T
    loudest = power.max()
    if loudest == 0:
        return np.zeros((steps, len(filters)))
    floor = 10 ** (-span / 10)
    return span + 10 * np.log10(np.maximum(power / loudest, floor))


def level_events(levels: Real, step: float, count: int) -> npt.NDArray[np.uint8]:
    """Return events (T, 2 bands count) where levels (T, bands) cross multiples of ``step``.

    ::

        q_t = floor(level_t / step), at most count        q_{-1} = 0
        up_{t,j,k}   = [q_{t,j} >= k > q_{t-1,j}]          k = 1 .. count
        down_{t,j,k} = [q_{t-1,j} >= k > q_{t,j}]

    Channel ``2 (count j + k - 1)`` is up, the next one down: every level has its own channels, so
    an event tells how loud a band is, not only that it changed. A clip begins in silence.
    """
    reached = np.floor(levels / step)[..., None] >= np.arange(1, count + 1)
    before = np.zeros_like(reached)
    before[1:] = reached[:-1]
    events = np.stack((reached & ~before, before & ~reached), axis=-1)
    return events.reshape(len(levels), -1).astype(np.uint8)
