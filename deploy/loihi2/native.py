"""What a Loihi 2 board can run with stock Lava's neuron models, and what they are called there.

Only integers are read here; Lava is not imported.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np

from ...export.errors import InputError, index_list
from ...export.grid import DECAY_ONE, STATE_MAX, STATE_SHIFT
from ...export.network import CubaLIF, Layer, LeakyIntegrator, Network, Neuron
from ..boards import read_boards
from ..lava import compat
from ..lava.choice import Position, choose, describe
from ..plan import LayerDescription
from ..programs import NATIVE, support
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


def native_form(neuron: Neuron) -> CubaLIF | None:
    """Return the current-based LIF that computes the same on the chip, or None.

    A leaky integrator is one whose current decays at once and whose threshold is out of reach.
    """
    if isinstance(neuron, CubaLIF):
        return replace(neuron, v_threshold=np.minimum(neuron.v_threshold, THRESHOLD_MAX))
    if isinstance(neuron, LeakyIntegrator):
        return CubaLIF(
            neuron.size,
            i_decay=np.full(neuron.size, DECAY_ONE),
            v_decay=neuron.v_decay,
            v_threshold=np.full(neuron.size, THRESHOLD_MAX),
            bias=neuron.bias,
            v_init=neuron.v_init,
        )
    return None


def describe_layers(network: Network, options: BoardOptions) -> list[LayerDescription]:
    """Return for each layer the stock process that runs it, with its lag on the board.

    Raises
    ------
    InputError
        Layers that stock neuron models cannot run, all of them, each with the reason.
    """
    rows, problems = [], []
    for index, (layer, synapses) in enumerate(zip(network.layers, describe(network), strict=True)):
        lag = index + 1 + options.input_lag
        message = (1 << network.message_bits) - 1 if index == 0 and network.message_bits else 1
        process, why_not = _native(layer, lag, message)
        if why_not is not None:
            problems.append(f"layer {layer.name}: {why_not}")
            continue
        readout = isinstance(layer.neuron, LeakyIntegrator)
        rows.append(
            LayerDescription(
                layer=layer.name,
                neuron=layer.neuron.TYPE,
                process=process,
                stock=True,
                lag=lag,
                synapses=synapses.synapses,
                reason="an unreachable threshold" if readout else "native",
            )
        )
    if problems:
        raise InputError(
            f"target loihi2: {'; '.join(problems)}; run --target lava or --target simulator"
        )
    return rows


def _native(layer: Layer, lag: int, message: int) -> tuple[str, str | None]:
    """Return the process of a layer, or why there is none."""
    chip = read_boards().find("loihi2").chip
    found = support(chip, type(layer.neuron))
    form = native_form(layer.neuron)
    if found.kind != NATIVE or form is None:
        return "", (
            f"{layer.neuron.TYPE} {found.kind}, it {found.reason} (--emit-program writes what it "
            "has to compute)"
        )
    bound = layer.largest_sum(message)
    if isinstance(layer.neuron, LeakyIntegrator) and bound << STATE_SHIFT > STATE_MAX:
        return "", f"sums up to {bound}, shifted by 6, wrap in the 24-bit current of the chip"
    for name, codes, low, high in (
        ("iDecay", form.i_decay, 1, DECAY_ONE),
        ("vDecay", form.v_decay, 0, DECAY_ONE - 1),
        ("threshold", form.v_threshold, 0, THRESHOLD_MAX),
    ):
        different = np.unique(codes).size
        if different > 1:
            return "", (
                f"{different} values of {name}; Lava's LIF has one for all neurons of a process "
                "(srnn-deploy --dry-run --cluster 1 merges them and measures the cost)"
            )
        outside = np.flatnonzero((codes < low) | (codes > high)).tolist()
        if outside:
            return "", (
                f"{name} {codes[outside[0]]} of neuron {index_list(outside)}, the chip's 12 bits "
                f"hold {low}..{high}"
            )
    choice = choose(form, Position(lag, bound))
    return choice.process, None if choice.stock else choice.reason
