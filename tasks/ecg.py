"""``ecg``: waves of the electrocardiogram, labelled at every step (PhysioNet QTDB).

Two leads, turned into up and down events by the published slope encoder; classes P, PQ, QR, RS, ST,
TP. Source: Yin, Corradi and Bohte, github.com/byin-cwi/Efficient-spiking-networks (MIT); PhysioNet
QT Database (ODC-By).
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..export.reading.archives import read_mat
from .base import Split, Task
from .encoders import Slope
from .errors import DataError
from .files import Source, read_file
from .splits import hold_out, hold_out_groups

SOURCE = Source(
    folder="qtdb_ecg",
    base_url=(
        "https://raw.githubusercontent.com/byin-cwi/Efficient-spiking-networks/"
        "bfd47cff62d26b0812bb2cc24c5f220245443a32/data/"
    ),
    sha256={
        "QTDB_train.mat": "72d1a10c96f1540880447e07256835d66da419c0b34f3dff495731a7928c5bc7",
        "QTDB_test.mat": "916f11e21679a5b61988305bbb7cd1e6df8b34f1ed4a157a7a4e295d400ef232",
    },
    licence="MIT (repository), ODC-By 1.0 (PhysioNet QTDB)",
)

CLASSES = ("P", "PQ", "QR", "RS", "ST", "TP")
STEPS = 1300
"""The last of the 1301 stored steps is a marker, (-1, 0, 0, 0) in every sequence."""

SKIP_STEPS = 10


@dataclass(frozen=True)
class EcgOptions:
    """Options of ``ecg``.

    Parameters
    ----------
    validation
        Number of sequences of the training file that are held out for validation.
    seed
        Seed of the choice of those sequences.
    stretch
        Number of neighbours in the file that are held out together. Neighbours look alike, as if
        from the same recording: with 1, the default, the network may have seen the patient of a
        validation sequence.
    """

    validation: int = 64
    seed: int = 0
    stretch: int = 1

    def __post_init__(self) -> None:
        if self.stretch < 1:
            raise DataError(f"stretch: {self.stretch} sequences; needs at least 1")


def load_ecg(
    options: EcgOptions, data_dir: str | os.PathLike[str] | None = None, download: bool = False
) -> Task:
    """Load QTDB: inputs uint8 (N, 1300, 4), targets (N, 1300), ``valid`` where labelled.

    Channels are lead 1 up, lead 1 down, lead 2 up, lead 2 down. 8.2 % of the training and 10.4 % of
    the test steps have no label; they hold target 0 (P) and count as such in the published metric.
    ``dt`` is None: the database is sampled at 250 Hz, but the file does not say whether its
    sequences were resampled.
    """
    training = _read("QTDB_train.mat", data_dir, download)
    if options.stretch == 1:
        train, validation = hold_out(len(training), options.validation, options.seed)
    else:
        stretches = np.arange(len(training)) // options.stretch
        count = -(-options.validation // options.stretch)
        train, validation = hold_out_groups(stretches, count, options.seed)
    return Task(
        name="ecg",
        train=training.take(train),
        validation=training.take(validation),
        test=_read("QTDB_test.mat", data_dir, download),
        classes=CLASSES,
        skip_steps=SKIP_STEPS,
        options=asdict(options),
        encoder=Slope().plain(),
    )


def _read(name: str, data_dir: str | os.PathLike[str] | None, download: bool) -> Split:
    content: dict[str, Any] = read_mat(read_file(SOURCE, name, data_dir, download), name, DataError)
    x, y = content["x"][:, :STEPS], content["y"][:, :STEPS]
    if not np.isin(x, (0, 1)).all():
        raise DataError(f"{name}: events other than 0 and 1")
    return Split(x.astype(np.uint8), y.argmax(axis=-1).astype(np.int64), valid=y.any(axis=-1))
