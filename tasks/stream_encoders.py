"""Encoders sample by sample: the codes of ``Encoder.encode`` on the recording so far.

A code may need later samples; that is the encoder's lag. An encoder that needs the whole recording
before its first code has no streaming form and is refused by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from .encoders import Encoder, Graded, LevelCrossing, MelLevels, SlidingWindow, Slope, Unencoded
from .errors import DataError
from .events import Codes

E = TypeVar("E", bound=Encoder)
Rows = list[npt.NDArray[np.integer[Any]]]


class StreamEncoder(ABC, Generic[E]):
    """An encoder that takes one sample of a recording at a time.

    Over a whole recording ``push`` and ``end`` return the rows of ``encode`` for it, in order.
    ``lag``: number of later samples that a step's row depends on, in the steady state.
    """

    lag = 0

    def __init__(self, encoder: E, channels: int) -> None:
        self.encoder, self.channels = encoder, channels

    def push(self, sample: npt.ArrayLike) -> Rows:
        """Take a sample (channel,) and return the rows that it completes, possibly none.

        Raises
        ------
        DataError
            Another number of channels, a value that is not finite or that the encoder refuses.
        """
        x = np.asarray(sample, np.float64)
        if x.shape != (self.channels,):
            raise DataError(f"sample: shape {x.shape}, needs ({self.channels},)")
        if not np.isfinite(x).all():
            channel = int(np.flatnonzero(~np.isfinite(x))[0])
            raise DataError(f"channel {channel}: {x[channel]} is not a finite number")
        return self._push(x)

    def end(self) -> Rows:
        """Return the remaining rows, at the end of the recording."""
        return []

    @abstractmethod
    def _push(self, x: npt.NDArray[np.float64]) -> Rows: ...


class _Pointwise(StreamEncoder[Encoder]):
    """An encoder whose code depends only on its own step."""

    def _push(self, x: npt.NDArray[np.float64]) -> Rows:
        try:
            return [self.encoder.encode(x[None, None])[0, 0]]
        except DataError as error:
            # The message names the channel; the caller adds sample and step.
            raise DataError(str(error).removeprefix("sample 0, step 0, ")) from None


class _LevelCrossing(StreamEncoder[LevelCrossing]):
    def __init__(self, encoder: LevelCrossing, channels: int) -> None:
        super().__init__(encoder, channels)
        self._step = np.broadcast_to(np.asarray(encoder.thresholds, np.float64), (channels,))
        self._reference: npt.NDArray[np.float64] | None = None

    def _push(self, x: npt.NDArray[np.float64]) -> Rows:
        events = np.zeros((self.channels, 2), np.uint8)
        if self._reference is None:
            self._reference = x.copy()
        else:
            difference = x - self._reference
            up, down = difference >= self._step, -difference >= self._step
            events[:, 0], events[:, 1] = up, down
            self._reference += self._step * up - self._step * down
        return [events.reshape(-1)]


class _Slope(StreamEncoder[Slope]):
    """Slopes of the smoothed signal; polynomials at both ends, as in the batch encoder."""

    def __init__(self, encoder: Slope, channels: int) -> None:
        super().__init__(encoder, channels)
        self._step = np.broadcast_to(np.asarray(encoder.thresholds, np.float64), (channels,))
        self._smooths = encoder.filter == "savitzky_golay"
        self._window = np.zeros((encoder.window if self._smooths else 1, channels))
        self._half = len(self._window) // 2
        self.lag = self._half + 1
        self._seen = 0
        self._last: npt.NDArray[np.float64] | None = None
        if self._smooths:
            from scipy.signal import savgol_coeffs

            self._coefficients = savgol_coeffs(encoder.window, encoder.order)

    def _push(self, x: npt.NDArray[np.float64]) -> Rows:
        self._window[:-1] = self._window[1:]
        self._window[-1] = x
        self._seen += 1
        if not self._smooths:
            return self._rows(self._window)
        if self._seen < len(self._window):
            return []
        from scipy.ndimage import convolve1d

        centre = convolve1d(self._window, self._coefficients, axis=0, mode="constant")
        centre = centre[self._half : self._half + 1]
        if self._seen == len(self._window):
            return self._rows(np.concatenate((self._fitted()[: self._half], centre)))
        return self._rows(centre)

    def end(self) -> Rows:
        """Return the remaining rows; the last step has no event."""
        if self._seen == 0:
            return []
        if self._seen < len(self._window):
            raise DataError(
                f"slope encoder: a recording of {self._seen} samples is shorter than the filter's "
                f"window of {len(self._window)}"
            )
        rows = self._rows(self._fitted()[len(self._window) - self._half :]) if self._half else []
        return [*rows, np.zeros(2 * self.channels, np.uint8)]

    def _fitted(self) -> npt.NDArray[np.float64]:
        from scipy.signal import savgol_filter

        smooth = savgol_filter(self._window, len(self._window), self.encoder.order, axis=0)
        return np.asarray(smooth)

    def _rows(self, smooth: npt.NDArray[np.float64]) -> Rows:
        rows: Rows = []
        for y in smooth:
            if self._last is not None:
                slope = y - self._last
                events = np.stack((slope >= self._step, -slope >= self._step), axis=-1)
                rows.append(events.astype(np.uint8).reshape(-1))
            self._last = y.copy()
        return rows


class _SlidingWindow(StreamEncoder[SlidingWindow]):
    def __init__(self, encoder: SlidingWindow, channels: int) -> None:
        super().__init__(encoder, channels)
        if encoder.permutation is not None:
            raise DataError(
                "sliding_window encoder: permutes the whole sequence, so it has no streaming form; "
                "encode first and stream the integers"
            )
        self.lag = encoder.window - 1
        self._pixels: list[float] = []

    def _push(self, x: npt.NDArray[np.float64]) -> Rows:
        self.encoder.pixels(x[None])
        self._pixels = [*self._pixels[-self.lag :], float(x[0])] if self.lag else [float(x[0])]
        return [self._row()] if len(self._pixels) == self.encoder.window else []

    def end(self) -> Rows:
        """Return the rows of the last steps, which show the final window."""
        if not self._pixels:
            return []
        if len(self._pixels) < self.encoder.window:
            raise DataError(
                f"sliding_window encoder: a sequence of {len(self._pixels)} pixels is shorter than "
                f"the window of {self.encoder.window}"
            )
        return [self._row()] * self.lag

    def _row(self) -> Codes:
        return self.encoder.encode(np.array(self._pixels)[None, :, None])[0, 0]


def stream_encoder(encoder: Encoder, output_channels: int) -> StreamEncoder[Any]:
    """Return the streaming form of an encoder for a network of so many input channels.

    Raises
    ------
    DataError
        The encoder needs the whole recording, or cannot have this number of output channels.
    """
    if isinstance(encoder, MelLevels):
        raise DataError(
            "mel_levels encoder: scales a clip by its loudest band, so its first step is known "
            "only after it has ended; encode first and stream the integers"
        )
    channels = next(
        (c for c in range(1, output_channels + 1) if _fits(encoder, c, output_channels)), None
    )
    if channels is None:
        raise DataError(
            f"{encoder.NAME} encoder: cannot have {output_channels} channels, as the network needs"
        )
    return _FORMS[type(encoder)](encoder, channels)


def _fits(encoder: Encoder, channels: int, output_channels: int) -> bool:
    if isinstance(encoder, SlidingWindow) and channels != 1:
        return False
    settings = (getattr(encoder, key, ()) for key in ("thresholds", "offsets", "scales"))
    return encoder.output_channels(channels) == output_channels and all(
        len(values) in {0, 1, channels} for values in settings
    )


_FORMS: dict[type[Encoder], type[StreamEncoder[Any]]] = {
    Unencoded: _Pointwise,
    Graded: _Pointwise,
    LevelCrossing: _LevelCrossing,
    Slope: _Slope,
    SlidingWindow: _SlidingWindow,
}
