"""A network in words, as ``repr`` shows it."""

from __future__ import annotations

from ..export.config import Delay, LayerConfig, ModelConfig


def described(config: ModelConfig, engine: str) -> str:
    """Return inputs, readout, surrogate and engine, then a line per layer."""
    skipped = f" after {config.skip_steps} steps" if config.skip_steps else ""
    head = (
        f"{config.input_size} inputs, readout {config.readout}{skipped}, "
        f"surrogate {config.surrogate.name}, engine {engine}"
    )
    layers = [
        f"  ({index}): {_layer(layer, config.input_width(index))}"
        for index, layer in enumerate(config.layers)
    ]
    return "\n".join(["SRNN(", f"  {head}", *layers, ")"])


def _layer(layer: LayerConfig, inputs: int) -> str:
    words = [f"{inputs} -> {layer.size} {layer.neuron}"]
    words += [word for word in ("recurrent", "bidirectional") if getattr(layer, word)]
    if layer.delay.high:
        words.append(f"delay {_steps(layer.delay)}")
    if layer.delay_rec.high:
        words.append(f"recurrent delay {_steps(layer.delay_rec)}")
    return ", ".join(words)


def _steps(delay: Delay) -> str:
    span = f"{delay.low}" if delay.low == delay.high else f"{delay.low} to {delay.high}"
    return f"{span} steps"
