"""Two trainings in one folder: the second is refused, and what the first makes is not touched."""

from __future__ import annotations

import random
import re
import signal
from pathlib import Path

from reliability_tally import Command, Tally, undisturbed
from reliability_training import differences, words
from srnn.train.run import CHECKPOINT

EPOCHS = 4


def two_writers(count: int, rng: random.Random, folder: Path, tally: Tally) -> None:
    """``count`` second starts, as many resumes, and as many pairs of starts at the same time."""
    reference = folder / "reference"
    undisturbed("srnn.train", *words("float", reference, EPOCHS), log=folder / "log")
    _refused(count, folder, reference, tally)
    for number in range(count):
        _pair(folder / f"pair-{number}", folder, reference, rng, tally)


def _refused(count: int, folder: Path, reference: Path, tally: Tally) -> None:
    """Second starts and resumes of a living training, stopped so that it does not end."""
    run = folder / "living"
    living = Command("srnn.train", *words("float", run, EPOCHS), log=folder / "living.log")
    living.wait_for((run / CHECKPOINT).exists)
    living.process.send_signal(signal.SIGSTOP)
    holder = re.compile(rf"another training writes there \(process {living.process.pid} on ")
    for number in range(count):
        starts = {
            "second starts": Command(
                "srnn.train", *words("float", run, EPOCHS), *["--overwrite"] * (number % 2),
                log=folder / "second",
            ),
            "--resume of a living run": Command(
                "srnn.train", "--resume", run, log=folder / "resume"
            ),
        }  # fmt: skip
        for name, start in starts.items():
            code = start.wait()
            tally.check(
                name,
                f"exit code {code}" if code != 2 else "",
                "" if holder.search(start.errors) else f"not refused by name: {start.errors}",
                "more than a line" if start.errors.count("\n") != 1 else "",
            )
    living.process.send_signal(signal.SIGCONT)
    code = living.wait()
    tally.check(
        "the living run afterwards",
        f"exit code {code}" if code else "",
        *differences(reference, run),
    )


def _pair(run: Path, folder: Path, reference: Path, rng: random.Random, tally: Tally) -> None:
    new = rng.random() < 0.5
    if not new:
        run.mkdir()
    starts = []
    for number in range(2):
        starts.append(
            Command("srnn.train", *words("float", run, EPOCHS), log=folder / f"pair{number}")
        )
        starts[-1].wait_for(lambda: False, rng.choice([0.0, 0.0, rng.uniform(0, 0.3)]))
    codes = [start.wait() for start in starts]
    refused = [start.errors for start, code in zip(starts, codes, strict=True) if code]
    late = any("holds a run" in text for text in refused)
    tally.counts["of pairs, the second found the finished run"] += late
    known = late or any("another training writes there" in text for text in refused)
    problems = [] if sorted(codes) == [0, 2] else [f"exit codes {codes}: {refused}"]
    if not problems:
        problems += differences(reference, run)
        problems += [] if known else [f"not refused by name: {refused}"]
    tally.check("pairs of starts", *problems)
