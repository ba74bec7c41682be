from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from srnn.tasks import DataError, Split, encoder_from_plain, load, split_from_file
from srnn.tasks.arrays import find_file

VOWELS = {"train": "JapaneseVowels_TRAIN.ts", "test": "JapaneseVowels_TEST.ts"}


def made(n: int = 40, steps: int = 12, channels: int = 2, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 4
    walk = rng.normal(0, 1, (n, steps, channels)).cumsum(axis=1) + labels[:, None, None]
    return {"inputs": walk, "labels": labels}


def save(path: Path, arrays: dict[str, Any]) -> None:
    np.savez(path, **arrays)


def same(one: Split, other: Split) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ("inputs", "targets")
    ) and np.array_equal(one.step_counts(), other.step_counts())


@pytest.mark.needs_data("tsc_small")
@pytest.mark.parametrize("encoding", ["level_crossing", "slope", "graded"])
def test_recordings_of_an_archive(data_dir: Path, encoding: str) -> None:
    options = {**VOWELS, "encoding": encoding, "seed": 2}
    task = load("arrays", data_dir / "tsc_small", options)
    channels = 12 if encoding == "graded" else 24
    assert task.input_size == channels
    assert task.message_bits == (8 if encoding == "graded" else 0)
    assert [len(split) for split in task.splits().values()] == [216, 54, 370]
    assert np.bincount(task.validation.targets).tolist() == [6] * 9
    assert task.test.lengths is not None
    assert (task.test.lengths.min(), task.test.lengths.max()) == (7, 29)
    assert not task.test.inputs[0, task.test.lengths[0] :].any()
    plain = task.description()
    assert json.loads(json.dumps(plain)) == plain
    again = load("arrays", data_dir / "tsc_small", plain["options"])
    assert again.description() == plain
    path = data_dir / "tsc_small" / VOWELS["test"]
    assert same(split_from_file(path, json.loads(json.dumps(plain))), task.test)


def test_encoder_is_fitted_on_the_training_split_alone(tmp_path: Path) -> None:
    arrays = made()
    save(tmp_path / "a.npz", arrays)
    options = {"train": "a.npz", "encoding": "level_crossing", "threshold": 0.5}
    task = load("arrays", tmp_path, options)
    train = np.asarray(task.train.inputs)
    kept = [i for i in range(40) if any(np.array_equal(x, y) for x, y in _pairs(arrays, task, i))]
    assert len(kept) == len(train) == 24
    fitted = arrays["inputs"][kept].reshape(-1, 2).std(axis=0) / 2
    assert task.encoder["thresholds"] == pytest.approx(fitted.tolist())
    everything = arrays["inputs"].reshape(-1, 2).std(axis=0) / 2
    assert task.encoder["thresholds"] != pytest.approx(everything.tolist(), rel=1e-6)
    grown = {**arrays, "inputs": 10 * arrays["inputs"]}
    save(tmp_path / "b.npz", grown)
    with_test = load("arrays", tmp_path, {**options, "test": "b.npz", "test_fraction": 0.0})
    alone = load("arrays", tmp_path, {**options, "test": "a.npz", "test_fraction": 0.0})
    assert with_test.encoder == alone.encoder


def _pairs(arrays: dict, task, index: int) -> list[tuple[np.ndarray, np.ndarray]]:
    codes = encoder_from_plain(task.encoder).encode(arrays["inputs"][index : index + 1])[0]
    return [(codes, row) for row in task.train.inputs]


def test_splits_of_one_file_are_disjoint_and_reproducible(tmp_path: Path) -> None:
    numbered = np.arange(40)[:, None, None] * np.ones((1, 5, 1), int)
    np.savez(tmp_path / "a.npz", inputs=numbered, labels=np.arange(40) % 4)
    options = {"train": "a.npz", "seed": 3}
    task = load("arrays", tmp_path, options)
    parts = [split.inputs[:, 0, 0].tolist() for split in task.splits().values()]
    assert [len(part) for part in parts] == [24, 8, 8]
    assert sorted(one for part in parts for one in part) == list(range(40))
    again = load("arrays", tmp_path, options)
    assert parts == [split.inputs[:, 0, 0].tolist() for split in again.splits().values()]
    assert task.message_bits == 6
    for split in task.splits().values():
        assert np.bincount(split.targets).std() == 0


def test_the_same_signals_from_every_kind_of_file(tmp_path: Path) -> None:
    import h5py

    arrays = made(n=12)
    save(tmp_path / "a.npz", arrays)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, values in arrays.items():
            file[name] = values
    with (tmp_path / "a.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sample", "x", "y", "label"])
        for i, (signal, label) in enumerate(zip(*arrays.values(), strict=True)):
            writer.writerows([i, *map(repr, map(float, step)), label] for step in signal)
    options = {"encoding": "graded", "validation_fraction": 0.25, "test_fraction": 0.25}
    tasks = [
        load("arrays", tmp_path, {**options, "train": f"a{ending}"})
        for ending in (".npz", ".h5", ".csv")
    ]
    for task in tasks[1:]:
        assert task.encoder == tasks[0].encoder
        assert task.classes == tasks[0].classes == ("0", "1", "2", "3")
        assert same(task.train, tasks[0].train)
        assert same(task.test, tasks[0].test)


def test_streaming_labels(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 2, (10, 6, 3))
    labels = rng.integers(-1, 3, (10, 6))
    np.savez(tmp_path / "a.npz", inputs=inputs, labels=labels)
    options = {"train": "a.npz", "skip_steps": 2, "dt": 0.004}
    task = load("arrays", tmp_path, options)
    assert task.per_step
    assert (task.message_bits, task.skip_steps, task.dt) == (0, 2, 0.004)
    assert task.test.valid is not None
    split = split_from_file(tmp_path / "a.npz", task.description())
    assert split.valid is not None
    assert np.array_equal(split.valid, labels >= 0)
    assert np.array_equal(split.targets, np.maximum(labels, 0))
    assert np.array_equal(split.inputs, inputs)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"train": "absent.npz"}, "absent.npz: no such file in"),
        ({"train": ""}, "names no file"),
        ({"encoding": "levels"}, "unknown encoding 'levels'; did you mean 'level_crossing'"),
        ({"threshold_unit": "mV"}, "unknown threshold_unit 'mV' (known: std, signal"),
        ({"threshold": 0.0}, "threshold: 0.0 is not above 0"),
        ({"labels": "frame"}, "unknown labels 'frame' (known: auto, sample, step"),
        ({"labels": "step"}, "a label for each sample"),
        ({"test_fraction": 0.0}, "no test file and test_fraction 0"),
        ({"validation_fraction": 0.9}, "a.npz: fractions:"),
        ({"encoding": "none"}, "a.npz: sample 0, step 0, channel 0: "),
        ({"encoding": "graded", "bits": 30}, "outside 1..24"),
        ({"skip_steps": 12}, "skip_steps 12"),
        ({"test": "one_channel.npz"}, "1 channels, the training file has 2"),
        ({"test": "streaming.npz"}, "one label per step, the training data has one per sample"),
        ({"test": "new_label.npz"}, "sample 5 has label '9', which never occurs in training"),
    ],
)
def test_what_does_not_fit(tmp_path: Path, options: dict, said: str) -> None:
    arrays = made()
    save(tmp_path / "a.npz", arrays)
    np.savez(
        tmp_path / "one_channel.npz", inputs=arrays["inputs"][:, :, :1], labels=arrays["labels"]
    )
    save(tmp_path / "streaming.npz", {**arrays, "labels": np.zeros((40, 12), int)})
    labels = arrays["labels"].copy()
    labels[5] = 9
    save(tmp_path / "new_label.npz", {**arrays, "labels": labels})
    with pytest.raises(DataError) as raised:
        load("arrays", tmp_path, {"train": "a.npz", "encoding": "level_crossing", **options})
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_values_beyond_the_training_range_need_bits(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "a.npz", inputs=np.tile(np.arange(8), (20, 1))[..., None], labels=np.ones(20)
    )
    np.savez(tmp_path / "b.npz", inputs=np.full((3, 8, 1), 8), labels=np.ones(3))
    options = {"train": "a.npz", "test": "b.npz"}
    with pytest.raises(DataError, match=r"b\.npz: sample 0, step 0, channel 0: 8 .* -7\.\.7"):
        load("arrays", tmp_path, options)
    assert load("arrays", tmp_path, {**options, "bits": 4}).message_bits == 4


def test_thresholds_in_signal_units_and_constant_channels(tmp_path: Path) -> None:
    arrays = made()
    arrays["inputs"][:, :, 1] = 7.0
    save(tmp_path / "a.npz", arrays)
    options = {"train": "a.npz", "encoding": "level_crossing", "threshold": 0.3}
    task = load("arrays", tmp_path, {**options, "threshold_unit": "signal"})
    assert task.encoder["thresholds"] == [0.3, 0.3]
    share = load("arrays", tmp_path, options)
    assert share.encoder["thresholds"][1] == 0.3
    assert not np.asarray(share.train.inputs)[..., 2:].any()
    assert np.asarray(share.train.inputs)[..., :2].any()


def test_files_are_found_under_data_here_and_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [tmp_path / "data", tmp_path / "here", tmp_path / "env"]
    for place in places:
        place.mkdir()
        (place / "a.npz").touch()
    monkeypatch.chdir(places[1])
    monkeypatch.setenv("SRNN_DATA", str(places[2]))
    for place in places:
        assert find_file("a.npz", places[0]).resolve() == place / "a.npz"
        (place / "a.npz").unlink()
    with pytest.raises(DataError, match="give its folder with --data"):
        find_file("a.npz", places[0])


def test_a_description_of_another_model(tmp_path: Path) -> None:
    save(tmp_path / "a.npz", made())
    task = load("arrays", tmp_path, {"train": "a.npz", "encoding": "level_crossing"})
    plain = task.description()
    with pytest.raises(DataError, match="'encoder' is missing"):
        split_from_file(tmp_path / "a.npz", {})
    with pytest.raises(DataError, match="2 channels give 4 inputs, the model takes 6"):
        split_from_file(tmp_path / "a.npz", {**plain, "input_size": 6})
    with pytest.raises(DataError, match="one per step; set the option labels"):
        split_from_file(tmp_path / "a.npz", {**plain, "per_step": True})
    with pytest.raises(DataError, match="never occurs in training"):
        split_from_file(tmp_path / "a.npz", {**plain, "classes": ["0", "1"]})


def test_inputs_that_are_all_zero_are_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    signals = rng.normal(0, 1, (12, 30, 2))
    np.savez(tmp_path / "a.npz", inputs=signals, labels=np.arange(12) % 2)
    options = {"train": str(tmp_path / "a.npz"), "encoding": "level_crossing", "threshold": 1e6}
    with pytest.raises(DataError, match=r"arrays, train split: every input of its \d+ sequences"):
        load("arrays", None, options)
