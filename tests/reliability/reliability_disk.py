"""Every writer on a disk that is full. A limit on the size of a file stands in for a full disk."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from export_models import float_model
from full_disk import command_on_full_disk, full_after
from reliability_tally import ZOO, Tally, files_in
from reliability_training import unreadable, words
from srnn.deploy.lava.rundir import Job, RunDirectory
from srnn.export.checkpoint import LayerConfig, write_model
from srnn.export.netx import read_net, read_samples, write_net
from srnn.simulate.streaming import StreamingSimulator
from srnn.train.event_file import FOLDER, scalars

NET, MODEL = str(ZOO / "digits.net"), str(ZOO / "digits.pt")
STEPS = 200


@dataclass(frozen=True)
class Command:
    """A command that writes into a new folder; ``given``: what it reads from standard input.

    ``kept``: how the names of files begin that a full disk may leave, whole; others may not stay.
    ``least``: the smallest limit, since it is one for Python's own temporary files too.
    """

    module: str
    words: Callable[[Path], list[str]]
    given: str = ""
    kept: tuple[str, ...] = ()
    least: int = 0


def _commands(folder: Path) -> dict[str, Command]:
    lif = folder / "lif.pt"
    write_model(lif, float_model(LayerConfig("lif", 30), LayerConfig("lif", 4)))
    lines = "".join(",".join(["0"] * 16) + "\n" for _ in range(STEPS))
    return {
        ".net": Command("srnn.export", lambda out: [MODEL, "-o", str(out / "a.net")]),
        ".nir": Command("srnn.export", lambda out: [str(lif), "-o", str(out / "a.nir")]),
        "trace": Command(
            "srnn.simulate",
            lambda out: [NET, "--trace", str(out / "a.h5"), "--trace-states", "v,d"],
        ),
        "report: HTML, JSON, CSV": Command(
            "srnn.simulate", lambda out: [NET, "--report", str(out / "a.html")]
        ),
        "microcode": Command(
            "srnn.deploy", lambda out: [NET, "--emit-program", str(out / "a.txt")]
        ),
        "monitor, JSON lines": Command(
            "srnn.simulate",
            lambda out: [
                *(NET, "--stream", "--encoded", "--changes", "--window", "20"),
                *("--monitor", str(out / "a.jsonl")),
            ],
            lines,
            ("a.jsonl",),
        ),
        "run's folder": Command(
            "srnn.train",
            lambda out: words("float", out, 2),
            kept=("model.pt", "checkpoint.pt", "metrics.csv", FOLDER, ".lock"),
            least=100,
        ),
    }


def full_disks(count: int, rng: random.Random, folder: Path, tally: Tally) -> None:
    """Write with ``count`` limits, from 0 bytes to nearly the size of the largest file."""
    for index, (name, command) in enumerate(_commands(folder).items()):
        out = folder / str(index) / "new"
        out.parent.mkdir()
        if command.module == "srnn.simulate" and command.given:
            # The log alone is not put into a new folder.
            out.mkdir()
        whole = command_on_full_disk(
            1 << 40, command.module, *command.words(out), given=command.given
        )
        if whole.returncode:
            raise SystemExit(f"{name}: {whole.stderr}")
        size = max(path.stat().st_size for path in out.rglob("*") if path.is_file())
        _empty(out, made=bool(command.given))
        for limit in limits(count, size, rng, command.least):
            tally.check(name, *_with_limit(command, limit, out))
            _empty(out, made=bool(command.given))
    _standard_output(count, rng, folder, tally)
    for name, write in _writers(folder).items():
        _in_process(name, write, count, rng, folder / "python", tally)
    tally.measured["stands in for a full disk"] = "RLIMIT_FSIZE, the largest size of a file"


def limits(count: int, size: int, rng: random.Random, least: int = 0) -> list[int]:
    """Return sizes from 0, or ``least``, to nearly ``size`` bytes, these two among them.

    What a report or a line of JSON says of seconds takes some bytes more or less each time.
    """
    most = size - size // 100 - 1
    found = [least, most, least + 1, size // 2][:count]
    return found + [rng.randrange(least, most) for _ in range(count - len(found))]


def _empty(folder: Path, made: bool) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if made:
        folder.mkdir()


def _with_limit(command: Command, limit: int, out: Path) -> Iterator[str]:
    ended = command_on_full_disk(limit, command.module, *command.words(out), given=command.given)
    where = f"limit {limit:,}: "
    if ended.returncode != 2:
        yield f"{where}exit code {ended.returncode}: {ended.stderr[-300:]}"
    # The monitor says on standard error where a network drifts, before the disk is full.
    lines = [line for line in ended.stderr.splitlines() if ": drift: " not in line]
    if len(lines) != 1 or str(out) not in lines[0]:
        yield f"{where}not one line that names the file: {ended.stderr[-300:]}"
    if command.kept:
        for path in out.rglob("*"):
            if not str(path.relative_to(out)).startswith(command.kept):
                yield f"{where}{path.name} is left"
        for path in out.glob("*.jsonl"):
            if not path.read_bytes().endswith(b"\n"):
                yield f"{where}{path.name} ends within a line"
        yield from (f"{where}{problem}" for problem in unreadable(out))
    elif files_in(out.parent):
        yield f"{where}{files_in(out.parent)} are left"


def _standard_output(count: int, rng: random.Random, folder: Path, tally: Tally) -> None:
    """A redirected standard output is the shell's file: its beginning stays."""
    path, given = folder / "printed", ["--json"]
    size = len(command_on_full_disk(1 << 40, "srnn.simulate", NET, *given).stdout)
    for limit in limits(count, size, rng):
        ended = command_on_full_disk(limit, "srnn.simulate", NET, *given, output=path)
        line = "srnn-simulate: standard output: File too large\n"
        tally.check(
            "standard output",
            f"exit code {ended.returncode}" if ended.returncode != 2 else "",
            ended.stderr if ended.stderr != line else "",
        )
        path.unlink(missing_ok=True)


Write = Callable[[Path], object]


def _writers(folder: Path) -> dict[str, Write]:
    network, samples = read_net(NET), read_samples(NET)
    assert samples is not None
    simulator = StreamingSimulator(network)

    def events(path: Path) -> None:
        with scalars(path, 0) as log:
            for step in range(20):
                log("loss", 1.0, step)

    def job(path: Path) -> None:
        path.mkdir()
        RunDirectory(path).write(Job(network, samples.inputs, np.asarray(samples.lengths)))

    del folder
    return {
        "write_net": lambda path: write_net(path / "a.net", network, samples),
        "write_model": lambda path: write_model(
            path / "a.pt", float_model(LayerConfig("alif", 30), LayerConfig("li", 4))
        ),
        "state of a stream": lambda path: simulator.save(path / "a.state"),
        "TensorBoard's events": events,
        "files for a Lava run": job,
    }


def _in_process(  # noqa: PLR0917
    name: str, write: Write, count: int, rng: random.Random, out: Path, tally: Tally
) -> None:
    """A writer without a command: the error names the file, and nothing or whole records stay."""
    write(out)
    size = max(path.stat().st_size for path in out.rglob("*") if path.is_file())
    for limit in limits(count, size, rng):
        shutil.rmtree(out)
        named: object = None
        with full_after(limit):
            try:
                write(out)
                problem = "did not fail"
            except OSError as error:
                named, problem = error.filename, ""
        left = [path for path in out.rglob("*") if path.is_file()]
        # The folder of a Lava run is temporary, and removed by the one that made it.
        whole = name in {"TensorBoard's events", "files for a Lava run"}
        tally.check(
            name,
            f"limit {limit:,}: {problem}" if problem else "",
            "" if problem or str(named).startswith(str(out)) else f"names {named}",
            "" if whole or not left else f"limit {limit:,}: {left} are left",
            *(unreadable(out) if name == "TensorBoard's events" else ()),
        )
        out.mkdir(exist_ok=True)
    shutil.rmtree(out)
