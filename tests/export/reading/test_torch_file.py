"""Small files of torch that became gigabytes, or never ended."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
from srnn.export.errors import InputError
from srnn.export.reading.torch_file import read_torch

pytestmark = pytest.mark.extra("train")


def saved(path: Path, content: Any) -> Path:
    import torch

    torch.save(content, path)
    return path


def test_a_tensor_larger_than_its_data(tmp_path: Path) -> None:
    import torch

    path = saved(tmp_path / "a.pt", {"w": torch.zeros(1).expand(1 << 20, 1 << 10)})
    assert path.stat().st_size < 10_000
    with pytest.raises(InputError, match=r"a tensor \(1048576, 1024\) .* on 4 bytes of data"):
        read_torch(path)


def test_lists_that_are_shared_until_they_are_too_many(tmp_path: Path) -> None:
    laughs: list[Any] = ["ha"]
    for _ in range(20):
        laughs = [laughs] * 10
    with pytest.raises(InputError, match="1,000,000 values"):
        read_torch(saved(tmp_path / "a.pt", {"config": laughs}))


def test_a_list_that_holds_itself(tmp_path: Path) -> None:
    itself: list[Any] = []
    itself.append(itself)
    with pytest.raises(InputError, match="a list that holds itself"):
        read_torch(saved(tmp_path / "a.pt", {"metrics": itself}))


def test_an_archive_that_inflates_too_far(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\x80\x02}.")
        with archive.open("a/data/0", "w", force_zip64=True) as member:
            for _ in range(1100):
                member.write(bytes(1 << 20))
    with pytest.raises(InputError, match="SRNN_READ_BYTES"):
        read_torch(path)


def test_plain_values_are_read(tmp_path: Path) -> None:
    import torch

    content = {"a": [1, 2.5, "x", None, True], "w": torch.arange(4)[::2], "deep": {"b": (1,)}}
    found = read_torch(saved(tmp_path / "a.pt", content))
    assert found["a"] == content["a"]
    assert found["w"].tolist() == [0, 2]


@pytest.mark.parametrize("zipped", [True, False])
def test_what_torch_reads_is_read_to_the_same_bits(tmp_path: Path, zipped: bool) -> None:
    import torch

    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(layer.parameters())
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    base = torch.arange(24, dtype=torch.float64).reshape(2, 3, 4)
    content = {
        "state": layer.state_dict(),
        "optimizer": optimizer.state_dict(),
        "random": torch.get_rng_state(),
        "views": [base[1], base.permute(2, 0, 1), base[:, ::2], base[:0], base[1, 2, 3]],
        "types": [torch.ones(3, dtype=getattr(torch, n)) for n in ("bfloat16", "bool", "int16")],
        # torch wrote none before 1.6.
        "more": torch.ones(3, dtype=torch.uint16) if zipped else None,
        3: (None, True, -1, 1 << 62, 0.5, "x", {}, [], ()),
    }
    path = tmp_path / "a.pt"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)

    def same(one: Any, other: Any) -> bool:
        if isinstance(one, torch.Tensor):
            return one.dtype == other.dtype and torch.equal(one, other)
        if isinstance(one, dict):
            return list(one) == list(other) and all(same(one[k], other[k]) for k in one)
        if isinstance(one, (list, tuple)):
            return len(one) == len(other) and all(map(same, one, other))
        return type(one) is type(other) and one == other

    assert same(torch.load(path, weights_only=True), read_torch(path))


def archive_of(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_a_key_of_tuples_that_share_tuples_is_not_hashed(tmp_path: Path) -> None:
    # Its hash would be that of 2**60 numbers.
    pairs = b"".join(b"q" + bytes([n]) + b"h" + bytes([n]) + b"\x86" for n in range(60))
    members = {"a/data.pkl": b"\x80\x02}K\x01\x85" + pairs + b"K\x02s."}
    more = {"a/byteorder": b"little", "a/version": b"3\n"}
    path = archive_of(tmp_path / "a.pt", {**members, **more})
    with pytest.raises(InputError, match="damaged, or holds Python objects"):
        read_torch(path)


def test_a_storage_smaller_than_its_pickle_says(tmp_path: Path) -> None:
    import torch

    with zipfile.ZipFile(saved(tmp_path / "a.pt", {"w": torch.zeros(4)})) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    folder = next(name for name in members if name.endswith("data.pkl")).removesuffix("data.pkl")
    members[f"{folder}data.pkl"] = members[f"{folder}data.pkl"].replace(b"K\x04", b"J\0\0\x10\0")
    with pytest.raises(InputError, match="storage '0' holds 16 bytes, its pickle says 4,194,304"):
        read_torch(archive_of(tmp_path / "b.pt", members))


def test_nothing_but_what_is_known_is_imported_or_called(tmp_path: Path) -> None:
    for code in (b"cos\nsystem\nX\x04\0\0\0true\x85R.", b"ccollections\nOrderedDict\n]\x85R."):
        path = archive_of(tmp_path / "a.pt", {"a/data.pkl": b"\x80\x02" + code})
        with pytest.raises(InputError):
            read_torch(path)
