"""Whether the fused kernels can run a layer, and why not."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterable

from ...export.config import LayerConfig
from ...export.errors import InputError
from ...export.extras import how_to_install
from ..engine.stack import StackResult
from .plan import LAYOUTS, MAX_WIDTH

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
"""Whether Triton runs kernels on the CPU with NumPy, for tests; read at import, as by Triton."""


def _no_triton() -> str:
    return f"Triton is not installed ({how_to_install('cuda')})"


def load_stack() -> Callable[..., StackResult]:
    """Return ``spiking_stack`` of the kernels.

    Raises
    ------
    InputError
        Triton is not installed.
    """
    if importlib.util.find_spec("triton") is None:
        raise InputError(f"cuda: {_no_triton()}; SRNN has the plain loop")
    from .stack import spiking_stack

    return spiking_stack


def why_not(neuron: str, n: int, recurrent: bool, late: bool = False) -> str | None:
    """Return why no kernel runs a layer of ``n`` such neurons, or None if one does.

    ``late``: whether its synapses have delays.
    """
    if importlib.util.find_spec("triton") is None:
        return _no_triton()
    if neuron not in LAYOUTS:
        return f"neuron {neuron!r} has no kernel"
    if recurrent and not LAYOUTS[neuron].spikes:
        return f"neuron {neuron!r} does not spike: there is no recurrent kernel for it"
    if late:
        return "delays have no kernel"
    if recurrent and n > MAX_WIDTH:
        return f"{n} recurrent neurons in a layer; a program holds the states of {MAX_WIDTH}"
    return None


def why_loop(layers: Iterable[LayerConfig], known_surrogate: bool, single: bool) -> str | None:
    """Return why a network on a CUDA device runs as a loop, or None if the kernels run it.

    ``known_surrogate``: whether the kernels know the surrogate gradient; ``single``: whether
    weights and inputs are float32.
    """
    if not single:
        return "weights or inputs are not float32"
    if not known_surrogate:
        return "the surrogate gradient has no kernel"
    for index, layer in enumerate(layers):
        late = bool(layer.delay.high or layer.delay_rec.high)
        reason = why_not(layer.neuron, layer.size, layer.recurrent, late)
        if reason is not None:
            return f"layer {index}: {reason}"
    return None
