"""CPU time of commands at the first use on a machine, with kernels to compile, and at the second.

python benchmarks/first_use.py [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import machine

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
TRAIN = ("srnn-train", "digits", "--epochs", "1", "--no-test", "--out", "RUN", "--overwrite")
COMMANDS = {
    "srnn-simulate zoo/ecg.net": ("srnn-simulate", "ZOO/ecg.net"),
    "srnn-simulate zoo/ecg.net --stream": ("srnn-simulate", "ZOO/ecg.net", "--stream"),
    "srnn-train digits, one epoch": TRAIN,
    "srnn-train digits --quantize, one epoch": (*TRAIN, "--quantize"),
}
"""What is timed, by what it is called; ZOO and RUN stand for folders."""


def cpu_seconds(words: tuple[str, ...], folder: Path) -> float:
    """Run a command that keeps its kernels in ``folder``; return its seconds of CPU time.

    Raises
    ------
    SystemExit
        The command fails.
    """
    names = {"RUN": str(folder / "run")}
    name, *given = (names.get(word, word.replace("ZOO", str(ROOT / "zoo"))) for word in words)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [str(BIN / name), *given],
        env={**os.environ, "NUMBA_CACHE_DIR": str(folder / "kernels")},
        input="0,0\n" * 200,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Time every command twice and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = {}
    for title, words in COMMANDS.items():
        with tempfile.TemporaryDirectory() as name:
            rows[title] = [cpu_seconds(words, Path(name)) for _ in range(2)]
    about = machine()
    if arguments.json:
        print(json.dumps({"machine": about, "seconds": rows}, indent=2))
        return 0
    print("\n".join(f"{key:10} {value}" for key, value in about.items()))
    print(f"\n{'seconds of CPU time':42} first  second")
    for title, (first, second) in rows.items():
        print(f"{title:42} {first:5.1f}  {second:6.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
