"""The tasks with fixed data: ecg, digits, smnist, psmnist."""

from __future__ import annotations

import gzip
import itertools
import json
import re
import shutil
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from srnn.export.extras import how_to_install
from srnn.tasks import DataError, Task, encoder_from_plain, load
from srnn.tasks.mnist import read_idx
from task_checks import check_description


def rows(task: Task, part: str) -> set[bytes]:
    split = task.splits()[part]
    return {split.inputs[i].tobytes() for i in range(len(split))}


@pytest.mark.needs_data("qtdb_ecg")
def test_ecg_is_as_measured(data_dir: Path) -> None:
    task = load("ecg", data_dir / "qtdb_ecg")
    assert [split.inputs.shape for split in task.splits().values()] == [
        (554, 1300, 4),
        (64, 1300, 4),
        (141, 1300, 4),
    ]
    assert task.classes == ("P", "PQ", "QR", "RS", "ST", "TP")
    assert (task.message_bits, task.skip_steps, task.per_step, task.dt) == (0, 10, True, None)
    assert (task.encoder["thresholds"], task.encoder["window"]) == ([0.03], 5)
    test = task.test
    assert test.valid is not None
    rates = np.asarray(test.inputs).mean(axis=(0, 1))
    assert rates == pytest.approx([0.087, 0.069, 0.081, 0.078], abs=5e-4)
    assert not (test.inputs[..., 0] & test.inputs[..., 1]).any()
    assert 1 - test.valid.mean() == pytest.approx(0.104, abs=5e-4)
    shares = np.bincount(test.targets.reshape(-1)) / test.targets.size
    assert shares == pytest.approx([0.236, 0.055, 0.054, 0.049, 0.305, 0.301], abs=6e-4)
    labelled = np.bincount(test.targets[test.valid]) / test.valid.sum()
    assert labelled == pytest.approx([0.147, 0.062, 0.060, 0.055, 0.340, 0.336], abs=6e-4)
    assert not test.targets[~test.valid].any()
    both = np.concatenate([np.asarray(task.train.inputs), np.asarray(task.validation.inputs)])
    assert both.mean(axis=(0, 1)) == pytest.approx([0.083, 0.068, 0.087, 0.073], abs=5e-4)


@pytest.mark.needs_data("qtdb_ecg")
def test_ecg_splits(data_dir: Path) -> None:
    task = load("ecg", data_dir)
    check_description(task, data_dir)
    other = load("ecg", data_dir, {"seed": 1, "validation": 30})
    assert len(other.validation) == 30
    train, validation = rows(task, "train"), rows(task, "validation")
    assert len(train | validation) == 618
    assert not train & validation
    assert rows(other, "train") | rows(other, "validation") == train | validation


@pytest.mark.needs_data("qtdb_ecg")
def test_ecg_file_that_was_changed(data_dir: Path, tmp_path: Path) -> None:
    for name in ("QTDB_train.mat", "QTDB_test.mat"):
        shutil.copy(data_dir / "qtdb_ecg" / name, tmp_path)
    assert len(load("ecg", tmp_path).test) == 141
    content = bytearray((tmp_path / "QTDB_test.mat").read_bytes())
    content[5000] ^= 1
    (tmp_path / "QTDB_test.mat").write_bytes(content)
    with pytest.raises(DataError, match=r"QTDB_test\.mat: sha256 is .*expected 916f11e2"):
        load("ecg", tmp_path)


def test_digits() -> None:
    task = load("digits")
    check_description(task, None)
    counts = [len(split) for split in task.splits().values()]
    assert sum(counts) == 1797
    assert counts == pytest.approx([1078, 359.5, 359.5], abs=6)
    assert task.train.inputs.shape[1:] == (64, 1)
    assert (task.message_bits, task.input_scale, task.skip_steps) == (5, 1 / 16, 0)
    assert (task.train.inputs.max(), task.train.inputs.min()) == (16, 0)
    for split in task.splits().values():
        shares = np.bincount(split.targets, minlength=10) / len(split)
        assert (np.abs(shares - 0.1) < 0.01).all()
    together = [rows(task, part) for part in task.splits()]
    assert len(set.union(*together)) == sum(map(len, together)) == 1797


def test_digits_windows_show_the_same_pixels() -> None:
    one, eight = load("digits"), load("digits", options={"window": 8})
    flat = np.asarray(one.test.inputs)[:, :, 0]
    assert eight.test.inputs.shape == (len(flat), 64, 8)
    for t in (0, 30, 56, 63):
        start = min(t, 56)
        assert np.array_equal(eight.test.inputs[:, t], flat[:, start : start + 8])


def test_digits_with_other_seeds_and_shares() -> None:
    task = load("digits", options={"seed": 3, "validation": 0.1, "test": 0.4})
    assert len(task.validation) == pytest.approx(180, abs=5)
    assert len(task.test) == pytest.approx(719, abs=5)
    assert not np.array_equal(task.test.inputs[:5], load("digits").test.inputs[:5])
    with pytest.raises(DataError, match="add up to 1"):
        load("digits", options={"validation": 0.9})
    with pytest.raises(DataError, match=r"outside 1\.\.64"):
        load("digits", options={"window": 65})


def test_digits_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DataError, match=re.escape(how_to_install("digits"))):
        load("digits")


@pytest.mark.needs_data("mnist")
def test_smnist(data_dir: Path) -> None:
    task = load("smnist", data_dir, {"limit": 100})
    check_description(task, data_dir)
    assert [split.inputs.shape for split in task.splits().values()] == [(100, 784, 8)] * 3
    assert (task.message_bits, task.input_scale) == (8, 1 / 255)
    with gzip.open(data_dir / "mnist" / "t10k-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784)
    assert np.array_equal(task.test.inputs[7, 200], images[7, 200:208])
    assert np.array_equal(task.test.inputs[7, 783], images[7, 776:])
    assert task.test.targets[:5].tolist() == [7, 2, 1, 0, 4]
    assert not rows(task, "train") & rows(task, "validation")


@pytest.mark.needs_data("mnist")
def test_psmnist_stores_its_permutation(data_dir: Path) -> None:
    task = load("psmnist", data_dir, {"limit": 40})
    check_description(task, data_dir)
    order = task.encoder["permutation"]
    assert sorted(order) == list(range(784))
    assert (task.message_bits, task.input_scale, task.test.inputs.shape[2]) == (0, 1.0, 4)
    assert set(np.unique(task.test.inputs[:5])) == {0, 1}
    raw = load("smnist", data_dir, {"limit": 40, "window": 1}).test.inputs[:5]
    spikes = (np.asarray(raw)[:, :, 0] / 255 > 0.1).astype(np.uint8)
    assert np.array_equal(task.test.inputs[:5][:, :780, 0], spikes[:, order][:, :780])
    encoder = encoder_from_plain(json.loads(json.dumps(task.encoder)))
    assert np.array_equal(encoder.encode(raw), task.test.inputs[:5])
    other = load("psmnist", data_dir, {"limit": 40, "permutation_seed": 1})
    assert other.encoder["permutation"] != order


@pytest.mark.needs_data("mnist")
def test_mnist_costs_one_byte_a_pixel(data_dir: Path) -> None:
    task = load("smnist", data_dir)
    assert task.train.inputs.shape == (55000, 784, 8)
    assert task.train.inputs.pixels.nbytes == 55000 * 784  # pyright: ignore
    assert np.bincount(task.test.targets).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    assert len(task.validation) == 5000


def test_mnist_options_out_of_range(data_dir: Path) -> None:
    with pytest.raises(DataError, match="limit 0 is below 1"):
        load("smnist", data_dir, {"limit": 0})
    with pytest.raises(DataError, match="window 0"):
        load("smnist", data_dir, {"window": 0})
    with pytest.raises(DataError, match="binarise 2"):
        load("psmnist", data_dir, {"binarise": 2})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not an IDX file"),
        (struct.pack(">HBBI", 0, 13, 1, 1) + b"abcd", "unsigned bytes"),
        (struct.pack(">HBB", 0, 8, 3) + b"\0\0", "ends within its header"),
        (struct.pack(">HBBI", 0, 8, 1, 5) + b"abcd", "4 bytes of data, its header says 5"),
        (struct.pack(">HBB3I", 0, 8, 3, 2**31, 2**31, 2**31) + b"a", "its header says"),
        (struct.pack(">HBB", 0, 8, 5) + bytes(20), "5 axes"),
        (struct.pack(">HBB", 0, 8, 60) + b"\x7f" * 236 + bytes(4), "60 axes"),
    ],
)
def test_damaged_idx(content: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_idx(content, "images")


def test_idx_is_read_in_row_order() -> None:
    content = struct.pack(">HBB2I", 0, 8, 2, 2, 3) + bytes(range(6))
    assert read_idx(content, "x").tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.needs_data("qtdb_ecg")
def test_ecg_holds_out_whole_stretches(data_dir: Path) -> None:
    whole = load("ecg", data_dir, {"validation": 1}).train
    task = load("ecg", data_dir, {"validation": 60, "stretch": 16})
    assert len(task.validation) == 64
    assert len(task.train) + 64 == 618
    # Four blocks of 16 neighbours; the one sequence missing in ``whole`` may split one.
    inputs = {row.tobytes(): index for index, row in enumerate(np.asarray(whole.inputs))}
    places = [inputs.get(row.tobytes(), -1) for row in np.asarray(task.validation.inputs)]
    jumps = sum(abs(b - a) != 1 for a, b in itertools.pairwise(places))
    assert jumps <= 5
    with pytest.raises(DataError, match="stretch: 0 sequences; needs at least 1"):
        load("ecg", data_dir, {"stretch": 0})
