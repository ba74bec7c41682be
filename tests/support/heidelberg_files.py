"""Small files in the layout of SHD and SSC: spikes whose channels depend on the class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np


def spikes(
    rng: np.random.Generator, label: int, classes: int, seconds: float = 1.2
) -> tuple[np.ndarray, np.ndarray]:
    """Times float16, ascending, and units uint16 around a place that the label sets."""
    count = int(rng.integers(40, 120))
    times = np.sort(rng.uniform(0, seconds, count)).astype(np.float16)
    centre = 700 * (label + 0.5) / classes
    units = np.clip(rng.normal(centre, 12, count), 0, 699).astype(np.uint16)
    return times, units


def write_file(
    path: Path,
    sequences: list[tuple[np.ndarray, np.ndarray]],
    labels: np.ndarray,
    speakers: np.ndarray | None = None,
    keys: list[bytes] | None = None,
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for column, (name, kind) in enumerate((("times", np.float16), ("units", np.uint16))):
            held: Any = file.create_dataset(
                f"spikes/{name}", (len(sequences),), dtype=h5py.vlen_dtype(kind)
            )
            for index, sequence in enumerate(sequences):
                held[index] = sequence[column]
        file["labels"] = labels.astype(np.uint16)
        if speakers is not None:
            file["extra/speaker"] = speakers.astype(np.uint16)
        if keys is not None:
            file["extra/keys"] = np.array(keys)
    return path


def write_shd(folder: Path, train: int = 80, test: int = 40, classes: int = 20) -> Path:
    """Write ``shd/shd_train.h5`` with speakers 0 to 3 and ``shd_test.h5``; return ``folder``."""
    keys = [f"word {index}".encode() for index in range(classes)]
    for seed, (part, count) in enumerate((("train", train), ("test", test))):
        rng = np.random.default_rng(seed)
        labels = np.arange(count) % classes
        write_file(
            folder / "shd" / f"shd_{part}.h5",
            [spikes(rng, int(label), classes) for label in labels],
            labels,
            np.arange(count) // classes % 4,
            keys,
        )
    return folder


def write_ssc(folder: Path, count: int = 70) -> Path:
    for seed, part in enumerate(("train", "valid", "test")):
        rng = np.random.default_rng(seed)
        labels = np.arange(count) % 35
        sequences = [spikes(rng, int(label), 35) for label in labels]
        write_file(folder / "ssc" / f"ssc_{part}.h5", sequences, labels)
    return folder
