"""``shd`` and ``ssc``: the Spiking Heidelberg Digits and the Spiking Speech Commands.

Spikes of an artificial cochlea of 700 units. Source: Cramer, Stradmann, Schemmel and Zenke, "The
Heidelberg Spiking Data Sets for the Systematic Evaluation of Spiking Neural Networks" (CC BY 4.0).
The files hold ``spikes/times`` (seconds, float16) and ``spikes/units`` (0 to 699), ``labels``, and
``extra/keys``, the names of the classes; those of ``shd`` also ``extra/speaker``.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..export.reading.hdf5 import Hdf5File, opened
from .base import Split, Task
from .binning import Binning
from .encoders import Unencoded
from .errors import DataError
from .event_lists import EventLists
from .files import find_file
from .splits import hold_out_groups, split_by_fractions

ADDRESS = "https://zenkelab.org/datasets/"
UNITS = 700
SHD_CLASSES, SSC_CLASSES = 20, 35
_CHUNK = 1024


@dataclass(frozen=True)
class SscOptions:
    """Options of ``ssc``.

    Parameters
    ----------
    binning
        How spike times become steps: even, published. With ``even`` a spike falls into step
        floor(time / dt); ``published`` is the rule of the published recipe, which loses unit 0 and
        reverses the channels; see ``binning.Binning``.
    dt
        Seconds per step.
    steps
        Number of steps; later spikes are dropped. The published recipes use the first second;
        1.4 seconds hold everything.
    skip_steps
        Number of first steps that the readout ignores. The published recipe of SHD has 11.
    limit
        Largest number of sequences read from each file, for small runs.
    """

    binning: str = "even"
    dt: float = 0.004
    steps: int = 250
    skip_steps: int = 0
    limit: int | None = None

    def __post_init__(self) -> None:
        self.rule()
        if self.limit is not None and self.limit < 1:
            raise DataError(f"limit: {self.limit} is below 1; leave it out for all sequences")

    def rule(self) -> Binning:
        """Return the binning."""
        return Binning(self.binning, self.dt, self.steps, UNITS)


@dataclass(frozen=True)
class ShdOptions(SscOptions):
    """Options of ``shd``: those of ``ssc``, and the validation split, which the files lack.

    Parameters
    ----------
    validation_speakers
        Number of speakers of the training file, drawn with ``seed``, who validate. All their
        sequences are held out: the test file too has speakers that do not occur in training. 0
        holds out sequences of all speakers.
    validation
        With validation_speakers 0, the fraction of every class that validates.
    seed
        Seed of the draw of what validates.
    """

    validation_speakers: int = 1
    validation: float = 0.1
    seed: int = 0


@dataclass(frozen=True, eq=False)
class SpikeFile:
    """A file of spikes, binned: ``split``, class names, and int64 (N,) speakers or None."""

    split: Split
    classes: tuple[str, ...]
    speakers: npt.NDArray[np.int64] | None


def load_shd(
    options: ShdOptions, data_dir: str | os.PathLike[str] | None = None, download: bool = False
) -> Task:
    """Load SHD: inputs event lists (N, steps, 700), targets (N,).

    ``download`` is not used: the publisher gives no checksum to verify a file with.

    Raises
    ------
    DataError
        A file is missing, damaged or has another layout, or nothing can be held out.
    """
    del download
    train_file, test_file = (
        read_spikes(_find("shd", f"shd_{part}.h5", data_dir), options, SHD_CLASSES)
        for part in ("train", "test")
    )
    train, validation = _held_out(train_file, options)
    splits = {"train": train, "validation": validation, "test": test_file.split}
    return _task("shd", options, train_file.classes, splits)


def load_ssc(
    options: SscOptions, data_dir: str | os.PathLike[str] | None = None, download: bool = False
) -> Task:
    """Load SSC with its own validation file: inputs event lists (N, steps, 700), targets (N,).

    ``download`` is not used, as for ``shd``.

    Raises
    ------
    DataError
        A file is missing, damaged or has another layout.
    """
    del download
    files = {
        name: read_spikes(_find("ssc", f"ssc_{part}.h5", data_dir), options, SSC_CLASSES)
        for name, part in (("train", "train"), ("validation", "valid"), ("test", "test"))
    }
    splits = {name: file.split for name, file in files.items()}
    return _task("ssc", options, files["train"].classes, splits)


def _task(
    name: str, options: SscOptions, classes: tuple[str, ...], splits: dict[str, Split]
) -> Task:
    return Task(
        name=name,
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        classes=classes,
        dt=options.dt,
        skip_steps=options.skip_steps,
        options=asdict(options),
        encoder=Unencoded().plain(),
    )


def _held_out(file: SpikeFile, options: ShdOptions) -> tuple[Split, Split]:
    if options.validation_speakers == 0:
        fractions = (1 - options.validation, options.validation)
        parts = split_by_fractions(file.split.targets, fractions, options.seed)
    elif file.speakers is None:
        raise DataError(
            "shd_train.h5: holds no extra/speaker to hold speakers out by; set the option "
            "validation_speakers to 0"
        )
    else:
        parts = hold_out_groups(file.speakers, options.validation_speakers, options.seed)
    train, validation = (file.split.take(part) for part in parts)
    return train, validation


def _find(folder: str, name: str, data_dir: str | os.PathLike[str] | None) -> Path:
    advice = (
        f"get {ADDRESS}{name}.gz, unpack it with gunzip, and name its folder with --data DIR or "
        "put it there"
    )
    return find_file(folder, name, data_dir, advice)


def read_spikes(path: Path, options: SscOptions, classes: int) -> SpikeFile:
    """Read and bin a file of the published layout.

    Raises
    ------
    DataError
        Not such a file, or damaged, or a value out of range, with the file and the sequence.
    """
    rule = options.rule()
    with opened(path, "a complete HDF5 file; download it again", DataError) as file:
        times, units, labels = (
            _dataset(file, name, path) for name in ("spikes/times", "spikes/units", "labels")
        )
        if not len(times) == len(units) == len(labels):
            raise DataError(
                f"{path}: {len(times)} sequences of times, {len(units)} of units, {len(labels)} "
                "labels"
            )
        count = len(labels) if options.limit is None else min(options.limit, len(labels))
        # Collected chunk by chunk: codes take four times the memory of their lists.
        parts, found, late, latest = [rule.collect([])], 0, 0, 0.0
        for start in range(0, count, _CHUNK):
            part = slice(start, min(start + _CHUNK, count))
            codes = []
            lists = (file.rows(of, of.name, part.start, part.stop) for of in (times, units))
            pairs = zip(*lists, strict=True)
            for index, (when, which) in enumerate(pairs, start):
                try:
                    codes.append(rule.codes(np.asarray(when), np.asarray(which)))
                except DataError as error:
                    raise DataError(f"{path}: sequence {index}: {error}") from None
                after = np.asarray(when, np.float64) >= rule.steps * rule.dt
                found, late = found + after.size, late + int(after.sum())
                latest = max(latest, float(np.max(when, initial=0.0)))
            parts.append(rule.collect(codes))
        unit = _likely_unit(latest, rule.steps * rule.dt)
        if late > found / 2 and unit:
            raise DataError(
                f"{path}: {late} of {found} events lie after the last of {rule.steps} steps of "
                f"{rule.dt:g} s, the latest at {latest:g}; times are in seconds, these look like "
                f"{unit}"
            )
        targets = _whole(labels[:count], "labels", path)
        if len(targets) and not 0 <= targets.min() <= targets.max() < classes:
            raise DataError(
                f"{path}: labels {targets.min()} to {targets.max()} are outside 0..{classes - 1}"
            )
        speakers = _list(file, "extra/speaker")
        return SpikeFile(
            Split(EventLists.joined(parts), targets),
            _names(_list(file, "extra/keys"), classes),
            None if speakers is None else _speakers(speakers[:count], count, path),
        )


def _likely_unit(latest: float, window: float) -> str:
    """Return the unit that times seem to have, and how to fix it; empty where it is seconds.

    A recording of a few windows is cut on purpose; a unit is off by a thousand.
    """
    for factor, name in ((1e-3, "milliseconds"), (1e-6, "microseconds"), (1e-9, "nanoseconds")):
        if latest > 20 * window and latest * factor <= 10 * window:
            return f"{name}: multiply by {factor:g}"
    return ""


def _list(file: Hdf5File, name: str) -> Any:
    return file.dataset(name, axes=1)


def _dataset(file: Hdf5File, name: str, path: Path) -> Any:
    found = _list(file, name)
    if found is None:
        raise DataError(
            f"{path}: no list {name!r}; the published files hold spikes/times, spikes/units and "
            "labels"
        )
    return found


def _whole(values: npt.NDArray[Any], name: str, path: Path) -> npt.NDArray[np.int64]:
    if values.dtype.kind not in "iu":
        raise DataError(f"{path}: {name} of type {values.dtype}, needs integers")
    return values.astype(np.int64)


def _speakers(values: npt.NDArray[Any], count: int, path: Path) -> npt.NDArray[np.int64]:
    if values.shape != (count,):
        raise DataError(f"{path}: extra/speaker {values.shape}, needs ({count},)")
    return _whole(values, "extra/speaker", path)


def _names(keys: Any, classes: int) -> tuple[str, ...]:
    if keys is None or keys.shape != (classes,):
        return tuple(str(index) for index in range(classes))
    return tuple(key.decode() if isinstance(key, bytes) else str(key) for key in keys[:])
