"""``srnn-deploy``: run a ``model.net`` on a target and compare it with the simulator."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..export.console import (
    EXIT_FAULT,
    EXIT_NO,
    EXIT_OK,
    LateText,
    Output,
    make_parser,
    run_command,
)
from ..export.errors import InputError, counted
from ..export.filekind import BOARDS, NETWORK, check_kind, check_target
from ..export.network import Network, check_inputs
from ..export.netx import read_net, read_samples
from ..export.suggest import check_known
from . import board_arguments
from .backends import AUTO, COMPUTERS, PRINTED, RunOptions, pick, refused_plugins, targets
from .boards import read_boards
from .c.options import COptions
from .emit import STANDARD_OUTPUT, emit
from .errors import RunError
from .lava.runner import DEFAULT_TIMEOUT as LAVA_TIMEOUT
from .loihi2.runner import DEFAULT_TIMEOUT as BOARD_TIMEOUT

# Compiled kernels (numba) and tasks (scipy) are imported where they are used: --help and mistakes
# are answered without them.
if TYPE_CHECKING:
    from .check import Check
    from .inputs import Inputs

DEFAULT_SAMPLES = 3
DEFAULT_CHIP = "loihi2"
"""The board for whose chip ``--emit-program`` writes."""

_DESCRIPTION = """\
Run a network of integers on a target and compare it with the simulator.

Every spike and every state of every layer is compared at every step. Lava adds one
step per layer: layer l is read l steps later. The command fails on any difference.

With --dry-run place the network on the cores of a board instead: what every core needs,
the expected spike traffic, and everything that keeps it off the board.

With --emit-program write what a chip that lacks a neuron needs in microcode: registers,
constants, operations, as they follow from the neuron's step."""

_EXAMPLE = """\
  srnn-deploy model.net                        the bundled samples, on the best target here
  srnn-deploy model.net --data ~/data          test data of the task it was trained on
  srnn-deploy model.net --target lava --task ecg --split validation --samples 5 --steps 200
  srnn-deploy model.net --target loihi2 --partition oheogulch
  srnn-deploy model.net --target loihi2 --dry-run
  srnn-deploy model.net --target loihi1 --dry-run --cluster 8 -o clustered.net
  srnn-deploy model.net --board my.toml --dry-run --json
  srnn-deploy model.net --emit-program neurons.txt"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    return run_command(_parser(), _deploy, argv)


def _parser() -> argparse.ArgumentParser:
    parser = make_parser("srnn-deploy", _DESCRIPTION, _EXAMPLE, "a difference, or it does not fit")
    parser.add_argument("model", metavar="model.net", help="the network, from srnn-export")
    parser.add_argument(
        "--target",
        metavar="NAME",
        help=LateText(
            lambda: (
                f"where to run: {', '.join(targets())} (auto, the default: the best here); with "
                f"--dry-run a board: {', '.join(read_boards().names())}"
            )
        ),
    )
    parser.add_argument(
        "--task",
        metavar="NAME",
        help="take samples of this task; default the one named in the file",
    )
    parser.add_argument(
        "--data", metavar="DIR", help="take samples of the task, whose files are in this folder"
    )
    parser.add_argument(
        "--split",
        choices=("test", "validation", "train"),
        help="split of the task's data (default: test)",
    )
    parser.add_argument("--download", action="store_true", help="fetch missing files of the task")
    parser.add_argument(
        "--samples",
        type=int,
        metavar="N",
        help=f"run the first N samples (default {DEFAULT_SAMPLES}; with --dry-run all)",
    )
    parser.add_argument(
        "--layers",
        type=int,
        metavar="N",
        help="of a file of lava-dl: only the first N groups of /layer, as num_layers of netx",
    )
    parser.add_argument("--steps", type=int, metavar="N", help="cut samples off after N steps")
    parser.add_argument(
        "--timeout",
        type=float,
        metavar="S",
        help="end a run in which nothing finishes for S seconds: on Lava a step (default "
        f"{LAVA_TIMEOUT:g}), on a board a sample (default {BOARD_TIMEOUT:g})",
    )
    parser.add_argument(
        "--emit",
        type=Path,
        metavar="DIR",
        help="with --target c, mcu or wasm: keep the files in this folder "
        "(docs/MICROCONTROLLERS.md)",
    )
    board_arguments.add(parser)
    placing = parser.add_argument_group("placement on a board")
    placing.add_argument(
        "--dry-run", action="store_true", help="place the network on the cores of a board"
    )
    placing.add_argument(
        "--board",
        type=Path,
        metavar="FILE",
        help="take boards from this TOML file (docs/BOARDS.md); with --target mcu a core or "
        "part: cortex-m4 (the default), cortex-m0plus, riscv32, ... (docs/MICROCONTROLLERS.md)",
    )
    placing.add_argument(
        "--cluster",
        type=int,
        metavar="N",
        help="first merge the time constants and thresholds of each layer to N profiles, measure "
        "what that costs, and write the network",
    )
    placing.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="where --cluster writes (default: the model's name with -N-profiles.net)",
    )
    parser.add_argument(
        "--emit-program",
        nargs="?",
        const=STANDARD_OUTPUT,
        metavar="FILE",
        help="write the microcode programs that a board's chip (--target, default "
        f"{DEFAULT_CHIP}) needs; to standard output without FILE (docs/MICROCODE.md)",
    )
    return parser


def _deploy(arguments: argparse.Namespace, output: Output) -> int:
    _check_arguments(arguments)
    for line in refused_plugins():
        output.note(f"srnn-deploy: {line}")
    network = read_net(arguments.model, arguments.layers)
    if arguments.dry_run:
        return _dry_run(arguments, network, output)
    if arguments.emit_program is not None:
        return _emit(arguments, network, output)
    inputs = _inputs(arguments, network)
    head = {"model": arguments.model, "samples": len(inputs.inputs), "source": inputs.source}
    try:
        checked, reason = _run(arguments, output, network, inputs)
    except RunError as error:
        for line in f"srnn-deploy: {error}".split("\n"):
            output.note(line)
        output.result({**head, "match": None, "error": str(error)})
        return EXIT_FAULT
    wrong = _wrong_outputs(checked, inputs)
    match = checked.mismatches == 0 and not wrong
    _print(output, checked, inputs, wrong)
    output.result(
        {
            **head,
            "steps": inputs.lengths,
            "reason": reason,
            **checked.as_dict(),
            "bundled_output_mismatches": wrong,
            "match": match,
        }
    )
    return EXIT_OK if match else EXIT_NO


def _check_emit(arguments: argparse.Namespace) -> None:
    if arguments.emit is None:
        return
    if arguments.target not in PRINTED or arguments.dry_run or arguments.emit_program is not None:
        raise InputError(f"--emit: keeps C files; add --target {', '.join(PRINTED)}")
    if arguments.emit.exists() and not arguments.emit.is_dir():
        raise InputError(f"--emit: {arguments.emit} is a file; name a folder")


def _check_arguments(arguments: argparse.Namespace) -> None:
    _check_emit(arguments)
    for name, low in (("samples", 1), ("steps", 1), ("cluster", 1)):
        value = getattr(arguments, name)
        if value is not None and value < low:
            raise InputError(f"--{name}: {value} is below {low}")
    if arguments.timeout is not None and not 0 < arguments.timeout < float("inf"):
        raise InputError(f"--timeout: {arguments.timeout:g} is not a number of seconds above 0")
    emits = arguments.emit_program is not None
    if emits:
        _check_emission(arguments)
    emulates = arguments.target == "mcu" and not arguments.dry_run
    if not arguments.dry_run:
        for name in ("cluster", "output", *(() if emits or emulates else ("board",))):
            if getattr(arguments, name) is not None:
                raise InputError(f"--{name}: is about placement; add --dry-run")
    if arguments.task is not None:
        from ..tasks.registry import check_options

        check_options(arguments.task, {})
    if arguments.board is not None and not emulates:
        check_kind(arguments.board, BOARDS)
    if arguments.target is not None:
        _check_target(arguments.target, arguments.dry_run or emits, arguments.board)
    board_arguments.board_options(arguments, _on_computer(arguments))
    if arguments.output is not None and arguments.cluster is None:
        raise InputError("--output: needs --cluster N, whose network it holds")
    check_kind(arguments.model, NETWORK)


def _check_emission(arguments: argparse.Namespace) -> None:
    if arguments.dry_run:
        raise InputError("--emit-program: places nothing; leave out --dry-run")
    for name in ("task", "data", "split", "download", "samples", "steps"):
        if getattr(arguments, name):
            raise InputError(f"--{name}: --emit-program runs no sample; leave it out")
    if arguments.emit_program != STANDARD_OUTPUT:
        check_target("--emit-program", arguments.emit_program)


def _check_target(target: str, places: bool, boards: Path | None) -> None:
    if places:
        check_known("board", target, read_boards(boards).names(), "--target")
    elif target not in targets():
        known = read_boards().names()
        check_known("target", target, (*targets(), *known), "--target")
        raise InputError(
            f"--target: {target} is a board; add --dry-run to place the network on it, or run "
            f"on one of {', '.join(targets())}"
        )


def _on_computer(arguments: argparse.Namespace) -> bool:
    places = arguments.dry_run or arguments.emit_program is not None
    return places or (arguments.target or AUTO) in (AUTO, *COMPUTERS, *PRINTED)


def _dry_run(arguments: argparse.Namespace, network: Network, output: Output) -> int:
    from .placing import Wish, chosen_board, dry_run

    wish = Wish(
        Path(arguments.model),
        arguments.target,
        arguments.board,
        arguments.cluster,
        arguments.output,
    )
    # A board that is not there is found before a long simulation starts.
    chosen_board(wish)
    named = arguments.task or arguments.data or arguments.split or arguments.download
    inputs = _inputs(arguments, network) if named or read_samples(arguments.model) else None
    return dry_run(wish, network, inputs, output)


def _emit(arguments: argparse.Namespace, network: Network, output: Output) -> int:
    from .placing import Wish, chosen_board

    target = arguments.target
    if target is None and arguments.board is None:
        target = DEFAULT_CHIP
    board = chosen_board(Wish(Path(arguments.model), target, arguments.board))
    return emit(network, board.chip, arguments.emit_program, output)


def _inputs(arguments: argparse.Namespace, network: Network) -> Inputs:
    from .inputs import bundled_inputs, task_inputs

    count = arguments.samples
    if count is None and not arguments.dry_run:
        count = DEFAULT_SAMPLES
    if arguments.task or arguments.data or arguments.split or arguments.download:
        inputs = task_inputs(
            network,
            name=arguments.task,
            data=arguments.data,
            split=arguments.split or "test",
            count=count,
            download=arguments.download,
        )
    else:
        skip_steps = int(network.task.get("skip_steps", 0))
        inputs = bundled_inputs(arguments.model, skip_steps)
    inputs = inputs.cut(count, arguments.steps)
    check_inputs(network, inputs.inputs)
    return inputs


def _run(
    arguments: argparse.Namespace, output: Output, network: Network, inputs: Inputs
) -> tuple[Check, str]:
    from .check import check

    lag = len(network.layers)
    ends = np.concatenate([[0], np.cumsum(inputs.lengths + lag)])
    with output.progress() as bar:
        task = bar.add_task("steps", total=int(ends[-1]))

        def advance(done: int, steps: int) -> None:
            bar.update(task, completed=int(ends[done]) + steps)

        board = board_arguments.board_options(arguments, _on_computer(arguments))
        core = None if arguments.board is None else str(arguments.board)
        c = COptions(Path(arguments.model).stem, arguments.emit, core)
        picked = pick(arguments.target or AUTO, RunOptions(arguments.timeout, advance, board, c))
        output.line(f"target: {picked.reason}")
        return check(network, picked.backend, inputs.inputs, inputs.lengths), picked.reason


def _wrong_outputs(checked: Check, inputs: Inputs) -> int | None:
    if inputs.output is None:
        return None
    return int(np.count_nonzero(checked.trace.output != inputs.output))


def _print(output: Output, checked: Check, inputs: Inputs, wrong: int | None) -> None:
    target, other = checked.target, checked.expected_from
    output.table(
        f"How {target} runs it",
        ["layer", "neuron", "process", "lag", "synapses", "why this process"],
        [
            [
                layer.description.layer,
                layer.description.neuron,
                f"{layer.description.process} ({target if layer.description.stock else 'srnn'})",
                layer.description.lag,
                layer.description.synapses,
                layer.description.reason,
            ]
            for layer in checked.layers
        ],
    )
    output.table(
        f"{inputs.source}: {counted(len(inputs.inputs), 'sample')}, "
        f"{counted(int(inputs.lengths.sum()), 'step')}",
        ["layer", f"spikes, {target}", f"spikes, {other}", "compared", "values", "mismatches"],
        [
            [
                layer.description.layer,
                layer.spikes,
                layer.spikes_expected,
                ", ".join(row.quantity for row in layer.differences),
                layer.compared,
                layer.mismatches,
            ]
            for layer in checked.layers
        ],
    )
    if checked.measurement is not None:
        from .measured_tables import print_measurement

        print_measurement(checked.measurement, output)
    if checked.footprint is not None:
        from .c.footprint import print_footprint

        print_footprint(checked.footprint, output)
    for layer in checked.layers:
        for row in layer.differences:
            if row.first is not None:
                sample, step, neuron = row.first
                output.line(
                    f"layer {layer.description.layer}, {row.quantity}: {row.different:,} differ, "
                    f"the first in sample {sample}, step {step}, neuron {neuron}"
                )
    if wrong:
        output.line(f"{wrong:,} outputs differ from those in the file")
    output.line(_verdict(checked))


def _verdict(checked: Check) -> str:
    both = f"{checked.target} ({checked.seconds:.1f} s) and {checked.expected_from}"
    both = f"{both} ({checked.seconds_expected:.1f} s)"
    if checked.mismatches:
        return f"NOT EQUAL: {both} differ in {checked.mismatches:,} of {checked.compared:,} values"
    return f"{both} are equal: 0 mismatches in {checked.compared:,} spikes and states"
