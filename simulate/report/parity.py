"""The section on quantization: the integer network compared with its float model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...export.checkpoint import FloatModel
from ...export.errors import counted
from ...export.network import Network
from ...export.readout import real_output
from ...export.verify import Parity, compare_with_float
from ..figures.output_traces import outputs, outputs_series
from ..simulator import run
from .document import Column, Item, Section, Table, Text
from .drawing import drawing
from .evidence import Evidence


def parity_section(evidence: Evidence, model: FloatModel | None, file: Path | None) -> Section:
    """Return what the file stores about its float model, and the comparison with a given one."""
    items: list[Item] = []
    grid = evidence.network.provenance.get("trained_on_grid") is True
    if grid:
        items.append(
            Text(
                "trained-on-grid",
                "Trained on the integer grid: training computed these integers, so that no "
                "accuracy is lost to quantization.",
            )
        )
    stored = stored_table(evidence)
    if stored is not None:
        items.append(stored)
    if evidence.different is not None:
        total = int(evidence.outputs.size)
        text = f"{evidence.different:,} of {total:,} output values differ from those in the file."
        items.append(Text("bundled", text, "warning" if evidence.different else "good"))
    if model is not None and file is not None:
        items += _against(evidence, model, file)
    elif not grid:
        items.append(
            Text(
                "no-float-model",
                "Give the model.pt with --float-model to compare spikes and answers.",
            )
        )
    return Section("parity", "Float model and integers", tuple(items))


def stored_table(evidence: Evidence) -> Table | None:
    """Return the stored metrics next to the measured ones, or None where the file stores none."""
    metrics = evidence.network.provenance.get("metrics")
    if not isinstance(metrics, Mapping):
        return None
    rows = []
    for split, values in metrics.items():
        if not isinstance(values, Mapping):
            continue
        for name, value in values.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                continue
            measured = (
                evidence.metrics.get(name) if f"{split} split" in evidence.data.source else None
            )
            whole = evidence.data.source.endswith(", whole")
            lost = 100 * (measured - value) if measured is not None and whole else None
            rows.append((str(split), str(name).replace("_", " "), float(value), measured, lost))
    if not rows:
        return None
    return Table(
        "stored-metrics",
        "Metrics in training and here",
        (
            Column("split", "split"),
            Column("metric", "metric"),
            Column("stored", f"training ({_arithmetic(evidence.network)})", "percent"),
            Column("measured", "here (integers)", "percent"),
            Column("difference", "difference", "points"),
        ),
        tuple(rows),
        "The difference is given where the whole of the same split ran here.",
    )


def _arithmetic(network: Network) -> str:
    """Return what training computed with, as far as the file says."""
    if network.provenance.get("trained_on_grid") is True:
        return "these integers"
    recipe = network.provenance.get("recipe")
    training = recipe.get("training") if isinstance(recipe, Mapping) else None
    on_grid = isinstance(training, Mapping) and training.get("quantize") is True
    return "another grid" if on_grid else "floats"


def _against(evidence: Evidence, model: FloatModel, file: Path) -> list[Item]:
    samples = model.samples
    network = evidence.network
    trace = run(network, samples["inputs"], samples.get("lengths"), record="spikes")
    parity = compare_with_float(model, network, trace)
    first = int(trace.lengths[0])
    items: list[Item] = []
    named = _stored_digest(network)
    if named is not None and named != _digest(file):
        items.append(
            Text(
                "other-model",
                f"{file.name} is not the file that this network was exported from.",
                "warning",
            )
        )
    items.append(parity_table(parity, file.name))
    items.append(
        drawing(
            "outputs",
            "Output of one sample, float and integer",
            "Outputs of the float model and of the integers over time, in real units.",
            outputs,
            outputs_series,
            samples["output"][0, :first].astype(np.float64),
            real_output(network, trace.output)[0, :first],
            evidence.classes,
            caption="Line: float model. Dashes: integers in real units. The three classes with the "
            "largest outputs.",
            wide=True,
        )
    )
    return items


def parity_table(parity: Parity, name: str) -> Table:
    """Return the comparison of ``export/verify.py``."""
    rows: list[tuple[Any, ...]] = []
    if parity.float_accuracy is not None and parity.integer_accuracy is not None:
        rows.append(("accuracy", parity.float_accuracy, parity.integer_accuracy, None))
    same = 1 - parity.changed_predictions / max(parity.answers, 1)
    rows.append(("answers", parity.answers, parity.answers, same))
    rows.extend(
        (
            f"spikes of layer {layer}",
            parity.float_spikes[layer],
            parity.integer_spikes[layer],
            share,
        )
        for layer, share in parity.equal_spikes.items()
    )
    return Table(
        "parity-table",
        f"{counted(parity.samples, 'sample')} of {name}",
        (
            Column("quantity", "quantity"),
            Column("float", "float", "number"),
            Column("integer", "integer", "number"),
            Column("equal", "equal", "percent"),
        ),
        tuple(rows),
        "Equal spikes: spikes that both have, as a share of those that either has.",
    )


def _stored_digest(network: Network) -> str | None:
    model = network.provenance.get("model")
    digest = model.get("sha256") if isinstance(model, Mapping) else None
    return digest if isinstance(digest, str) else None


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
