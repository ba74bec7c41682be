"""``shd`` and ``ssc`` on small files in the published layout."""

from __future__ import annotations

import gzip
from pathlib import Path

import h5py
import numpy as np
import pytest
from heidelberg_files import spikes, write_file, write_shd, write_ssc
from srnn.tasks import DataError, Task, load
from srnn.tasks.event_lists import EventLists
from srnn.tasks.heidelberg import ShdOptions, read_spikes
from task_checks import check_description


@pytest.fixture(autouse=True)
def nothing_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SRNN_DATA", raising=False)


def sequences(task: Task, part: str) -> set[bytes]:
    return {row.tobytes() for row in np.asarray(task.splits()[part].inputs)}


def test_shd_is_read_binned_and_split_by_speaker(tmp_path: Path) -> None:
    folder = write_shd(tmp_path)
    task = load("shd", folder)
    assert [split.inputs.shape for split in task.splits().values()] == [
        (60, 250, 700),
        (20, 250, 700),
        (40, 250, 700),
    ]
    assert task.classes[:2] == ("word 0", "word 1")
    assert (task.message_bits, task.dt, task.per_step) == (0, 0.004, False)
    assert all(isinstance(split.inputs, EventLists) for split in task.splits().values())
    with h5py.File(folder / "shd" / "shd_train.h5") as file:
        speaker = np.asarray(file["extra/speaker"])
        times = [np.asarray(one, dtype=float) for one in file["spikes/times"]]  # type: ignore[union-attr]
        units = list(file["spikes/units"])  # type: ignore[arg-type]
    whole = np.zeros((80, 250, 700), np.uint8)
    for image, when, which in zip(whole, times, units, strict=True):
        kept = when < 1.0
        image[(when[kept] / 0.004).astype(int), which[kept]] = 1
    held = [s for s in range(4) if np.array_equal(task.validation.inputs, whole[speaker == s])]
    assert len(held) == 1
    assert np.array_equal(task.train.inputs, whole[speaker != held[0]])
    check_description(task, folder)
    other = {
        load("shd", folder, {"seed": seed}).validation.inputs[0].tobytes() for seed in range(6)
    }
    assert len(other) > 1


def test_shd_options(tmp_path: Path) -> None:
    folder = write_shd(tmp_path)
    published = load("shd", folder, {"binning": "published", "dt": 0.01, "steps": 100})
    even = load("shd", folder, {"dt": 0.01, "steps": 120})
    assert published.train.inputs.shape == (60, 100, 700)
    assert not np.asarray(published.train.inputs)[:, :, 0].any()
    # Compared with even, published is one step later and has reversed channels.
    early = np.asarray(even.train.inputs)[:, :98, 1:]
    turned = np.asarray(published.train.inputs)[:, 1:99, :0:-1]
    assert (early != turned).sum() < 0.15 * early.sum()
    mixed = load("shd", folder, {"validation_speakers": 0, "validation": 0.25})
    assert (len(mixed.train), len(mixed.validation)) == (60, 20)
    assert np.bincount(mixed.validation.targets).tolist() == [1] * 20
    small = load("shd", folder, {"limit": 30})
    assert len(small.train) + len(small.validation) == 30
    assert not sequences(small, "train") & sequences(small, "validation")


def test_ssc_has_its_own_validation_file(tmp_path: Path) -> None:
    task = load("ssc", write_ssc(tmp_path), {"steps": 100})
    assert [split.inputs.shape for split in task.splits().values()] == [(70, 100, 700)] * 3
    assert task.classes == tuple(str(index) for index in range(35))
    assert task.validation.targets.tolist() == list(range(35)) * 2
    check_description(task, tmp_path)


def test_a_file_of_several_chunks_is_read_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_ssc(tmp_path)
    whole = load("ssc", folder, {"steps": 50})
    monkeypatch.setattr("srnn.tasks.heidelberg._CHUNK", 16)
    chunked = load("ssc", folder, {"steps": 50})
    assert np.array_equal(chunked.train.inputs, whole.train.inputs)


def test_a_missing_file_says_where_to_get_it(tmp_path: Path) -> None:
    for name, file in (("shd", "shd_train.h5"), ("ssc", "ssc_train.h5")):
        with pytest.raises(DataError) as raised:
            load(name, tmp_path, download=True)
        line = str(raised.value)
        assert "\n" not in line
        assert f"https://zenkelab.org/datasets/{file}.gz" in line
        assert "--data DIR" in line


def test_a_packed_file_asks_to_be_unpacked(tmp_path: Path) -> None:
    write_shd(tmp_path)
    packed = tmp_path / "shd" / "shd_train.h5"
    packed.with_suffix(".h5.gz").write_bytes(gzip.compress(packed.read_bytes()))
    packed.unlink()
    with pytest.raises(DataError, match=r"shd_train\.h5\.gz: is compressed; unpack it with gunzip"):
        load("shd", tmp_path)


def refused(folder: Path, name: str = "shd", **options: object) -> str:
    with pytest.raises(DataError) as raised:
        load(name, folder, options)
    line = str(raised.value)
    assert "\n" not in line
    return line


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    folder = write_shd(tmp_path)
    path = folder / "shd" / "shd_train.h5"
    good = path.read_bytes()
    for cut in (0, 100, len(good) // 2):
        path.write_bytes(good[:cut])
        assert "not a complete HDF5 file" in refused(folder)
    rng = np.random.default_rng(0)
    rows = [spikes(rng, label, 20) for label in range(20)]
    labels, speakers = np.arange(20), np.arange(20) % 2

    write_file(path, rows, labels)
    assert "holds no extra/speaker" in refused(folder)
    write_file(path, rows, labels, np.zeros(20))
    assert "1 of 1 groups" in refused(folder)
    write_file(path, rows, labels + 1, speakers)
    assert "labels 1 to 20 are outside 0..19" in refused(folder)
    write_file(path, rows, labels[:-1], speakers)
    assert "20 sequences of times, 20 of units, 19 labels" in refused(folder)
    write_file(path, rows, labels, speakers[:-1])
    assert "extra/speaker (19,)" in refused(folder)
    wrong = [*rows[:7], (rows[7][0], np.full_like(rows[7][1], 700)), *rows[8:]]
    write_file(path, wrong, labels, speakers)
    assert "sequence 7: unit 700 of spike 0" in refused(folder)
    wrong = [*rows[:7], (rows[7][0], rows[7][1][:-1]), *rows[8:]]
    write_file(path, wrong, labels, speakers)
    assert "sequence 7" in refused(folder)
    write_file(path, rows, labels, speakers)
    with h5py.File(path, "a") as file:
        del file["spikes/units"]
    assert "no list 'spikes/units'" in refused(folder)


def test_damaged_bytes_are_refused_or_do_not_matter(tmp_path: Path) -> None:
    folder = write_shd(tmp_path, train=40, test=20)
    path = folder / "shd" / "shd_train.h5"
    good = path.read_bytes()
    rng = np.random.default_rng(5)
    said = []
    for flips in (1, 1, 1, 2, 3, 5, 8, 20):
        bad = bytearray(good)
        for place in rng.integers(0, len(good), flips):
            bad[place] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(bad))
        try:
            task = load("shd", folder)
        except DataError as error:
            said.append(str(error))
        else:
            assert task.train.inputs.shape[1:] == (250, 700)
    assert said
    assert all("shd_train.h5" in line and "\n" not in line for line in said)


def test_options_that_cannot_be(tmp_path: Path) -> None:
    folder = write_shd(tmp_path)
    assert "unknown binning 'officail' (known: even, published" in refused(
        folder, binning="officail"
    )
    assert "limit: 0" in refused(folder, limit=0)
    assert "dt: -1.0" in refused(folder, dt=-1.0)
    assert "5 of 4 groups" in refused(folder, validation_speakers=5)


@pytest.mark.parametrize(
    ("factor", "said"),
    [
        (1e3, "these look like milliseconds: multiply by 0.001"),
        (1e6, "these look like microseconds: multiply by 1e-06"),
    ],
)
def test_times_of_another_unit(tmp_path: Path, factor: float, said: str) -> None:
    rng = np.random.default_rng(0)
    sequences = [(rng.uniform(0.5, 1.2, 60) * factor, rng.integers(0, 700, 60)) for _ in range(6)]
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for column, (name, kind) in enumerate((("times", np.float64), ("units", np.uint16))):
            held = file.create_dataset(f"spikes/{name}", (6,), dtype=h5py.vlen_dtype(kind))
            for index, sequence in enumerate(sequences):
                held[index] = sequence[column].astype(kind)
        file["labels"] = np.arange(6, dtype=np.uint16)
    with pytest.raises(DataError, match=said) as refused:
        read_spikes(path, ShdOptions(), 20)
    assert "of 360 events lie after the last of 250 steps of 0.004 s, the latest at" in str(
        refused.value
    )
