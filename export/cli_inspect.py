"""``srnn-export --inspect``: printing what a ``.net`` file holds."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .console import EXIT_OK, Output
from .errors import counted
from .inspection import ConnectionSummary, Inspection, inspect_file
from .network import NEURONS

VALUE_SHOWN = 160


def inspect(path: Path, output: Output) -> int:
    """Print a file's layers, neurons, parameters, synapses, delays, origin, and compatibility."""
    found = inspect_file(path)
    origin = found.origin
    if found.format_version is not None:
        origin += f", format version {found.format_version}"
    output.line(f"{path}: {origin}")
    if found.not_read is None:
        _print_network(found, output)
    else:
        _print_groups(found, output)
    output.result({"file": str(path), **asdict(found)})
    return EXIT_OK


def _print_network(found: Inspection, output: Output) -> None:
    rows = []
    for layer in found.layers:
        rows.append((layer.name, layer.neuron, layer.neurons, *_cells(layer.synapses)))
        if layer.recurrent is not None:
            rows.append(("", "", "", *_cells(layer.recurrent, "recurrent ")))
    columns = ("layer", "neuron", "neurons", "connection", "synapses", "non-zero", "weights")
    output.table("layers", (*columns, "exponent", "delays"), rows)
    output.table(
        "parameters of neurons",
        ("layer", "key", "values", "unit"),
        [
            (layer.name, p.key, _span(layer.parameters[p.key]), p.unit)
            for layer in found.layers
            for p in NEURONS[layer.neuron].PARAMETERS
        ],
    )
    neurons = sum(layer.neurons for layer in found.layers)
    connections = [c for layer in found.layers for c in (layer.synapses, layer.recurrent) if c]
    synapses = sum(c.synapses for c in connections)
    output.line(f"{neurons:,} neurons, {synapses:,} synapses in {len(found.layers)} layers")
    bits = found.inputs["message_bits"]
    kind = f"graded with {bits} bits" if bits else "spikes"
    output.line(f"inputs: {found.inputs['channels']} channels, {kind}")
    readout = found.readout
    means = ", means of populations" if readout["populations"] else ""
    output.line(f"readout: {readout['kind']}, {counted(readout['class_count'], 'class')}{means}")
    output.line(f"samples: {found.samples}")
    for name, values in (("task", found.task), ("provenance", found.provenance)):
        for key, value in values.items():
            text = value if isinstance(value, str) else json.dumps(value)
            output.line(f"{name} {key}: {text[:VALUE_SHOWN]}{'...' * (len(text) > VALUE_SHOWN)}")
    if found.stock_lava_dl:
        output.line("stock lava-dl 0.6.0 does not load or run it as it is:")
        for obstacle in found.stock_lava_dl:
            output.line(f"  {obstacle}")
    else:
        output.line("stock lava-dl 0.6.0 loads it and computes the same integers")


def _cells(connection: ConnectionSummary, prefix: str = "") -> tuple[Any, ...]:
    delays = connection.delays
    return (
        prefix + connection.kind,
        connection.synapses,
        connection.nonzero,
        _span(connection.weights),
        connection.weight_exp,
        None if delays is None else _span(delays),
    )


def _span(span: tuple[int, int]) -> str:
    return str(span[0]) if span[0] == span[1] else f"{span[0]}..{span[1]}"


def _print_groups(found: Inspection, output: Output) -> None:
    output.table(
        "groups of the file",
        ("group", "type", "shape", "neuron", "datasets"),
        [(g.group, g.kind, g.shape, g.neuron, " ".join(g.datasets)) for g in found.groups],
    )
    output.line(f"srnn does not read it: {found.not_read}")
