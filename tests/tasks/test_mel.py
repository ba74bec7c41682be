from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from srnn.tasks import DataError, encoder_from_plain
from srnn.tasks.encoders import MelLevels
from srnn.tasks.mel import level_events, mel_filters, mel_levels

FILTERS = mel_filters(8000, 256, 40, 50, 4000)


def tone(frequency: float, seconds: float = 0.2, loud: float = 8000.0) -> np.ndarray:
    t = np.arange(int(8000 * seconds)) / 8000
    return (loud * np.sin(2 * np.pi * frequency * t)).astype(np.int16)


def test_filters_are_triangles_on_the_mel_scale() -> None:
    few = mel_filters(8000, 4096, 6, 100, 3000)
    bins = np.arange(2049) * 8000 / 4096
    centres = bins[few.argmax(axis=1)]
    # Evenly spaced in mel from 100 to 3000 Hz: 150.5 mel to 1876.5 mel in 7 parts.
    mel = 2595 * np.log10(1 + centres / 700)
    assert mel == pytest.approx(np.linspace(150.49, 1876.45, 8)[1:-1], abs=2.5)
    assert (few >= 0).all()
    assert few.max(axis=1) == pytest.approx(np.ones(6), abs=0.02)
    # Neighbours overlap and sum to 1 between the first and the last centre.
    inside = (bins > centres[0]) & (bins < centres[-1])
    assert few.sum(axis=0)[inside] == pytest.approx(np.ones(inside.sum()), abs=1e-9)
    assert not few[:, (bins <= 100) | (bins >= 3000)].any()


def test_too_many_bands_are_refused() -> None:
    with pytest.raises(DataError, match="band 0 of 200 contains none"):
        mel_filters(8000, 64, 200, 50, 4000)


def test_a_tone_is_loudest_in_its_band() -> None:
    for frequency in (300, 1000, 2500):
        levels = mel_levels(tone(frequency), FILTERS, 256, 64, 60.0)
        assert levels.shape == (25, 40)
        assert levels.max() == 60.0
        wanted = FILTERS[:, round(frequency * 256 / 8000)].argmax()
        assert abs(int(levels[12].argmax()) - int(wanted)) <= 1


def test_levels_are_decibels_below_the_loudest() -> None:
    # The second half is 20 dB softer; the rest of the spectrum lies below the span.
    sound = np.concatenate([tone(1000, 0.2, 20000), tone(1000, 0.2, 2000)])
    levels = mel_levels(sound, FILTERS, 256, 64, 60.0)
    peak = levels[12].max()
    assert peak - levels[37].max() == pytest.approx(20.0, abs=0.1)
    assert levels.min() == 0.0


@given(st.floats(0.01, 50.0))
def test_the_gain_of_a_recording_does_not_matter(gain: float) -> None:
    sound = tone(700).astype(float)
    one = mel_levels(sound, FILTERS, 256, 64, 60.0)
    assert mel_levels(gain * sound, FILTERS, 256, 64, 60.0) == pytest.approx(one, abs=1e-6)


@pytest.mark.parametrize("samples", [1, 2, 63, 64, 65, 127, 128, 300, 1000])
def test_every_length_has_its_steps(samples: int) -> None:
    sound = np.random.default_rng(0).integers(-999, 999, samples).astype(np.int16)
    levels = mel_levels(sound, FILTERS, 256, 64, 60.0)
    assert levels.shape == (-(-samples // 64), 40)
    # A step looks at the samples around its own place, with zeros beyond the ends.
    padded = np.concatenate([np.zeros(128), sound, np.zeros(512)])
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(256) / 256)
    frames = np.array([padded[t * 64 : t * 64 + 256] for t in range(len(levels))])
    power = np.abs(np.fft.rfft(frames * window)) ** 2 @ FILTERS.T
    wanted = 60 + 10 * np.log10(np.maximum(power / power.max(), 1e-6))
    assert levels == pytest.approx(wanted, abs=1e-6)


def test_silence_is_silent() -> None:
    assert not mel_levels(np.zeros(500), FILTERS, 256, 64, 60.0).any()


LEVELS = st.lists(st.floats(0, 60), min_size=1, max_size=20)


@given(LEVELS)
def test_events_say_the_level_at_every_step(heard: list[float]) -> None:
    levels = np.array(heard)[:, None]
    events = level_events(levels, 6.0, 10).reshape(len(heard), 10, 2).astype(int)
    reached = np.cumsum(events[..., 0] - events[..., 1], axis=0)
    wanted = np.floor(levels / 6.0) >= np.arange(1, 11)
    assert np.array_equal(reached, wanted)
    assert not (events[..., 0] & events[..., 1]).any()


def test_channels_are_band_then_level_then_direction() -> None:
    levels = np.array([[0.0, 13.0], [7.0, 6.0], [0.0, 6.0]])
    events = level_events(levels, 6.0, 3)
    assert events.shape == (3, 12)
    assert [np.flatnonzero(row).tolist() for row in events] == [[6, 8], [0, 9], [1]]


def test_the_encoder_gives_the_same_by_clips_and_by_arrays() -> None:
    rng = np.random.default_rng(1)
    clips = [rng.integers(-3000, 3000, n).astype(np.int16) for n in (700, 64, 1500)]
    encoder = MelLevels()
    lists, lengths = encoder.clips(clips, 24)
    assert lengths.tolist() == [11, 1, 24]
    padded = np.zeros((3, 1500, 1))
    for row, clip in zip(padded, clips, strict=True):
        row[: len(clip), 0] = clip
    dense = encoder.encode(padded, [700, 64, 1500])
    assert np.array_equal(np.asarray(lists), dense)
    assert dense.shape == (3, 24, encoder.output_channels(1))
    assert not dense[0, 11:].any()
    assert encoder.output_lengths(np.array([700, 64, 1500])).tolist() == [11, 1, 24]
    cut, ran = encoder.clips(clips, 8)
    assert ran.tolist() == [8, 1, 8]
    assert np.array_equal(np.asarray(cut), dense[:, :8])
    assert encoder_from_plain(encoder.plain()) == encoder
    assert (encoder.dt, encoder.levels, encoder.message_bits) == (0.008, 10, 0)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"hop": 300}, "hop 300 outside 1..256"),
        ({"hop": 0}, "hop 0"),
        ({"fft": 1, "hop": 1}, "fft 1 is below 2"),
        ({"bands": 0}, "bands 0"),
        ({"bands": 500}, "contains none of 129 frequencies"),
        ({"low": 4000.0}, "must rise within 0..4000"),
        ({"high": 5000.0}, "high 5000 Hz"),
        ({"level": 0.0}, "level 0 dB"),
        ({"level": 70.0}, "level 70 dB is outside 0..60"),
    ],
)
def test_settings_that_cannot_be(settings: dict, said: str) -> None:
    with pytest.raises(DataError) as raised:
        MelLevels(**settings)
    assert said in str(raised.value)
    with pytest.raises(DataError):
        encoder_from_plain({"name": "mel_levels", **settings})


def test_sounds_that_cannot_be() -> None:
    with pytest.raises(DataError, match=r"\(2, 100, 2\), needs numbers"):
        MelLevels().encode(np.zeros((2, 100, 2)))
    bad = np.zeros((2, 100, 1))
    bad[1, 7] = np.nan
    with pytest.raises(DataError, match="sample 1, step 7 holds nan"):
        MelLevels().encode(bad)
