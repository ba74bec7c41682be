"""The folder that a run's processes share, where there is no room for it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from deploy_networks import cuba, spikes, stack
from full_disk import full_after
from srnn.deploy.lava.rundir import Job, RunDirectory


def job(steps: int = 100) -> Job:
    rng = np.random.default_rng(1)
    inputs = spikes(rng, 2, steps, 4).astype(np.int32)
    return Job(stack(rng, 4, [cuba(rng, 3)]), inputs, np.full(2, steps))


def test_the_room_of_a_run_is_taken_before_it_begins(tmp_path: Path) -> None:
    RunDirectory(tmp_path).write(job())
    records = list(tmp_path.glob("layer-*.npy"))
    assert len(records) == 3
    for path in records:
        found = path.stat()
        assert found.st_blocks * 512 >= found.st_size


def test_a_full_disk_names_what_has_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with full_after(100), pytest.raises(OSError, match="the file needs ") as raised:
        RunDirectory(tmp_path).write(job())
    assert raised.value.filename == str(tmp_path / "job.pickle")
    size = (2 * 100 * 3) * 4

    def full(_file: int, _offset: int, length: int) -> None:
        assert length > size
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(
        OSError, match=f"No space left on device; the file needs {size:,}"
    ) as raised:
        RunDirectory(tmp_path).write(job())
    assert str(raised.value.filename).endswith(".npy")
