"""Try every reader of files with changed inputs: ``make fuzz SECONDS=600``.

Each reader works in a process of its own, which is watched: an input on which it dies, hangs, takes
long or takes much memory is kept, as is one that raises anything but ``InputError``. A try is set
by the seed, the reader and its number, so that it can be made again.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import mmap
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

SECONDS_MAX = 2.0
"""Time of the processor that a try may take."""
BYTES_MAX = 512 << 20
"""Memory that a try may take beyond what its process held before."""
HANG_SECONDS = 20.0
"""Time after which a process that is still at one try is ended."""
COUNTS = ("tries", "accepted", "refused", "escaped", "slow", "large", "died", "hung")


@dataclass
class Tally:
    """What became of the tries of a reader; ``peak``: bytes of the largest, ``worst``: seconds."""

    tries: int = 0
    accepted: int = 0
    refused: int = 0
    escaped: int = 0
    slow: int = 0
    large: int = 0
    died: int = 0
    hung: int = 0
    peak: int = 0
    worst: float = 0.0

    @property
    def failures(self) -> int:
        """Return how many tries ended as none may."""
        return self.escaped + self.slow + self.large + self.died + self.hung


_FORM = struct.Struct("<9Qd")


def main() -> int:
    """Parse the command line; 1 where a try failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="in all, shared by the readers")
    parser.add_argument("--reader", action="append", help="only this one; may be given again")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, default=ROOT / "runs" / "fuzz", help="for what fails")
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        name, first, folder, seconds = arguments.worker
        _work(name, arguments.seed, int(first), Path(folder), float(seconds), arguments.keep)
        return 0
    return _watch(arguments)


def attempt(name: str, seed: int, number: int) -> bytes:
    """Return the input of one try."""
    from fuzz_readers import reader_of, seeds_of

    rng = random.Random(f"{seed} {name} {number}")
    seeds = seeds_of(name)
    return reader_of(name).change(rng, rng.choice(seeds), seeds)


def judged(read: Callable[[Path], object], path: Path, tally: Tally) -> str | None:
    """Read one input, count it in ``tally`` and return what is wrong, None if nothing is."""
    from srnn.export.errors import InputError

    before = _memory()
    began = time.process_time()
    wrong = None
    try:
        read(path)
        tally.accepted += 1
    except InputError:
        tally.refused += 1
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        tally.escaped += 1
        wrong = f"escaped\n{traceback.format_exc()}"
    seconds, more = time.process_time() - began, _memory(peak=True) - before
    tally.tries += 1
    tally.worst, tally.peak = max(tally.worst, seconds), max(tally.peak, more)
    if seconds > SECONDS_MAX:
        tally.slow += 1
        wrong = f"slow: {seconds:.1f} s"
    if more > BYTES_MAX:
        tally.large += 1
        wrong = f"large: {more >> 20} MiB"
    return wrong


def _memory(peak: bool = False) -> int:
    """Return resident bytes; where Linux does not tell, 0."""
    try:
        if not peak:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM" if peak else "VmRSS"):
                return int(line.split()[1]) << 10
    except OSError:
        pass
    return 0


def _keep(  # noqa: PLR0917
    folder: Path, name: str, seed: int, number: int, content: bytes, why: str
) -> Path:
    from fuzz_readers import reader_of

    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(content).hexdigest()[:12]
    path = folder / f"{name.replace(' ', '-')}-{digest}{reader_of(name).suffix}"
    path.write_bytes(content)
    note = f"reader {name}, seed {seed}, try {number}\n{why}\n"
    path.with_name(path.name + ".why.txt").write_text(note, encoding="utf-8")
    return path


def _work(  # noqa: PLR0917
    name: str, seed: int, first: int, folder: Path, seconds: float, keep: Path
) -> None:
    """Make tries until the time is over; where it is stands in ``folder``/status."""
    from fuzz_readers import reader_of, seeds_of
    from srnn.export.errors import InputError

    warnings.simplefilter("ignore")
    reader = reader_of(name)
    read = reader.read()
    path = folder / f"input{reader.suffix}"
    # What is imported or compiled at the first use is no part of a try.
    for seed_input in seeds_of(name):
        path.write_bytes(seed_input)
        with suppress(InputError):
            read(path)
    tally = Tally()
    with (folder / "status").open("r+b") as file, mmap.mmap(file.fileno(), _FORM.size) as status:
        end = time.monotonic() + seconds
        number = first
        while time.monotonic() < end:
            content = attempt(name, seed, number)
            path.write_bytes(content)
            wrong = judged(read, path, tally)
            if wrong:
                _keep(keep, name, seed, number, content, wrong)
            number += 1
            if tally.tries % 1000 == 0:
                gc.collect()
            status[:] = _FORM.pack(*(getattr(tally, field.name) for field in fields(Tally)))


def _watch(arguments: argparse.Namespace) -> int:
    from fuzz_readers import READERS
    from srnn.export.console import Output

    names = arguments.reader or [reader.name for reader in READERS]
    share = arguments.seconds * min(arguments.processes, len(names)) / len(names)
    waiting, running, tallies = list(names), {}, {}
    output = Output()
    began = time.monotonic()
    try:
        with ExitStack() as stack:
            while waiting or running:
                while waiting and len(running) < arguments.processes:
                    name = waiting.pop(0)
                    running[name] = stack.enter_context(
                        _watched(name, share, arguments.seed, arguments.keep)
                    )
                for name, watched in list(running.items()):
                    if watched.look():
                        tallies[name] = running.pop(name).tally
                        found = tallies[name]
                        output.line(f"{name}: {found.tries:,} tries, {found.failures:,} failures")
                time.sleep(0.05)
    except KeyboardInterrupt:
        tallies |= {name: watched.tally for name, watched in running.items()}
    total = Tally(
        *(sum(getattr(tally, name) for tally in tallies.values()) for name in COUNTS),
        peak=max((tally.peak for tally in tallies.values()), default=0),
        worst=max((tally.worst for tally in tallies.values()), default=0.0),
    )
    output.table(
        f"changed inputs, seed {arguments.seed}, {time.monotonic() - began:.0f} s, "
        f"{arguments.processes} processes",
        ["reader", *COUNTS, "peak MiB", "longest s"],
        [
            [name, *(getattr(tally, count) for count in COUNTS), tally.peak >> 20, tally.worst]
            for name, tally in {**tallies, "all": total}.items()
        ],
    )
    if total.failures:
        output.line(f"{total.failures:,} failures; the inputs are in {arguments.keep}")
    return 1 if total.failures else 0


class _Watched:
    """The process of a reader, started again where it dies or hangs."""

    def __init__(self, name: str, seconds: float, seed: int, keep: Path, folder: Path) -> None:
        self.tally = Tally()
        self._name, self._seed, self._keep, self._folder = name, seed, keep, folder
        self._left, self._first = seconds, 0
        self._start()

    def _start(self) -> None:
        (self._folder / "status").write_bytes(bytes(_FORM.size))
        words = [self._name, str(self._first), str(self._folder), str(self._left)]
        settings = ["--seed", str(self._seed), "--keep", str(self._keep)]
        self._began = self._moved = time.monotonic()
        self._seen = 0
        self._process = subprocess.Popen(
            [sys.executable, __file__, *settings, "--worker", *words],
            stdout=subprocess.DEVNULL,
            stderr=(self._folder / "errors").open("wb"),
        )

    def look(self) -> bool:
        """Return whether the reader is through with its time."""
        done = _FORM.unpack((self._folder / "status").read_bytes())
        if done[0] != self._seen:
            self._seen, self._moved = done[0], time.monotonic()
        code = self._process.poll()
        # The first try waits for imports and, on a new machine, for compiling.
        limit = HANG_SECONDS if self._seen else 300.0
        hung = code is None and time.monotonic() - self._moved > limit
        if code is None and not hung:
            return False
        if hung:
            self._process.kill()
            self._process.wait()
        self._add(Tally(*done))
        if code == 0:
            return True
        number = self._first + self._seen
        path = next(self._folder.glob("input*"), None)
        if path is None:
            raise SystemExit((self._folder / "errors").read_text(encoding="utf-8"))
        why = "hung" if hung else f"died with {code}"
        errors = (self._folder / "errors").read_text(encoding="utf-8", errors="replace")
        _keep(self._keep, self._name, self._seed, number, path.read_bytes(), f"{why}\n{errors}")
        self._add(Tally(tries=1, **{"hung" if hung else "died": 1}))
        self._left -= time.monotonic() - self._began
        self._first = number + 1
        if self._left <= 0:
            return True
        self._start()
        return False

    def _add(self, more: Tally) -> None:
        for name in COUNTS:
            setattr(self.tally, name, getattr(self.tally, name) + getattr(more, name))
        self.tally.peak = max(self.tally.peak, more.peak)
        self.tally.worst = max(self.tally.worst, more.worst)

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()


@contextmanager
def _watched(name: str, seconds: float, seed: int, keep: Path) -> Iterator[_Watched]:
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    watched = _Watched(name, seconds, seed, keep, folder)
    try:
        yield watched
    finally:
        watched.end()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
