"""What ``srnn-export`` writes where there is no room: one line, exit code 2, nothing left."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from full_disk import command_on_full_disk, full_after
from paths import ROOT
from srnn.export.checkpoint import read_model, write_model
from srnn.export.netx import read_net, read_samples, write_net

MODEL = ROOT / "zoo" / "digits.pt"
NETWORK = ROOT / "zoo" / "digits.net"


@pytest.mark.extra("train")
@pytest.mark.parametrize("share", [0, 0.5, 0.999])
def test_no_network_and_no_model(tmp_path: Path, share: float) -> None:
    network, samples, model = read_net(NETWORK), read_samples(NETWORK), read_model(MODEL)
    for name, write in (
        ("model.net", lambda path: write_net(path, network, samples)),
        ("model.pt", lambda path: write_model(path, model)),
    ):
        write(tmp_path / name)
        size = (tmp_path / name).stat().st_size
        (tmp_path / name).unlink()
        path = tmp_path / "new" / name
        text = f"too large; the file needs {size:,} bytes"
        with full_after(int(size * share)), pytest.raises(OSError, match=text) as raised:
            write(path)
        assert raised.value.filename == str(path)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.extra("train")
def test_the_command_ends_in_a_line(tmp_path: Path) -> None:
    """In a process of its own: the HDF5 library crashed when it closed such a file."""
    path = tmp_path / "new" / "model.net"
    ended = command_on_full_disk(5000, "srnn.export", MODEL, "-o", path)
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.startswith(f"srnn-export: {path}: File too large; the file needs ")
    assert ended.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.extra("train")
def test_an_old_network_stays(tmp_path: Path) -> None:
    shutil.copy(NETWORK, tmp_path / "model.net")
    ended = command_on_full_disk(5000, "srnn.export", MODEL, "-o", tmp_path / "model.net")
    assert ended.returncode == 2
    assert (tmp_path / "model.net").read_bytes() == NETWORK.read_bytes()
