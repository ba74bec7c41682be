"""Archives and arrays that declare more than they hold, or hold more than they declare."""

from __future__ import annotations

import gzip
import io
import re
import struct
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from srnn.export.errors import InputError
from srnn.export.reading.archives import (
    gunzip,
    read_mat,
    read_npy,
    read_npz,
    read_wav,
    tar_files,
)
from srnn.export.reading.limits import READ_BYTES


def npy(header: str, data: bytes = b"") -> bytes:
    text = header.encode("latin1") + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


GOOD = "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (npy(GOOD.replace("(2,)", "(1 << 40,)"), bytes(8)), "not a complete .npy"),
        (npy(GOOD.replace("(2,)", f"({1 << 40},)"), bytes(8)), "declares int32"),
        (npy(GOOD.replace("(2,)", "(3,)"), bytes(8)), "12 bytes, and holds 8"),
        (npy(GOOD.replace("(2,)", "(-2,)"), bytes(8)), "is no array"),
        (npy(GOOD.replace("<i4", "|O"), bytes(8)), "holds Python objects"),
        (npy(GOOD.replace("<i4", "|V0"), bytes(8)), "is no array|not a complete"),
        (npy("[" * 5000), "not a complete .npy"),
        (npy(GOOD.replace("<i4", "<U1"), b"\xff" * 8), "characters that do not exist"),
        (npy(GOOD.replace("<i4", ">U1"), b"\x00\x11\x00\x00" * 2), "characters that do not exist"),
        (
            npy("{'descr': '<i4', 'fortran_order': False, 'shape': (" + "9" * 5000 + ",), }"),
            "not a",
        ),
        (npy(GOOD)[:7] + b"\x00" + npy(GOOD)[8:], "not a complete .npy|version|declares"),
        (b"\x93NUMPY\x03\x00" + npy(GOOD)[8:], "version"),
    ],
)
def test_headers(tmp_path: Path, raw: bytes, said: str) -> None:
    (tmp_path / "a.npy").write_bytes(raw)
    tracemalloc.start()
    with pytest.raises(InputError, match=said):
        read_npy(tmp_path / "a.npy")
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("inputs.npy", raw)
    with pytest.raises(InputError):
        read_npz(tmp_path / "a.npz")


@given(st.binary(max_size=300), st.integers(0, 200))
def test_damaged_bytes_are_an_input_error(tmp_path_factory, noise, at):
    raw = npy(GOOD, bytes(8))
    path = tmp_path_factory.mktemp("x") / "a.npy"
    path.write_bytes(raw[:at] + noise + raw[at + len(noise) :])
    try:
        read_npy(path)
    except InputError as error:
        line = str(error)
    else:
        line = ""
    assert "\n" not in line


def test_a_member_that_inflates_too_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(READ_BYTES, "1000000")
    np.savez_compressed(tmp_path / "a.npz", inputs=np.zeros((1, 1000, 2000), np.uint8))
    with pytest.raises(InputError, match=f"asks for 2,000,.*{READ_BYTES}=2000"):
        read_npz(tmp_path / "a.npz")
    monkeypatch.setenv(READ_BYTES, "3000000")
    assert read_npz(tmp_path / "a.npz")["inputs"].shape == (1, 1000, 2000)
    monkeypatch.setenv(READ_BYTES, "much")
    with pytest.raises(InputError, match="not a number of bytes"):
        read_npz(tmp_path / "a.npz")


def test_members_that_are_encrypted_doubled_or_foreign(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, inputs=np.zeros(2))
    raw = bytearray(buffer.getvalue())
    raw[6] |= 1
    raw[raw.find(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "e.npz").write_bytes(bytes(raw))
    with pytest.raises(InputError, match="is encrypted"):
        read_npz(tmp_path / "e.npz")
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("inputs.npy", npy(GOOD, bytes(8)))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("inputs.npy", npy(GOOD, bytes(8)))
    with pytest.raises(InputError, match="two members"):
        read_npz(tmp_path / "d.npz")
    with zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("inputs.npy", npy(GOOD, bytes(8)))
    with pytest.raises(InputError, match="other than deflate"):
        read_npz(tmp_path / "b.npz")


def test_a_member_that_inflates_beyond_what_it_declares(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inputs.npy", bytes(64 << 20))
    raw = bytearray(buffer.getvalue())
    for signature, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", raw, raw.find(signature) + at, 200)
    (tmp_path / "a.npz").write_bytes(raw)
    tracemalloc.start()
    with pytest.raises(InputError, match=r"not a complete \.npz"):
        read_npz(tmp_path / "a.npz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_links_and_holes_of_an_archive_are_not_files() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        whole = tarfile.TarInfo("0.wav")
        whole.size = 3
        archive.addfile(whole, io.BytesIO(b"abc"))
        for name, kind in (("1.wav", tarfile.LNKTYPE), ("2.wav", tarfile.SYMTYPE)):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, "0.wav"
            archive.addfile(link)
    assert tar_files(buffer.getvalue(), re.compile("wav$"), "a") == [("0.wav", b"abc")]


def test_gzip_is_bounded_and_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = bytes(range(256)) * 1000
    assert gunzip(gzip.compress(plain), "a.gz") == plain
    assert gunzip(gzip.compress(b"a") + gzip.compress(b"b"), "a.gz") == b"ab"
    for bad in (gzip.compress(plain)[:-9], b"no", gzip.compress(plain) + b"x"):
        with pytest.raises(InputError, match="not a complete gzip file"):
            gunzip(bad, "a.gz")
    monkeypatch.setenv(READ_BYTES, "100000")
    with pytest.raises(InputError, match=READ_BYTES):
        gunzip(gzip.compress(bytes(5_000_000)), "a.gz")


@pytest.mark.parametrize("raw", [b"", b"RIFF", b"RIFF\xff\xff\xff\xffWAVEfmt ", b"MATLAB 5.0"])
def test_damaged_sound_and_matlab_files(raw: bytes) -> None:
    for read in (read_wav, read_mat):
        with pytest.raises(InputError, match=r"there: not a"):
            read(raw, "there")


def test_arrays_are_what_numpy_wrote(tmp_path: Path) -> None:
    arrays = {
        "a": np.arange(6).reshape(2, 3), "f": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "t": np.array(["x", "yz"]), "s": np.array(3), "e": np.zeros((0, 2)),
    }  # fmt: skip
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    found = read_npz(tmp_path / "a.npz")
    for name, values in arrays.items():
        np.testing.assert_array_equal(found[name], values)
        np.save(tmp_path / "a.npy", values)
        np.testing.assert_array_equal(read_npy(tmp_path / "a.npy"), values)
