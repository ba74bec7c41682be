"""``digits``: scikit-learn's 1797 handwritten digits of 8 x 8 pixels, pixel by pixel.

64 steps, graded inputs 0..16; small enough to train in seconds. Source: UCI Optical Recognition of
Handwritten Digits (CC BY 4.0), bundled with scikit-learn.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass

import numpy as np

from ..export.extras import how_to_install
from .base import Split, Task
from .encoders import SlidingWindow
from .errors import DataError
from .splits import split_by_fractions

FULL = 16


@dataclass(frozen=True)
class DigitsOptions:
    """Options of ``digits``.

    Parameters
    ----------
    window
        Consecutive pixels shown at each step, as channels. The last steps repeat the final window.
    validation
        Fraction of the images that validates, stratified by class.
    test
        Fraction of the images that tests, stratified by class.
    seed
        Seed of the split.
    """

    window: int = 1
    validation: float = 0.2
    test: float = 0.2
    seed: int = 0


def load_digits_task(
    options: DigitsOptions,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = False,
) -> Task:
    """Load the digits: inputs uint8 (N, 64, window), targets (N,).

    ``data_dir`` and ``download`` are not used: the images come with scikit-learn.
    """
    del data_dir, download
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError(
            "digits: needs scikit-learn, which is not installed here; run: "
            f"{how_to_install('digits')}"
        ) from error
    images, labels = load_digits(return_X_y=True)
    encoder = SlidingWindow(window=options.window, full=FULL)
    inputs = encoder.encode(np.asarray(images)[:, :, None])
    targets = np.asarray(labels).astype(np.int64)
    fractions = (1.0 - options.validation - options.test, options.validation, options.test)
    train, validation, test = (
        Split(inputs[part], targets[part])
        for part in split_by_fractions(targets, fractions, options.seed)
    )
    return Task(
        name="digits",
        train=train,
        validation=validation,
        test=test,
        classes=tuple(str(digit) for digit in range(10)),
        message_bits=encoder.message_bits,
        input_scale=encoder.input_scale,
        options=asdict(options),
        encoder=encoder.plain(),
    )
