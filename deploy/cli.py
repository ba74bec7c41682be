"""``srnn-deploy``: run a ``model.net`` on a target and compare it with the simulator."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from ..export.console import EXIT_NO, EXIT_OK, Output, make_parser, run_command
from ..export.errors import InputError
from ..export.network import Network, check_inputs
from ..export.netx import read_net
from .backends import DEFAULT_TIMEOUT, TARGETS, RunOptions, pick
from .check import Check, check
from .errors import RunError
from .inputs import Inputs, bundled_inputs, task_inputs

DEFAULT_SAMPLES = 3

_DESCRIPTION = """\
Run a network of integers on a target and compare it with the simulator.

Every spike and every state of every layer is compared at every step. Lava adds one
step a layer: layer l is read l steps later. The command fails on any difference."""

_EXAMPLE = """\
  srnn-deploy model.net                        the bundled samples, on the best target here
  srnn-deploy model.net --data ~/data          test data of the task it was trained on
  srnn-deploy model.net --target lava --task ecg --split validation --samples 5 --steps 200

exit codes: 0 all equal, 1 a difference or a run that failed, 2 bad input"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    return run_command(_parser(), _deploy, argv)


def _parser() -> argparse.ArgumentParser:
    parser = make_parser("srnn-deploy", _DESCRIPTION, _EXAMPLE)
    parser.add_argument("model", metavar="model.net", help="the network, from srnn-export")
    parser.add_argument(
        "--target", choices=TARGETS, default="auto", help="where to run (default: the best here)"
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
        help="part of the task's data (default: test)",
    )
    parser.add_argument("--download", action="store_true", help="fetch missing files of the task")
    parser.add_argument(
        "--samples",
        type=int,
        default=DEFAULT_SAMPLES,
        metavar="N",
        help=f"run the first N samples (default {DEFAULT_SAMPLES})",
    )
    parser.add_argument("--steps", type=int, metavar="N", help="cut samples after N steps")
    parser.add_argument(
        "--timeout",
        type=float,
        default=DEFAULT_TIMEOUT,
        metavar="S",
        help=f"end a run in which no step finishes for S seconds (default {DEFAULT_TIMEOUT:g})",
    )
    return parser


def _deploy(arguments: argparse.Namespace, output: Output) -> int:
    _check_arguments(arguments)
    network = read_net(arguments.model)
    inputs = _inputs(arguments, network)
    head = {"model": arguments.model, "samples": len(inputs.inputs), "source": inputs.source}
    try:
        checked, reason = _run(arguments, output, network, inputs)
    except RunError as error:
        output.note(f"srnn-deploy: {error}")
        output.result({**head, "match": False, "error": str(error)})
        return EXIT_NO
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


def _check_arguments(arguments: argparse.Namespace) -> None:
    for name, low in (("samples", 1), ("steps", 1)):
        value = getattr(arguments, name)
        if value is not None and value < low:
            raise InputError(f"--{name}: {value} is below {low}")
    if not 0 < arguments.timeout < float("inf"):
        raise InputError(f"--timeout: {arguments.timeout:g} is not a number of seconds above 0")


def _inputs(arguments: argparse.Namespace, network: Network) -> Inputs:
    if arguments.task or arguments.data or arguments.split or arguments.download:
        inputs = task_inputs(
            network,
            name=arguments.task,
            data=arguments.data,
            split=arguments.split or "test",
            count=arguments.samples,
            download=arguments.download,
        )
    else:
        inputs = bundled_inputs(arguments.model)
    inputs = inputs.cut(arguments.samples, arguments.steps)
    check_inputs(network, inputs.inputs)
    return inputs


def _run(
    arguments: argparse.Namespace, output: Output, network: Network, inputs: Inputs
) -> tuple[Check, str]:
    lag = len(network.layers)
    ends = np.concatenate([[0], np.cumsum(inputs.lengths + lag)])
    with output.progress() as bar:
        task = bar.add_task("steps", total=int(ends[-1]))

        def advance(done: int, steps: int) -> None:
            bar.update(task, completed=int(ends[done]) + steps)

        picked = pick(arguments.target, RunOptions(arguments.timeout, advance))
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
                layer.plan.layer,
                layer.plan.neuron,
                f"{layer.plan.process} ({target if layer.plan.stock else 'srnn'})",
                layer.plan.lag,
                layer.plan.synapses,
                layer.plan.reason,
            ]
            for layer in checked.layers
        ],
    )
    output.table(
        f"{inputs.source}: {len(inputs.inputs)} samples, {int(inputs.lengths.sum()):,} steps",
        ["layer", f"spikes, {target}", f"spikes, {other}", "compared", "values", "mismatches"],
        [
            [
                layer.plan.layer,
                layer.spikes,
                layer.spikes_expected,
                ", ".join(row.quantity for row in layer.differences),
                layer.compared,
                layer.mismatches,
            ]
            for layer in checked.layers
        ],
    )
    for layer in checked.layers:
        for row in layer.differences:
            if row.first is not None:
                sample, step, neuron = row.first
                output.line(
                    f"layer {layer.plan.layer}, {row.quantity}: {row.different:,} differ, the "
                    f"first in sample {sample}, step {step}, neuron {neuron}"
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


if __name__ == "__main__":
    raise SystemExit(main())
