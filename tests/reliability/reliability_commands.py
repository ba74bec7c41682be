"""Commands that write a file are killed at random times within the time that they take."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reliability_tally import ZOO, Command, Tally, parts_in, undisturbed

LATE = 0.6
"""Half of the kills come in the last part of the time, where files are written."""


@dataclass(frozen=True)
class Writer:
    """A command that writes ``name``: ``words(path)`` the new one, ``former(path)`` an older."""

    module: str
    name: str
    words: Callable[[Path], list[str]]
    former: Callable[[Path], list[str]]


WRITERS = {
    "srnn-export": Writer(
        "srnn.export", "model.net",
        lambda path: [str(ZOO / "digits.pt"), "-o", str(path)],
        lambda path: [str(ZOO / "digits.pt"), "-o", str(path), "--weight-bits", "6"],
    ),
    "srnn-simulate --report": Writer(
        "srnn.simulate", "r.html",
        lambda path: [str(ZOO / "digits.net"), "--report", str(path), "--overwrite"],
        lambda path: [str(ZOO / "digits.net"), "--report", str(path), "--limit", "3"],
    ),
    "srnn-simulate --trace": Writer(
        "srnn.simulate", "run.h5",
        lambda path: [str(ZOO / "digits.net"), "--trace", str(path), "--trace-states", "v,d"],
        lambda path: [str(ZOO / "digits.net"), "--trace", str(path), "--limit", "3"],
    ),
}  # fmt: skip

Content = dict[str, bytes]


def kills(count: int, rng: random.Random, folder: Path, tally: Tally) -> None:
    """Share ``count`` kills among the commands."""
    for index, (name, writer) in enumerate(WRITERS.items()):
        share = (count + len(WRITERS) - 1 - index) // len(WRITERS)
        _kills(name, writer, share, rng, folder / str(index), tally)


def _kills(  # noqa: PLR0917
    name: str, writer: Writer, count: int, rng: random.Random, folder: Path, tally: Tally
) -> None:
    target, log = folder / "out" / writer.name, folder / "log"
    folder.mkdir()
    undisturbed(writer.module, *writer.former(target), log=log)
    former = contents(target.parent)
    shutil.rmtree(target.parent)
    wholes = []
    for _ in range(2):
        seconds = undisturbed(writer.module, *writer.words(target), log=log)
        wholes.append(contents(target.parent))
        shutil.rmtree(target.parent)
    done = 0
    while done < count:
        before = former if rng.random() < 0.5 else {}
        for path, content in before.items():
            (target.parent / path).parent.mkdir(parents=True, exist_ok=True)
            (target.parent / path).write_bytes(content)
        command = Command(writer.module, *writer.words(target), log=log)
        start = 0.0 if rng.random() < 0.5 else LATE * seconds
        command.wait_for(lambda: False, rng.uniform(start, seconds))
        if command.kill():
            done += 1
            left = contents(target.parent)
            parts = parts_in(target.parent)
            tally.counts[f"temporary files left by {name}"] += len(parts)
            tally.check(f"kills, {name}", *_judged(left, before, wholes, tally))
            undisturbed(writer.module, *writer.words(target), log=log)
            again = contents(target.parent)
            tally.check(
                f"runs again, {name}",
                *(f"{path} differs" for path in wholes[0] if not same(path, again, wholes)),
                *(f"{path} is left" for path in again.keys() - wholes[0].keys()),
            )
        else:
            tally.counts["ended before they were killed"] += 1
        shutil.rmtree(target.parent, ignore_errors=True)


def _judged(left: Content, before: Content, wholes: list[Content], tally: Tally) -> list[str]:
    """Return which files are neither as before nor complete and new."""
    paths = wholes[0].keys() | before.keys()
    old = {path for path in paths if left.get(path) == before.get(path)}
    new = {path for path in paths if same(path, left, wholes)}
    if old >= paths:
        tally.counts["killed before the first new file"] += 1
    else:
        tally.counts[f"killed with {'all' if new >= paths else 'some'} new files"] += 1
    wrong = sorted(paths - old - new) + sorted(left.keys() - paths)
    return [f"{path} is neither the former nor the new one" for path in wrong]


def contents(folder: Path) -> Content:
    """Return the files of a folder that are not temporary."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path not in parts_in(folder)
    }


def same(path: str, found: Content, wholes: list[Content]) -> bool:
    """Return whether a file is that of the undisturbed runs, but for lines in which those differ.

    A report tells when it was made and how fast the simulator was.
    """
    if path not in found or path not in wholes[0]:
        return path not in found and path not in wholes[0]
    one, other, third = (of[path].split(b"\n") for of in (*wholes, found))
    return len(one) == len(other) == len(third) and all(
        a == c for a, b, c in zip(one, other, third, strict=True) if a == b
    )
