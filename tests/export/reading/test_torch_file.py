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
