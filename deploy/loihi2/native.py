"""What a Loihi 2 board can run with stock Lava's neuron models, and what they are called there.

Only integers are read here; Lava is not imported.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np

from ...export.errors import InputError, index_list
from ...export.grid import DECAY_ONE, STATE_MAX, STATE_SHIFT
from ...export.network import Layer, Network
from ...neurons.lava import Stock
from ..boards import read_boards
from ..lava import compat
from ..lava.choice import describe
from ..plan import LayerDescription
from ..programs import NATIVE, requirements, support
from .options import BoardOptions

EXTENSION = "lava.utils.loihi2_profiler"
"""The module by which ``lava.utils.loihi.is_installed`` knows the extension."""

THRESHOLD_MAX = (1 << 17) - 1
"""Largest threshold mantissa of the chip; only v within 63 of saturation exceeds it."""


def available() -> tuple[bool, str]:
    """Return whether lava-nc and the extension are installed, and what to do if not."""
    ok, reason = compat.available()
    if ok and find_spec(EXTENSION) is not None:
        return True, f"{reason}, with lava-loihi"
    missing = f"Intel's lava-loihi extension is not installed ({EXTENSION} is missing)"
    instead = "run --target lava, its models on a CPU, or --target simulator"
    return False, f"{missing if ok else reason}; {instead}"


def describe_layers(network: Network, options: BoardOptions) -> list[LayerDescription]:
    """Return for each layer the stock process that runs it, with its lag on the board.

    Raises
    ------
    InputError
        Layers that stock neuron models cannot run, all of them, each with the reason.
    """
    return [row for row, _ in planned(network, options)]


def planned(network: Network, options: BoardOptions) -> list[tuple[LayerDescription, Stock]]:
    """Return what ``describe_layers`` does, and how each process is made."""
    rows, problems = [], []
    for index, (layer, synapses) in enumerate(zip(network.layers, describe(network), strict=True)):
        lag = index + 1 + options.input_lag
        message = (1 << network.message_bits) - 1 if index == 0 and network.message_bits else 1
        found = _native(layer, lag, message)
        if isinstance(found, str):
            problems.append(f"layer {layer.name}: {found}")
            continue
        row = LayerDescription(
            layer=layer.name,
            neuron=layer.neuron.TYPE,
            process=found.process,
            stock=True,
            lag=lag,
            synapses=synapses.synapses,
            reason="an unreachable threshold" if layer.neuron.NATIVE_AS else "native",
        )
        rows.append((row, found))
    if problems:
        raise InputError(
            f"target loihi2: {'; '.join(problems)}; run --target lava or --target simulator"
        )
    return rows


def _native(layer: Layer, lag: int, message: int) -> Stock | str:
    """Return the process of a layer, or why there is none."""
    chip = read_boards().find("loihi2").chip
    found, form = support(chip, type(layer.neuron)), layer.neuron.native_form()
    if found.kind != NATIVE:
        return (
            f"{layer.neuron.TYPE} {found.kind}, it {found.reason} (--emit-program writes what it "
            "has to compute)"
        )
    bound = layer.largest_sum(message)
    if layer.neuron.NATIVE_AS and bound << STATE_SHIFT > STATE_MAX:
        return f"sums up to {bound}, shifted by 6, wrap in the 24-bit current of the chip"
    # A threshold out of reach is stored as the largest.
    threshold = np.minimum(form.v_threshold, THRESHOLD_MAX)  # type: ignore[attr-defined]
    form = replace(form, v_threshold=threshold)
    keys = {entry.name: entry.key for entry in form.PARAMETERS}
    limits = {
        name: (low, low + DECAY_ONE - 1) for name, low in requirements(type(form)).decays.items()
    }
    for name, (low, high) in {**limits, "v_threshold": (0, THRESHOLD_MAX)}.items():
        codes, said = getattr(form, name), keys[name] if name in limits else "threshold"
        different = np.unique(codes).size
        if different > 1:
            return (
                f"{different} values of {said}; Lava's LIF has one for all neurons of a process "
                "(srnn-deploy --dry-run --cluster 1 merges them and measures the cost)"
            )
        outside = np.flatnonzero((codes < low) | (codes > high)).tolist()
        if outside:
            return (
                f"{said} {codes[outside[0]]} of neuron {index_list(outside)}, the chip's 12 bits "
                f"hold {low}..{high}"
            )
    return form.stock(lag, bound)
