"""Readers of a user's files: ``.npz``, HDF5, ``.csv`` and the UEA archive's ``.ts``."""

from __future__ import annotations

import csv
import math
import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..export.errors import shown
from ..export.reading.archives import read_npz as read_archive
from ..export.reading.files import existing
from ..export.reading.hdf5 import opened
from ..export.reading.limits import SAMPLE_BYTES_MAX
from ..export.reading.text import lines
from ..export.suggest import check_known
from .errors import DataError
from .recordings import Recordings, code_labels, from_arrays

KEYS = ("inputs", "labels", "lengths", "offsets")
LABEL_FORMS = ("auto", "sample", "step")


def read_recordings(path: str | os.PathLike[str], label_form: str = "auto") -> Recordings:
    """Read a file of sequences and labels; the suffix of its name determines the format.

    ``label_form`` says whether labels belong to samples or steps. ``auto`` infers it from the
    arrays' shapes; in a CSV file, labels that are constant within every sample belong to samples.

    Raises
    ------
    DataError
        The file is missing, damaged or malformed; the message names the sample or row.
    """
    file = Path(path)
    check_known("labels", label_form, LABEL_FORMS, error=DataError)
    check_known("ending", file.suffix.lower(), READERS, f"{file}", DataError)
    reader = READERS[file.suffix.lower()]
    recordings = reader(existing(file, DataError), label_form)
    if label_form != "auto" and recordings.per_step != (label_form == "step"):
        has = "step" if recordings.per_step else "sample"
        raise DataError(
            f"{file}: has a label for each {has}, but labels = {label_form!r} was asked"
        )
    return recordings


def read_npz(path: Path, label_form: str = "auto") -> Recordings:
    """Read an ``.npz`` file; see ``recordings.from_arrays`` for the arrays in it."""
    del label_form
    return from_arrays(read_archive(path, KEYS, DataError), str(path))


def read_hdf5(path: Path, label_form: str = "auto") -> Recordings:
    """Read an HDF5 file; see ``recordings.from_arrays`` for the data sets at its top level."""
    del label_form
    arrays: dict[str, npt.NDArray[Any]] = {}
    with opened(path, "a complete HDF5 file", DataError) as file:
        for key in KEYS:
            item = file.dataset(key)
            if item is not None:
                arrays[key] = _texts(np.asarray(file.read(item, f"{path}: {key}")))
    return from_arrays(arrays, str(path))


def _texts(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return byte strings, as HDF5 has texts, as texts."""
    if values.dtype.kind not in "SO":
        return values
    texts = [one.decode() if isinstance(one, bytes) else one for one in values.reshape(-1)]
    return np.array(texts).reshape(values.shape)


def read_csv(path: Path, label_form: str = "auto") -> Recordings:
    """Read a CSV file in long form: one row per step, the rows of a ``sample`` together.

    The header names the columns: ``sample``, ``label``, an optional ``time`` that is ignored, and
    one column for each channel. An empty label means a step without a label.
    """
    rows = _csv_rows(path)
    header = next(rows, (0, []))[1]
    channels = _csv_channels(header, str(path))
    place = {name: at for at, name in enumerate(header)}
    columns = [place[name] for name in channels]
    # A number takes 8 bytes, and a label that is repeated is kept once.
    samples: dict[str, array[float]] = {}
    labels: dict[str, list[str]] = {}
    known: dict[str, str] = {}
    last = None
    for line, row in rows:
        if len(row) != len(header):
            raise DataError(f"{path}, line {line}: {len(row)} fields, the header has {len(header)}")
        sample = row[place["sample"]]
        if sample != last and sample in samples:
            raise DataError(
                f"{path}, line {line}: sample {shown(sample)} continues after another one; "
                "sort the rows by sample"
            )
        last = sample
        values = [_number(row[c], header[c], path, line) for c in columns]
        samples.setdefault(sample, array("d")).extend(values)
        label = row[place["label"]]
        labels.setdefault(sample, []).append(known.setdefault(label, label))
    if not samples:
        raise DataError(f"{path}: has a header and no rows")
    signals = tuple(np.array(of).reshape(-1, len(columns)) for of in samples.values())
    constant = all(len(set(of)) == 1 for of in labels.values())
    if label_form == "sample" and not constant:
        sample = next(name for name, of in labels.items() if len(set(of)) > 1)
        raise DataError(f"{path}: sample {shown(sample)} has several labels, but labels = 'sample'")
    if constant and label_form != "step":
        values = np.array([of[0] for of in labels.values()], dtype=object)
        return Recordings(str(path), signals, *code_labels(values, str(path), per_step=False))
    names, codes = code_labels(
        np.array([one for of in labels.values() for one in of], dtype=object),
        str(path),
        per_step=True,
    )
    stops = np.cumsum([len(of) for of in labels.values()])[:-1]
    return Recordings(str(path), signals, names, tuple(np.split(codes, stops)))


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(line for _, line in lines(path, DataError))
    try:
        for row in reader:
            if row:
                yield reader.line_num, [field.strip() for field in row]
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: not CSV ({error})") from None


def _csv_channels(header: list[str], path: str) -> list[str]:
    repeated = sorted(name for name, count in Counter(header).items() if count > 1)
    if repeated:
        raise DataError(f"{path}: column {shown(repeated[0])} occurs twice in the header")
    for name in ("sample", "label"):
        if name not in header:
            found = ", ".join(header[:8])[:200] or "nothing"
            raise DataError(
                f"{path}: no column {name!r} in the header; needs sample, label and one column per "
                f"channel, separated by commas (found {found})"
            )
    channels = [name for name in header if name not in {"sample", "label", "time"}]
    if not channels:
        raise DataError(f"{path}: the header has no column for a channel")
    return channels


def _number(text: str, column: str, path: Path, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(
            f"{path}, line {line}, column {shown(column)}: {shown(text)} is not a number; "
            "fill the gap or drop the sample"
        )
    return value


def read_ts(path: Path, label_form: str = "auto") -> Recordings:
    """Read a file of the UEA archive: channels separated by ``:``, values by ``,``, label last."""
    del label_form
    numbered = lines(path, DataError, SAMPLE_BYTES_MAX)
    header = _ts_header(numbered, path)
    known = dict.fromkeys(header["classlabel"].split()[1:])
    signals, labels = [], []
    for number, line in numbered:
        if line.strip() and not line.startswith("#"):
            channels, colon, label = line.strip().rpartition(":")
            if not colon:
                raise DataError(
                    f"{path}, line {number}: no ':'; needs channels and a label separated by ':'"
                )
            signals.append(_ts_signal(channels, path, number))
            labels.append(label.strip())
            if known and labels[-1] not in known:
                raise DataError(
                    f"{path}: sample {len(labels) - 1} has label {shown(labels[-1])}; @classLabel "
                    f"lists {', '.join(known)[:200]}"
                )
    names, codes = code_labels(np.array(labels, dtype=object), str(path), per_step=False)
    recordings = Recordings(str(path), tuple(signals), names, codes)
    dimensions = header.get("dimensions", "")
    # Compared as text: such a number may have thousands of digits.
    if dimensions.isdecimal() and (dimensions.lstrip("0") or "0") != str(recordings.channels):
        raise DataError(
            f"{path}: @dimensions says {dimensions[:20]}, sample 0 has {recordings.channels} "
            "channels"
        )
    return recordings


def _ts_header(numbered: Iterator[tuple[int, str]], path: Path) -> dict[str, str]:
    """Read up to the line @data."""
    header: dict[str, str] = {}
    for _, line in numbered:
        if line.strip().lower() == "@data":
            break
        if line.startswith("@"):
            key, _, value = line[1:].strip().partition(" ")
            header[key.lower()] = value.strip()
    else:
        raise DataError(f"{path}: no @data line; not a complete .ts file")
    if header.get("timestamps", "false").lower() != "false":
        raise DataError(f"{path}: @timestamps true is not read; resample to even steps first")
    if not header.get("classlabel", "false").lower().startswith("true"):
        raise DataError(f"{path}: @classLabel is not true; needs one class label per sample")
    return header


def _ts_signal(line: str, path: Path, number: int) -> npt.NDArray[np.float64]:
    # A line may have millions of channels or of values: nothing is done for each by itself.
    marks = np.frombuffer(line.encode(), np.uint8)
    marks = marks[(marks == ord(",")) | (marks == ord(":"))]
    ends = np.append(np.flatnonzero(marks == ord(":")), len(marks)) + 1
    texts, values = line.replace(":", ",").split(","), array("d")
    with suppress(ValueError):
        values.extend(map(float, texts))
    found = np.array(values)
    wrong = np.flatnonzero(~np.isfinite(found))
    at = int(wrong[0]) if len(wrong) else len(found)
    if at < len(texts):
        channel = int(np.searchsorted(ends, at, "right"))
        _number(texts[at].strip(), f"channel {channel}", path, number)
    counts = np.diff(ends, prepend=0)
    if counts.min() < counts.max():
        raise DataError(
            f"{path}, line {number}: channels of {counts.min()} to {counts.max()} values"
        )
    return found.reshape(len(counts), -1).T


READERS: dict[str, Callable[[Path, str], Recordings]] = {
    ".npz": read_npz,
    ".h5": read_hdf5,
    ".hdf5": read_hdf5,
    ".csv": read_csv,
    ".ts": read_ts,
}
"""Readers by the suffix of a file's name."""
