"""``srnn-simulate --report``: arguments, and from files to a report."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..export.console import EXIT_NO, EXIT_OK, Output
from ..export.errors import InputError
from ..export.network import Network
from ..export.netx import read_net, read_samples
from .report.values import shown

if TYPE_CHECKING:
    from ..tasks.base import Task
    from .report.evidence import Data, Evidence

OPTIONS = ("overwrite", "report_samples", "float_model", "placement")
"""Arguments that have no meaning without ``--report``."""

LoadTask = Callable[[argparse.Namespace, Path, Network], "Task"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of reports."""
    group = parser.add_argument_group("report")
    group.add_argument(
        "--report",
        type=Path,
        metavar="FILE.html",
        help="write a report: FILE.html, FILE.json and FILE-tables/*.csv; several networks are "
        "compared side by side (docs/REPORT.md)",
    )
    group.add_argument("--overwrite", action="store_true", help="replace an existing report")
    group.add_argument(
        "--report-samples",
        metavar="LIST",
        help="samples to show in detail, such as 0,5 (default: the first, the best, the worst)",
    )
    group.add_argument(
        "--float-model",
        type=Path,
        metavar="model.pt",
        help="compare with the float model that the network was exported from",
    )
    group.add_argument(
        "--placement",
        type=Path,
        metavar="FILE",
        help="what srnn-deploy --dry-run --json printed, - for standard input",
    )


def check_arguments(arguments: argparse.Namespace) -> None:
    """Refuse options that do not go together.

    Raises
    ------
    InputError
        Report options without a report, several networks without a report, or options that a
        report does not take.
    """
    if arguments.report is None:
        for name in OPTIONS:
            if getattr(arguments, name):
                raise InputError(f"--{name.replace('_', '-')}: needs --report FILE.html")
        if len(arguments.networks) > 1:
            raise InputError(
                f"{len(arguments.networks)} networks: they are compared in a report; add --report "
                "FILE.html, or name one"
            )
        return
    if arguments.trace is not None:
        raise InputError("--trace: cannot be combined with --report; run the command twice")
    if len(arguments.networks) > 1:
        for name in ("float_model", "placement", "pilot", "report_samples", "baseline"):
            if getattr(arguments, name):
                raise InputError(
                    f"--{name.replace('_', '-')}: applies to one network only; name one"
                )


def report(arguments: argparse.Namespace, output: Output, load_task: LoadTask) -> int:
    """Run the networks and write the report.

    Raises
    ------
    InputError
        Files that cannot be read, run or written.
    """
    # Checked before a long run: a missing package, an existing file.
    import jinja2  # noqa: F401
    import matplotlib as mpl  # noqa: F401

    from .baselines import read_baselines
    from .energy import read_energy_models
    from .pilot import read_pilot
    from .report.compare import comparison_report
    from .report.placement import read_placement
    from .report.single import Extras, single_report
    from .report.write import check_target, write_report

    check_target(arguments.report, arguments.overwrite)
    networks = [read_net(path, arguments.layers) for path in arguments.networks]
    models = read_energy_models(arguments.energy_models)
    command = shlex.join(["srnn-simulate", *map(str, arguments.argv)])
    if len(networks) == 1:
        model = placement = None
        if arguments.float_model is not None:
            from ..export.checkpoint import read_model

            model = read_model(arguments.float_model)
            if "inputs" not in model.samples:
                raise InputError(f"--float-model: {arguments.float_model} holds no samples")
        if arguments.placement is not None:
            placement = read_placement(arguments.placement, networks[0])
        extras = Extras(
            command,
            model,
            arguments.float_model,
            placement,
            models,
            None if arguments.pilot is None else read_pilot(arguments.pilot),
            read_baselines(arguments.baseline, networks[0], _part(arguments)),
        )
        evidences = _evidences(arguments, output, networks, load_task)
        made = single_report(evidences[0], extras)
    else:
        evidences = _evidences(arguments, output, networks, load_task)
        made = comparison_report(evidences, command, models)
    files = write_report(made, arguments.report, arguments.overwrite)
    size = arguments.report.stat().st_size
    for evidence in evidences:
        scores = ", ".join(f"{k.replace('_', ' ')} {v:.4f}" for k, v in evidence.metrics.items())
        count = shown(evidence.data.count, "integer", "samples")
        output.line(f"{evidence.path}: {evidence.data.source}, {count}")
        if scores:
            output.line(scores)
    output.line(
        f"Wrote {arguments.report} ({size / 1e6:.1f} MB) and {len(files) - 1} files next to it"
    )
    output.result(
        {
            "report": arguments.report,
            "files": files,
            "bytes": size,
            "networks": [
                {"network": one.path, "source": one.data.source, **one.metrics} for one in evidences
            ],
        }
    )
    return EXIT_NO if any(one.different for one in evidences) else EXIT_OK


def _evidences(
    arguments: argparse.Namespace,
    output: Output,
    networks: Sequence[Network],
    load_task: LoadTask,
) -> tuple[Evidence, ...]:
    from .report.evidence import gather

    found = []
    for path, network in zip(arguments.networks, networks, strict=True):
        data = _data(arguments, path, network, load_task)
        samples = _samples(arguments.report_samples, data.count)
        with output.progress() as bar:
            row = bar.add_task(f"simulating {path.name}", total=data.count)
            found.append(
                gather(
                    path,
                    network,
                    data,
                    batch_size=arguments.batch_size,
                    threads=arguments.threads,
                    samples=samples,
                    progress=lambda done, bar=bar, row=row: bar.advance(row, done),
                )
            )
    return tuple(found)


def _samples(text: str | None, count: int) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        chosen = tuple(dict.fromkeys(int(word) for word in text.split(",")))
    except ValueError:
        raise InputError(
            f"--report-samples: {text!r} is not a list of numbers such as 0,5"
        ) from None
    outside = [index for index in chosen if not 0 <= index < count]
    if outside:
        raise InputError(f"--report-samples: {outside[0]} is outside 0..{count - 1}")
    return chosen


def _part(arguments: argparse.Namespace) -> str | None:
    """Return the requested split of a task's data, or None."""
    if arguments.input is not None:
        return None
    if arguments.task or arguments.data or arguments.split or arguments.download:
        return arguments.split or "test"
    return None


def _data(arguments: argparse.Namespace, path: Path, network: Network, load_task: LoadTask) -> Data:
    from .report.evidence import Data

    limit = arguments.limit
    if arguments.input is not None:
        from .inputs import read_inputs

        read = read_inputs(arguments.input, network)
        lengths = None if read.lengths is None else read.lengths[:limit]
        if 0 in read.inputs.shape[:2]:
            raise InputError(f"{arguments.input}: inputs {read.inputs.shape} hold no step")
        return Data(arguments.input.name, read.inputs[:limit], lengths)
    part = _part(arguments)
    if part is not None:
        task = load_task(arguments, path, network)
        split = task.splits()[part]
        source = f"{task.name}, {part} split"
        if limit is not None and limit < len(split):
            split = split.take(np.arange(limit))
        else:
            source += ", whole"
        return Data(
            source,
            split.inputs,
            split.lengths,
            split.targets,
            split.valid,
            skip_steps=task.skip_steps,
        )
    samples = read_samples(path)
    if samples is None:
        raise InputError(f"{path}: holds no samples; run a task with --task or a file with --input")
    return Data(
        f"the samples in {path.name}",
        samples.inputs[:limit],
        samples.lengths[:limit],
        None if samples.targets is None else samples.targets[:limit],
        None if samples.valid is None else samples.valid[:limit],
        samples.output[:limit],
        int(network.task.get("skip_steps", 0)),
    )
