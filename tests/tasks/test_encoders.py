from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from srnn.tasks import DataError, encoder_from_plain
from srnn.tasks.encoders import (
    ENCODERS,
    Encoder,
    Graded,
    LevelCrossing,
    MelLevels,
    SlidingWindow,
    Slope,
    Unencoded,
)
from srnn.tasks.events import level_crossing, quantise, slope_events

EXAMPLES: list[Encoder] = [
    Unencoded(),
    Unencoded(bits=7),
    LevelCrossing((0.1, 0.3)),
    LevelCrossing((0.25,)),
    Slope(),
    Slope((0.02, 0.05), filter="none"),
    Graded((0.5, -1.0), (0.1, 0.037), bits=6, clip=3.0),
    SlidingWindow(window=3, full=16),
    SlidingWindow(window=2, binarise=0.1, permutation=(3, 1, 0, 2, 5, 4, 7, 6)),
    MelLevels(fft=64, hop=1, bands=5, level=4.0),
]


def signals(encoder: Encoder, n: int = 3, steps: int = 8) -> np.ndarray:
    rng = np.random.default_rng(4)
    if isinstance(encoder, Unencoded):
        return rng.integers(0, 2, (n, steps, 2))
    if isinstance(encoder, SlidingWindow):
        return rng.integers(0, encoder.full + 1, (n, steps, 1))
    if isinstance(encoder, MelLevels):
        return rng.normal(0, 0.5, (n, steps, 1))
    return rng.normal(0, 0.5, (n, steps, 2)).cumsum(axis=1)


@pytest.fixture
def heart(data_dir: Path) -> np.ndarray:
    """MIT-BIH record 100 in mV, (650000, 2): format 212, two 12-bit samples in three bytes."""
    raw = np.fromfile(data_dir / "mitbih_100" / "100.dat", dtype=np.uint8).reshape(-1, 3)
    raw = raw.astype(np.int16)
    first = raw[:, 0] | (raw[:, 1] & 0x0F) << 8
    second = raw[:, 2] | (raw[:, 1] & 0xF0) << 4
    samples = np.stack([first, second], axis=1)
    samples = np.where(samples >= 2048, samples - 4096, samples)
    assert samples[0].tolist() == [995, 1011]
    assert int(samples[:, 0].astype(np.int64).sum()) % 65536 == -22131 % 65536
    return (samples - 1024) / 200.0


def test_every_encoder_has_an_example() -> None:
    assert {type(encoder) for encoder in EXAMPLES} == set(ENCODERS.values())


@pytest.mark.parametrize("encoder", EXAMPLES, ids=repr)
def test_settings_survive_json(encoder: Encoder) -> None:
    again = encoder_from_plain(json.loads(json.dumps(encoder.plain())))
    assert again == encoder
    x = signals(encoder)
    codes = encoder.encode(x)
    assert np.array_equal(again.encode(x), codes)
    assert codes.shape == (*x.shape[:2], encoder.output_channels(x.shape[2]))
    high = 1 if encoder.message_bits == 0 else 2**encoder.message_bits - 1
    assert np.abs(codes.astype(int)).max() <= high
    assert codes.any()


@pytest.mark.parametrize("encoder", [e for e in EXAMPLES if e.NAME != "sliding_window"], ids=repr)
def test_padding_changes_nothing(encoder: Encoder) -> None:
    x = signals(encoder)
    padded = np.concatenate([x, np.ones_like(x[:, :4])], axis=1)
    codes = encoder.encode(padded, [8, 6, 8])
    assert not codes[:, 8:].any()
    assert not codes[1, 6:].any()
    assert np.array_equal(codes[[0, 2], :8], encoder.encode(x)[[0, 2]])
    assert np.array_equal(codes[1, :6], encoder.encode(x[1:2, :6])[0])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"name": "slop"}, "unknown encoder 'slop'; did you mean 'slope'?"),
        ({}, "unknown encoder None"),
        ({"name": "slope", "treshold": 1}, "did you mean 'thresholds'"),
        ({"name": "level_crossing"}, "thresholds: is missing"),
        ({"name": "level_crossing", "thresholds": 0.3}, "is not a list"),
        ({"name": "level_crossing", "thresholds": ["a"]}, "is not a number"),
        ({"name": "level_crossing", "thresholds": [0.1, 0.0]}, "of channel 1"),
        ({"name": "level_crossing", "thresholds": []}, "needs one value"),
        ({"name": "slope", "window": 4}, "must be odd"),
        ({"name": "slope", "filter": "median"}, "savitzky_golay"),
        ({"name": "none", "bits": 25}, "outside 0..24"),
        ({"name": "none", "bits": True}, "is not a whole number"),
        ({"name": "graded", "offsets": [0], "scales": [1, 2]}, "1 offsets for 2 scales"),
        ({"name": "graded", "offsets": [0], "scales": [1], "bits": 0}, "outside 1..24"),
        ({"name": "sliding_window", "window": 0}, "window 0"),
        ({"name": "sliding_window", "binarise": 1.5}, "binarise 1.5"),
        ({"name": "sliding_window", "permutation": [0, 0, 1]}, "once each"),
    ],
)
def test_bad_settings_are_refused(values: dict, said: str) -> None:
    with pytest.raises(DataError) as raised:
        encoder_from_plain(values)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("encoder", "x", "said"),
    [
        (LevelCrossing((1.0, 1.0)), np.zeros((1, 4, 3)), "made for 2 channels"),
        (Unencoded(), np.array([[[0], [2]]]), "sample 0, step 1, channel 0: 2 is not"),
        (Unencoded(), np.array([[[0], [0.5]]]), "0.5 is not an integer in 0..1"),
        (Unencoded(3), np.array([[[-8]]]), "-8 is not an integer in -7..7"),
        (Slope(), np.zeros((1, 4, 2)), "shorter than the filter"),
        (Slope(), np.full((1, 9, 1), np.nan), "step 0, channel 0 holds nan"),
        (Slope(), np.zeros((9, 1)), "needs numbers"),
        (SlidingWindow(full=16, window=2), np.full((1, 9, 1), 17), "0..16"),
        (SlidingWindow(full=16, window=2), np.zeros((1, 9, 2)), "needs 1"),
        (SlidingWindow(window=2, permutation=(1, 0)), np.zeros((1, 9, 1)), "have 9"),
    ],
)
def test_unfit_signals_are_refused(encoder: Encoder, x: np.ndarray, said: str) -> None:
    with pytest.raises(DataError) as raised:
        encoder.encode(x)
    assert said in str(raised.value)


def test_level_crossing_by_hand() -> None:
    x = np.array([0.0, 0.4, 0.5, 2.0, 2.0, 2.0, 2.0, 1.5, 1.0, 1.0])[None, :, None]
    events = level_crossing(x, 0.5)[0]
    assert events[:, 0].tolist() == [0, 0, 1, 1, 1, 1, 0, 0, 0, 0]
    assert events[:, 1].tolist() == [0, 0, 0, 0, 0, 0, 0, 1, 1, 0]


@given(st.lists(st.integers(-8, 8), min_size=1, max_size=40), st.integers(1, 5))
def test_level_crossing_equals_a_naive_loop(changes: list[int], threshold: int) -> None:
    x = np.cumsum([0, *changes]).astype(float)
    events = level_crossing(x[None, :, None], threshold)[0]
    reference = x[0]
    for t in range(1, len(x)):
        up, down = x[t] - reference >= threshold, reference - x[t] >= threshold
        assert events[t].tolist() == [up, down]
        reference += threshold * (int(up) - int(down))
    assert not events[0].any()


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_quantise_rounds_and_clips(seed: int, bits: int) -> None:
    x = np.random.default_rng(seed).normal(0, 3, (2, 5, 2))
    offsets, scales = (0.5, -0.25), (0.5, 0.125)
    codes = quantise(x, offsets, scales, bits)
    limit = 2**bits - 1
    assert np.abs(codes.astype(int)).max() <= limit
    back = codes * np.array(scales) + np.array(offsets)
    inside = np.abs(codes) < limit
    assert (np.abs(back - x) <= np.array(scales) / 2 + 1e-12)[inside].all()


def test_graded_inputs_are_multiples_of_the_standard_deviation() -> None:
    encoder = Graded((1.0,), (4.0 * 2.0 / 255,), bits=8, clip=4.0)
    codes = encoder.encode(np.array([[[1.0], [3.0], [1e9]]]))
    assert (codes[0, :, 0] * encoder.input_scale)[[0, 2]].tolist() == [0.0, 4.0]
    assert codes[0, 1, 0] * encoder.input_scale == pytest.approx(1.0, abs=0.01)


@pytest.mark.needs_data("mitbih_100")
def test_level_crossing_follows_a_raw_electrocardiogram(heart: np.ndarray) -> None:
    threshold = 0.05
    x = heart[: 360 * 60]
    events = level_crossing(x[None], threshold)[0].astype(int)
    up, down = events[:, 0::2], events[:, 1::2]
    assert not (up & down).any()
    tracked = x[0] + threshold * np.cumsum(up - down, axis=0)
    error = np.abs(x - tracked)
    assert (error < threshold).mean() > 0.93
    assert 0.02 < events.mean() < 0.2


@pytest.mark.needs_data("mitbih_100")
def test_slope_encoder_marks_the_beats_of_a_raw_electrocardiogram(heart: np.ndarray) -> None:
    x = heart[: 360 * 60]
    events = slope_events(x[None], 0.03)[0]
    assert events.shape == (len(x), 4)
    assert not (events[:, 0] & events[:, 1]).any()
    assert not events[-1].any()
    t = 5000 + int(np.argmax(np.diff(x[5000:5400, 0])))
    smooth = [
        float(np.polyval(np.polyfit(np.arange(-2, 3), x[i - 2 : i + 3, 0], 3), 0))
        for i in range(t - 10, t + 12)
    ]
    assert events[t - 10 : t + 11, 0].tolist() == (np.diff(smooth) >= 0.03).astype(int).tolist()
    assert events[t - 10 : t + 11, 0].any()
    steep = np.flatnonzero(events[:, 0])
    beats = 1 + int((np.diff(steep) > 100).sum())
    assert 70 <= beats <= 80
