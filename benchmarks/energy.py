"""Write ``docs/ENERGY.md``: estimates by every energy model, and times measured on this machine.

    SRNN_DATA=DIR python benchmarks/energy.py [--output docs/ENERGY.md] [--repeats 5] [--limit N]

It runs the published ECG network and the zoo's ECG and digits on their test data, and takes
accuracies of trained baselines from ``benchmarks/records/``. It trains nothing.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
from energy_page import Measured, Ran, page
from energy_times import measure
from machine import machine
from published_ecg import published, states
from result_plan import RECORDS
from result_tables import read_records
from srnn import tasks
from srnn.export import Network, Quantization
from srnn.export.files import replace_file
from srnn.export.netx import read_net
from srnn.export.quantize import quantize
from srnn.simulate.cli_energy import AnswersSoFar
from srnn.simulate.evaluate import evaluate
from srnn.simulate.latency import confident_exits, decision_latency, early_exit_curve
from srnn.tasks.base import Task
from srnn.train import float_model

ROOT = Path(__file__).resolve().parent.parent


def published_network(task: Task, folder: Path) -> Network:
    """Return the published ECG network of 2021 as integers."""
    file = float_model(published("2021", folder), task)
    made, _ = quantize(file, Quantization(), states, np.asarray(file.samples["inputs"]))
    return made


def ran(name: str, network: Network, task: Task, limit: int | None) -> Ran:
    """Run a network on its task's test data."""
    split = task.test
    if limit is not None:
        split = split.take(np.arange(min(limit, len(split))))
    per_step = network.readout.per_step
    answers = None if per_step else AnswersSoFar(network)
    result = evaluate(
        network, split, skip_steps=task.skip_steps, sink=None if answers is None else answers.add
    )
    latency = curve = None
    exits = ()
    if answers is None:
        latency = decision_latency(result.predictions, split.targets, split.lengths, split.valid)
    else:
        joined = answers.joined()
        curve = early_exit_curve(joined, split.targets)
        exits = confident_exits(joined, split.targets)
    return Ran(
        name,
        network,
        result.activity,
        result.metrics["accuracy"],
        len(split),
        latency,
        curve,
        exits,
    )


def main() -> None:
    """Run, time, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "ENERGY.md")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--limit", type=int, metavar="N", help="the first N samples of each task")
    arguments = parser.parse_args()
    root = Path(os.environ["SRNN_DATA"])
    ecg, zoo_digits = tasks.load("ecg", root), read_net(ROOT / "zoo" / "digits.net")
    digits = tasks.load("digits", options=zoo_digits.task["options"])
    networks = (
        ran("published ECG", published_network(ecg, root / "checkpoints"), ecg, arguments.limit),
        ran("zoo/ecg", read_net(ROOT / "zoo" / "ecg.net"), ecg, arguments.limit),
        ran("zoo/digits", zoo_digits, digits, arguments.limit),
    )
    batch = np.asarray(ecg.test.take(np.arange(min(64, len(ecg.test)))).inputs)
    times, meters = measure(batch, arguments.repeats)
    measured = Measured(machine(), networks, tuple(times), meters.missing, read_records(RECORDS))
    replace_file(arguments.output, page(measured).encode())
    print(f"Wrote {arguments.output}")


if __name__ == "__main__":
    main()
