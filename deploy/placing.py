"""``srnn-deploy --dry-run``: place a network on a board, estimate its traffic, cluster it first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..export.console import EXIT_NO, EXIT_OK, Output
from ..export.errors import InputError, counted
from ..export.filekind import NETWORK, check_network_name, check_target
from ..export.network import Network
from ..export.netx import read_samples, write_net
from ..simulate.evaluate import Stream, stream
from ..simulate.simulator import run
from .boards import Board, read_boards
from .cluster import Merged, cluster
from .inputs import Inputs
from .mapping import place
from .placement_report import Report, as_dict, print_report
from .traffic import messages, traffic
from .violations import violations


@dataclass(frozen=True)
class Wish:
    """What was asked: the model's path, a target or None, a boards file, profiles, a file to write.

    ``output`` None stands for a name next to the model.
    """

    model: Path
    target: str | None
    boards: Path | None = None
    clusters: int | None = None
    output: Path | None = None


@dataclass(frozen=True)
class Cost:
    """What clustering changed on samples: accuracies and spikes before and after, and answers."""

    source: str
    samples: int
    answers: int
    changed: int
    accuracy: tuple[float | None, float | None]
    spikes: tuple[int, int]


def chosen_board(wish: Wish) -> Board:
    """Return the board that was asked for.

    Raises
    ------
    InputError
        No such board, or none was named and there are several.
    """
    boards = read_boards(wish.boards)
    if wish.target is not None:
        try:
            return boards.find(wish.target)
        except InputError as error:
            raise InputError(f"--target: {error}") from None
    if wish.boards is not None and len(boards.boards) == 1:
        return next(iter(boards.boards.values()))
    raise InputError(f"--dry-run: name a board with --target: {', '.join(boards.names())}")


def dry_run(wish: Wish, network: Network, inputs: Inputs | None, output: Output) -> int:
    """Place, print, and return an exit code that says whether it fits.

    Raises
    ------
    InputError
        No such board, a boards file that cannot be used, or nothing to measure clustering on.
    """
    board = chosen_board(wish)
    ran = None if inputs is None else _simulate(network, inputs, output)
    merged: list[Merged] = []
    cost = written = None
    if wish.clusters is not None:
        if inputs is None or ran is None:
            raise InputError(
                f"--cluster: {wish.model} holds no samples to measure the cost on; name a task "
                "(--task NAME --data DIR)"
            )
        clustered, merged = cluster(network, wish.clusters)
        after = _simulate(clustered, inputs, output)
        cost = _cost(inputs, ran, after)
        written = _write(wish, clustered)
        network, ran = clustered, after
    counts = None if inputs is None or ran is None else messages(ran.activity, inputs)
    placement = place(network, board, counts)
    found = violations(network, placement)
    report = Report(
        network=network,
        placement=placement,
        violations=tuple(found),
        traffic=None if inputs is None else traffic(placement, int(inputs.lengths.sum())),
        source=None
        if inputs is None
        else f"{inputs.source}, {counted(len(inputs.inputs), 'sample')}",
    )
    if cost is not None:
        _print_cluster(output, merged, cost, str(written))
    print_report(output, report, wish.target or board.name)
    output.result(
        {
            "model": wish.model,
            **as_dict(report),
            "clustered": None if cost is None else _cluster_dict(merged, cost, str(written)),
        }
    )
    return EXIT_NO if found else EXIT_OK


def _simulate(network: Network, inputs: Inputs, output: Output) -> Stream:
    with output.progress() as bar:
        row = bar.add_task("simulating", total=len(inputs.inputs))
        return stream(
            network,
            inputs.inputs,
            inputs.lengths,
            progress=lambda done: bar.advance(row, done),
        )


def _cost(inputs: Inputs, before: Stream, after: Stream) -> Cost:
    valid = np.ones(before.predictions.shape, np.bool_)
    if before.predictions.ndim == 2:
        valid = np.arange(inputs.inputs.shape[1]) < inputs.lengths[:, None]
    return Cost(
        source=inputs.source,
        samples=len(inputs.inputs),
        answers=int(np.count_nonzero(valid)),
        changed=int(np.count_nonzero((before.predictions != after.predictions) & valid)),
        accuracy=(
            inputs.accuracy(before.predictions).get("accuracy"),
            inputs.accuracy(after.predictions).get("accuracy"),
        ),
        spikes=(before.activity.spikes, after.activity.spikes),
    )


def _write(wish: Wish, network: Network) -> Path:
    """Write the clustered network, with the file's samples and its answers to them."""
    target = wish.output
    if target is None:
        target = wish.model.with_name(f"{wish.model.stem}-{wish.clusters}-profiles.net")
    if target.exists() and target.samefile(wish.model):
        raise InputError(f"--output: {target} is the model itself; name another file")
    check_network_name(target, "--output")
    check_target("--output", target, NETWORK)
    samples = read_samples(wish.model)
    if samples is not None:
        answer = run(network, samples.inputs, samples.lengths, record="output")
        samples = replace(samples, output=answer.output)
    write_net(target, network, samples)
    return target


def _print_cluster(output: Output, merged: list[Merged], cost: Cost, written: str) -> None:
    output.table(
        "clustered parameters",
        ["layer", "profiles", "now", "decay change, median", "smallest weight scale"],
        [
            [row.layer, row.before, row.after, f"{row.decay_change:.1%}", row.weight_scale]
            for row in merged
        ],
    )
    before, after = cost.accuracy
    if before is not None and after is not None:
        output.line(
            f"cost on {cost.source} ({cost.samples:,}): accuracy {before:.4f} to {after:.4f} "
            f"({100 * (after - before):+.2f} points)"
        )
    else:
        output.line(f"cost on {cost.source} ({cost.samples:,}); they have no labels")
    output.line(
        f"{cost.changed:,} of {cost.answers:,} answers changed; spikes {cost.spikes[0]:,} to "
        f"{cost.spikes[1]:,}"
    )
    output.line(f"Wrote {written}")


def _cluster_dict(merged: list[Merged], cost: Cost, written: str) -> dict[str, Any]:
    return {
        "written": written,
        "source": cost.source,
        "samples": cost.samples,
        "answers": cost.answers,
        "changed_answers": cost.changed,
        "accuracy_before": cost.accuracy[0],
        "accuracy_after": cost.accuracy[1],
        "spikes_before": cost.spikes[0],
        "spikes_after": cost.spikes[1],
        "layers": [
            {
                "layer": row.layer,
                "profiles_before": row.before,
                "profiles_after": row.after,
                "median_decay_change": row.decay_change,
                "smallest_weight_scale": row.weight_scale,
            }
            for row in merged
        ],
    }
