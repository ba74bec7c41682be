"""Export of float models to NIR, as far as NIR can represent them (docs/NIR.md).

A layer is a Linear or Affine node and a node of neurons, with a Linear on a cycle if it is
recurrent. Time constants are written as ``tau = dt / (1 - alpha)``: the Euler step of readers gives
the same alpha.
"""

from __future__ import annotations

import io
import json
import os
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ..neurons.cuba_lif import TAU_SYN_NONE, THRESHOLD_NEVER
from .checkpoint import FloatModel
from .config import LayerConfig
from .console import plain
from .errors import InputError
from .files import replace_file
from .grid import FloatArray
from .nir_import import OURS
from .nir_read import Offence, refuse

DT = 0.001
"""Seconds per step for a model that does not specify it."""


@dataclass(frozen=True)
class Written:
    """What was written: ``dt`` in seconds, ``remarks`` on what readers may read differently."""

    dt: float
    nodes: dict[str, str]
    remarks: tuple[str, ...]


def to_nir(model: FloatModel, dt: float | None = None) -> tuple[Any, Written]:
    """Return the ``nir.NIRGraph`` of a model, and what to know about it.

    Parameters
    ----------
    model
        The float model; ``lif``, ``cuba_lif`` and ``li`` layers.
    dt
        Seconds per step; the model's own, or 0.001, when None.

    Raises
    ------
    InputError
        Layers that NIR cannot represent, all of them named with what would be lost.
    """
    import nir

    dt = float(model.task.get("dt") or DT) if dt is None else dt
    if not 0 < dt < np.inf:
        raise InputError(f"dt {dt} is not a number of seconds above 0")
    refuse(
        [
            Offence(f"layer {index}", layer.neuron, reason)
            for index, layer in enumerate(model.config.layers)
            for reason in _obstacles(model, index, layer)
        ],
        "NIR cannot represent this model",
    )
    nodes: dict[str, Any] = {"input": nir.Input({"input": np.array([model.config.input_size])})}
    edges, remarks, last = [], [], "input"
    for index, layer in enumerate(model.config.layers):
        prefix = f"layers.{index}."
        own = {n[len(prefix) :]: w for n, w in model.weights.items() if n.startswith(prefix)}
        connection, neuron = f"layer{index}.weight", f"layer{index}.{layer.neuron}"
        made, constant = _neuron(layer.neuron, own, dt)
        biased = constant.any() and "delay" not in own
        nodes[connection] = (
            nir.Affine(own["weight"], constant) if biased else nir.Linear(own["weight"])
        )
        path = [last, connection]
        if "delay" in own:
            path.append(f"layer{index}.delay")
            nodes[path[-1]] = nir.Delay(own["delay"].astype(np.float64) * dt)
            if constant.any():
                # A bias before the Delay would be delayed too.
                path.append(f"layer{index}.bias")
                nodes[path[-1]] = nir.Affine(np.eye(layer.size, dtype=np.float32), constant)
        nodes[neuron] = made
        edges += pairwise([*path, neuron])
        if layer.recurrent:
            path = [neuron, f"layer{index}.w_rec"]
            nodes[path[-1]] = nir.Linear(own["weight_rec"])
            if "delay_rec" in own:
                path.append(f"layer{index}.delay_rec")
                nodes[path[-1]] = nir.Delay(own["delay_rec"].astype(np.float64) * dt)
            edges += pairwise([*path, neuron])
        if layer.neuron == "lif":
            remarks.append(
                f"layer {index}: NIR resets to v_reset; that srnn subtracts the threshold one step "
                "later is in the metadata alone, which other readers ignore"
            )
        last = neuron
    nodes["output"] = nir.Output({"output": np.array([model.config.layers[-1].size])})
    edges.append((last, "output"))
    metadata = {"dt": dt, "decay": "euler", OURS: json.dumps(_beside(model))}
    graph = nir.NIRGraph(nodes, edges, metadata=metadata)
    kinds = {name: type(node).__name__ for name, node in nodes.items()}
    return graph, Written(dt, kinds, tuple(remarks))


def write_nir(path: str | os.PathLike[str], graph: Any) -> None:
    """Write a ``nir.NIRGraph``; the old file stays until the new one is complete."""
    import nir

    # In memory: the HDF5 library crashes where a file that it closes cannot be written.
    content = io.BytesIO()
    nir.write(content, graph)  # pyright: ignore[reportArgumentType]
    replace_file(path, content.getvalue())


def _beside(model: FloatModel) -> dict[str, Any]:
    return plain(
        {
            "readout": model.config.readout,
            "skip_steps": model.config.skip_steps,
            "task": model.task,
            "recipe": model.recipe,
            "metrics": model.metrics,
            "versions": model.versions,
            "quantization": model.quantization,
        }
    )


WRITTEN = ("lif", "cuba_lif", "li")
"""Neurons that NIR has."""


def _obstacles(model: FloatModel, index: int, layer: LayerConfig) -> list[str]:
    if layer.dense:
        return ["a dense baseline has no neurons of NIR"]
    found = []
    if "adaptation" in layer.parameter_names:
        prefix = f"layers.{index}." + ("forward." if layer.bidirectional else "")
        adaptation, tau = (model.weights[f"{prefix}{n}"] for n in ("adaptation", "tau_adp"))
        found.append(
            f"NIR has no adaptive neuron; lost would be adaptation (up to {adaptation.max():g}) "
            f"and its time constants ({tau.min():.3g} to {tau.max():.3g} steps)"
        )
    elif layer.neuron not in WRITTEN:
        found.append("NIR has no such neuron")
    if layer.neuron == "alif_relu":
        found.append("NIR has no graded activation with a reset")
    if layer.bidirectional:
        found.append("NIR has no second direction of time")
    return found


def _neuron(name: str, own: dict[str, Any], dt: float) -> tuple[Any, FloatArray]:
    """Return the node of a layer's neurons and the constant of its Affine."""
    import nir

    values = {key: value.astype(np.float64) for key, value in own.items() if value.ndim == 1}
    zeros = np.zeros(len(values["bias"]))
    rate = -np.expm1(-1.0 / values["tau_mem"])
    tau = dt / rate
    if name == "li":
        return nir.LI(tau, np.ones_like(tau), zeros), values["bias"]
    threshold = values["threshold"]
    if name == "lif":
        how = {"reset": "subtract"}
        return nir.LIF(tau, np.ones_like(tau), zeros, threshold, zeros, metadata=how), values[
            "bias"
        ]
    how, resistance = {"reset": "zero"}, 1.0 / rate
    if (values["tau_syn"] <= TAU_SYN_NONE * (1 + 1e-6)).all():
        return nir.LIF(tau, resistance, zeros, threshold, zeros, metadata=how), values["bias"]
    rate_syn = -np.expm1(-1.0 / values["tau_syn"])
    # srnn adds the bias after the filter, where NIR has v_leak.
    filtered = (dt / rate_syn, tau, resistance, values["bias"] / rate)
    if (threshold >= THRESHOLD_NEVER).all():
        return nir.CubaLI(*filtered, w_in=1.0 / rate_syn), zeros
    node = nir.CubaLIF(*filtered, threshold, zeros, w_in=1.0 / rate_syn, metadata=how)
    return node, zeros
