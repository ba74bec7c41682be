from __future__ import annotations

import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from srnn.tasks import DataError
from srnn.tasks.arrays import ArraysOptions, fit_encoder
from srnn.tasks.readers import READERS, read_recordings
from srnn.tasks.recordings import Recordings, code_labels

RAGGED = {
    "inputs": np.arange(24).reshape(12, 2),
    "offsets": np.array([0, 3, 7, 12]),
    "labels": np.array([5, 10, 5]),
}
CSV = "sample,time,label,ax,ay\na,0,go,1,2\na,1,go,3,4\nb,0,stop,5,6\nb,1,stop,7,8.5\n"


def write(path: Path, arrays: dict) -> Path:
    if path.suffix == ".npz":
        np.savez_compressed(path, **arrays)
    else:
        with h5py.File(path, "w") as file:
            for name, values in arrays.items():
                array = np.asarray(values)
                file[name] = array.astype("S") if array.dtype.kind == "U" else array
    return path


def text(tmp_path: Path, content: str, name: str = "a.csv") -> Path:
    (tmp_path / name).write_text(content, encoding="utf-8")
    return tmp_path / name


def labels_of(recordings: Recordings) -> list:
    def named(codes: np.ndarray) -> list[str | None]:
        return [None if code < 0 else recordings.names[code] for code in codes]

    if isinstance(recordings.labels, tuple):
        return [named(codes) for codes in recordings.labels]
    return named(recordings.labels)


@pytest.mark.parametrize("ending", [".npz", ".h5", ".hdf5"])
def test_arrays_padded_and_ragged(tmp_path: Path, ending: str) -> None:
    ragged = read_recordings(write(tmp_path / f"r{ending}", RAGGED))
    assert [signal.tolist() for signal in ragged.signals][1] == [[6, 7], [8, 9], [10, 11], [12, 13]]
    assert labels_of(ragged) == ["5", "10", "5"]
    assert ragged.names == ("5", "10")
    assert ragged.padded().shape == (3, 5, 2)
    padded = {
        "inputs": ragged.padded(),
        "lengths": ragged.lengths(),
        "labels": np.array(["go", "stop", "go"]),
    }
    again = read_recordings(write(tmp_path / f"p{ending}", padded))
    assert all(np.array_equal(a, b) for a, b in zip(ragged.signals, again.signals, strict=True))
    assert labels_of(again) == ["go", "stop", "go"]


@pytest.mark.parametrize("ending", [".npz", ".h5"])
def test_labels_per_step(tmp_path: Path, ending: str) -> None:
    steps = np.array([0, 2, 2, -1, 0, 0, 7, 7, 7, 7, -1, 0])
    ragged = read_recordings(write(tmp_path / f"r{ending}", {**RAGGED, "labels": steps}))
    assert labels_of(ragged)[:2] == [["0", "2", "2"], [None, "0", "0", "7"]]
    targets, valid = ragged.targets(("7", "0", "2"))
    assert valid is not None
    assert targets[1].tolist() == [0, 1, 1, 0, 0]
    assert valid[1].tolist() == [False, True, True, True, False]
    arrays = {
        "inputs": np.zeros((2, 3, 1)),
        "labels": np.array([[1, 1, 0], [-1, 0, 1]]),
        "lengths": np.array([2, 3]),
    }
    padded = read_recordings(write(tmp_path / f"p{ending}", arrays))
    assert labels_of(padded) == [["1", "1"], [None, "0", "1"]]


@pytest.mark.parametrize("ending", [".npz", ".h5"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"labels": None}, "no 'labels'"),
        ({"inputs": None}, "no 'inputs'"),
        ({"labels": np.array([1.5, 0, 1])}, "whole numbers or text"),
        ({"labels": np.array([1, 0])}, "labels of shape (2,)"),
        ({"labels": np.array(["a", "", "b"])}, "sample 1 has no label"),
        ({"offsets": np.array([0, 3, 3, 12])}, "must rise from 0 to 12"),
        ({"offsets": np.array([0, 3, 7, 11])}, "from 0 to 11"),
        ({"offsets": np.array([0.0, 3, 7, 12])}, "needs integers"),
        ({"offsets": None}, "inputs of shape (12, 2), needs (samples"),
        ({"inputs": np.zeros((12, 2), complex)}, "needs numbers"),
        ({"inputs": np.where(np.arange(24) == 9, np.nan, 1.0).reshape(12, 2)}, "sample 1, step 1"),
        ({"inputs": np.zeros((12, 0))}, "sample 0 is empty"),
        ({"inputs": np.zeros((3, 4, 2)), "offsets": None, "lengths": [4, 5, 4]}, "of sample 1"),
        (
            {"inputs": np.zeros((3, 4, 2)), "offsets": None, "lengths": [4, 4]},
            "needs integers (3,)",
        ),
        ({"inputs": np.zeros((1 << 40, 0, 0)), "offsets": None}, "hold no values"),
        ({"inputs": np.zeros((0, 4, 2)), "offsets": None, "labels": np.zeros(0, int)}, "no sample"),
    ],
)
def test_unfit_arrays(tmp_path: Path, ending: str, change: dict, said: str) -> None:
    arrays = {k: v for k, v in {**RAGGED, **change}.items() if v is not None}
    path = write(tmp_path / f"bad{ending}", arrays)
    with pytest.raises(DataError) as raised:
        read_recordings(path)
    assert said in str(raised.value)
    assert path.name in str(raised.value)
    assert "\n" not in str(raised.value)


def test_arrays_of_python_objects_are_never_unpickled(tmp_path: Path) -> None:
    objects = np.array(["a", "b", {}], dtype=object)
    np.savez(tmp_path / "o.npz", inputs=np.zeros((3, 2, 1)), labels=objects)
    with pytest.raises(DataError, match="holds Python objects"):
        read_recordings(tmp_path / "o.npz")


def test_csv_with_one_label_a_sample(tmp_path: Path) -> None:
    read = read_recordings(text(tmp_path, CSV))
    assert [signal.tolist() for signal in read.signals] == [[[1, 2], [3, 4]], [[5, 6], [7, 8.5]]]
    assert labels_of(read) == ["go", "stop"]
    steps = read_recordings(text(tmp_path, CSV), "step")
    assert labels_of(steps) == [["go", "go"], ["stop", "stop"]]


def test_csv_with_labels_per_step(tmp_path: Path) -> None:
    content = "\ufefflabel, x ,sample\n2,1,a\n10,2,a\n,3,a\n\n10,4,b\n"
    read = read_recordings(text(tmp_path, content))
    assert read.names == ("2", "10")
    assert labels_of(read) == [["2", "10", None], ["10"]]
    assert read.lengths().tolist() == [3, 1]
    with pytest.raises(DataError, match="'a' has several labels"):
        read_recordings(text(tmp_path, content), "sample")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no column 'sample'"),
        ("sample;label;x\n1;a;2\n", "separated by commas"),
        ("sample,x\n1,2\n", "no column 'label'"),
        ("sample,label,time\n1,a,2\n", "no column for a channel"),
        ("sample,label,x,x\n1,a,2,3\n", "'x' occurs twice"),
        ("sample,label,x\n", "no rows"),
        ("sample,label,x\n1,a,2\n1,a\n", "line 3: 2 fields, the header has 3"),
        ("sample,label,x\n1,a,2\n1,a,2,3\n", "line 3: 4 fields"),
        ("sample,label,x\n1,a,2\n1,a,\n", "line 3, column 'x': ''"),
        ("sample,label,x\n1,a,NaN\n", "line 2, column 'x': 'NaN'"),
        ("sample,label,x\n1,a,1e999\n", "'1e999' is not a number"),
        ("sample,label,x\n1,a,2\n2,b,2\n1,a,3\n", "line 4: sample '1' continues"),
        ("sample,label,x\n1,,2\n", "sample 0 has no label"),
    ],
)
def test_unfit_csv(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(DataError) as raised:
        read_recordings(text(tmp_path, content))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_csv_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"sample,label,x\n1,a,\xff\xfe\n")
    with pytest.raises(DataError, match="line 2: is not UTF-8 text"):
        read_recordings(tmp_path / "a.csv")


@pytest.mark.needs_data("tsc_small")
def test_ts_files_of_the_archive(data_dir: Path) -> None:
    vowels = read_recordings(data_dir / "tsc_small" / "JapaneseVowels_TEST.ts")
    assert (len(vowels.signals), vowels.channels) == (370, 12)
    assert (vowels.lengths().min(), vowels.lengths().max()) == (7, 29)
    assert vowels.names == tuple("123456789")
    assert labels_of(vowels)[-1] == "9"
    motions = read_recordings(data_dir / "tsc_small" / "BasicMotions_TRAIN.ts")
    assert motions.padded().shape == (40, 100, 6)
    assert motions.names == ("Badminton", "Running", "Standing", "Walking")
    assert motions.signals[0][:4, 0].tolist() == [0.079106, 0.079106, -0.903497, 1.116125]
    assert labels_of(motions)[0] == "Standing"


HEAD = "@timeStamps false\n@dimensions 2\n@classLabel true a b\n@data\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("@classLabel true a b\n1,2:3,4:a\n", "no @data line"),
        ("@classLabel false\n@data\n1,2:3,4\n", "@classLabel is not true"),
        (HEAD.replace("false", "true") + "(0,1):a\n", "@timestamps true"),
        (HEAD, "no sample"),
        (HEAD + "1,2:3,4:c\n", "sample 0 has label 'c'"),
        (HEAD + "1,2:3,4:a\n1,2:3:a\n", "line 6: channels of 1 to 2 values"),
        (HEAD + "1,2:3,?:a\n", "line 5, column 'channel 1': '?'"),
        (HEAD + "a\n", "line 5: no ':'"),
        (HEAD + "1,2:a\n", "@dimensions says 2"),
        (HEAD + "1,2:3,4:a\n1,2:b\n", "sample 1 has 1 channels"),
    ],
)
def test_unfit_ts(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(DataError) as raised:
        read_recordings(text(tmp_path, content, "a.ts"))
    assert said in str(raised.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"unknown ending '\.wav' \(known: \.npz"):
        read_recordings(tmp_path / "a.wav")
    with pytest.raises(DataError, match="no such file"):
        read_recordings(tmp_path / "a.npz")
    with pytest.raises(DataError, match=r"unknown labels 'both' \(known: auto, sample, step"):
        read_recordings(tmp_path / "a.npz", "both")
    path = write(tmp_path / "r.npz", RAGGED)
    with pytest.raises(DataError, match="a label for each sample"):
        read_recordings(path, "step")


@pytest.fixture(scope="module")
def whole_files() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        files = {e: write(path / f"r{e}", RAGGED).read_bytes() for e in (".npz", ".h5")}
    ts = HEAD + "1,2:3,4:a\n5,6,7:8,9,10:b\n"
    return {**files, ".hdf5": files[".h5"], ".csv": CSV.encode(), ".ts": ts.encode()}


@given(data=st.data())
@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_damaged_files_are_refused_or_read(
    tmp_path: Path, whole_files: dict[str, bytes], data: st.DataObject
) -> None:
    ending = data.draw(st.sampled_from(sorted(READERS)))
    content = bytearray(whole_files[ending])
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        for _ in range(data.draw(st.integers(1, 3))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / f"damaged{ending}"
    path.write_bytes(content)
    said = None
    try:
        assert np.isfinite(read_recordings(path).padded()).all()
    except DataError as error:
        said = str(error)
    assert said is None or (path.name in said and "\n" not in said)


@pytest.mark.parametrize("ending", [".npz", ".h5"])
def test_truncated_files_are_refused(
    tmp_path: Path, whole_files: dict[str, bytes], ending: str
) -> None:
    path = tmp_path / f"cut{ending}"
    for share in (0.0, 0.1, 0.5, 0.9):
        content = whole_files[ending]
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(DataError, match="not a complete"):
            read_recordings(path)


@pytest.mark.parametrize("value", [0.1, 14.62, -1e30, 0.0])
def test_a_constant_channel_becomes_zero(value):
    signals = [np.stack([np.arange(7.0), np.full(7, value)], axis=1) for _ in range(3)]
    encoder = fit_encoder(ArraysOptions(train="x.csv", encoding="graded"), signals)
    codes = encoder.encode(np.stack(signals))
    assert not codes[..., 1].any()
    assert codes[..., 0].any()


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (np.array(["--1", "2", "-3"]), ("--1", "-3", "2")),
        (np.array(["10", "9", "-3"]), ("-3", "9", "10")),
        (np.array(["7" * 5000, "1", "2"]), ("1", "2", "7" * 5000)),
        (np.array([b"\xc3\xbc", b"b", b"a"]), ("a", "b", "ü")),
    ],
)
def test_labels_that_look_like_numbers(labels, names):
    assert code_labels(labels, "x", per_step=False)[0] == names


@pytest.mark.parametrize(
    ("labels", "line"),
    [
        (np.array([1.0, 1e300]), r"label 1e\+300 is beyond 64 bits"),
        (np.array([b"\xff", b"b"]), r"label b'\\xff' is not UTF-8"),
        (np.array([b"\xff", "b"], dtype=object), r"label b'\\xff' is not UTF-8"),
    ],
)
def test_labels_that_are_refused(labels, line):
    with pytest.raises(DataError, match=line):
        code_labels(labels, "x", per_step=False)
