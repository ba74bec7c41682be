"""``srnn-simulate``: arguments and printing."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..export.console import EXIT_NO, EXIT_OK, Output, make_parser, plain, run_command
from ..export.errors import InputError, counted
from ..export.filekind import NETWORK, TRACE, check_kind, check_target
from ..export.network import Network
from ..export.netx import read_net, read_samples
from ..export.samples import Samples
from . import cli_energy, cli_report, cli_stream

if TYPE_CHECKING:
    from ..export.trace import Trace
    from ..tasks.base import Task
    from .activity import Activity

EXAMPLE = """\
  srnn-simulate model.net                               run the bundled samples and check them
  srnn-simulate model.net --data DIR                    the test data of the task it was trained on
  srnn-simulate model.net --task ecg --split validation --limit 20 --json
  srnn-simulate model.net --task ecg --energy --pilot pilot.toml
  srnn-simulate model.net --input recording.npz --trace run.h5 --trace-states v,d
  srnn-simulate model.net --task ecg --report report.html
  srnn-simulate a.net b.net --task ecg --report compared.html
  cat sensor.csv | srnn-simulate model.net --stream     labels as samples arrive"""

PREDICTIONS_SHOWN = 20


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = make_parser(
        "srnn-simulate",
        "Run a network of integers bit-accurately: on a task's data (accuracy), on a file of\n"
        "inputs (predictions), or on the samples in the file itself (checks their output).",
        EXAMPLE,
        "the bundled samples do not give their expected output",
    )
    parser.add_argument(
        "networks",
        type=Path,
        nargs="+",
        metavar="network",
        help="model.net of srnn-export, or of lava-dl; several with --report",
    )
    what = parser.add_argument_group("what to run (the bundled samples when none is given)")
    what.add_argument("--task", metavar="NAME", help="task; default the one named in the file")
    what.add_argument("--data", type=Path, metavar="DIR", help="folder of the task's files")
    what.add_argument(
        "--split",
        choices=("test", "validation", "train"),
        help="split of the task's data (default: test)",
    )
    what.add_argument("--download", action="store_true", help="fetch missing files of the task")
    what.add_argument(
        "--input",
        type=Path,
        metavar="FILE",
        help=".npz, .npy, .h5 or .csv of integers (sample, time, channel) or (time, channel)",
    )
    what.add_argument("--limit", type=int, metavar="N", help="only the first N samples")
    parser.add_argument(
        "--layers",
        type=int,
        metavar="N",
        help="of a file of lava-dl: only the first N groups of /layer, as num_layers of netx",
    )
    parser.add_argument(
        "--batch-size", type=int, default=64, metavar="N", help="samples per batch (default: 64)"
    )
    parser.add_argument("--threads", type=int, metavar="N", help="default: one per processor")
    parser.add_argument("--trace", type=Path, metavar="FILE", help="write spikes and output, HDF5")
    parser.add_argument(
        "--trace-states", default="", metavar="LIST", help="states to write as well, such as v,d"
    )
    cli_energy.add_arguments(parser)
    cli_report.add_arguments(parser)
    cli_stream.add_arguments(parser)
    parser.set_defaults(argv=sys.argv[1:] if argv is None else list(argv))
    return run_command(parser, _simulate, argv)


def _simulate(arguments: argparse.Namespace, output: Output) -> int:
    for path in arguments.networks:
        check_kind(path, NETWORK)
    _check_arguments(arguments)
    cli_stream.check_arguments(arguments)
    cli_energy.check_arguments(arguments)
    cli_report.check_arguments(arguments)
    if arguments.report is not None:
        return cli_report.report(arguments, output, _load_task)
    arguments.network = arguments.networks[0]
    network = read_net(arguments.network, arguments.layers)
    if arguments.stream:
        return cli_stream.stream(arguments, network, output)
    if arguments.input is not None:
        return _on_file(arguments, network, output)
    if arguments.task or arguments.data or arguments.split or arguments.download:
        return _on_task(arguments, network, output)
    return _on_samples(arguments, network, output)


def _check_arguments(arguments: argparse.Namespace) -> None:
    task = arguments.task or arguments.data or arguments.split or arguments.download
    if arguments.input is not None and task:
        raise InputError("--input: runs a file; leave out --task, --data, --split and --download")
    for name in ("limit", "batch_size", "threads"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise InputError(f"--{name.replace('_', '-')}: {value} is below 1")
    if arguments.task is not None:
        from ..tasks.registry import check_options

        check_options(arguments.task, {})
    if arguments.trace is not None:
        check_target("--trace", arguments.trace, TRACE)
    if arguments.trace_states and arguments.trace is None:
        raise InputError("--trace-states: needs --trace FILE, where the states go")


def _on_task(arguments: argparse.Namespace, network: Network, output: Output) -> int:
    task = _load_task(arguments, arguments.network, network)
    from .evaluate import evaluate

    part = arguments.split or "test"
    split = task.splits()[part]
    if arguments.limit is not None and arguments.limit < len(split):
        split = split.take(np.arange(arguments.limit))
    answers = cli_energy.answers_wanted(arguments, network)
    with _running(arguments, network, output, len(split), answers and answers.add) as options:
        result = evaluate(network, split, skip_steps=task.skip_steps, **options)
    output.line(f"{arguments.network}: {task.name}, {part} split, {counted(len(split), 'sample')}")
    for name, value in result.metrics.items():
        output.line(f"{name.replace('_', ' ')} {value:.4f}")
    _print_activity(output, result.activity, result.seconds)
    energy = cli_energy.energy_results(
        arguments, network, result.activity, result.metrics, output, split=part
    )
    if energy:
        labels = (split.targets, split.lengths, split.valid)
        energy |= cli_energy.time_to_answer(
            network, result.predictions, labels, answers, energy["energy"], output=output
        )
    output.result(
        {
            "task": task.name,
            "split": part,
            **result.metrics,
            "activity": result.activity.as_dict(),
            **energy,
            "seconds": result.seconds,
            "trace": arguments.trace,
        }
    )
    return EXIT_OK


def _load_task(arguments: argparse.Namespace, path: Path, network: Network) -> Task:
    from ..tasks.registry import load

    stored = network.task
    name = arguments.task or stored.get("name")
    if name is None:
        raise InputError(f"{path}: names no task; give one with --task")
    same = name == stored.get("name")
    options = stored.get("options", {}) if same else {}
    task = load(name, arguments.data, options, arguments.download)
    if task.input_size != network.input_size:
        raise InputError(
            f"{name}: {task.input_size} channels, but {path} takes "
            f"{network.input_size}; choose the task that it was trained on"
        )
    if same and plain(task.description()).get("encoder") != plain(stored.get("encoder")):
        raise InputError(
            f"{name}: encodes its data differently from the training of this network; use the "
            "version of srnn that trained it"
        )
    return task


def _on_file(arguments: argparse.Namespace, network: Network, output: Output) -> int:
    from .inputs import read_inputs

    data = read_inputs(arguments.input, network)
    from .evaluate import stream

    inputs = data.inputs[: arguments.limit]
    lengths = None if data.lengths is None else data.lengths[: arguments.limit]
    if inputs.shape[0] == 0 or inputs.shape[1] == 0:
        raise InputError(f"{arguments.input}: inputs {data.inputs.shape} hold no step")
    with _running(arguments, network, output, len(inputs)) as options:
        result = stream(network, inputs, lengths, **options)
    names = network.readout.classes
    output.line(f"{arguments.network}: {counted(len(inputs), 'sample')} of {arguments.input}")
    if network.task.get("encoder", {}).get("name", "none") != "none":
        output.note(
            f"{arguments.input}: taken as integers that the encoder has made; --stream encodes raw "
            "readings"
        )
    for index, row in enumerate(result.predictions[:PREDICTIONS_SHOWN]):
        output.line(f"sample {index}: {_named(row, names)}")
    if len(inputs) > PREDICTIONS_SHOWN:
        output.line(f"and {len(inputs) - PREDICTIONS_SHOWN} more; --json prints all")
    _print_activity(output, result.activity, result.seconds)
    output.result(
        {
            "input": arguments.input,
            "classes": names,
            "predictions": result.predictions,
            "activity": result.activity.as_dict(),
            **cli_energy.energy_results(arguments, network, result.activity, {}, output),
            "seconds": result.seconds,
            "trace": arguments.trace,
        }
    )
    return EXIT_OK


def _named(prediction: Any, names: tuple[str, ...]) -> str:
    """Write a class, or the runs of equal classes over time: ``P 0-99, QRS 100-130``."""
    if np.ndim(prediction) == 0:
        return names[int(prediction)] if names else str(int(prediction))
    steps = np.asarray(prediction)
    firsts = np.flatnonzero(np.diff(steps, prepend=-1))
    lasts = np.append(firsts[1:], len(steps)) - 1
    shown = [
        f"{_named(steps[first], names)} {first}-{last}"
        for first, last in zip(firsts[:8].tolist(), lasts[:8].tolist(), strict=True)
    ]
    return ", ".join(shown) + (f" and {len(firsts) - 8} more" if len(firsts) > 8 else "")


def _on_samples(arguments: argparse.Namespace, network: Network, output: Output) -> int:
    from .evaluate import stream

    samples = read_samples(arguments.network)
    if samples is None:
        raise InputError(
            f"{arguments.network}: holds no samples; run a task with --task or a file with --input"
        )
    inputs, expected = samples.inputs[: arguments.limit], samples.output[: arguments.limit]
    answers: list[Any] = []

    def keep(trace: Trace) -> None:
        answers.append(trace.output)

    with _running(arguments, network, output, len(inputs), keep) as options:
        result = stream(network, inputs, samples.lengths[: arguments.limit], **options)
    differs = np.argwhere(np.concatenate(answers) != expected)
    first = None
    if len(differs):
        first = dict(zip(("sample", "step", "neuron"), differs[0].tolist(), strict=True))
    output.line(
        f"{arguments.network}: {len(inputs)} bundled samples, {expected.size:,} output values, "
        f"{len(differs):,} differ from what the file expects"
    )
    if first is not None:
        at = tuple(first.values())
        output.line(
            f"first: sample {at[0]}, step {at[1]}, neuron {at[2]}: "
            f"{int(np.concatenate(answers)[at])} instead of {int(expected[at])}"
        )
    metrics = _sample_metrics(samples, network, result.predictions)
    for name, value in metrics.items():
        output.line(f"{name.replace('_', ' ')} {value:.4f} (of these samples)")
    _print_activity(output, result.activity, result.seconds)
    output.result(
        {
            "samples": len(inputs),
            "compared": int(expected.size),
            "different": len(differs),
            "first": first,
            **metrics,
            "activity": result.activity.as_dict(),
            **cli_energy.energy_results(arguments, network, result.activity, metrics, output),
            "seconds": result.seconds,
            "trace": arguments.trace,
        }
    )
    return EXIT_NO if len(differs) else EXIT_OK


def _sample_metrics(samples: Samples, network: Network, predictions: Any) -> dict[str, float]:
    from ..tasks.base import Split
    from ..tasks.metrics import accuracy

    count = len(predictions)
    if samples.targets is None or samples.targets[:count].shape != predictions.shape:
        return {}
    if samples.lengths[:count].min() < 1:
        return {}
    split = Split(
        samples.inputs[:count],
        samples.targets[:count],
        samples.lengths[:count],
        None if samples.valid is None or not network.readout.per_step else samples.valid[:count],
    )
    return accuracy(predictions, split, int(network.task.get("skip_steps", 0)))


@contextmanager
def _running(
    arguments: argparse.Namespace,
    network: Network,
    output: Output,
    count: int,
    also: Callable[[Trace], object] | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield the options of ``stream``: batches, threads, progress bar and trace file."""
    states = [name.strip() for name in arguments.trace_states.split(",") if name.strip()]
    writing: Any = nullcontext()
    if arguments.trace is not None:
        from .tracefile import writing_trace

        digest = hashlib.sha256(arguments.network.read_bytes()).hexdigest()
        writing = writing_trace(arguments.trace, network, states, digest)
    with writing as writer, output.progress() as bar:
        row = bar.add_task("simulating", total=count)

        def sink(trace: Trace) -> None:
            if writer is not None:
                writer.append(trace)
            if also is not None:
                also(trace)

        yield {
            "batch_size": arguments.batch_size,
            "threads": arguments.threads,
            "record": "states" if states else "output" if writer is None else "spikes",
            "progress": lambda done: bar.advance(row, done),
            "sink": sink,
        }


def _print_activity(output: Output, activity: Activity, seconds: float) -> None:
    output.table(
        "activity",
        ("layer", "neuron", "neurons", "spikes", "firing rate", "ACs", "MACs", "dense", "updates"),
        [
            (
                layer.name,
                layer.neuron,
                layer.size,
                layer.spike_count if layer.spiking else None,
                layer.firing_rate,
                layer.effective_acs,
                layer.effective_macs,
                layer.dense_operations,
                layer.neuron_updates,
            )
            for layer in activity.layers
        ],
    )
    per_sample, per_step = activity.per_sample(), activity.per_step()
    output.table(
        "synaptic operations, spikes and neuron updates",
        ("count", "per sample", "per step"),
        [(name, f"{per_sample[name]:,.1f}", f"{per_step[name]:,.2f}") for name in per_sample],
    )
    if activity.activation_sparsity is not None:
        output.line(f"activation sparsity {activity.activation_sparsity:.4f}")
    rate = activity.steps / seconds if seconds > 0 else 0.0
    output.line(f"{activity.steps:,} sample-steps in {seconds:.2f} s ({rate:,.0f} per second)")
