"""How long a training step takes: forward and backward of one batch, by plain loops and the engine.

The networks are those of the paper's tasks, with multi-Gaussian surrogate gradients of all
parameters; no optimizer. All implementations compute the same equations with the same weights, take
turns in one process, and their gradients are compared first. Run:

    python benchmarks/train_step.py [--repeats 7] [--threads 2] [--shapes shd,ecg,smnist] [--json]

"published" has the input product and the decays inside the time step, as the paper's code; "loop"
is ``SRNN(config, engine="loop")``; "engine" is ``SRNN(config, engine="events")`` on dense inputs,
"engine, events" on event lists made beforehand. The engine's rows have torch's own operations on
one thread and the engine on all (``set_threads``).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import torch
from machine import machine
from srnn.export.config import LayerConfig, ModelConfig
from srnn.train.engine import Events, set_threads
from srnn.train.network import SRNN, SpikingLayer
from srnn.train.readout import log_scores, loss
from srnn.train.surrogate import make_surrogate, spike
from torch import Tensor


class Shape(NamedTuple):
    """A task's sizes.

    ``density`` of binary inputs, None for analog ones; ``gain`` of the input
    weights and ``drive``, a constant current, set the firing rate; ``labels`` per step or sequence.
    """

    inputs: int
    steps: int
    density: float | None
    hidden: tuple[int, ...]
    classes: int
    gain: float
    drive: float
    labels_per_step: bool = False


SHAPES = {
    "shd": Shape(700, 250, 0.02, (128,), 20, 3.0, 0.05),
    "ecg": Shape(4, 1300, 0.08, (36,), 6, 5.0, 0.3, labels_per_step=True),
    "smnist": Shape(8, 784, None, (64, 256), 10, 1.0, 0.2),
}
BATCH = 64


def make(shape: Shape, engine: str) -> SRNN:
    """Return the shape's network, always with the same weights."""
    torch.manual_seed(0)
    hidden = tuple(
        LayerConfig("alif", size, recurrent=True, weight_gain=shape.gain) for size in shape.hidden
    )
    readout = "membrane" if shape.labels_per_step else "mean_softmax"
    config = ModelConfig(
        shape.inputs, (*hidden, LayerConfig("li", shape.classes)), readout, skip_steps=0
    )
    model = SRNN(config, engine)
    for layer in list(model.layers)[:-1]:
        torch.nn.init.constant_(cast(SpikingLayer, layer).ahead.bias, shape.drive)
    return model


def draw(shape: Shape) -> tuple[Tensor, Tensor]:
    """Return inputs (batch, time, channel) and targets."""
    g = torch.Generator().manual_seed(1)
    inputs = torch.rand(BATCH, shape.steps, shape.inputs, generator=g)
    if shape.density is not None:
        inputs = (inputs < shape.density).float()
    labels = (BATCH, shape.steps) if shape.labels_per_step else (BATCH,)
    return inputs, torch.randint(shape.classes, labels, generator=g)


def published(model: SRNN, inputs: Tensor) -> Tensor:
    """Return the readout's membranes as the paper's code computes them: everything in the step."""
    surrogate = make_surrogate(model.config.surrogate)
    layers = [cast(SpikingLayer, layer).ahead for layer in model.layers]
    state = [
        layer.neuron.initial_state(inputs.new_zeros(len(inputs), layer.neuron.size))
        for layer in layers
    ]
    outputs = []
    for t in range(inputs.shape[1]):
        signal = inputs[:, t, :]
        for index, layer in enumerate(layers):
            neuron, last = layer.neuron, state[index]
            current = torch.nn.functional.linear(signal, layer.weight, layer.bias)
            if layer.weight_rec is not None:
                current = current + torch.nn.functional.linear(last[-1], layer.weight_rec)
            gain = neuron.current_gain()
            assert gain is not None
            state[index] = neuron.step(
                last, gain * current, neuron.coefficients(), lambda v: spike(v, surrogate)
            )
            signal = state[index][-1]
        outputs.append(signal)
    return torch.stack(outputs, 1)


def step(model: SRNN, output: Callable[[], Tensor], targets: Tensor) -> None:
    """Take one step: forward, loss, backward."""
    model.zero_grad(set_to_none=True)
    scores = log_scores(model.config.readout, output(), 0, None)
    loss(scores, targets).backward()


def gradient(model: SRNN) -> Tensor:
    """Return all gradients in one vector."""
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def measure(name: str, repeats: int, threads: int) -> dict[str, Any]:
    """Time all implementations at one shape, in turns."""
    shape = SHAPES[name]
    inputs, targets = draw(shape)
    plain, fast = make(shape, "loop"), make(shape, "events")
    ways: dict[str, tuple[SRNN, Callable[[], Tensor]]] = {
        "published": (plain, lambda: published(plain, inputs)),
        "loop": (plain, lambda: plain(inputs).output),
        "engine": (fast, lambda: fast(inputs).output),
    }
    if shape.density is not None:
        events = Events.from_dense(inputs.numpy())
        ways["engine, events"] = (fast, lambda: fast(events).output)
    gradients, times = {}, {way: [] for way in ways}
    for way, (model, output) in ways.items():
        step(model, output, targets)
        gradients[way] = gradient(model)
    with torch.no_grad():
        rates = [float(s.mean()) for s in fast(inputs).spikes[:-1]]
    for _ in range(repeats):
        for way, (model, output) in ways.items():
            # torch's OpenMP threads would turn idly on the engine's cores.
            torch.set_num_threads(1 if model is fast else threads)
            start = time.perf_counter()
            step(model, output, targets)
            times[way].append(time.perf_counter() - start)
    reference = gradients["loop"]
    return {
        "shape": name,
        "firing_rates": rates,
        "rows": [
            {
                "way": way,
                "median_ms": statistics.median(spent) * 1e3,
                "min_ms": min(spent) * 1e3,
                "times_published": statistics.median(times["published"]) / statistics.median(spent),
                "gradient_difference": float(
                    (gradients[way] - reference).norm() / reference.norm()
                ),
            }
            for way, spent in times.items()
        ],
    }


def main() -> None:
    """Measure all shapes and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    set_threads(arguments.threads)
    about, found = machine() | {"threads": str(arguments.threads)}, []
    if not arguments.json:
        print("\n".join(f"{key:10} {value}" for key, value in about.items()))
        print(f"batch {BATCH}; ms a step, median (min); gradient against the loop's in float32")
    for name in arguments.shapes.split(","):
        result = measure(name, arguments.repeats, arguments.threads)
        found.append(result)
        if arguments.json:
            continue
        rates = ", ".join(f"{rate:.3f}" for rate in result["firing_rates"])
        print(f"{name}: {SHAPES[name]._asdict()}\n  firing rates {rates}")
        for row in result["rows"]:
            print(
                f"  {row['way']:15}{row['median_ms']:9.1f} ({row['min_ms']:.1f})"
                f"{row['times_published']:8.1f} x published"
                f"   gradient differs by {row['gradient_difference']:.1e}",
                flush=True,
            )
    if arguments.json:
        json.dump({"machine": about, "shapes": found}, sys.stdout, indent=2)
        print()


if __name__ == "__main__":
    main()
