"""``smnist`` and ``psmnist``: MNIST pixel by pixel, 784 steps, in order or permuted.

Encodings of Yin, Corradi and Bohte: S-MNIST shows 8 raw pixels at a time (2021), PS-MNIST 4 pixels
binarised at 0.1 (2022). Their permutation was drawn without a seed and never published; ours is
seeded and stored in the encoder. Source of the images: LeCun, Cortes, Burges.
"""

from __future__ import annotations

import os
import struct
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from .base import Split, Task
from .encoders import SlidingWindow
from .errors import DataError
from .files import Source, read_file
from .pixels import PixelWindows
from .splits import hold_out, seeded_permutation

SOURCE = Source(
    folder="mnist",
    base_url="https://ossci-datasets.s3.amazonaws.com/mnist/",
    sha256={
        "train-images-idx3-ubyte": (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
        ),
        "train-labels-idx1-ubyte": (
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
        ),
        "t10k-images-idx3-ubyte": (
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
        ),
        "t10k-labels-idx1-ubyte": (
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
        ),
    },
    gzipped=True,
    licence="CC BY-SA 3.0",
)

STEPS = 784
_IDX_UBYTE = 0x08
_IDX_AXES = 4


@dataclass(frozen=True)
class SMnistOptions:
    """Options of ``smnist``.

    Parameters
    ----------
    window
        Consecutive pixels shown at each step, as channels. The last steps repeat the final window.
    binarise
        Pixels above this share of full intensity become spikes. Where not set, they stay graded.
    validation
        Number of training images held out: the last ones of a seeded shuffle.
    seed
        Seed of the shuffle of the training images.
    limit
        Largest number of images in each split, for small runs.
    """

    window: int = 8
    binarise: float | None = None
    validation: int = 5000
    seed: int = 0
    limit: int | None = None


@dataclass(frozen=True)
class PSMnistOptions(SMnistOptions):
    """Options of ``psmnist``: as ``smnist`` with other defaults, and the permutation's seed.

    Parameters
    ----------
    permutation_seed
        Seed of the random order of the pixels.
    """

    window: int = 4
    binarise: float | None = 0.1
    permutation_seed: int = 0


def load_smnist(
    options: SMnistOptions, data_dir: str | os.PathLike[str] | None = None, download: bool = False
) -> Task:
    """Load sequential MNIST: inputs uint8 (N, 784, window), made on request; targets (N,)."""
    encoder = SlidingWindow(window=options.window, binarise=options.binarise)
    return _load("smnist", options, encoder, data_dir, download)


def load_psmnist(
    options: PSMnistOptions, data_dir: str | os.PathLike[str] | None = None, download: bool = False
) -> Task:
    """Load permuted sequential MNIST; as ``smnist``, with the pixels in a seeded random order."""
    order = seeded_permutation(STEPS, options.permutation_seed)
    encoder = SlidingWindow(
        window=options.window, binarise=options.binarise, permutation=tuple(order.tolist())
    )
    return _load("psmnist", options, encoder, data_dir, download)


def _load(
    name: str,
    options: SMnistOptions,
    encoder: SlidingWindow,
    data_dir: str | os.PathLike[str] | None,
    download: bool,
) -> Task:
    if options.limit is not None and options.limit < 1:
        raise DataError(f"{name}: limit {options.limit} is below 1; leave it out for all images")

    def read(file: str) -> npt.NDArray[np.uint8]:
        return read_idx(read_file(SOURCE, file, data_dir, download), file)

    def split(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> Split:
        pixels = encoder.pixels(images.reshape(len(images), STEPS))
        return Split(PixelWindows(pixels, options.window), labels.astype(np.int64))

    images, labels = read("train-images-idx3-ubyte"), read("train-labels-idx1-ubyte")
    test_images, test_labels = read("t10k-images-idx3-ubyte"), read("t10k-labels-idx1-ubyte")
    train, validation = (
        part[: options.limit] for part in hold_out(len(images), options.validation, options.seed)
    )
    return Task(
        name=name,
        train=split(images[train], labels[train]),
        validation=split(images[validation], labels[validation]),
        test=split(test_images[: options.limit], test_labels[: options.limit]),
        classes=tuple(str(digit) for digit in range(10)),
        message_bits=encoder.message_bits,
        input_scale=encoder.input_scale,
        options=asdict(options),
        encoder=encoder.plain(),
    )


def read_idx(content: bytes, where: str) -> npt.NDArray[np.uint8]:
    """Return the array of an IDX file of unsigned bytes.

    Raises
    ------
    DataError
        Another type of file, or not as many bytes as its header says.
    """
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != _IDX_UBYTE:
        raise DataError(f"{where}: not an IDX file of unsigned bytes")
    axes = content[3]
    if not 1 <= axes <= _IDX_AXES:
        raise DataError(
            f"{where}: {axes} axes, an IDX file of images or labels has 1 to {_IDX_AXES}"
        )
    start = 4 + 4 * axes
    if len(content) < start:
        raise DataError(f"{where}: ends within its header")
    shape = struct.unpack(f">{axes}I", content[4:start])
    expected = int(np.prod(shape, dtype=object))
    if len(content) - start != expected:
        raise DataError(
            f"{where}: {len(content) - start} bytes of data, its header says {expected}"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)
