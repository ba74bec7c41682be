"""A long stream of raw readings, compared with the same steps run at once."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from reliability_tally import ZOO, Tally
from srnn.export.netx import read_net
from srnn.export.readout import predictions
from srnn.simulate.simulator import run
from srnn.tasks.encoders import encoder_from_plain

WARM = 10_000
"""Lines after which memory is looked at first."""
LAG = 3
"""Lines that the encoder of the ECG network waits for."""
GROWTH_KIB = 16 << 10
"""Memory that may be taken after the first lines."""


def streams(count: int, rng: random.Random, folder: Path, tally: Tally) -> None:
    """Send ``count`` lines through ``srnn-simulate --stream``."""
    del folder
    path = ZOO / "ecg.net"
    network = read_net(path)
    # Two leads that wander, in steps of the size at which the encoder spikes.
    signals = np.random.default_rng(rng.randrange(1 << 32)).normal(0, 0.03, (count, 2)).cumsum(0)
    signals = np.round(signals, 4)
    lines = [f"{a},{b}\n".encode() for a, b in signals.tolist()]
    process = subprocess.Popen(
        [sys.executable, "-m", "srnn.simulate", str(path), "--stream"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    warm = min(WARM, count // 2)
    found: list[bytes] = []

    def send(part: list[bytes]) -> None:
        assert process.stdin is not None
        for first in range(0, len(part), 1000):
            process.stdin.write(b"".join(part[first : first + 1000]))
        process.stdin.flush()

    def send_and_read(part: list[bytes], until: int) -> int:
        assert process.stdout is not None
        sender = threading.Thread(target=send, args=(part,))
        sender.start()
        while len(found) < until and (line := process.stdout.readline()):
            found.append(line)
        sender.join()
        return _peak(process.pid)

    before = send_and_read(lines[:warm], warm - LAG)
    began = time.monotonic()
    after = send_and_read(lines[warm:], count - LAG)
    seconds = time.monotonic() - began
    process.stdin.close()
    found += process.stdout.readlines()
    code = process.wait()
    process.stdout.close()
    encoded = encoder_from_plain(network.task["encoder"]).encode(signals[None])
    output = run(network, encoded, record="output").output
    answers = predictions(network, output, None)[0].tolist()
    names = network.readout.classes
    skipped = network.readout.skip_steps
    different = abs(len(found) - count)
    for step, (line, answer) in enumerate(zip(found, answers, strict=False)):
        wanted = f"{step}\t{names[answer]}\n".encode()
        different += line != wanted and (step >= skipped or line != f"{step}\t-\n".encode())
    tally.check(
        f"{count:,} lines",
        f"exit code {code}" if code else "",
        f"{different:,} of {len(found):,} lines differ" if different else "",
        f"memory grew by {after - before:,} KiB" if after - before > GROWTH_KIB else "",
    )
    tally.counts["labels that change"] += sum(a != b for a, b in pairwise(answers))
    tally.measured[f"largest memory after {warm:,} lines and at the end"] = (
        f"{before:,} and {after:,} KiB"
    )
    tally.measured["seconds after the first lines"] = f"{seconds:.1f}"
    tally.measured["lines per second"] = f"{(count - warm) / seconds:,.0f}"


def _peak(pid: int) -> int:
    """Return the largest resident memory of a process in KiB; 0 where Linux does not tell."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM")), 0)
