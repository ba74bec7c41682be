"""What an HDF5 file from outside may not do to any of the readers."""

from __future__ import annotations

import fcntl
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from simulate_networks import random_network
from srnn.export.errors import InputError
from srnn.export.netx import read_net, write_net
from srnn.export.reading.hdf5 import opened
from srnn.export.reading.limits import READ_BYTES
from srnn.simulate.inputs import read_inputs
from srnn.simulate.tracefile import read_trace
from srnn.tasks.heidelberg import SscOptions, read_spikes
from srnn.tasks.readers import read_recordings

NETWORK = random_network(3, ["SRNN_ALIF", "SRNN_LI"], [4, 2], 2)
SECRET = np.zeros((3, 8, 2), np.int32)


def external_link(file: h5py.File, name: str, folder: Path) -> None:
    with h5py.File(folder / "secret.h5", "w") as other:
        other["inputs"] = SECRET
    file[name] = h5py.ExternalLink("secret.h5", "/inputs")


def soft_link(file: h5py.File, name: str, folder: Path) -> None:
    del folder
    file["elsewhere/x"] = SECRET
    file[name] = h5py.SoftLink("/elsewhere/x")


def virtual(file: h5py.File, name: str, folder: Path) -> None:
    with h5py.File(folder / "secret.h5", "w") as other:
        other["inputs"] = SECRET
    layout = h5py.VirtualLayout(SECRET.shape, np.int32)
    layout[:] = h5py.VirtualSource(folder / "secret.h5", "inputs", SECRET.shape)
    file.create_virtual_dataset(name, layout)


def external_storage(file: h5py.File, name: str, folder: Path) -> None:
    (folder / "raw").write_bytes(bytes(SECRET.nbytes))
    file.create_dataset(
        name, SECRET.shape, np.int32, external=[(str(folder / "raw"), 0, SECRET.nbytes)]
    )


def tiny_chunks(file: h5py.File, name: str, folder: Path) -> None:
    del folder
    file.create_dataset(name, (1 << 14, 1 << 10, 2), np.int32, chunks=(1, 1, 1))


def huge(file: h5py.File, name: str, folder: Path) -> None:
    del folder
    file.create_dataset(name, (1 << 20, 1 << 10, 2), np.int32, chunks=(1 << 10, 1 << 10, 2))


def lzf(file: h5py.File, name: str, folder: Path) -> None:
    del folder
    file.create_dataset(name, data=SECRET, compression="lzf")


def deflate_twice(file: h5py.File, name: str, folder: Path) -> None:
    del folder
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_chunk(SECRET.shape)
    made.set_deflate(9)
    made.set_deflate(9)
    space, kind = h5py.h5s.create_simple(SECRET.shape), h5py.h5t.NATIVE_INT32
    h5py.h5d.create(file.id, name.encode(), kind, space, made)


def inflates_beyond(file: h5py.File, name: str, folder: Path) -> None:
    del folder
    of = file.create_dataset(name, SECRET.shape, np.int32, chunks=SECRET.shape, compression="gzip")
    deflate = zlib.compressobj(9)
    raw = b"".join(deflate.compress(bytes(1 << 20)) for _ in range(300)) + deflate.flush()
    of.id.write_direct_chunk((0, 0, 0), raw)


def holds_less(file: h5py.File, name: str, folder: Path) -> None:
    del folder
    of = file.create_dataset(name, SECRET.shape, np.int32, chunks=SECRET.shape, compression="gzip")
    # The library read beyond its memory here, and ended with a segmentation fault.
    of.id.write_direct_chunk((0, 0, 0), zlib.compress(bytes(8)))


def without_shuffle(file: h5py.File, name: str, folder: Path) -> None:
    del folder
    of = file.create_dataset(
        name, SECRET.shape, np.int32, chunks=SECRET.shape, compression="gzip", shuffle=True
    )
    of.id.write_direct_chunk((0, 0, 0), zlib.compress(bytes(1 << 22)), filter_mask=1)


def without_deflate(file: h5py.File, name: str, folder: Path) -> None:
    del folder
    of = file.create_dataset(name, SECRET.shape, np.int32, chunks=SECRET.shape, compression="gzip")
    of.id.write_direct_chunk((0, 0, 0), bytes(8), filter_mask=1)


def unstored(file: h5py.File, name: str, folder: Path) -> None:
    del folder
    file.create_dataset(name, (960, 1000, 60), np.int32, chunks=(960, 1000, 1))


def compound(file: h5py.File, name: str, folder: Path) -> None:
    del folder
    file[name] = np.zeros(3, [("a", "i4"), ("b", "f8")])


ATTACKS: dict[str, tuple[Callable[[h5py.File, str, Path], None], str]] = {
    "external link": (external_link, "soft or external link"),
    "soft link": (soft_link, "soft or external link"),
    "virtual": (virtual, "in other files"),
    "external storage": (external_storage, "in other files"),
    "tiny chunks": (tiny_chunks, "16,777,216 chunks|33,554,432 chunks"),
    "huge": (huge, f"asks for .*{READ_BYTES}"),
    "lzf": (lzf, "filter 32000"),
    "deflate twice": (deflate_twice, "a filter twice"),
    "inflates": (inflates_beyond, "a chunk inflates beyond its 192 bytes"),
    "holds less": (holds_less, "a chunk holds 8 of its 192 bytes"),
    "without shuffle": (without_shuffle, "a chunk inflates beyond its 192 bytes"),
    "without deflate": (without_deflate, "a chunk holds 8 of its 192 bytes"),
    "unstored": (unstored, "that the file does not hold"),
    "compound": (compound, "numbers|needs int32"),
}


def as_recordings(path: Path) -> Any:
    return read_recordings(path)


def as_inputs(path: Path) -> Any:
    return read_inputs(path, NETWORK)


def as_spikes(path: Path) -> Any:
    return read_spikes(path, SscOptions(), 20)


READERS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "arrays": (as_recordings, "inputs"),
    "--input": (as_inputs, "inputs"),
    "trace": (read_trace, "output"),
    "net": (read_net, "layer/1/weight"),
    "shd": (as_spikes, "labels"),
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("reader", READERS)
def test_every_reader_refuses(reader: str, attack: str, tmp_path: Path) -> None:
    read, name = READERS[reader]
    path = tmp_path / "a.h5"
    if reader == "net":
        write_net(path, NETWORK)
    with h5py.File(path, "a") as file:
        if reader == "net":
            del file[name]
        if reader == "trace":
            file.attrs["format"], file.attrs["format_version"] = np.bytes_("srnn-trace"), 1
            file["lengths"] = np.zeros(3, np.int64)
        if reader == "shd":
            number = h5py.vlen_dtype(np.float32)
            for of in ("times", "units"):
                file.create_dataset(f"spikes/{of}", (3,), number)
        ATTACKS[attack][0](file, name, tmp_path)
    with pytest.raises(InputError) as raised:
        read(path)
    line = str(raised.value)
    assert "\n" not in line
    # A list of lists is not asked for where labels must be a list: that is said first.
    said = "|".join([ATTACKS[attack][1], *(["no list 'labels'"] if reader == "shd" else [])])
    assert re.search(said, line), line


def damaged_heap(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["inputs"] = np.zeros((2, 3, 2), np.int32)
        file["labels"] = ["a", "b"]
    raw = bytearray(path.read_bytes())
    start = raw.find(b"GCOL\x01")
    at = start + 16
    while int.from_bytes(raw[at : at + 2], "little"):
        at += 16 + (int.from_bytes(raw[at + 8 : at + 16], "little") + 7) // 8 * 8
    raw[at + 8 : at + 16] = bytes(8)
    path.write_bytes(bytes(raw))


def test_a_heap_that_the_library_never_leaves_is_refused(tmp_path: Path) -> None:
    damaged_heap(tmp_path / "a.h5")
    with pytest.raises(InputError, match=r"a\.h5: damaged string heap"):
        read_recordings(tmp_path / "a.h5")


def claim(path: Path, length: int) -> None:
    """Let the first entry of text claim to have so many bytes: its length stands in 4 bytes."""
    raw = bytearray(path.read_bytes())
    heap = raw.find(b"GCOL\x01").to_bytes(8, "little")
    at = raw.find(heap) - 4
    assert int.from_bytes(raw[at : at + 4], "little") == 5
    raw[at : at + 4] = length.to_bytes(4, "little")
    path.write_bytes(raw)


@pytest.mark.parametrize("chunks", [None, (2,)])
@pytest.mark.parametrize("filters", [{}, {"compression": "gzip"}])
def test_text_that_claims_gigabytes_takes_none(
    chunks: Any, filters: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "a.h5"
    if filters and chunks is None:
        pytest.skip("what is not in chunks has no filters")
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "a", data=["hello", "world"], dtype=h5py.string_dtype(), chunks=chunks, **filters
        )
    with opened(path) as file:
        assert file.read(file.dataset("/a"), "/a").tolist() == [b"hello", b"world"]
    if filters:
        return
    claim(path, 0xFFFFFFF0)
    with pytest.raises(InputError, match="more bytes than the file holds"), opened(path) as file:
        file.read(file.dataset("/a"), "/a")


def test_shuffled_lists_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        made = file.create_dataset(
            "a", (3,), h5py.vlen_dtype(np.int16), chunks=(2,), compression="gzip", shuffle=True
        )
        for index in range(3):
            made[index] = np.arange(index + 1)
    with opened(path) as file:
        found = file.read(file.dataset("/a"), "/a")
    assert [one.tolist() for one in found] == [[0], [0, 1], [0, 1, 2]]
    with h5py.File(path, "r+") as file:
        entries = np.zeros((2, 16), np.uint8)
        entries[1, :4] = 255
        file["a"].id.write_direct_chunk((0,), zlib.compress(entries.T.tobytes()))
    with pytest.raises(InputError, match="more bytes than the file holds"), opened(path) as file:
        file.read(file.dataset("/a"), "/a")


def test_attributes_of_variable_length_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.attrs["a"] = "hello"
    with opened(path) as file:
        assert file.attributes("/", "a") == {}
        with pytest.raises(InputError, match="attribute a: text of variable length"):
            file.attributes("/")


def test_heaps_that_overlap_take_linear_time(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["labels"] = ["a", "b"]
        one = b"GCOL\x01\x00\x00\x00" + (1 << 20).to_bytes(8, "little") + bytes(16)
        file["inputs"] = np.frombuffer(one * 65536, np.uint8).reshape(-1, 8, 2)
    with pytest.raises(InputError, match="damaged string heap"):
        read_recordings(path)


def test_many_references_to_one_value_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (4096,), h5py.string_dtype())
        file["x"][:] = "text" * 1000  # type: ignore[index]
    monkeypatch.setenv(READ_BYTES, "1000000")
    with opened(path) as file:
        found = file.dataset("x")
        assert found is not None
        # The limit is never below four times the file; a shared value exceeds it.
        file.size = 1000
        with pytest.raises(InputError, match=READ_BYTES):
            file.read(found, "x")


def test_attributes_are_few(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w", track_order=False, libver="latest") as file:
        for index in range(1001):
            file.attrs[f"a{index}"] = 1
    with (
        pytest.raises(InputError, match="more than 1000 attributes"),
        opened(tmp_path / "a.h5") as file,
    ):
        file.attributes("/")


def test_a_locked_file_is_said_to_be_locked(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["inputs"] = SECRET
    # As HDF5 itself locks what it writes.
    with path.open("rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        with pytest.raises(InputError, match=r"a\.h5: is locked: another program writes it"):
            read_recordings(path)


def test_what_the_readers_read_is_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    values = np.arange(3 * 8 * 2).reshape(3, 8, 2) % 2
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "inputs", data=values, chunks=(1, 8, 2), compression="gzip", shuffle=True,
            fletcher32=True,
        )  # fmt: skip
        file["labels"] = ["a", "b", "a"]
    np.testing.assert_array_equal(read_inputs_of(path), values)
    found = read_recordings(path)
    np.testing.assert_array_equal(found.labels, [0, 1, 0])


def read_inputs_of(path: Path) -> np.ndarray:
    with opened(path) as file:
        found = file.dataset("inputs", axes=3)
        assert found is not None
        return np.asarray(file.read(found, "inputs"))
