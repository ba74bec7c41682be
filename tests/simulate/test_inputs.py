"""Input files of the command: the forms it reads, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from simulate_networks import random_network
from srnn.export.errors import InputError
from srnn.simulate.inputs import read_inputs

NETWORK = random_network(1, ["CUBA"], [3], 4)
INPUTS = (np.random.default_rng(0).random((2, 6, 4)) < 0.4).astype(np.int64)


def test_every_form_gives_the_same(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", inputs=INPUTS, labels=np.arange(2))
    np.savez(tmp_path / "b.npz", anything=INPUTS)
    np.save(tmp_path / "c.npy", INPUTS.astype(bool))
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file["inputs"] = INPUTS
        file["other"] = 3
    (tmp_path / "e.npz").write_bytes((tmp_path / "c.npy").read_bytes())
    for name in ("a.npz", "b.npz", "c.npy", "d.h5", "e.npz"):
        data = read_inputs(tmp_path / name, NETWORK)
        np.testing.assert_array_equal(data.inputs, INPUTS)
        assert data.lengths is None


def test_one_sample_needs_no_first_axis(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", INPUTS[0])
    np.savetxt(tmp_path / "one.csv", INPUTS[0], fmt="%d", delimiter=",")
    text = (tmp_path / "one.csv").read_text()
    (tmp_path / "named.csv").write_text("up,down,left,right\n" + text.replace(",", " , ") + "\n")
    for name in ("one.npy", "one.csv", "named.csv"):
        np.testing.assert_array_equal(read_inputs(tmp_path / name, NETWORK).inputs, INPUTS[:1])


def test_lengths_travel_along(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", inputs=INPUTS, lengths=np.array([6, 2]))
    lengths = read_inputs(tmp_path / "a.npz", NETWORK).lengths
    assert lengths is not None
    assert lengths.tolist() == [6, 2]
    np.savez(tmp_path / "a.npz", inputs=INPUTS, lengths=np.array([6, 7]))
    with pytest.raises(InputError, match=r"a\.npz: lengths: 6\.\.7"):
        read_inputs(tmp_path / "a.npz", NETWORK)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"1", "unknown ending '.txt' .known: [.]npz"),
        ("a.npy", b"\x93NUMPY", "not a complete .npy"),
        ("a.npy", b"", "not a complete .npz"),
        (
            "a.npz",
            b"PK\x03\x04 and no more",
            "not a complete .npz",
        ),
        ("a.h5", b"\x89HDF\r\n\x1a\n", "not a readable HDF5 file"),
        ("a.csv", b"", "no row"),
        ("a.csv", b"a,b,c,d\n", "no row"),
        ("a.csv", b"1,0,0,1\n1,0,0\n", "line 2: 3 columns after 4"),
        ("a.csv", b"0.5,0,0,1\n", "line 1: .* not a row of integers"),
        ("a.csv", b"1,0,0,1\n1,0,x,1\n", "line 2: .* not a row of integers"),
        ("a.csv", b"1,0,0\n", "needs \\(batch, time, 4\\)"),
        ("a.csv", b"1,0,0,3\n", "3 is outside 0..1"),
        ("a.csv", b"\xff\xfe", "not UTF-8 text but UTF-16"),
        ("a.csv", b"1,0,0," + b"9" * 30, "a.csv"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_inputs(tmp_path / name, NETWORK)


def test_an_archive_must_say_which_array(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", one=INPUTS, two=INPUTS)
    with pytest.raises(InputError, match="holds one, two; name the array"):
        read_inputs(tmp_path / "a.npz", NETWORK)


def test_pickled_objects_are_not_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"holds Python objects|not a complete"):
        read_inputs(tmp_path / "a.npy", NETWORK)


def test_what_else_an_archive_holds_is_not_read(tmp_path: Path) -> None:
    notes = np.array([{"a": 1}], dtype=object)
    np.savez(tmp_path / "a.npz", inputs=np.ones((2, 3, 4), int), notes=notes)
    assert read_inputs(tmp_path / "a.npz", NETWORK).inputs.shape == (2, 3, 4)
