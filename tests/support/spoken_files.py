"""Small sets of "spoken digits": chirps with a pitch per digit and a rate per speaker."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
from srnn.tasks.spoken_digits import Clips

SPEAKERS = ("anna", "bert", "cleo")


def chirp(digit: int, speaker: int, take: int) -> np.ndarray:
    rng = np.random.default_rng([digit, speaker, take])
    t = np.arange(int(rng.integers(1200, 2400))) / 8000
    frequency = 250 * 1.25**digit * (1 + 0.02 * speaker)
    sound = np.sin(2 * np.pi * frequency * (t + rng.uniform(-0.3, 0.3) * t**2))
    return (8000 * sound * np.hanning(len(t)) + rng.normal(0, 20, len(t))).astype(np.int16)


def names(takes: int, digits: int = 10, speakers: tuple[str, ...] = SPEAKERS) -> list:
    return [
        (digit, speaker, take)
        for digit in range(digits)
        for speaker in range(len(speakers))
        for take in range(takes)
    ]


def make_clips(takes: int = 12, digits: int = 10) -> Clips:
    rows = names(takes, digits)
    audio = [chirp(*row) for row in rows]
    columns = np.array(rows, dtype=np.int64)
    offsets = np.cumsum([0, *map(len, audio)]).astype(np.int64)
    return Clips(np.concatenate(audio), offsets, *columns.T, SPEAKERS)


def write_packed(folder: Path, clips: Clips, rate: int = 8000) -> Path:
    path = folder / "fsdd" / "fsdd.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        audio=clips.audio,
        offsets=clips.offsets,
        label=clips.label.astype(np.uint8),
        speaker=clips.speaker.astype(np.uint8),
        index=clips.index.astype(np.uint8),
        speakers=np.array(clips.speakers),
        sample_rate=np.array(rate),
    )
    return path


def wav(samples: np.ndarray, rate: int = 8000, channels: int = 1) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return buffer.getvalue()


def wavs(clips: Clips) -> dict[str, bytes]:
    return {
        f"{clips.label[i]}_{clips.speakers[clips.speaker[i]]}_{clips.index[i]}.wav": wav(
            clips.clip(i)
        )
        for i in range(len(clips))
    }
