"""Encoders: the settings that turn signals or pixels into integers, stored with the model.

Each encoder is a frozen record around a pure function of ``events.py``. Its ``plain`` values
are stored in ``model.pt`` and ``model.net``; ``encoder_from_plain`` rebuilds it from them, so that
a later stage encodes raw signals exactly as training did.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..export.plain import build
from ..export.suggest import check_known, unknown
from .base import MESSAGE_BITS_MAX
from .errors import DataError
from .event_lists import EventLists, source_dtype, starts_from_counts
from .events import (
    Codes,
    code_dtype,
    level_crossing,
    quantise,
    sliding_window,
    slope_events,
)
from .mel import level_events, mel_filters, mel_levels

SLOPE_FILTERS = ("savitzky_golay", "none")


def _check_bits(where: str, bits: int, low: int = 0) -> None:
    if not low <= bits <= MESSAGE_BITS_MAX:
        raise DataError(f"{where}: bits {bits} is outside {low}..{MESSAGE_BITS_MAX}")


def _check_positive(where: str, values: Sequence[float]) -> None:
    if not values:
        raise DataError(f"{where}: needs one value, or one per channel")
    for channel, value in enumerate(values):
        if not (value > 0 and np.isfinite(value)):
            raise DataError(f"{where}: {value} of channel {channel} is not a number above 0")


@dataclass(frozen=True)
class Encoder(ABC):
    """Settings of an encoder; ``encode`` applies them."""

    NAME: ClassVar[str] = ""

    @property
    def message_bits(self) -> int:
        """Bits of graded values without their sign; 0 for binary spikes."""
        return 0

    @property
    def input_scale(self) -> float:
        """Real value of one integer unit, as float models see it."""
        return 1.0

    def output_channels(self, channels: int) -> int:
        """Return the number of output channels for ``channels`` input channels."""
        return channels

    def plain(self) -> dict[str, Any]:
        """Return the settings as plain JSON values, under the encoder's name."""
        values = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return {"name": self.NAME, **values}

    def encode(self, signals: npt.ArrayLike, lengths: npt.ArrayLike | None = None) -> Codes:
        """Encode signals (N, T, C); steps beyond a sequence's length become zeros.

        Raises
        ------
        DataError
            Another number of axes or channels, values that are not finite or that this encoder
            does not accept.
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

    def output_lengths(self, lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the number of output steps for sequences of given numbers of steps."""
        return lengths

    @abstractmethod
    def _codes(self, x: npt.NDArray[Any]) -> Codes:
        """Encode sequences of one length."""


@dataclass(frozen=True)
class Unencoded(Encoder):
    """Signals that already are integers: spikes (``bits`` 0) or graded values of ``bits`` bits."""

    bits: int = 0

    NAME: ClassVar[str] = "none"

    def __post_init__(self) -> None:
        _check_bits("encoding none", self.bits)

    @property
    def message_bits(self) -> int:
        """Equal to ``bits``."""
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
    """Up and down events of ``level_crossing``; one threshold per channel, or one for all."""

    thresholds: tuple[float, ...]

    NAME: ClassVar[str] = "level_crossing"

    def __post_init__(self) -> None:
        _check_positive("level_crossing thresholds", self.thresholds)

    def output_channels(self, channels: int) -> int:
        """Two channels, up and down, per input channel."""
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
        check_known("filter", self.filter, SLOPE_FILTERS, "slope encoder", DataError)
        if not (self.window % 2 == 1 and 0 <= self.order < self.window):
            raise DataError(
                f"slope encoder: window {self.window} must be odd and above order {self.order} >= 0"
            )

    def output_channels(self, channels: int) -> int:
        """Two channels, up and down, per input channel."""
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
        """Equal to ``bits``."""
        return self.bits

    @property
    def input_scale(self) -> float:
        """Standard deviations per unit."""
        return self.clip / ((1 << self.bits) - 1)

    def _codes(self, x: npt.NDArray[Any]) -> Codes:
        return quantise(x, self.offsets, self.scales, self.bits)


@dataclass(frozen=True)
class SlidingWindow(Encoder):
    """Several consecutive pixels at each step, of sequences (N, T, 1) of pixels 0..``full``.

    ``permutation`` reorders the pixels first: step t shows pixel ``permutation[t]``. ``binarise``
    turns them into spikes: ``pixel / full > binarise``.
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
        """A pixel of full intensity has the value 1."""
        return 1.0 if self.binarise is not None else 1.0 / self.full

    def output_channels(self, channels: int) -> int:
        """The window's width."""
        return self.window * channels

    def pixels(self, images: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Return pixel sequences uint8 (N, T), permuted and binarised, without windows."""
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
            raise DataError(f"sliding_window encoder: {channels} channels, needs 1 of pixels")

    def _codes(self, x: npt.NDArray[Any]) -> Codes:
        codes = sliding_window(self.pixels(x[:, :, 0]), self.window)
        return codes.astype(code_dtype(self.message_bits)) if self.message_bits > 8 else codes


@dataclass(frozen=True)
class MelLevels(Encoder):
    """Audio to spikes: level crossings of mel bands, as defined in ``mel.py``.

    ``bands`` mel filters from ``low`` to ``high`` Hz over Hann windows of ``fft`` samples, one
    every ``hop`` samples; the level of a band in dB, from the loudest of the clip down to ``span``
    below it; one up and one down channel for every multiple of ``level`` dB. A clip is scaled as a
    whole, so the first step is known only after the clip has ended.
    """

    sample_rate: int = 8000
    fft: int = 256
    hop: int = 64
    bands: int = 40
    low: float = 50.0
    high: float = 4000.0
    span: float = 60.0
    level: float = 6.0

    NAME: ClassVar[str] = "mel_levels"

    def __post_init__(self) -> None:
        if self.fft < 2 or not 1 <= self.hop <= self.fft or self.bands < 1:
            raise DataError(
                f"{self.NAME} encoder: fft {self.fft} is below 2, hop {self.hop} outside 1.."
                f"{self.fft}, or bands {self.bands} below 1"
            )
        if not 0 <= self.low < self.high <= self.sample_rate / 2:
            raise DataError(
                f"{self.NAME} encoder: low {self.low:g} and high {self.high:g} Hz must rise within "
                f"0..{self.sample_rate / 2:g}, half the sample rate"
            )
        if not 0 < self.level <= self.span:
            raise DataError(
                f"{self.NAME} encoder: level {self.level:g} dB is outside 0..{self.span:g}, the "
                "span"
            )
        self._filters()

    @property
    def dt(self) -> float:
        """Seconds per step."""
        return self.hop / self.sample_rate

    @property
    def levels(self) -> int:
        """Number of levels per band."""
        return int(self.span / self.level + 1e-9)

    def output_channels(self, channels: int) -> int:
        """Up and down for every level of every band, from one channel of audio."""
        return 2 * self.bands * self.levels * channels

    def output_lengths(self, lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the number of steps of clips of given numbers of samples."""
        return -(-lengths // self.hop)

    def clips(
        self, audio: Sequence[npt.NDArray[Any]], steps: int
    ) -> tuple[EventLists, npt.NDArray[np.int64]]:
        """Encode clips (samples,), at most ``steps`` steps of each; return events and lengths."""
        filters = self._filters()
        counts = np.zeros((len(audio), steps), dtype=np.int64)
        lengths = np.zeros(len(audio), dtype=np.int64)
        sources = [np.zeros(0, dtype=source_dtype(self.output_channels(1)))]
        for index, clip in enumerate(audio):
            heard = mel_levels(clip, filters, self.fft, self.hop, self.span)[:steps]
            when, where = np.nonzero(level_events(heard, self.level, self.levels))
            counts[index] = np.bincount(when, minlength=steps)
            lengths[index] = len(heard)
            sources.append(where.astype(sources[0].dtype))
        lists = EventLists(
            starts_from_counts(counts), np.concatenate(sources), self.output_channels(1)
        )
        return lists, lengths

    def encode(self, signals: npt.ArrayLike, lengths: npt.ArrayLike | None = None) -> Codes:
        """Encode audio (N, samples, 1) to (N, steps, channels); see ``Encoder.encode``."""
        x = np.asarray(signals)
        if x.ndim != 3 or x.shape[2] != 1 or x.dtype.kind not in "iuf":
            raise DataError(
                f"{self.NAME} encoder: audio {x.dtype} {x.shape}, needs numbers (clips, samples, 1)"
            )
        if not np.isfinite(x).all():
            n, t, _ = np.argwhere(~np.isfinite(x))[0].tolist()
            raise DataError(f"signals: sample {n}, step {t} holds {x[n, t, 0]}")
        ran = np.full(len(x), x.shape[1]) if lengths is None else np.asarray(lengths)
        steps = int(self.output_lengths(np.array(x.shape[1])))
        rows = [row[:length, 0] for row, length in zip(x, ran.tolist(), strict=True)]
        return self.clips(rows, steps)[0].to_dense()

    def _filters(self) -> npt.NDArray[np.float64]:
        return mel_filters(self.sample_rate, self.fft, self.bands, self.low, self.high)

    def _codes(self, x: npt.NDArray[Any]) -> Codes:
        return self.encode(x)


ENCODERS: dict[str, type[Encoder]] = {
    kind.NAME: kind for kind in (Unencoded, LevelCrossing, Slope, Graded, SlidingWindow, MelLevels)
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
        raise DataError(unknown("encoder", name, ENCODERS))
    settings = {key: value for key, value in values.items() if key != "name"}
    return build(ENCODERS[name], settings, f"{name} encoder", DataError)
