"""What every task must hold."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from srnn.tasks import Task, encoder_from_plain, load


def check_description(task: Task, data_dir: Path | None) -> None:
    plain = task.description()
    assert json.loads(json.dumps(plain)) == plain
    again = load(task.name, data_dir, plain["options"])
    assert again.description() == plain
    assert digest(again) == digest(task)
    encoder = encoder_from_plain(plain["encoder"])
    assert encoder.message_bits == task.message_bits
    assert encoder.input_scale == task.input_scale


def digest(task: Task) -> list[object]:
    return [
        (name, np.asarray(split.take(range(5)).inputs).tolist(), split.targets.tolist())
        for name, split in task.splits().items()
    ]
