"""``srnn-simulate --stream``: samples from standard input, a line per step; labels as they come."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..export.console import EXIT_OK, EXIT_STOPPED, Output
from ..export.errors import InputError
from ..export.filekind import check_target
from ..export.files import Appended
from ..export.network import Network
from ..export.netx import read_samples
from ..export.ranges import Calibration, calibration_of, stored_calibration
from ..export.terminal import put, visible
from .sample_lines import sample_lines

if TYPE_CHECKING:
    from ..tasks.stream_encoders import StreamEncoder
    from .monitor import Monitor
    from .streaming import StreamingSimulator

INPUT = "standard input"
_BATCH = (
    "task", "data", "split", "download", "input", "limit", "threads", "trace", "report", "energy",
    "energy_models", "pilot",
)  # fmt: skip
_STREAM = ("encoded", "columns", "changes", "monitor", "window")
NO_LABEL = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--stream`` and what belongs to it."""
    group = parser.add_argument_group("streaming")
    group.add_argument(
        "--stream",
        action="store_true",
        help="read samples from standard input, CSV or JSON lines, one per time step, encode them "
        "as in the network's training, and print step and label as they come",
    )
    group.add_argument(
        "--encoded", action="store_true", help="the lines already hold the network's integers"
    )
    group.add_argument(
        "--columns", metavar="LIST", help="columns to use, by number from 1 or by name: 2,3"
    )
    group.add_argument(
        "--changes", action="store_true", help="print a line only where the label changes"
    )
    group.add_argument(
        "--monitor",
        metavar="FILE",
        help="append a JSON line per window to FILE (-: standard output): firing rates, headroom "
        "of states, drift from the calibration",
    )
    group.add_argument(
        "--window", type=int, metavar="N", help="steps per window of the monitor (default: 1000)"
    )


def check_arguments(arguments: argparse.Namespace) -> None:
    """Refuse options that do not go together."""
    given = [name for name in _STREAM if getattr(arguments, name)]
    if not arguments.stream:
        if given:
            raise InputError(f"--{given[0]}: needs --stream")
        return
    other = [name for name in _BATCH if getattr(arguments, name, None)]
    if other:
        name = other[0].replace("_", "-")
        raise InputError(f"--{name}: cannot be combined with --stream, which reads standard input")
    if arguments.window is not None and arguments.monitor is None:
        raise InputError("--window: needs --monitor FILE")
    if arguments.window is not None and arguments.window < 1:
        raise InputError(f"--window: {arguments.window} is below 1")


def stream(arguments: argparse.Namespace, network: Network, output: Output) -> int:
    """Run until the input ends or Ctrl-C."""
    from .streaming import StreamingSimulator

    encoder = _encoder(arguments, network)
    columns = network.input_size if encoder is None else encoder.channels
    chosen = [c.strip() for c in (arguments.columns or "").split(",") if c.strip()]
    lines = sample_lines(sys.stdin.buffer, INPUT, columns, chosen, _hint(network, encoder))
    simulator = StreamingSimulator(network)
    with ExitStack() as stack:
        watch = _watch(arguments, network, simulator, output, stack)
        printer = _Printer(simulator, arguments.json, arguments.changes)
        code = EXIT_OK
        try:
            for number, row in _rows(lines, encoder):
                _step(simulator, row, number)
                printer.step()
                if watch is not None:
                    watch.step()
        except KeyboardInterrupt:
            # The usual end of a sensor's stream.
            code = EXIT_STOPPED
        finally:
            if watch is not None:
                watch.end()
    if simulator.steps == 0 and code == EXIT_OK:
        raise InputError(f"{INPUT}: holds no sample; give one line of {columns} numbers per step")
    return code


def _step(simulator: StreamingSimulator, row: Any, number: int) -> None:
    try:
        simulator.step(row)
    except InputError as error:
        raise InputError(f"{INPUT}, line {number}: {error}") from None


def _encoder(arguments: argparse.Namespace, network: Network) -> StreamEncoder[Any] | None:
    """Return the network's own encoder, None where the lines hold integers."""
    stored = network.task.get("encoder")
    if arguments.encoded or not stored:
        return None
    from ..tasks.encoders import encoder_from_plain
    from ..tasks.stream_encoders import stream_encoder

    try:
        return stream_encoder(encoder_from_plain(stored), network.input_size)
    except InputError as error:
        raise InputError(f"{arguments.network}: {error} (--encoded)") from None


def _hint(network: Network, encoder: StreamEncoder[Any] | None) -> str:
    if encoder is None:
        return ", the network's input channels; choose them with --columns"
    name = encoder.encoder.NAME
    return (
        f", which its {name} encoder takes; choose them with --columns, or give --encoded with "
        f"{network.input_size} columns of integers"
    )


def _rows(
    lines: Iterable[tuple[int, list[float]]], encoder: StreamEncoder[Any] | None
) -> Iterator[tuple[int, Any]]:
    """Yield the integers of each step, and the number of the line that they came with."""
    number = 0
    for number, values in lines:
        if encoder is None:
            yield number, np.array(values)
            continue
        try:
            rows = encoder.push(values)
        except InputError as error:
            raise InputError(f"{INPUT}, line {number}: {error}") from None
        for row in rows:
            yield number, row
    if encoder is not None:
        try:
            rows = encoder.end()
        except InputError as error:
            raise InputError(f"{INPUT}, line {number}: {error}") from None
        for row in rows:
            yield number, row


class _Printer:
    """Writes one line per step, or per change, to standard output, and flushes it."""

    def __init__(self, simulator: StreamingSimulator, as_json: bool, changes: bool) -> None:
        self._simulator, self._json, self._changes = simulator, as_json, changes
        self._names = simulator.network.readout.classes
        self._last: int | None = -1

    def step(self) -> None:
        """Print the answer after the last step."""
        scores = self._simulator.scores
        label = None if scores is None else int(np.argmax(scores))
        if self._changes and label == self._last:
            return
        self._last = label
        step = self._simulator.steps - 1
        name = None if label is None else self._names[label] if self._names else str(label)
        if self._json:
            score = None if scores is None or label is None else float(scores[label])
            line = json.dumps({"step": step, "label": name, "class": label, "score": score})
        else:
            line = f"{step}\t{NO_LABEL if name is None else visible(name)}"
        _print(line + "\n")


class _Watch:
    """Writes the monitor's reports, and a line to standard error where drift begins."""

    def __init__(self, monitor: Monitor, append: Callable[[str], None], output: Output) -> None:
        self._monitor, self._append, self._output = monitor, append, output

    def step(self) -> None:
        self._write(self._monitor.advance())

    def end(self) -> None:
        self._write(self._monitor.end())

    def _write(self, report: dict[str, Any] | None) -> None:
        if report is None:
            return
        self._append(json.dumps(report, allow_nan=False) + "\n")
        for drift in self._monitor.began:
            self._output.note(f"srnn-simulate: drift: {drift.line()}")


def _watch(
    arguments: argparse.Namespace,
    network: Network,
    simulator: StreamingSimulator,
    output: Output,
    stack: ExitStack,
) -> _Watch | None:
    if arguments.monitor is None:
        return None
    from .monitor import Monitor

    calibration = calibration_for(arguments.network, network)
    if calibration is None:
        output.note(
            f"srnn-simulate: {arguments.network}: holds no calibration and no samples, so drift "
            "cannot be detected; export it again with srnn-export"
        )
    monitor = Monitor(simulator, calibration, arguments.window or 1000)
    if arguments.monitor == "-":
        return _Watch(monitor, _print, output)
    check_target("--monitor", arguments.monitor)
    # A log continues where the last run ended.
    log = stack.enter_context(Appended(arguments.monitor))
    return _Watch(monitor, lambda line: log.append(line.encode()), output)


def _print(line: str) -> None:
    put(sys.stdout, line)


def calibration_for(path: Path, network: Network) -> Calibration | None:
    """Return the ranges in a file, else those of its bundled samples, None where it has neither."""
    from .simulator import run

    stored = stored_calibration(network)
    if stored is not None:
        return stored
    samples = read_samples(path)
    if samples is None:
        return None
    trace = run(network, samples.inputs, samples.lengths)
    return calibration_of(network, trace, f"bundled samples of {path.name}")
