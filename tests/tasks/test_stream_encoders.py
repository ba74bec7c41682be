"""Streaming encoders against the encoders of whole recordings: the same codes, with their lag."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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
from srnn.tasks.errors import DataError
from srnn.tasks.stream_encoders import StreamEncoder, stream_encoder

FORMS: dict[str, tuple[Encoder, int]] = {
    "level_crossing": (LevelCrossing((0.3,)), 3),
    "level_crossing, a threshold a channel": (LevelCrossing((0.3, 0.1)), 2),
    "slope": (Slope(), 2),
    "slope, wide": (Slope((0.2, 0.1, 0.4), window=9, order=2), 3),
    "slope, window of one": (Slope((0.2,), window=1, order=0), 1),
    "slope, no filter": (Slope((0.3,), filter="none"), 2),
    "graded": (Graded((0.1, 0.2), (0.02, 0.5), bits=4), 2),
    "sliding_window": (SlidingWindow(5, full=16), 1),
    "sliding_window of one": (SlidingWindow(1), 1),
    "sliding_window, binary": (SlidingWindow(4, binarise=0.4), 1),
    "none": (Unencoded(), 3),
    "none, graded": (Unencoded(5), 3),
}


def recording(seed: int, encoder: Encoder, steps: int, channels: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if isinstance(encoder, SlidingWindow):
        return rng.integers(0, encoder.full + 1, (steps, channels)).astype(float)
    if isinstance(encoder, Unencoded):
        low = 0 if encoder.bits == 0 else -31
        return rng.integers(low, 2 if encoder.bits == 0 else 32, (steps, channels)).astype(float)
    return np.cumsum(rng.normal(0, 0.3, (steps, channels)), axis=0)


def streaming(encoder: Encoder, channels: int) -> StreamEncoder:
    return stream_encoder(encoder, encoder.output_channels(channels))


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), steps=st.integers(9, 60))
def test_the_codes_are_those_of_the_whole_recording(form: str, seed: int, steps: int) -> None:
    encoder, channels = FORMS[form]
    signal = recording(seed, encoder, steps, channels)
    expected = encoder.encode(signal[None])[0]
    stream, rows = streaming(encoder, channels), []
    assert stream.channels == channels
    first = getattr(encoder, "window", 1) if stream.lag else 1
    for count, sample in enumerate(signal, start=1):
        rows += stream.push(sample)
        if count >= first:
            assert len(rows) == count - stream.lag
    rows += stream.end()
    np.testing.assert_array_equal(rows, expected)
    assert {row.dtype for row in rows} == {expected.dtype}


def test_every_encoder_streams_or_is_refused_by_name() -> None:
    assert {form.split(",")[0].split(" of")[0] for form in FORMS} | {"mel_levels"} == set(ENCODERS)
    with pytest.raises(DataError, match="mel_levels encoder: scales a clip by its loudest band"):
        stream_encoder(MelLevels(), MelLevels().output_channels(1))
    with pytest.raises(DataError, match="permutes the whole sequence"):
        stream_encoder(SlidingWindow(2, permutation=(1, 0, 2)), 2)
    with pytest.raises(DataError, match="slope encoder: cannot have 5 channels"):
        stream_encoder(Slope(), 5)
    with pytest.raises(DataError, match="graded encoder: cannot have 3 channels"):
        stream_encoder(Graded((0.0, 0.0), (1.0, 1.0)), 3)


@pytest.mark.parametrize(
    ("form", "samples", "words"),
    [
        ("slope", [[0.0, np.nan]], "channel 1: nan is not a finite number"),
        ("slope", [[0.0]], r"shape \(1,\), needs \(2,\)"),
        ("none", [[0, 1, 2]], r"channel 2: 2 is not an integer in 0..1 \(binary spikes\)"),
        ("none, graded", [[0, 1, 0.5]], "channel 2: 0.5 is not an integer"),
        ("sliding_window", [[17]], "17 to 17 are not integers in 0..16"),
    ],
)
def test_bad_samples_are_refused(form: str, samples: list[list[float]], words: str) -> None:
    stream = streaming(*FORMS[form])
    with pytest.raises(DataError, match=words):
        stream.push(samples[0])


@pytest.mark.parametrize("form", ["slope", "sliding_window"])
def test_a_recording_shorter_than_the_window(form: str) -> None:
    encoder, channels = FORMS[form]
    stream = streaming(encoder, channels)
    assert stream.end() == []
    for _ in range(4):
        assert stream.push([1.0] * channels) == []
    with pytest.raises(DataError, match=r"4 .* shorter than"):
        stream.end()
