"""A placement for people and for machines: resources, cores, traffic, violations, bottleneck."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..export.console import Output
from ..export.network import Network
from .boards import LABELS, PER_CORE, Board
from .connectivity import connectivity
from .mapping import Placement
from .programs import MICROCODE, NATIVE, support
from .traffic import Traffic
from .violations import Violation

CORES_SHOWN = 12
MEMORY = "synapse_bits_per_core"
KBIT = 1024


@dataclass(frozen=True, eq=False)
class Report:
    """A placed network; ``traffic`` and the ``source`` of its spikes are None without samples."""

    network: Network
    placement: Placement
    violations: tuple[Violation, ...]
    traffic: Traffic | None
    source: str | None


@dataclass(frozen=True)
class Resource:
    """Used and available of one resource: on the fullest core, and on all cores of the board.

    ``limit`` and ``available`` are None where the limit is not known.
    """

    name: str
    peak: int
    limit: int | None
    used: int
    available: int | None
    verified: bool

    @property
    def share(self) -> float | None:
        """Share of the fullest core."""
        return None if self.limit is None else self.peak / self.limit


def resources(placement: Placement) -> list[Resource]:
    """Return the resources of cores, and the cores themselves as the last one."""
    board = placement.board
    rows = []
    for name in PER_CORE:
        limit, used = board.limit(name), placement.used[name]
        available = None if limit.value is None else limit.value * board.cores
        rows.append(
            Resource(name, int(used.max()), limit.value, int(used.sum()), available, limit.verified)
        )
    verified = board.limit("cores_per_chip").verified and board.chips.verified
    cores = placement.cores
    return [*rows, Resource("cores", cores, board.cores, cores, board.cores, verified)]


def bottleneck(placement: Placement) -> Resource:
    """Return the resource that decides: what filled the cores of the layer that has the most.

    If every layer fits on one core: the resource with the largest share of a core or board.
    """
    rows = {row.name: row for row in resources(placement)}
    largest = max(range(len(placement.layers)), key=placement.layer_cores)
    bound = placement.bound_by[largest]
    if bound is not None:
        return rows[bound]
    return max(rows.values(), key=lambda row: row.share or 0.0)


def unchecked(board: Board) -> list[str]:
    """Return the names of limits that are not known."""
    return [name for name, limit in board.chip.limits.items() if limit.value is None]


def unverified(board: Board) -> list[str]:
    """Return the names of limits whose value no primary source confirms."""
    return [
        name
        for name, limit in board.chip.limits.items()
        if limit.value is not None and not limit.verified
    ]


def as_dict(report: Report) -> dict[str, Any]:
    """Return everything as plain values, for ``--json``."""
    placement = report.placement
    board, traffic = placement.board, report.traffic
    return {
        "target": board.name,
        "board": board.title,
        "chip": board.chip.title,
        "fits": not report.violations,
        "bottleneck": bottleneck(placement).name,
        "violations": [
            {
                "limit_name": row.limit_name,
                "layer": row.layer,
                "value": row.value,
                "limit": row.limit,
                "verified": row.verified,
                "fix": row.fix,
            }
            for row in report.violations
        ],
        "resources": [
            {
                "name": row.name,
                "fullest_core": row.peak,
                "limit": row.limit,
                "used": row.used,
                "available": row.available,
                "verified": row.verified,
            }
            for row in resources(placement)
        ],
        "layers": [
            {
                "layer": layer.name,
                "neuron": layer.neuron.TYPE,
                "program": support(board.chip, type(layer.neuron)).kind,
                "neurons": layer.size,
                "cores": placement.layer_cores(index),
                "cores_with_equal_parameters": placement.without_profiles[index],
                "bound_by": placement.bound_by[index],
                "core_of_neuron": placement.core_of[index],
            }
            for index, layer in enumerate(report.network.layers)
        ],
        "cores": _cores_dict(placement, traffic),
        "traffic": None if traffic is None else _traffic_dict(traffic, report.source),
        "limits": [
            {"name": name, "value": x.value, "source": x.source, "verified": x.verified}
            for name, x in board.chip.limits.items()
        ],
        "not_checked": unchecked(board),
        "not_verified": unverified(board),
    }


def _cores_dict(placement: Placement, traffic: Traffic | None) -> list[dict[str, Any]]:
    chips = placement.chip_of(np.arange(placement.cores))
    return [
        {
            "core": core,
            "chip": int(chips[core]),
            "layer": placement.layers[placement.layer_of[core]],
            **{name: int(placement.used[name][core]) for name in PER_CORE},
            "sent": None if traffic is None else float(traffic.sent[core]),
            "received": None if traffic is None else float(traffic.received[core]),
        }
        for core in range(placement.cores)
    ]


def _traffic_dict(traffic: Traffic, source: str | None) -> dict[str, Any]:
    return {
        "source": source,
        "steps": traffic.steps,
        "messages_per_step": {
            "within_cores": traffic.within,
            "between_cores": traffic.between_cores,
            "between_chips": traffic.between_chips,
            "from_host": traffic.from_host,
        },
        "busiest": None
        if traffic.busiest is None
        else dict(zip(("source", "target", "messages_per_step"), traffic.busiest, strict=True)),
    }


def print_report(output: Output, report: Report, target: str) -> None:
    """Print tables and the verdict."""
    placement = report.placement
    board = placement.board
    output.line(
        f"target {target}: {board.title} of {board.chip.title}, {board.cores:,} cores. No such "
        "board is attached; nothing ran on one"
    )
    _print_layers(output, report)
    output.table(
        "used / available",
        ["resource", "fullest core", "", "all cores", "of the board"],
        [
            [
                "synapse kbit" if row.name == MEMORY else LABELS[row.name],
                "-" if row.name == "cores" else _of(row, row.peak, row.limit),
                "-" if row.name == "cores" else _share(row.peak, row.limit),
                _of(row, row.used, row.available),
                _share(row.used, row.available),
            ]
            for row in resources(placement)
        ],
    )
    _print_cores(output, report)
    _print_traffic(output, report)
    for what, names in (
        ("limits not known, so not checked", unchecked(board)),
        ("limits not verified", unverified(board)),
    ):
        if names:
            output.line(f"{what}: {', '.join(LABELS[name] for name in names)}")
    for row in report.violations:
        output.line(f"violation: {row}")
    output.line(_verdict(report))


def _print_layers(output: Output, report: Report) -> None:
    placement = report.placement
    rows = []
    for index, layer in enumerate(report.network.layers):
        groups = [layer.synapses] if layer.recurrent is None else [layer.synapses, layer.recurrent]
        bound = placement.bound_by[index]
        rows.append(
            [
                layer.name,
                layer.neuron.TYPE,
                support(placement.board.chip, type(layer.neuron)).kind,
                layer.size,
                sum(connectivity(group).count for group in groups),
                placement.layer_cores(index),
                "-" if bound is None else LABELS[bound],
            ]
        )
    output.table(
        "layers",
        ["layer", "neuron", "program", "neurons", "synapses", "cores", "bound by"],
        rows,
    )
    for index, layer in enumerate(report.network.layers):
        found = support(placement.board.chip, type(layer.neuron))
        cores, fewer = placement.layer_cores(index), placement.without_profiles[index]
        if fewer < cores:
            output.line(
                f"layer {layer.name}: on {fewer:,} instead of {cores:,} cores if its neurons had "
                "equal parameters; --cluster N merges them to N profiles"
            )
        if found.kind == MICROCODE or (found.kind == NATIVE and layer.neuron.NATIVE_AS):
            output.line(f"layer {layer.name}: {found.kind}: {found.reason}")


def _print_cores(output: Output, report: Report) -> None:
    placement, traffic = report.placement, report.traffic
    used = placement.used
    profiles = (used["decay_profiles_per_core"], used["threshold_profiles_per_core"])
    rows = [
        [
            str(core),
            placement.layers[placement.layer_of[core]],
            *(_shown(name, int(used[name][core])) for name in PER_CORE[:4]),
            f"{profiles[0][core]}, {profiles[1][core]}",
            None if traffic is None else f"{traffic.sent[core]:.2f}",
            None if traffic is None else f"{traffic.received[core]:.2f}",
        ]
        for core in range(min(placement.cores, CORES_SHOWN))
    ]
    limits = [_shown(name, placement.board.limit(name).value) for name in PER_CORE]
    rows.append(["limit", "", *limits[:4], f"{limits[4]}, {limits[5]}", "", ""])
    output.table(
        "cores",
        ["core", "layer", "neurons", "kbit", "in", "out", "profiles", "sent", "recv"],
        rows,
    )
    if placement.cores > CORES_SHOWN:
        output.line(f"and {placement.cores - CORES_SHOWN:,} more cores; --json lists all")
    output.line(
        "kbit: synapse memory; in, out: axons; profiles: of decays, of thresholds; sent, recv: "
        "messages per step to and from other cores"
    )


def _print_traffic(output: Output, report: Report) -> None:
    traffic = report.traffic
    if traffic is None:
        output.line(
            "spike traffic: not estimated, the file holds no samples; name a task (--task NAME)"
        )
        return
    text = (
        f"spike traffic on {report.source}, {traffic.steps:,} steps, in messages per step: "
        f"{traffic.between_cores:.2f} between cores, {traffic.between_chips:.2f} of them between "
        f"chips; {traffic.within:.2f} within cores, {traffic.from_host:.2f} from the host"
    )
    if traffic.busiest is not None:
        source, target, most = traffic.busiest
        text += f"; most from core {source} to core {target}, {most:.2f}"
    output.line(text)


def _verdict(report: Report) -> str:
    placement = report.placement
    row = bottleneck(placement)
    share = "" if row.share is None else f", {row.share:.0%} of a core at most"
    if row.name == "cores":
        share = f", {row.used / placement.board.cores:.0%} of the board"
    text = (
        f"{placement.cores:,} of {placement.board.cores:,} cores; bottleneck: "
        f"{LABELS[row.name]}{share}"
    )
    if not report.violations:
        return f"fits: {text}"
    count = len(report.violations)
    return f"DOES NOT FIT: {count} violation{'s' if count > 1 else ''}; {text}"


def _of(row: Resource, used: int, available: int | None) -> str:
    return f"{_shown(row.name, used)} / {_shown(row.name, available)}"


def _shown(name: str, value: int | None) -> str:
    if value is None:
        return "?"
    return f"{value / KBIT:,.0f}" if name == MEMORY else f"{value:,}"


def _share(used: int, available: int | None) -> str:
    return "-" if available is None else f"{used / available:.1%}"
