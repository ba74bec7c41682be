from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from spoken_files import SPEAKERS, make_clips, wav, wavs, write_packed
from srnn.tasks import DataError, load
from srnn.tasks.event_lists import EventLists
from srnn.tasks.spoken_digits import (
    CONTENT,
    SpokenDigitsOptions,
    find_clips,
    packed_from_archive,
    read_packed,
    read_wav_folder,
    split_clips,
)
from task_checks import check_description


@pytest.fixture(autouse=True)
def nothing_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SRNN_DATA", raising=False)


@pytest.mark.needs_data("fsdd")
def test_the_real_set_is_as_measured(data_dir: Path) -> None:
    clips = find_clips(data_dir, False)
    assert len(clips) == 3000
    assert clips.digest() == CONTENT
    task = load("spoken-digits", data_dir)
    assert {n: len(s) for n, s in task.splits().items()} == {
        "train": 2400,
        "validation": 300,
        "test": 300,
    }
    for split in task.splits().values():
        assert isinstance(split.inputs, EventLists)
        assert np.bincount(split.targets).tolist() == [len(split) // 10] * 10
    assert task.dt == 0.008
    check_description(task, data_dir)


@pytest.mark.needs_data("fsdd")
def test_a_real_speaker_is_held_out(data_dir: Path) -> None:
    clips = find_clips(data_dir, False)
    parts = split_clips(clips, SpokenDigitsOptions(speaker_out="theo"))
    assert {n: len(p) for n, p in parts.items()} == {"train": 2250, "validation": 250, "test": 500}
    assert set(clips.speaker[parts["test"]]) == {4}
    assert 4 not in set(clips.speaker[parts["train"]]) | set(clips.speaker[parts["validation"]])


def test_splits_share_no_take_and_no_speaker() -> None:
    clips = make_clips(takes=12, digits=3)
    official = split_clips(clips, SpokenDigitsOptions(validation_takes=2))
    assert sorted(np.concatenate(list(official.values()))) == list(range(len(clips)))
    takes = {name: set(clips.index[part].tolist()) for name, part in official.items()}
    assert takes["test"] == {0, 1, 2, 3, 4}
    assert len(takes["validation"]) == 2
    assert not takes["validation"] & takes["train"]
    other = split_clips(clips, SpokenDigitsOptions(validation_takes=2, seed=1))
    assert not np.array_equal(other["validation"], official["validation"])
    assert np.array_equal(other["test"], official["test"])

    held = split_clips(clips, SpokenDigitsOptions(speaker_out="bert", validation_speaker="anna"))
    heard = {name: set(clips.speaker[part].tolist()) for name, part in held.items()}
    assert heard == {"train": {2}, "validation": {0}, "test": {1}}


def test_archive_folder_and_packed_file_are_the_same(tmp_path: Path) -> None:
    clips = make_clips(takes=6, digits=2)
    recordings = tmp_path / "wav" / "recordings"
    recordings.mkdir(parents=True)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in {**wavs(clips), "README.md": b"words"}.items():
            if name.endswith(".wav"):
                (recordings / name).write_bytes(content)
            member = tarfile.TarInfo(f"set-1.0/recordings/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    packed = packed_from_archive(buffer.getvalue(), "there", clips.digest())
    (tmp_path / "fsdd.npz").write_bytes(packed)
    write_packed(tmp_path, clips)
    for found in (
        read_packed(tmp_path / "fsdd.npz"),
        read_wav_folder(recordings),
        find_clips(tmp_path / "wav", False),
        find_clips(tmp_path, False),
    ):
        assert found.digest() == clips.digest()
        assert found.speakers == SPEAKERS
        assert np.array_equal(np.sort(np.diff(found.offsets)), np.sort(np.diff(clips.offsets)))
    with pytest.raises(DataError, match="other recordings than those of this commit"):
        packed_from_archive(buffer.getvalue(), "there", CONTENT)
    with pytest.raises(DataError, match="not a complete gzip file"):
        packed_from_archive(buffer.getvalue()[:500], "there", CONTENT)


def test_options_reach_the_encoder(tmp_path: Path) -> None:
    write_packed(tmp_path, make_clips(takes=7, digits=4))
    options = {"hop": 80, "bands": 20, "level": 10.0, "seconds": 0.2, "validation_takes": 1}
    task = load("spoken-digits", tmp_path, options)
    assert task.train.inputs.shape == (12, 20, 20 * 6 * 2)
    assert task.encoder["hop"] == 80
    assert task.train.lengths is not None
    assert 15 <= int(task.train.lengths.min()) <= int(task.train.lengths.max()) == 20
    check_description(task, tmp_path)


def refused(folder: Path, **options: object) -> str:
    with pytest.raises(DataError) as raised:
        load("spoken-digits", folder, options)
    line = str(raised.value)
    assert "\n" not in line
    return line


def test_what_cannot_be_used(tmp_path: Path) -> None:
    assert "Jakobovski/free-spoken-digit-dataset" in refused(tmp_path)
    assert "--download" in refused(tmp_path)
    clips = make_clips(takes=6, digits=2)
    path = write_packed(tmp_path, clips)
    assert "unknown speaker 'ann'; did you mean 'anna'" in refused(tmp_path, speaker_out="ann")
    assert "anna is the test speaker" in refused(
        tmp_path, speaker_out="anna", validation_speaker="anna"
    )
    assert "validation: 5 of 1 groups" in refused(tmp_path)
    assert "seconds: 0.0 is less than one sample" in refused(tmp_path, seconds=0.0)
    assert "level 70 dB" in refused(tmp_path, level=70.0)
    write_packed(tmp_path, clips, rate=16000)
    assert "sample rate 16000, needs 8000" in refused(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert "damaged" in refused(tmp_path)
    np.savez(path, audio=clips.audio)
    assert "holds no array 'sample_rate'" in refused(tmp_path)
    path.unlink()
    folder = tmp_path / "fsdd" / "recordings"
    folder.mkdir()
    assert "holds no recording" in refused(tmp_path)
    (folder / "zero_anna.wav").write_bytes(wav(np.zeros(9)))
    assert "zero_anna.wav is not named" in refused(tmp_path)
    (folder / "zero_anna.wav").rename(folder / "0_anna_0.wav")
    (folder / "0_anna_1.wav").write_bytes(wav(np.zeros(9), rate=16000))
    assert "16 bits at 16000 Hz" in refused(tmp_path)
    (folder / "0_anna_1.wav").write_bytes(wav(np.zeros(9))[:20])
    assert "0_anna_1.wav: not a complete WAV file" in refused(tmp_path)
