"""``spoken-digits``: the Free Spoken Digit Dataset, ten digits by six speakers, as mel spikes.

3000 recordings of 0.14 to 2.28 seconds at 8 kHz, 50 takes of each digit by each speaker; takes 0 to
4 are the official test set. Source: Jackson, github.com/Jakobovski/free-spoken-digit-dataset
(CC BY-SA 4.0). The encoder is ``encoders.MelLevels``.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..export.reading.archives import read_npz, read_wav, tar_files
from ..export.suggest import check_known
from .base import Split, Task
from .encoders import MelLevels
from .errors import DataError
from .files import fetch, search_folders
from .splits import Indices, hold_out_groups

FOLDER, PACKED = "fsdd", "fsdd.npz"
ADDRESS = (
    "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/"
    "26eb9aaf76e81b692f806f9140c2d2777410d7a1.tar.gz"
)
CONTENT = "fbf77c5e2e80e5dacab77db4063117dc77b573a60babb054408d7d40fc993eb4"
"""``Clips.digest`` of that commit."""

SAMPLE_RATE = 8000
TEST_TAKES = 5
_NAME = re.compile(r"(?:^|/)([0-9])_([a-z]+)_([0-9]+)\.wav$")


@dataclass(frozen=True)
class SpokenDigitsOptions:
    """Options of ``spoken-digits``.

    Parameters
    ----------
    speaker_out
        Test on all recordings of this speaker, who does not occur in training. Where not set, the
        official split, which tests on takes 0 to 4 of every speaker.
    validation_speaker
        Validate on all recordings of this speaker. Where not set, on whole takes of every training
        speaker, so that no take occurs in both.
    validation_takes
        Number of takes of every speaker that validate, drawn with ``seed``.
    seed
        Seed of the draw of the takes that validate.
    seconds
        Longest part of a recording that is used, in seconds. 20 of the 3000 are longer and are cut.
    hop
        Samples per step: 64 are 8 ms.
    fft
        Samples in the window of a step.
    bands
        Mel bands from 50 to 4000 Hz.
    span
        Range below a recording's loudest moment that is encoded, in dB.
    level
        Distance between the levels whose crossing makes a spike, in dB.
    """

    speaker_out: str | None = None
    validation_speaker: str | None = None
    validation_takes: int = 5
    seed: int = 0
    seconds: float = 1.0
    hop: int = 64
    fft: int = 256
    bands: int = 40
    span: float = 60.0
    level: float = 6.0

    def __post_init__(self) -> None:
        if self.seconds * SAMPLE_RATE < 1:
            raise DataError(f"seconds: {self.seconds} is less than one sample at {SAMPLE_RATE} Hz")
        if self.speaker_out is not None and self.speaker_out == self.validation_speaker:
            raise DataError(
                f"validation_speaker: {self.speaker_out} is the test speaker; name another"
            )
        self.encoder()

    @property
    def steps(self) -> int:
        """Steps of the longest recording that is read."""
        return math.ceil(self.seconds * SAMPLE_RATE / self.hop)

    def encoder(self) -> MelLevels:
        """Return the encoder."""
        return MelLevels(
            sample_rate=SAMPLE_RATE,
            fft=self.fft,
            hop=self.hop,
            bands=self.bands,
            span=self.span,
            level=self.level,
        )


@dataclass(frozen=True, eq=False)
class Clips:
    """Recordings: int16 ``audio`` one after another, clip i from ``offsets[i]`` to the next.

    ``label``, ``speaker`` and ``index`` (N,): the digit, the index into ``speakers``, and the take.
    """

    audio: npt.NDArray[np.int16]
    offsets: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]
    speaker: npt.NDArray[np.int64]
    index: npt.NDArray[np.int64]
    speakers: tuple[str, ...]

    def __post_init__(self) -> None:
        count = len(self.offsets) - 1
        rises = count >= 1 and self.offsets[0] == 0 and (np.diff(self.offsets) > 0).all()
        if self.audio.dtype != np.int16 or not rises or self.offsets[-1] != len(self.audio):
            raise DataError(
                f"audio {self.audio.dtype} of {len(self.audio)} samples and {count} offsets do not "
                "fit together; needs 16 bits, and offsets that rise from 0 to its end"
            )
        limits = (("label", 10), ("speaker", len(self.speakers)), ("index", 1 << 30))
        for name, limit in limits:
            values = getattr(self, name)
            if values.shape != (count,) or values.min() < 0 or values.max() >= limit:
                raise DataError(
                    f"{name} {values.shape} of {count} recordings must lie in 0..{limit - 1}"
                )

    def __len__(self) -> int:
        return len(self.label)

    def clip(self, index: int) -> npt.NDArray[np.int16]:
        """Return the samples of one recording."""
        return self.audio[self.offsets[index] : self.offsets[index + 1]]

    def digest(self) -> str:
        """Return the SHA-256 of all names and samples, independent of the file format."""
        found = hashlib.sha256()
        names = [
            f"{label}_{self.speakers[speaker]}_{take}"
            for label, speaker, take in zip(self.label, self.speaker, self.index, strict=True)
        ]
        for name, index in sorted(zip(names, range(len(self)), strict=True)):
            clip = self.clip(index).astype("<i2")
            found.update(f"{name} {len(clip)}\n".encode())
            found.update(clip.tobytes())
        return found.hexdigest()


def load_spoken_digits(
    options: SpokenDigitsOptions,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = False,
) -> Task:
    """Load the spoken digits: inputs event lists (N, steps, channels), targets (N,), lengths (N,).

    Raises
    ------
    DataError
        The recordings are missing, damaged or cannot be downloaded, or an unknown speaker.
    """
    clips = find_clips(data_dir, download)
    encoder = options.encoder()
    inputs, lengths = encoder.clips([clips.clip(i) for i in range(len(clips))], options.steps)
    whole = Split(inputs, clips.label, lengths)
    parts = split_clips(clips, options)
    return Task(
        name="spoken-digits",
        train=whole.take(parts["train"]),
        validation=whole.take(parts["validation"]),
        test=whole.take(parts["test"]),
        classes=tuple(str(digit) for digit in range(10)),
        dt=encoder.dt,
        options=asdict(options),
        encoder=encoder.plain(),
    )


def split_clips(clips: Clips, options: SpokenDigitsOptions) -> dict[str, Indices]:
    """Return the indices of the three splits, ascending.

    Raises
    ------
    DataError
        A speaker without recordings, or nothing left for a split.
    """
    if options.speaker_out is None:
        test = clips.index < TEST_TAKES
    else:
        test = clips.speaker == _speaker(clips, options.speaker_out)
    rest = np.flatnonzero(~test)
    if options.validation_speaker is not None:
        held = clips.speaker[rest] == _speaker(clips, options.validation_speaker)
        train, validation = rest[~held], rest[held]
    else:
        takes = hold_out_groups(clips.index[rest], options.validation_takes, options.seed)
        train, validation = (rest[part] for part in takes)
    return {"train": train, "validation": validation, "test": np.flatnonzero(test)}


def _speaker(clips: Clips, name: str) -> int:
    check_known("speaker", name, clips.speakers, error=DataError)
    return clips.speakers.index(name)


def find_clips(data_dir: str | os.PathLike[str] | None, download: bool) -> Clips:
    """Read ``fsdd.npz``, or ``recordings/*.wav`` of the repository, in the first folder with one.

    Raises
    ------
    DataError
        They are not found, are damaged, or cannot be downloaded.
    """
    folders = search_folders(FOLDER, data_dir)
    for folder in folders:
        if (folder / PACKED).is_file():
            return read_packed(folder / PACKED)
        if (folder / "recordings").is_dir():
            return read_wav_folder(folder / "recordings")
    if not download:
        looked = ", ".join(str(folder) for folder in folders)
        raise DataError(
            f"{FOLDER}: neither {PACKED} nor recordings/ is in {looked}; get {ADDRESS} with "
            "--download, or name the folder of the unpacked archive with --data DIR"
        )
    target = folders[-1] / PACKED
    fetch(ADDRESS, target, lambda content: packed_from_archive(content, ADDRESS, CONTENT))
    return read_packed(target)


def packed_from_archive(content: bytes, where: str, digest: str) -> bytes:
    """Return the ``fsdd.npz`` of a ``.tar.gz`` of the repository, its content checked.

    Raises
    ------
    DataError
        A damaged archive, or one with other recordings.
    """
    files = tar_files(content, _NAME, where, DataError)
    clips = _from_wavs(files, where)
    if clips.digest() != digest:
        raise DataError(
            f"{where}: other recordings than those of this commit (sha256 {clips.digest()}, "
            f"expected {digest}); give the folder with --data DIR"
        )
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        audio=clips.audio,
        offsets=clips.offsets,
        label=clips.label.astype(np.uint8),
        speaker=clips.speaker.astype(np.uint8),
        index=clips.index.astype(np.uint8),
        speakers=np.array(clips.speakers),
        sample_rate=np.array(SAMPLE_RATE),
    )
    return buffer.getvalue()


def read_packed(path: Path) -> Clips:
    """Read an ``fsdd.npz``.

    Raises
    ------
    DataError
        A damaged file, another layout or sample rate.
    """
    try:
        arrays = read_npz(path, None, DataError)
        if int(arrays["sample_rate"]) != SAMPLE_RATE:
            raise DataError(f"sample rate {arrays['sample_rate']}, needs {SAMPLE_RATE}")
        return Clips(
            arrays["audio"],
            arrays["offsets"].astype(np.int64),
            arrays["label"].astype(np.int64),
            arrays["speaker"].astype(np.int64),
            arrays["index"].astype(np.int64),
            tuple(arrays["speakers"].tolist()),
        )
    except DataError as error:
        line = str(error).removeprefix(f"{path}: ")
        raise DataError(f"{path}: {line}; replace the file") from None
    except KeyError as error:
        raise DataError(f"{path}: holds no array {error}; see spoken_digits.Clips") from None
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path}: damaged ({error}); replace the file") from error


def read_wav_folder(folder: Path) -> Clips:
    """Read ``<digit>_<speaker>_<take>.wav`` files, 16 bits, one channel, 8 kHz.

    Raises
    ------
    DataError
        No such file, or a malformed one.
    """
    return _from_wavs(
        ((path.name, path.read_bytes()) for path in folder.glob("*.wav")), str(folder)
    )


def _from_wavs(files: Iterable[tuple[str, bytes]], where: str) -> Clips:
    found = []
    for name, content in files:
        match = _NAME.search(name)
        if match is None:
            raise DataError(f"{where}: {name} is not named <digit>_<speaker>_<take>.wav")
        digit, speaker, take = match.groups()
        found.append((speaker, int(digit), int(take), _samples(content, f"{where}: {name}")))
    if not found:
        raise DataError(f"{where}: holds no recording <digit>_<speaker>_<take>.wav")
    found.sort(key=lambda one: one[:3])
    speakers = tuple(sorted({one[0] for one in found}))
    return Clips(
        np.concatenate([one[3] for one in found]),
        np.cumsum([0, *(len(one[3]) for one in found)]).astype(np.int64),
        np.array([one[1] for one in found], dtype=np.int64),
        np.array([speakers.index(one[0]) for one in found], dtype=np.int64),
        np.array([one[2] for one in found], dtype=np.int64),
        speakers,
    )


def _samples(content: bytes, where: str) -> npt.NDArray[np.int16]:
    form, frames = read_wav(content, where, DataError)
    if form != (1, 2, SAMPLE_RATE):
        raise DataError(
            f"{where} has {form[0]} channels of {8 * form[1]} bits at {form[2]} Hz; needs 1 of 16 "
            f"bits at {SAMPLE_RATE} Hz"
        )
    return np.frombuffer(frames, dtype="<i2").astype(np.int16)
