"""Import of NIR: a file becomes a float model, which is then quantized like any other."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from .checkpoint import FloatModel, ModelConfig
from .errors import InputError
from .filekind import NIR, check_kind
from .nir_graph import Population, populations
from .nir_neurons import DECAYS, Reading, UnfitNeuronError, float_layer
from .nir_read import NodeGraph, Offence, read_graph, refuse
from .reading.files import located
from .reading.text import json_value

OURS = "srnn"
"""Name of the metadata, JSON, for what NIR cannot represent."""
_OURS_KNOWN = ("readout", "skip_steps", "task", "recipe", "metrics", "versions", "quantization")


def import_nir(  # noqa: PLR0917
    path: str | os.PathLike[str],
    dt: float | None = None,
    reset: str = "zero",
    synapse: str = "euler",
    settled_bias: bool = False,
    decay: str | None = None,
    remark: Callable[[str], object] | None = None,
) -> FloatModel:
    """Read a NIR file as a float model without samples.

    Parameters
    ----------
    path
        The file.
    dt
        Seconds per step, if the file does not say it.
    reset, synapse, settled_bias
        See ``Reading``.
    decay
        See ``Reading``, where the file does not say it; None for the default, with a remark.
    remark
        Called with a line about what was assumed where the file does not say it.

    Raises
    ------
    InputError
        Not a NIR file; no dt, or two; nodes that srnn cannot represent, all of them named.
    """
    check_kind(path, NIR)
    graph = read_graph(path)
    # Infinities and NaN are found by later checks of the results.
    with located(path), np.errstate(all="ignore"):
        chain, offences = populations(graph)
        refuse(offences)
        stated = _decay(graph.metadata, decay)
        reading = Reading(_dt(graph, chain, dt), reset, synapse, settled_bias, stated or DECAYS[0])
        if stated is None and remark is not None:
            remark(_unsaid_decay(chain, reading.dt))
        layers, weights = [], {}
        for index, population in enumerate(chain):
            try:
                config, values = float_layer(population, reading)
            except UnfitNeuronError as unfit:
                offences += [Offence(population.name, population.kind, r) for r in unfit.reasons]
                continue
            layers.append(config)
            weights |= {f"layers.{index}.{name}": value for name, value in values.items()}
        refuse(offences)
        ours = _ours(graph.metadata)
        readout = "membrane" if chain[-1].kind in {"LI", "CubaLI"} else "spike_count"
        task = {"message_bits": 0, "input_scale": 1.0, **ours.get("task", {})}
        model_config = ModelConfig(
            chain[0].weight.shape[1],
            tuple(layers),
            ours.get("readout", readout),
            ours.get("skip_steps", 0),
        )
        single = {name: value.astype(np.float32) for name, value in weights.items()}
        return FloatModel(
            model_config,
            single,
            task={**task, "dt": reading.dt if "task" not in ours else task.get("dt")},
            **{
                name: ours.get(name, {})
                for name in ("recipe", "metrics", "versions", "quantization")
            },
        )


def _decay(metadata: dict[str, Any], given: str | None) -> str | None:
    """Return how decay factors are to be read, None where nobody says it."""
    # Ours wrote time constants for readers by Euler before it said so.
    stored = metadata.get("decay", "euler" if OURS in metadata else None)
    if stored is None or given is None or given == stored:
        return given if stored is None else str(stored)
    raise InputError(f"--decay: {given}, the file says {str(stored)[:40]}")


def _unsaid_decay(chain: list[Population], dt: float) -> str:
    shortest = min(
        float(np.min(getattr(p.node, name)))
        for p in chain
        for name in ("tau", "tau_mem", "tau_syn")
        if hasattr(p.node, name)
    )
    euler, exact = (float(1 - Reading(dt, decay=d).rate(np.array(shortest))) for d in DECAYS)
    return (
        "the file does not say how its writer discretised: decay factors are read as 1 - dt/tau, "
        f"as snnTorch, Norse and SpikingJelly do ({euler:.4g} for the shortest time constant); "
        f"sinabs and Rockpool use exp(-dt/tau) ({exact:.4g}): --decay exp, or --decay euler to "
        "say that this is right"
    )


def _dt(graph: NodeGraph, chain: list[Population], given: float | None) -> float:
    stored = graph.metadata.get("dt")
    if stored is None:
        if given is None:
            raise InputError(f"says no dt; give --dt SECONDS{_guess(chain)}")
        return float(given)
    if not isinstance(stored, (int, float, np.number)) or not 0 < float(stored) < np.inf:
        raise InputError(f"metadata dt: {str(stored)[:40]!r} is not a number of seconds above 0")
    if given is not None and given != float(stored):
        raise InputError(f"--dt: {given:g}, the file says {float(stored):g}")
    return float(stored)


def _guess(chain: list[Population]) -> str:
    """Return a hint: with writers that scale inputs by r = tau / dt, dt can be computed."""
    ratios = []
    for population in chain:
        node = population.node
        tau = np.asarray(node.tau if hasattr(node, "tau") else node.tau_mem, dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios.append((tau / np.asarray(node.r, dtype=np.float64)).reshape(-1))
    values = np.concatenate(ratios)
    resistances = np.concatenate([np.asarray(p.node.r).reshape(-1) for p in chain])
    alike = np.isfinite(values).all() and np.ptp(values) <= 1e-5 * abs(values[0])
    if not alike or values[0] <= 0 or np.all(resistances == 1):
        return ""
    return f" (tau / r is {values[0]:.4g} everywhere, as snnTorch writes its dt)"


def _ours(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata that srnn wrote; nothing for a file of another writer."""
    text = metadata.get(OURS)
    if text is None:
        return {}
    if not isinstance(text, str):
        raise InputError(f"metadata {OURS}: not JSON")
    content: object = json_value(text, f"metadata {OURS}", object)
    if not isinstance(content, dict) or set(content) - set(_OURS_KNOWN):
        raise InputError(f"metadata {OURS}: not a table of {', '.join(_OURS_KNOWN)}")
    tables = [name for name in _OURS_KNOWN[2:] if not isinstance(content.get(name, {}), dict)]
    if tables or type(content.get("skip_steps", 0)) is not int:
        raise InputError(f"metadata {OURS}: {', '.join(tables) or 'skip_steps'} of a wrong type")
    return content
