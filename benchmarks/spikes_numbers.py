"""What ``docs/SPIKES_FOR_PYTORCH_USERS.md`` shows, computed by the code that it explains.

``spikes_page.py`` draws it and writes the page's tables. Networks are small and trained for a few
epochs on scikit-learn's digits: they show the effect of a choice, not what a task can reach.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from srnn.export.checkpoint import FloatModel, Init, LayerConfig
from srnn.export.dense import dense_operations
from srnn.export.freeze import Quantization
from srnn.export.grid import DECAY_ONE, decay_factor, weight_max, weight_step
from srnn.export.network import Network
from srnn.export.operations import step_operations
from srnn.export.quantize import quantize
from srnn.export.trace import Trace
from srnn.export.verify import Parity, compare_with_float
from srnn.simulate import run
from srnn.simulate.activity import Activity
from srnn.simulate.evaluate import evaluate as simulate_split
from srnn.tasks import Task, load
from srnn.train.evaluate import evaluate
from srnn.train.loop import fit
from srnn.train.network import SRNN
from srnn.train.neurons import Neuron
from srnn.train.recipe import make_recipe, read_plain
from srnn.train.save import float_model
from srnn.train.settings import override

Floats = npt.NDArray[np.float64]
BITS = (8, 6, 4, 3)
PARITY_SAMPLES = 100
"""Validation samples on which float and integer spikes are compared."""

MAC_PJ, AC_PJ = 4.6, 0.9
"""A 32-bit float multiply-accumulate and an addition at 45 nm (Horowitz, ISSCC 2014)."""
MAC8_PJ, AC8_PJ, BYTE_PJ = 0.23, 0.03, 24.96
"""8-bit operations and a byte from memory at 45 nm, as in SpikingJelly 2.0.0's energy models."""
STATE_BYTES = 3
"""A state of 24 bits (docs/FIXED_POINT.md)."""


# One neuron ---------------------------------------------------------------------------------


def run_neuron(config: LayerConfig, current: Floats) -> dict[str, Floats]:
    """Run one neuron on currents (time,) and return its states v, s and, of an ALIF, b and B."""
    neuron = Neuron(config)
    coefficients, gain = neuron.coefficients(), neuron.current_gain()
    assert gain is not None
    state = neuron.initial_state(torch.zeros(1, 1))
    rows = []
    with torch.no_grad():
        for value in current:
            drive = gain * torch.full((1, 1), float(value))
            state = neuron.step(state, drive, coefficients, lambda v: (v > 0).to(v.dtype))
            rows.append([float(x) for x in state])
    found = dict(zip(neuron.states, np.array(rows).T, strict=True))
    if "b" in found:
        found["B"] = config.threshold + config.adaptation * found["b"]
    return found


def impulse_response(tau: float, steps: int) -> Floats:
    """Return the share (time,) of a current in its first step that is left in an ``LI``."""
    config = LayerConfig(neuron="li", size=1, tau_mem=Init(mean=tau))
    v = run_neuron(config, np.eye(1, steps)[0])["v"]
    return v / v[0]


def heartbeat(steps: int, period: int) -> Floats:
    """Return a made-up pulse train: per period a sharp wave of about 10 steps and a slow one of 60.

    Sums of Gaussians, not a recording.
    """
    t = np.arange(steps) % period
    waves = ((0.15, 0.25, 10.0), (1.0, 0.4, 3.0), (-0.25, 0.43, 3.0), (0.3, 0.7, 15.0))
    return np.sum([h * np.exp(-0.5 * ((t - at * period) / w) ** 2) for h, at, w in waves], axis=0)


# Trained networks ---------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network: the model, what its file would hold, its test accuracy."""

    model: SRNN
    saved: FloatModel
    validation: float
    test: float


def simulate(network: Network, inputs: Any, lengths: Any) -> Trace:
    """Run the simulator with all states, as calibration and training on the grid need it."""
    return run(network, inputs, lengths, record="states")


def train(task: Task, settings: Sequence[tuple[str, str]]) -> Trained:
    """Train the recipe ``digits`` with settings replaced."""
    recipe = make_recipe(override(read_plain("digits"), settings))
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        model, state = fit(recipe, task, Path(folder), simulate=simulate)
    found = evaluate(model, task, task.test)
    saved = float_model(model, task, recipe, sample_count=PARITY_SAMPLES)
    return Trained(model, saved, state.best_accuracy, found.metrics["accuracy"])


class Inference(NamedTuple):
    """A network of integers on the test split, and compared with its float model."""

    network: Network
    accuracy: float
    activity: Activity
    parity: Parity
    equal_by_step: Floats


def to_integers(trained: Trained, task: Task, bits: int | None) -> Inference:
    """Export, with weights of so many bits or as trained on the grid (None), and simulate."""
    samples = trained.saved.samples
    options = None if bits is None else Quantization(weight_bits=bits)
    network, _ = quantize(trained.saved, options, simulate, samples["inputs"], samples["lengths"])
    trace = simulate(network, samples["inputs"], samples["lengths"])
    result = simulate_split(network, task.test)
    return Inference(
        network,
        result.metrics["accuracy"],
        result.activity,
        compare_with_float(trained.saved, network, trace),
        _equal_by_step(trained.saved, trace),
    )


def float_spikes(saved: FloatModel, steps: int) -> npt.NDArray[np.bool_]:
    """Return the float model's spikes (sample, time, n) of its first layer."""
    return np.unpackbits(saved.samples["spikes.0"], axis=1, count=steps).astype(bool)


def _equal_by_step(saved: FloatModel, trace: Trace) -> Floats:
    whole = trace.layers[0].spikes
    assert whole is not None
    real = float_spikes(saved, whole.shape[1])
    either = (real | whole.astype(bool)).sum((0, 2))
    return (real & whole.astype(bool)).sum((0, 2)) / np.maximum(either, 1)


@dataclass(frozen=True, eq=False)
class Networks:
    """All trained networks of the page.

    ``base``: time constants log-uniform. ``inits``: by name, what differs. ``grid``: by bits,
    trained with ``--quantize``. ``sparse``: with a penalty on rates. ``dense``: by kind and size.
    """

    task: Task
    base: Trained
    inits: dict[str, Trained]
    grid: dict[int, Trained]
    sparse: Trained
    dense: dict[str, Trained]


INITS = {
    "constant 3": {"kind": "constant", "mean": "3.0"},
    "constant 20": {"kind": "constant", "mean": "20.0"},
    "constant 200": {"kind": "constant", "mean": "200.0"},
    "normal 20 ± 5": {"kind": "normal", "mean": "20.0", "std": "5.0"},
}
SPARSE = [("rate_weight", "100"), ("largest_rate", "0.05")]
DENSE = ("rnn", "gru", "lstm")


def train_all(epochs: int, neurons: int, images: int | None = None) -> Networks:
    """Train every network of the page for ``epochs`` epochs, on all training images or some."""
    task = load("digits", options={"window": 16})
    if images is not None:
        task = replace(task, train=task.train.take(np.arange(images)))
    small = [("epochs", str(epochs)), ("layers.0.size", str(neurons))]
    base = train(task, small)
    inits = {"log-uniform 3 to 60": base}
    for name, init in INITS.items():
        told = [(f"layers.0.tau_mem.{key}", value) for key, value in init.items()]
        inits[name] = train(task, [*small, *told])
    return Networks(
        task=task,
        base=base,
        inits=inits,
        grid={
            bits: train(
                task, [*small, ("quantize", "true"), ("quantization.weight_bits", str(bits))]
            )
            for bits in BITS
        },
        sparse=train(task, [*small, *SPARSE, ("quantize", "true")]),
        dense={
            f"{kind.upper()}, {size} neurons": train(
                task,
                [
                    *small,
                    ("layers.0.size", str(size)),
                    ("baseline", kind),
                    ("learning_rate", "0.005"),
                ],
            )
            for kind, size in (*((kind, neurons) for kind in DENSE), ("gru", neurons // 4))
        },
    )


def export_all(networks: Networks) -> dict[str, Inference]:
    """Export every spiking network that the page compares, by name, and simulate it."""
    task = networks.task
    found = {f"after {bits}": to_integers(networks.base, task, bits) for bits in BITS}
    found |= {f"grid {bits}": to_integers(networks.grid[bits], task, None) for bits in BITS}
    return found | {"sparse": to_integers(networks.sparse, task, None)}


# The grid -----------------------------------------------------------------------------------


def tau_of_code(code: npt.ArrayLike) -> Floats:
    """Return the time constant in steps that a decay code means: ``-1 / ln(1 - code / 4096)``."""
    return -1.0 / np.log(decay_factor(code))


def decay_spacing(codes: npt.NDArray[np.int64]) -> Floats:
    """Return by how much, as a share, the time constant of the next smaller code is longer."""
    return tau_of_code(codes - 1) / tau_of_code(codes) - 1


def neuron_rates(inference: Inference) -> Floats:
    """Return spikes per step of every neuron of the first layer on the test split."""
    return inference.activity.layers[0].spikes / inference.activity.steps


# Operations and energy ----------------------------------------------------------------------


def spiking_energy(inputs: int, neurons: int, rate: float, input_rate: float) -> float:
    """Return pJ per step of a recurrent ALIF layer's arithmetic, inputs binary.

    Additions: ``m n`` times the input rate, ``n n`` for recurrence and ``2 n`` for reset and
    adaptation times the firing rate. Products: alpha u, rho b and adaptation b, ``3 n``.
    """
    additions = inputs * neurons * input_rate + (neurons + 2) * neurons * rate
    return AC_PJ * additions + MAC_PJ * 3 * neurons


def dense_energy(kind: str, inputs: int, neurons: int) -> float:
    """Return pJ per step of a dense layer's products; sigmoids and tanhs are not counted."""
    found = dense_operations(kind, neurons, inputs)
    return MAC_PJ * (found.macs + found.products)


def break_even_rate(kind: str, neurons: int, batch: float) -> float:
    """Return the firing rate from which a dense layer of the same size costs less, memory counted.

    Both have ``neurons`` inputs; the spiking layer's inputs fire at the rate of its neurons. Every
    weight is a byte, fetched for each event by the spiking layer and once for the whole batch by
    the dense one. States (two of 3 bytes; h, and of an LSTM c, of 3 bytes) are read and written
    every step. Operations have 8 bits.

    A result above 1 means never, a result of 0 or less always.
    """
    found = dense_operations(kind, neurons, neurons)
    held = 2 if kind == "lstm" else 1
    dense = (found.macs + found.products) * MAC8_PJ + BYTE_PJ * (
        found.macs / batch + 2 * STATE_BYTES * held * neurons
    )
    fixed = neurons * (3 * MAC8_PJ + 2 * 2 * STATE_BYTES * BYTE_PJ)
    each = 2 * neurons**2 * (AC8_PJ + BYTE_PJ) + 2 * neurons * AC8_PJ
    return (dense - fixed) / each


# Tables -------------------------------------------------------------------------------------


def percent(share: float) -> str:
    """Write a share."""
    return f"{100 * share:.1f} %"


def tables(networks: Networks, exported: dict[str, Inference]) -> dict[str, list[list[str]]]:
    """Return the page's tables by name, the heading first."""
    return {
        "inits": _inits(networks),
        "decay": decay_table(),
        "bits": _bits(networks, exported),
        "rates": _rates(exported),
        "dense": _dense(networks, exported),
        "break-even": break_even_table(),
    }


def _inits(networks: Networks) -> list[list[str]]:
    rows = [["tau_mem at the start, steps", "after training, 10 % to 90 % of neurons", "test"]]
    for name, trained in networks.inits.items():
        low, high = np.quantile(trained.saved.weights["layers.0.tau_mem"], (0.1, 0.9))
        rows.append([name, f"{low:.1f} to {high:.1f}", percent(trained.test)])
    return rows


def decay_table() -> list[list[str]]:
    """Return some time constants, their codes, and what those and their neighbours mean."""
    rows = [["tau wanted, steps", "code", "tau of that code", "of the next code up and down"]]
    for tau in (3, 20, 100, 200, 700, 2000):
        code = round(DECAY_ONE * (1 - math.exp(-1 / tau)))
        near, below, above = (float(tau_of_code(c)) for c in (code, code + 1, max(code - 1, 1)))
        neighbours = f"{below:.4g}, {above:.4g}" if code > 1 else f"{below:.4g}, none"
        rows.append([f"{tau}", f"{code}", f"{near:.4g}", neighbours])
    return rows


def _bits(networks: Networks, exported: dict[str, Inference]) -> list[list[str]]:
    heading = [
        "bits",
        "largest weight, step",
        "rounded after training: test",
        "spikes equal",
        "trained on the grid: test",
        "spikes equal",
    ]
    rows = [heading]
    for bits in BITS:
        after, grid = exported[f"after {bits}"], exported[f"grid {bits}"]
        rows.append(
            [
                f"{bits}",
                f"{weight_max(bits)}, {weight_step(bits)}",
                percent(after.accuracy),
                percent(after.parity.equal_spikes["0"]),
                percent(grid.accuracy),
                percent(grid.parity.equal_spikes["0"]),
            ]
        )
    rows.append(["float", "", percent(networks.base.test), "", "", ""])
    return rows


def _rates(exported: dict[str, Inference]) -> list[list[str]]:
    heading = [
        "network",
        "firing rate",
        "silent neurons",
        "above half of all steps",
        "ACs per step",
        "rate n (n + 10)",
        "test",
    ]
    rows = [heading]
    for name, key in (("no penalty", "grid 8"), ("rates penalised", "sparse")):
        found = exported[key]
        rates, n = neuron_rates(found), found.network.layers[0].size
        rows.append(
            [
                name,
                f"{rates.mean():.3f}",
                f"{int((rates == 0).sum())} of {n}",
                f"{int((rates > 0.5).sum())}",
                f"{found.activity.per_step()['Effective_ACs']:.0f}",
                f"{rates.mean() * n * (n + 10):.0f}",
                percent(found.accuracy),
            ]
        )
    return rows


def _dense(networks: Networks, exported: dict[str, Inference]) -> list[list[str]]:
    rows = [["network", "parameters", "test", "MACs per step", "ACs per step", "nJ per step"]]
    for name, key in (
        ("spikes, trained on the grid", "grid 8"),
        ("spikes, rates penalised", "sparse"),
    ):
        found = exported[key]
        counts = found.activity.per_step()
        layers = found.network.layers
        # Products by the decays and the adaptation: three a neuron, one of the readout's.
        updates = 3 * layers[0].size + layers[1].size
        macs, acs = counts["Effective_MACs"] + updates, counts["Effective_ACs"]
        parameters = sum(w.size for w in networks.base.saved.weights.values())
        rows.append(
            [
                name,
                f"{parameters:,}",
                percent(found.accuracy),
                f"{macs:,.0f}",
                f"{acs:,.0f}",
                f"{(MAC_PJ * macs + AC_PJ * acs) / 1000:.1f}",
            ]
        )
    for name, trained in networks.dense.items():
        counted = step_operations(trained.model.config)
        macs = sum(layer.macs + layer.products for layer in counted)
        parameters = sum(w.size for w in trained.saved.weights.values())
        rows.append(
            [
                name,
                f"{parameters:,}",
                percent(trained.test),
                f"{macs:,}",
                "0",
                f"{MAC_PJ * macs / 1000:.1f}",
            ]
        )
    return rows


def break_even_table() -> list[list[str]]:
    """Return break-even firing rates by neurons, batch and dense layer."""
    rows = [["neurons", "batch", *(kind.upper() for kind in DENSE)]]
    for neurons in (16, 64, 256):
        for batch in (1, 16, 256):
            rates = [break_even_rate(kind, neurons, batch) for kind in DENSE]
            rows.append([f"{neurons}", f"{batch}", *map(_rate, rates)])
    return rows


def _rate(value: float) -> str:
    if value <= 0:
        return "always dense"
    return "never dense" if value > 1 else f"{value:.3f}"


def example_digit(trained: Trained, network: Network) -> dict[str, Any]:
    """Return float and integer spikes (time, n) of the first bundled sample."""
    inputs = trained.saved.samples["inputs"][:1]
    trace = run(network, inputs)
    whole = trace.layers[0].spikes
    assert whole is not None
    return {
        "float": float_spikes(trained.saved, inputs.shape[1])[0],
        "integer": whole[0].astype(bool),
    }
