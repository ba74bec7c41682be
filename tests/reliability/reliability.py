"""Kill, fill the disk, start twice, run at once, and count: ``make reliability``.

Each part makes faults of one kind, seeded, and compares what is left with an undisturbed run.
Ctrl-C and SIGTERM end it with the table of what was done until then.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

import reliability_commands as commands  # noqa: E402
import reliability_disk as disk  # noqa: E402
import reliability_lava as lava  # noqa: E402
import reliability_stream as stream  # noqa: E402
import reliability_threads as threads  # noqa: E402
import reliability_training as training  # noqa: E402
import reliability_writers as writers  # noqa: E402
from reliability_tally import Tally  # noqa: E402

Part = Callable[[int, random.Random, Path, Tally], None]

PARTS: dict[str, tuple[Part, int, str]] = {
    "training": (training.kills, 100, "kills of srnn-train, each followed by --resume"),
    "commands": (commands.kills, 60, "kills of commands that write"),
    "full disk": (disk.full_disks, 8, "sizes per writer"),
    "two writers": (writers.two_writers, 20, "second starts, resumes, and pairs"),
    "lava children": (lava.kills, 20, "kills of a child, and of the parent"),
    "stream": (stream.streams, 1_000_000, "lines"),
    "threads": (threads.at_once, 200, "runs from threads; a quarter as many forked children"),
}
"""By name: what runs, how often by default, and what that counts."""


def main() -> int:
    """Parse the command line; 1 where anything was not as expected."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", action="append", choices=PARTS, help="only this one; repeatable")
    parser.add_argument("--seed", type=int, default=0)
    for name, (_, count, what) in PARTS.items():
        option = f"--{name.replace(' ', '-')}"
        parser.add_argument(
            option, type=int, default=count, metavar="N", help=f"{what} (default: {count:,})"
        )
    arguments = parser.parse_args()
    from srnn.export.console import Output

    output, rows, failures, began, stopped = Output(), [], 0, time.monotonic(), False
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    for name in arguments.part or PARTS:
        started, tally = time.monotonic(), Tally()
        rng = random.Random(f"{arguments.seed} {name}")
        with tempfile.TemporaryDirectory(prefix="reliability-") as folder:
            count = getattr(arguments, name.replace(" ", "_"))
            try:
                PARTS[name][0](count, rng, Path(folder).resolve(), tally)
            except KeyboardInterrupt:
                stopped = True
        output.line(f"{name}: {time.monotonic() - started:.0f} s")
        for note in tally.notes():
            output.line(f"  {note}")
        rows += [[name, what, row.done, row.done - row.failed, row.failed]
                 for what, row in tally.rows.items()]  # fmt: skip
        failures += sum(row.failed for row in tally.rows.values())
        if stopped:
            output.line("stopped: what follows was done until then")
            break
    output.table(
        f"reliability, seed {arguments.seed}, {time.monotonic() - began:.0f} s",
        ["part", "what", "done", "as expected", "failures"],
        rows,
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
