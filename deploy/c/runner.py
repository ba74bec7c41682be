"""Compiling a printed network, running samples on it and reading what it did."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...export.files import replace_files
from ...export.network import Network, check_inputs
from ...export.trace import LayerTrace, Trace
from ...simulate.reference import check_lengths, trace_of
from ..errors import RunError
from .options import COptions
from .program import Program, c_name
from .project import project, step_layout

DEFAULT_TIMEOUT = 600.0
"""Seconds after which a compiler or a run is ended."""


@dataclass(frozen=True, eq=False)
class CRun:
    """What a run returned: its trace, the label after each step, and what the program printed.

    ``labels`` int32 (batch, time), -1 where there is none.
    """

    trace: Trace
    labels: npt.NDArray[np.int32]
    printed: str


def printed_program(network: Network, name: str) -> Program:
    """Return a network printed as C under the name of its file."""
    return Program(network, c_name(name), version("srnn"))


def run(
    network: Network,
    inputs: npt.ArrayLike,
    lengths: npt.ArrayLike | None,
    options: COptions,
    execute: Callable[[Program, Path], str],
    *,
    made: Sequence[str] = (),
) -> CRun:
    """Print a network, have it compiled and run, and read its trace.

    ``execute`` compiles the files in a folder, runs them there and returns the standard output.
    Files are kept in ``options.emit`` once they have run, with those that it ``made``, whose names
    have PREFIX for that of the network.

    Raises
    ------
    InputError
        Inputs of another shape or range, or a network that is not printed.
    RunError
        Compiling or running failed, or a trace of another size came back.
    """
    messages = check_inputs(network, inputs)
    ran = check_lengths(lengths, *messages.shape[:2])
    program = printed_program(network, options.name)
    files = project(program, messages, ran)
    with tempfile.TemporaryDirectory(prefix="srnn-c-") as name:
        folder = Path(name)
        for path, content in files.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_bytes(content.encode() if isinstance(content, str) else content)
        printed = execute(program, folder)
        for path in (name.replace("PREFIX", program.prefix) for name in made):
            files[path] = (folder / path).read_bytes()
        found = _read(network, folder / f"{program.prefix}_trace.bin", messages.shape[1], ran)
    if options.emit is not None:
        replace_files({options.emit / path: content for path, content in files.items()})
    return CRun(*found, printed)


def _read(
    network: Network, path: Path, steps: int, lengths: npt.NDArray[np.int64]
) -> tuple[Trace, npt.NDArray[np.int32]]:
    layout = step_layout(network)
    wanted = int(lengths.sum())
    rows = np.fromfile(path, layout) if path.exists() else np.zeros(0, layout)
    if path.exists() and path.stat().st_size != wanted * layout.itemsize:
        raise RunError(
            f"C: the trace has {path.stat().st_size:,} bytes, needs {wanted * layout.itemsize:,}"
        )
    whole = np.zeros((len(lengths), steps), layout)
    whole[np.arange(steps) < lengths[:, None]] = rows
    layers = [
        LayerTrace(
            whole[f"{index} spikes"].copy() if layer.neuron.SPIKING else None,
            {
                state: whole[f"{index} state {state}"].astype(np.int32)
                for state in layer.neuron.STATES
            },
        )
        for index, layer in enumerate(network.layers)
    ]
    return trace_of(network, layers, lengths), whole["label"].astype(np.int32)
