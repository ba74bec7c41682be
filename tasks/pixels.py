"""Sliding windows over sequences of pixels, made on request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import DataError


def window_index(steps: int, window: int) -> npt.NDArray[np.int64]:
    """Return which pixel each channel shows at each step, int64 (T, window).

    ``index[t, c] = min(t, T - window) + c``: the window moves by one pixel a step, and the last
    ``window`` steps show the final one, as the published S-MNIST code does.

    Raises
    ------
    DataError
        The window is below 1 or longer than the sequence.
    """
    if not 1 <= window <= steps:
        raise DataError(f"window: {window} is outside 1..{steps}, the pixels of a sequence")
    start = np.minimum(np.arange(steps), steps - window)
    return start[:, None] + np.arange(window)


@dataclass(frozen=True, eq=False)
class PixelWindows:
    """Windows (N, T, window) over pixel sequences (N, T), computed on indexing.

    60 000 images of 784 pixels with 8 channels would take 376 MB; this holds the 47 MB of pixels.
    Indexing, ``numpy.asarray`` and iteration return ordinary writable arrays.
    """

    pixels: npt.NDArray[np.integer[Any]]
    window: int

    def __post_init__(self) -> None:
        if self.pixels.ndim != 2:
            raise DataError(f"pixels of shape {self.pixels.shape}, needs (samples, steps)")
        window_index(self.pixels.shape[1], self.window)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the array that this represents."""
        return (*self.pixels.shape, self.window)

    @property
    def ndim(self) -> int:
        """Number of axes: 3."""
        return 3

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""
        return self.pixels.dtype

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        first, *rest = key if isinstance(key, tuple) else (key,)
        rows = self.pixels[first]
        windows = rows[..., window_index(self.pixels.shape[1], self.window)]
        axes = (slice(None),) * (windows.ndim - 2)
        return windows[(*axes, *rest)] if rest else windows

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("windows over pixels are made on request and cannot be shared")
        whole = self[:]
        return whole if dtype is None else whole.astype(dtype)
