"""From trained float models to networks of integers, and the files that carry both.

Names are imported when they are first used, so that a part of the package loads without the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checkpoint import FloatModel, LayerConfig, ModelConfig, read_model, write_model
    from .errors import InputError
    from .network import (
        AdaptiveLIF,
        Convolution,
        CubaLIF,
        Layer,
        LeakyIntegrator,
        Network,
        Readout,
        Synapses,
        ThresholdRefractoryLIF,
    )
    from .netx import read_net, read_samples, stock_lava_dl_obstacles, write_net
    from .quantize import Quantization
    from .samples import Samples
    from .trace import Trace, compare

_HOME = {
    "AdaptiveLIF": "network",
    "Convolution": "network",
    "CubaLIF": "network",
    "FloatModel": "checkpoint",
    "InputError": "errors",
    "Layer": "network",
    "LayerConfig": "checkpoint",
    "LeakyIntegrator": "network",
    "ModelConfig": "checkpoint",
    "Network": "network",
    "Quantization": "quantize",
    "Readout": "network",
    "Samples": "samples",
    "Synapses": "network",
    "ThresholdRefractoryLIF": "network",
    "Trace": "trace",
    "compare": "trace",
    "read_model": "checkpoint",
    "read_net": "netx",
    "read_samples": "netx",
    "stock_lava_dl_obstacles": "netx",
    "write_model": "checkpoint",
    "write_net": "netx",
}

__all__ = [
    "AdaptiveLIF",
    "Convolution",
    "CubaLIF",
    "FloatModel",
    "InputError",
    "Layer",
    "LayerConfig",
    "LeakyIntegrator",
    "ModelConfig",
    "Network",
    "Quantization",
    "Readout",
    "Samples",
    "Synapses",
    "ThresholdRefractoryLIF",
    "Trace",
    "compare",
    "read_model",
    "read_net",
    "read_samples",
    "stock_lava_dl_obstacles",
    "write_model",
    "write_net",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
