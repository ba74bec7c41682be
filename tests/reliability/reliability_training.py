"""``srnn-train`` is killed at random times and resumed, until it has trained to the end."""

from __future__ import annotations

import csv
import random
import time
from pathlib import Path

from reliability_tally import Command, Tally, parts_in, undisturbed
from srnn.export.checkpoint import read_model
from srnn.export.errors import InputError
from srnn.train.event_file import FOLDER
from srnn.train.run import CHECKPOINT, METRICS, MODEL, read_run

EPOCHS = 20
KILLS_PER_RUN = 10
KINDS = {"float": (), "quantized": ("--quantize",)}


def words(kind: str, folder: Path, epochs: int = EPOCHS) -> list[str]:
    """Return the arguments of a short training with a checkpoint after nearly every epoch."""
    return [
        "digits", "--out", str(folder), "--epochs", str(epochs), "--threads", "1",
        "--batch-size", "8", "--layers.0.size", "6", "--task.options.test", "0.6", *KINDS[kind],
    ]  # fmt: skip


def kills(count: int, rng: random.Random, folder: Path, tally: Tally) -> None:
    """Half of ``count`` kills in trainings of floats, half in trainings on integers."""
    for index, kind in enumerate(KINDS):
        reference = folder / kind
        undisturbed("srnn.train", *words(kind, reference), log=folder / "log")
        _export(reference, folder)
        share, run = (count + 1 - index) // 2, 0
        row = f"kills, {kind}"
        while share > (tally.rows[row].done if row in tally.rows else 0):
            run += 1
            part = folder / f"{kind}-{run}"
            left = share - (tally.rows[row].done if row in tally.rows else 0)
            killed = _run(kind, part, min(KILLS_PER_RUN, left), rng, tally)
            _export(part, folder)
            tally.check(
                f"runs to the end, {kind}",
                *differences(reference, part),
                *(f"{path.name} is left" for path in parts_in(part)),
            )
            tally.counts["runs resumed"] += killed > 0


def _run(kind: str, folder: Path, count: int, rng: random.Random, tally: Tally) -> int:
    """Train to the end; at most ``count`` starts are killed. Return how many were."""
    killed, log = 0, folder.parent / "log"
    while True:
        resumed = (folder / CHECKPOINT).exists()
        given = ["--resume", str(folder)] if resumed else words(kind, folder)
        command = Command("srnn.train", *given, log=log)
        if killed == count:
            code = command.wait()
            if code:
                tally.check(f"kills, {kind}", f"exit code {code}: {command.errors}")
            return killed
        _wait(command, count - killed, rng)
        printed = command.printed
        if not command.kill():
            if command.wait():
                tally.check(f"kills, {kind}", f"ended with {command.wait()}: {command.errors}")
            return killed
        killed += 1
        tally.counts[f"killed {_where(printed, folder)}"] += 1
        tally.counts["temporary files after a kill"] += len(parts_in(folder))
        tally.check(f"kills, {kind}", *unreadable(folder))


def _wait(command: Command, left: int, rng: random.Random) -> None:
    """Wait for a moment in the start, in training, or, as the last of a run, near the end."""
    kind = rng.random()
    if left == 1 and kind < 0.7:
        command.wait_for(lambda: f"epoch {EPOCHS - 1:>3}" in command.printed)
        time.sleep(rng.uniform(0, 0.7))
    elif kind < 0.15:
        command.wait_for(lambda: False, rng.uniform(0, 4))
    else:
        epochs = "\nepoch " if kind < 0.85 else "training,"
        command.wait_for(lambda: epochs in command.printed)
        command.wait_for(lambda: False, rng.uniform(0, 1.5))


def _where(printed: str, folder: Path) -> str:
    if not (folder / CHECKPOINT).exists():
        return "before the first checkpoint"
    if "training," not in printed:
        return "while it loaded and went on"
    if f"epoch {EPOCHS:>3}" in printed:
        return "after the last epoch"
    return "in training"


def _export(run: Path, folder: Path) -> None:
    undisturbed("srnn.export", run / MODEL, "-o", run / "model.net", log=folder / "log")


def unreadable(folder: Path) -> list[str]:
    """Return what is wrong with the files of a run, of which any may be missing."""
    found = []
    for name, read in (
        (CHECKPOINT, lambda path: read_run(path.parent)),
        (MODEL, read_model),
        (METRICS, _rows),
        ("", _records),
    ):
        for path in [folder / name] if name else sorted((folder / FOLDER).glob("*")):
            try:
                if path.exists():
                    read(path)
            except (InputError, ValueError) as error:
                found.append(f"{path.name}: {error}")
    return found


def _rows(path: Path) -> list[list[str]]:
    """Return the rows of the metrics; the last column, seconds, is left out."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    if len({len(row) for row in rows}) > 1 or not path.read_bytes().endswith((b"\n", b"")):
        raise ValueError("a row is cut off")
    return [row[:-1] for row in rows]


def _records(path: Path) -> int:
    """Count the records of an event file: length, 4 bytes of checksum, content, 4 bytes."""
    raw, at, count = path.read_bytes(), 0, 0
    while at < len(raw):
        size = 12 + int.from_bytes(raw[at : at + 8], "little") + 4
        if at + size > len(raw):
            raise ValueError("a record is cut off")
        at, count = at + size, count + 1
    return count


def differences(one: Path, other: Path) -> list[str]:
    """Return which files of two runs differ."""
    found = [
        f"{name} differs"
        for name in (MODEL, "model.net")
        if (one / name).exists() and (one / name).read_bytes() != (other / name).read_bytes()
    ]
    if _rows(one / METRICS) != _rows(other / METRICS):
        found.append(f"{METRICS} differs")
    return found
