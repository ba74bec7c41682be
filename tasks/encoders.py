"""Encoders: the settings that turn signals or pixels into integers, kept with the model.

Each encoder is a frozen record around a pure function of ``events.py``. Its ``plain`` values
travel in ``model.pt`` and ``model.net``; ``encoder_from_plain`` makes it again from them, so that a
later stage encodes raw signals exactly as training did.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..export.plain import build
from .base import MESSAGE_BITS_MAX
from .errors import DataError
from .events import (
    Codes,
    code_dtype,
    level_crossing,
    quantise,
    sliding_window,
    slope_events,
)

SLOPE_FILTERS = ("savitzky_golay", "none")


def _check_bits(where: str, bits: int, low: int = 0) -> None:
    if not low <= bits <= MESSAGE_BITS_MAX:
        raise DataError(f"{where}: bits {bits} is outside {low}..{MESSAGE_BITS_MAX}")


def _check_positive(where: str, values: Sequence[float]) -> None:
    if not values:
        raise DataError(f"{where}: needs one value, or one a channel")
    for channel, value in enumerate(values):
        if not (value > 0 and np.isfinite(value)):
            raise DataError(f"{where}: {value} of channel {channel} is not a number above 0")


@dataclass(frozen=True)
class Encoder(ABC):
    """Settings of an encoder; ``encode`` applies them."""

    NAME: ClassVar[str] = ""

    @property
    def message_bits(self) -> int:
        """Bits of graded values beside their sign; 0 for binary spikes."""
        return 0

    @property
    def input_scale(self) -> float:
        """Real value of one integer unit, as float models see it."""
        return 1.0

    def output_channels(self, channels: int) -> int:
        """Return how many channels ``encode`` makes of ``channels``."""
        return channels

    def plain(self) -> dict[str, Any]:
        """Return the settings as plain JSON values, under the encoder's name."""
        values = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return {"name": self.NAME, **values}

    def encode(self, signals: npt.ArrayLike, lengths: npt.ArrayLike | None = None) -> Codes:
        """Encode signals (N, T, C); steps beyond a sequence's length give zeros.

        Raises
        ------
        DataError
            Another number of axes or channels, values that are not finite, or values that this
            encoder does not take.
        """
        x = np.asarray(signals)
        if x.ndim != 3 or x.dtype.kind not in "biuf":
            raise DataError(
                f"signals: {x.dtype} {x.shape}, needs numbers (samples, steps, channels)"
            )
        if not np.isfinite(x).all():
            n, t, c = np.argwhere(~np.isfinite(x))[0].tolist()
            raise DataError(f"signals: sample {n}, step {t}, channel {c} holds {x[n, t, c]}")
        self._check_channels(x.shape[2])
        if lengths is None:
            return self._codes(x)
        ran = np.asarray(lengths, dtype=np.int64)
        codes = np.zeros(
            (*x.shape[:2], self.output_channels(x.shape[2])), dtype=code_dtype(self.message_bits)
        )
        for length in np.unique(ran):
            rows = np.flatnonzero(ran == length)
            codes[rows, :length] = self._codes(x[rows, :length])
        return codes

    def _check_channels(self, channels: int) -> None:
        for key in ("thresholds", "offsets", "scales"):
            values = getattr(self, key, ())
            if len(values) not in {0, 1, channels}:
                raise DataError(
                    f"{self.NAME} encoder: made for {len(values)} channels, the signals "
                    f"have {channels}"
                )

    @abstractmethod
    def _codes(self, x: npt.NDArray[Any]) -> Codes:
        """Encode sequences of one length."""


@dataclass(frozen=True)
class Unencoded(Encoder):
    """Signals that are integers already: spikes (``bits`` 0) or graded values of ``bits`` bits."""

    bits: int = 0

    NAME: ClassVar[str] = "none"

    def __post_init__(self) -> None:
        _check_bits("encoding none", self.bits)

    @property
    def message_bits(self) -> int:
        """The settings' ``bits``."""
        return self.bits

    def _codes(self, x: npt.NDArray[Any]) -> Codes:
        high = 1 if self.bits == 0 else (1 << self.bits) - 1
        low = 0 if self.bits == 0 else -high
        whole = np.rint(x)
        bad = np.argwhere((whole != x) | (x < low) | (x > high))
        if len(bad):
            n, t, c = bad[0].tolist()
            kind = "binary spikes" if self.bits == 0 else f"{self.bits} bits"
            raise DataError(
                f"sample {n}, step {t}, channel {c}: {x[n, t, c]:g} is not an integer in "
                f"{low}..{high} ({kind}); set bits, or an encoding: level_crossing, slope or graded"
            )
        return whole.astype(code_dtype(self.bits))


@dataclass(frozen=True)
class LevelCrossing(Encoder):
    """Up and down events of ``level_crossing``; one threshold a channel, or one for all."""

    thresholds: tuple[float, ...]

    NAME: ClassVar[str] = "level_crossing"

    def __post_init__(self) -> None:
        _check_positive("level_crossing thresholds", self.thresholds)

    def output_channels(self, channels: int) -> int:
        """Two channels, up and down, for each."""
        return 2 * channels

    def _codes(self, x: npt.NDArray[Any]) -> Codes:
        return level_crossing(x, self.thresholds)


@dataclass(frozen=True)
class Slope(Encoder):
    """Up and down events of ``slope_events``; the defaults are those of the published ECG data."""

    thresholds: tuple[float, ...] = (0.03,)
    filter: str = "savitzky_golay"
    window: int = 5
    order: int = 3

    NAME: ClassVar[str] = "slope"

    def __post_init__(self) -> None:
        _check_positive("slope thresholds", self.thresholds)
        if self.filter not in SLOPE_FILTERS:
            raise DataError(
                f"slope encoder: filter {self.filter!r} is not one of {', '.join(SLOPE_FILTERS)}"
            )
        if not (self.window % 2 == 1 and 0 <= self.order < self.window):
            raise DataError(
                f"slope encoder: window {self.window} must be odd and above order {self.order} >= 0"
            )

    def output_channels(self, channels: int) -> int:
        """Two channels, up and down, for each."""
        return 2 * channels

    def _codes(self, x: npt.NDArray[Any]) -> Codes:
        return slope_events(x, self.thresholds, self.filter, self.window, self.order)


@dataclass(frozen=True)
class Graded(Encoder):
    """Signed integers of ``quantise``; a float model sees multiples of the standard deviation.

    ``offsets`` and ``scales`` are per channel in signal units; ``clip`` is the largest magnitude in
    standard deviations, so that ``input_scale = clip / (2^bits - 1)``.
    """

    offsets: tuple[float, ...]
    scales: tuple[float, ...]
    bits: int = 8
    clip: float = 4.0

    NAME: ClassVar[str] = "graded"

    def __post_init__(self) -> None:
        _check_bits("graded encoder", self.bits, low=1)
        _check_positive("graded scales", self.scales)
        _check_positive("graded clip", (self.clip,))
        if len(self.offsets) != len(self.scales):
            raise DataError(
                f"graded encoder: {len(self.offsets)} offsets for {len(self.scales)} scales"
            )

    @property
    def message_bits(self) -> int:
        """The settings' ``bits``."""
        return self.bits

    @property
    def input_scale(self) -> float:
        """Standard deviations a unit."""
        return self.clip / ((1 << self.bits) - 1)

    def _codes(self, x: npt.NDArray[Any]) -> Codes:
        return quantise(x, self.offsets, self.scales, self.bits)


@dataclass(frozen=True)
class SlidingWindow(Encoder):
    """Several consecutive pixels at each step, of sequences (N, T, 1) of pixels 0..``full``.

    ``permutation`` reorders the pixels first: step t shows pixel ``permutation[t]``. ``binarise``
    makes them spikes: ``pixel / full > binarise``.
    """

    window: int = 8
    full: int = 255
    binarise: float | None = None
    permutation: tuple[int, ...] | None = None

    NAME: ClassVar[str] = "sliding_window"

    def __post_init__(self) -> None:
        if self.window < 1 or not 1 <= self.full <= 255:
            raise DataError(
                f"sliding_window encoder: window {self.window} is below 1 or full {self.full} "
                "outside 1..255"
            )
        if self.binarise is not None and not 0 <= self.binarise < 1:
            raise DataError(
                f"sliding_window encoder: binarise {self.binarise} is outside 0..1; leave it out "
                "for graded pixels"
            )
        order = self.permutation
        if order is not None and sorted(order) != list(range(len(order))):
            raise DataError("sliding_window encoder: permutation does not hold 0..T-1 once each")

    @property
    def message_bits(self) -> int:
        """Bits of the largest pixel; 0 where they are binarised."""
        return 0 if self.binarise is not None else self.full.bit_length()

    @property
    def input_scale(self) -> float:
        """A full pixel counts 1."""
        return 1.0 if self.binarise is not None else 1.0 / self.full

    def output_channels(self, channels: int) -> int:
        """The window's width."""
        return self.window * channels

    def pixels(self, images: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Return pixel sequences uint8 (N, T), permuted and binarised, not yet windowed."""
        rows = np.asarray(images)
        if rows.size and (
            rows.min() < 0 or rows.max() > self.full or (rows != np.rint(rows)).any()
        ):
            raise DataError(
                f"pixels: {rows.min():g} to {rows.max():g} are not integers in 0..{self.full}"
            )
        rows = rows.astype(np.uint8)
        if self.permutation is not None:
            if len(self.permutation) != rows.shape[1]:
                raise DataError(
                    f"sliding_window encoder: a permutation of {len(self.permutation)} steps, the "
                    f"sequences have {rows.shape[1]}"
                )
            rows = rows[:, list(self.permutation)]
        if self.binarise is not None:
            rows = (np.arange(256) / self.full > self.binarise).astype(np.uint8)[rows]
        return rows

    def _check_channels(self, channels: int) -> None:
        if channels != 1:
            raise DataError(f"sliding_window encoder: {channels} channels, takes 1 of pixels")

    def _codes(self, x: npt.NDArray[Any]) -> Codes:
        codes = sliding_window(self.pixels(x[:, :, 0]), self.window)
        return codes.astype(code_dtype(self.message_bits)) if self.message_bits > 8 else codes


ENCODERS: dict[str, type[Encoder]] = {
    kind.NAME: kind for kind in (Unencoded, LevelCrossing, Slope, Graded, SlidingWindow)
}
"""The encoders by their name in a file."""


def encoder_from_plain(values: dict[str, Any]) -> Encoder:
    """Make the encoder whose ``plain`` values these are.

    Raises
    ------
    DataError
        An unknown encoder or setting, or a value of another type or range.
    """
    name = values.get("name") if isinstance(values, dict) else None
    if not isinstance(name, str) or name not in ENCODERS:
        raise DataError(f"encoder: name {name!r} is not one of {', '.join(ENCODERS)}")
    settings = {key: value for key, value in values.items() if key != "name"}
    return build(ENCODERS[name], settings, f"{name} encoder", DataError)
