"""TensorBoard's event file: read by TensorBoard itself, whole whatever happens."""

from __future__ import annotations

from pathlib import Path

import pytest
from full_disk import full_after
from srnn.train.event_file import FOLDER, scalars
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

pytestmark = pytest.mark.extra("train")


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    found = EventAccumulator(str(folder / FOLDER))
    found.Reload()
    names = found.Tags()["scalars"]
    return {name: [(e.step, e.value) for e in found.Scalars(name)] for name in names}


def write(folder: Path, epoch: int, steps: range) -> None:
    with scalars(folder, epoch) as log:
        for step in steps:
            log("loss", step + epoch / 8, step)
            log("rate", 0.5, step)


def test_values_come_back(tmp_path: Path) -> None:
    write(tmp_path, 0, range(1, 4))
    assert read(tmp_path) == {
        "loss": [(1, 1.0), (2, 2.0), (3, 3.0)],
        "rate": [(1, 0.5), (2, 0.5), (3, 0.5)],
    }


def test_what_a_resumed_run_repeats_is_void(tmp_path: Path) -> None:
    write(tmp_path, 0, range(1, 6))
    write(tmp_path, 2, range(3, 5))
    assert read(tmp_path)["loss"] == [(1, 1.0), (2, 2.0), (3, 3.25), (4, 4.25)]
    assert len(list((tmp_path / FOLDER).iterdir())) == 2


def test_nothing_logged_is_nothing_written(tmp_path: Path) -> None:
    write(tmp_path, 0, range(0))
    with scalars(tmp_path, 0, writes=False) as log:
        log("loss", 1.0, 1)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_whole_records(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with full_after(300), pytest.raises(OSError, match="too large") as raised:
        write(tmp_path, 0, range(1, 20))
    (file,) = (tmp_path / FOLDER).iterdir()
    assert raised.value.filename == str(file)
    assert capsys.readouterr() == ("", "")
    values = read(tmp_path)["loss"]
    assert values == [(step, float(step)) for step in range(1, len(values) + 1)]
    assert 0 < len(values) < 19
