"""Run by torchrun from ``test_watch.py``: a sample that one of two processes has diverges."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from srnn.train.faults import DivergedError
from srnn.train.loop import fit
from srnn.train.parallel import joined, leave
from train_helpers import task
from train_outliers import readout_alone, silent, with_outlier


def main() -> None:
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    lines = []
    with joined("cpu") as processes:
        for part, sample in (("train", 13), ("validation", 8)):
            data = with_outlier(silent(task()), part, sample)
            try:
                fit(readout_alone(epochs=1), data, folder / "run", processes=processes)
            except DivergedError as error:
                lines.append(str(error))
        (folder / f"{processes.rank}.txt").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
    leave(0)
