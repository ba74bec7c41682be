"""``arrays``: a user's own sequences and labels from files, without writing Python."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..export.suggest import check_known
from .base import MESSAGE_BITS_MAX, Split, Task
from .encoders import Encoder, Graded, LevelCrossing, Slope, Unencoded, encoder_from_plain
from .errors import DataError
from .readers import LABEL_FORMS, read_recordings
from .recordings import Recordings
from .splits import Indices, split_by_fractions

ENCODINGS = ("none", "level_crossing", "slope", "graded")
THRESHOLD_UNITS = ("std", "signal")
GRADED_BITS = 8


@dataclass(frozen=True)
class ArraysOptions:
    """Options of ``arrays``.

    Parameters
    ----------
    train
        File of the training data: ``.npz``, ``.h5``, ``.hdf5``, ``.csv`` or ``.ts``. A relative
        path is searched in ``--data``, in the current folder and in ``SRNN_DATA``.
    validation
        File of the validation data; where not set, drawn from the training file.
    test
        File of the test data; where not set, drawn from the training file.
    validation_fraction
        Fraction of the training file that validates, stratified by class.
    test_fraction
        Fraction of the training file that tests, stratified by class.
    seed
        Seed of the draw of those shares.
    labels
        What a label is of: ``sample``, ``step``, or ``auto`` (as the file has them).
    encoding
        How values become inputs: ``none``, ``level_crossing``, ``slope``, ``graded``. With ``none``
        they are spikes or integers already. Thresholds, offsets and scales are computed from the
        training split alone.
    threshold
        Threshold of the events of level_crossing and slope, in threshold_unit.
    threshold_unit
        ``std`` (of each channel) or ``signal`` (the units of the file).
    bits
        Bits of graded values without their sign. Where not set, 8 for ``graded``; for ``none`` what
        the training data needs (0, spikes, if it holds only 0 and 1).
    clip
        Largest magnitude of ``graded`` values, in standard deviations.
    dt
        Seconds per step.
    skip_steps
        Number of first steps that loss and accuracy ignore.
    """

    train: str
    validation: str | None = None
    test: str | None = None
    validation_fraction: float = 0.2
    test_fraction: float = 0.2
    seed: int = 0
    labels: str = "auto"
    encoding: str = "none"
    threshold: float = 0.5
    threshold_unit: str = "std"
    bits: int | None = None
    clip: float = 4.0
    dt: float | None = None
    skip_steps: int = 0

    def __post_init__(self) -> None:
        for name, allowed in (
            ("labels", LABEL_FORMS),
            ("encoding", ENCODINGS),
            ("threshold_unit", THRESHOLD_UNITS),
        ):
            check_known(name, getattr(self, name), allowed, "arrays", DataError)
        for name in ("threshold", "clip"):
            if not getattr(self, name) > 0:
                raise DataError(f"arrays, option {name}: {getattr(self, name)} is not above 0")


def load_arrays(
    options: ArraysOptions,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = False,
) -> Task:
    """Load the files that the options name; ``download`` is not used.

    Raises
    ------
    DataError
        A file is missing, damaged or unsuitable, files do not match, or a test label never occurs
        in training.
    """
    del download
    files = {name: getattr(options, name) for name in ("train", "validation", "test")}
    recordings = {
        name: read_recordings(find_file(file, data_dir), options.labels)
        for name, file in files.items()
        if file is not None
    }
    return make_task("arrays", recordings, options, asdict(options))


def make_task(
    name: str, recordings: dict[str, Recordings], options: ArraysOptions, described: dict[str, Any]
) -> Task:
    """Encode recordings, ``train`` and if given ``validation`` and ``test``; draw what is not.

    ``described``: the options that travel with the task.
    """
    training = recordings["train"]
    parts = _draw(training, options)
    encoder = fit_encoder(options, [training.signals[i] for i in parts["train"]])
    whole = make_split(training, encoder, training.names)
    splits = {part: whole.take(indices) for part, indices in parts.items()}
    for part, given in recordings.items():
        if part != "train":
            _check_alike(given, training.channels, training.per_step)
            splits[part] = make_split(given, encoder, training.names)
    return Task(
        name=name,
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        classes=training.names,
        message_bits=encoder.message_bits,
        input_scale=encoder.input_scale,
        dt=options.dt,
        skip_steps=options.skip_steps,
        options=described,
        encoder=encoder.plain(),
    )


def split_from_file(
    path: str | os.PathLike[str], description: Mapping[str, Any], label_form: str = "auto"
) -> Split:
    """Read and encode one file as a trained model's task did.

    Parameters
    ----------
    path
        A file of raw signals in one of the forms of ``arrays``.
    description
        A task's ``description()``, as ``model.pt`` and ``model.net`` hold it.
    label_form
        ``sample``, ``step`` or ``auto``.

    Raises
    ------
    DataError
        The file or the description cannot be used, or they do not match.
    """
    try:
        settings, classes = dict(description["encoder"]), tuple(description["classes"])
        per_step, input_size = description["per_step"], description["input_size"]
    except (KeyError, TypeError) as error:
        raise DataError(f"task description: {error} is missing or malformed") from error
    encoder = encoder_from_plain(settings)
    recordings = read_recordings(path, label_form)
    if encoder.output_channels(recordings.channels) != input_size:
        raise DataError(
            f"{recordings.source}: {recordings.channels} channels give "
            f"{encoder.output_channels(recordings.channels)} inputs, the model takes {input_size}"
        )
    _check_alike(recordings, recordings.channels, per_step)
    return make_split(recordings, encoder, classes)


def find_file(name: str, data_dir: str | os.PathLike[str] | None = None) -> Path:
    """Return the path of a named file in ``data_dir``, the current folder or ``SRNN_DATA``.

    Raises
    ------
    DataError
        It is in none of them.
    """
    if not name:
        raise DataError("arrays, option train: names no file")
    roots = [data_dir, ".", os.environ.get("SRNN_DATA")]
    candidates = [Path(root) / Path(name).expanduser() for root in roots if root]
    for path in candidates:
        if path.is_file():
            return path
    looked = ", ".join(dict.fromkeys(str(path.parent) for path in candidates))
    raise DataError(f"{name}: no such file in {looked}; give its folder with --data DIR")


def fit_encoder(options: ArraysOptions, signals: list[Any]) -> Encoder:
    """Return the encoder of the options, its parameters taken from the training signals (T_i, C).

    A channel that is constant in training is given standard deviation 1.
    """
    steps = np.concatenate(signals)
    # Of a constant such as 0.1 the mean, hence the deviation, is off by a rounding error.
    constant = steps.min(axis=0) == steps.max(axis=0)
    center = np.where(constant, steps[0], steps.mean(axis=0))
    spread = np.where(constant, 1.0, steps.std(axis=0))
    if options.encoding == "none":
        return Unencoded(_needed_bits(steps) if options.bits is None else options.bits)
    if options.encoding == "graded":
        bits = GRADED_BITS if options.bits is None else options.bits
        unit = options.clip / ((1 << max(bits, 1)) - 1)
        return Graded(
            offsets=tuple(center.tolist()),
            scales=tuple((spread * unit).tolist()),
            bits=bits,
            clip=options.clip,
        )
    unit = spread if options.threshold_unit == "std" else np.ones_like(spread)
    thresholds = tuple((options.threshold * unit).tolist())
    return LevelCrossing(thresholds) if options.encoding == "level_crossing" else Slope(thresholds)


def make_split(recordings: Recordings, encoder: Encoder, classes: tuple[str, ...]) -> Split:
    """Encode recordings and code their labels; lengths are kept where they differ."""
    targets, valid = recordings.targets(classes)
    lengths = recordings.lengths()
    ragged = lengths if len(np.unique(lengths)) > 1 else None
    try:
        inputs = encoder.encode(recordings.padded(), ragged)
    except DataError as error:
        raise DataError(f"{recordings.source}: {error}") from error
    ran = None if ragged is None else encoder.output_lengths(ragged)
    return Split(inputs, targets, ran, valid)


def _needed_bits(steps: Any) -> int:
    if np.isin(steps, (0, 1)).all():
        return 0
    return min(int(np.abs(steps).max()).bit_length(), MESSAGE_BITS_MAX)


def _draw(training: Recordings, options: ArraysOptions) -> dict[str, Indices]:
    held = {
        "validation": options.validation_fraction if options.validation is None else 0.0,
        "test": options.test_fraction if options.test is None else 0.0,
    }
    labels = training.labels
    targets = (
        labels if isinstance(labels, np.ndarray) else np.zeros((len(labels), 1), dtype=np.int64)
    )
    names = [name for name, fraction in held.items() if fraction > 0]
    fractions = [1.0 - sum(held.values()), *(held[name] for name in names)]
    missing = [name for name, fraction in held.items() if fraction == 0]
    for name in missing:
        if getattr(options, name) is None:
            raise DataError(f"arrays: no {name} file and {name}_fraction 0; give one of them")
    try:
        parts = split_by_fractions(targets, fractions, options.seed)
    except DataError as error:
        raise DataError(f"{training.source}: {error}") from error
    return dict(zip(["train", *names], parts, strict=True))


def _check_alike(recordings: Recordings, channels: int, per_step: bool) -> None:
    if recordings.channels != channels:
        raise DataError(
            f"{recordings.source}: {recordings.channels} channels, the training file has {channels}"
        )
    if recordings.per_step != per_step:
        forms = {True: "step", False: "sample"}
        raise DataError(
            f"{recordings.source}: one label per {forms[recordings.per_step]}, the training data "
            f"has one per {forms[per_step]}; set the option labels"
        )
