"""Networks that srnn trained and wrote, in unmodified lava-dl: the same spikes and states."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conformance_record import Record
from export_networks import convolution_network
from paths import SUPPORT
from srnn.export.checkpoint import read_model, write_model
from srnn.export.network import CubaLIF, Layer, Network, Readout, Synapses
from srnn.export.netx import read_net, read_samples, stock_lava_dl_obstacles, write_net
from srnn.export.netx_stock import spikes_before
from srnn.export.trace import LayerTrace, Trace
from srnn.simulate import simulator

SCRIPT = SUPPORT / "stock_lava_dl.py"


RECIPE = """
[task]
name = "arrays"

[task.options]
train = "waves.npz"
encoding = "level_crossing"
threshold = 0.2

[model]
readout = "last_membrane"

[[model.layers]]
neuron = "cuba_lif"
size = 48
recurrent = RECURRENT
threshold = 1.0
tau_syn = { kind = "log_uniform", low = 1.0, high = 10.0 }
tau_mem = { kind = "log_uniform", low = 3.0, high = 60.0 }
weight_gain = 1.0
recurrent_gain = 0.2

[[model.layers]]
neuron = "li"
weight_gain = 10.0
tau_mem = { kind = "constant", mean = 50.0 }

[training]
epochs = 5
batch_size = 16
learning_rate = 0.01
optimizer = "adamw"
threads = 1
"""


def write_waves(path: Path) -> None:
    """Write waves of two frequencies on six channels, which level crossing makes spikes of."""
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    phase = rng.uniform(0, 2 * np.pi, (80, 1, 6))
    x = np.sin(np.arange(60)[:, None] * (0.2 + 0.2 * y[:, None, None]) + phase)
    np.savez(path, inputs=x + rng.normal(0, 0.05, x.shape), labels=y)


pytestmark = [pytest.mark.extra("train"), pytest.mark.needs("lava-dl")]


def run_stock(path: Path, network: Network, inputs: np.ndarray) -> Trace:
    """Run a file in stock lava-dl and return the states and spikes that the network has."""
    given, out = path.with_suffix(".npy"), path.with_suffix(".npz")
    np.save(given, inputs)
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(path), str(given), str(out)],
        cwd=path.parent,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    layers = []
    with np.load(out) as found:
        for index, layer in enumerate(network.layers):
            states = {name: found[f"{name}{index}"] for name in layer.neuron.STATES}
            spikes = found[f"s{index}"]
            if not layer.neuron.SPIKING:
                assert not spikes.any()
            layers.append(LayerTrace(spikes if layer.neuron.SPIKING else None, states))
    last = layers[-1]
    output = last.spikes if network.readout.reads_spikes else last.states["v"]
    assert output is not None
    return Trace(tuple(layers), output, np.full(len(inputs), inputs.shape[1]))


def assert_same(record: Record, path: Path, inputs: np.ndarray) -> None:
    network = read_net(path)
    assert stock_lava_dl_obstacles(network) == []
    expected = simulator.run(network, inputs)
    for layer in expected.layers:
        assert layer.spikes is None or layer.spikes.mean() > 0.005, "a silent layer proves little"
    found = run_stock(path, network, inputs)
    record.compared("stock lava-dl = kernels", network, inputs, found, expected)


def command(name: str, *arguments: str, cwd: Path) -> None:
    program = [str(Path(sys.executable).parent / name), *arguments]
    done = subprocess.run(
        program, cwd=cwd, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("bias", [False, True], ids=["no-bias", "bias"])
@pytest.mark.parametrize("recurrent", ["false", "true"], ids=["dense", "dense_rec"])
def test_a_trained_network(record: Record, tmp_path: Path, recurrent: str, bias: bool) -> None:
    (tmp_path / "cuba.toml").write_text(RECIPE.replace("RECURRENT", recurrent), encoding="utf-8")
    write_waves(tmp_path / "waves.npz")
    command("srnn-train", "cuba.toml", "--out", "run", cwd=tmp_path)
    model = tmp_path / "run" / "model.pt"
    if not bias:
        without_bias(model)
    command("srnn-export", str(model), cwd=tmp_path)
    path = model.with_suffix(".net")
    network, samples = read_net(path), read_samples(path)
    assert samples is not None
    assert (network.layers[0].recurrent is not None) == (recurrent == "true")
    neuron = network.layers[0].neuron
    assert isinstance(neuron, CubaLIF)
    assert neuron.bias.any() == bias
    assert_same(record, path, samples.inputs[:2])


def without_bias(path: Path) -> None:
    """Set the biases of a trained model to zero: every layer of srnn-train has some."""
    model = read_model(path)
    biases = {name: 0 * values for name, values in model.weights.items() if name.endswith(".bias")}
    assert biases
    write_model(path, replace(model, weights={**model.weights, **biases}))


def stack(seed: int, *, delayed: bool) -> Network:
    rng = np.random.default_rng(seed)

    def weights(*shape: int, reach: int = 60) -> np.ndarray:
        return 2 * rng.integers(10 - reach, reach, shape)

    layers = []
    for index, (below, size) in enumerate([(12, 30), (30, 24), (24, 16)]):
        # No bias makes a neuron spike before its layer's first input, nor goes with a delay.
        bias = np.array(0) if delayed else 128 * rng.integers(-6, 7, size)
        neuron = CubaLIF(
            size,
            rng.integers(300, 4097, size),
            rng.integers(100, 1500, size),
            rng.integers(90, 400, size),
            bias,
        )
        synapses = Synapses(weights(size, below), 0, rng.integers(0, 63, size) if delayed else None)
        recurrent = None if delayed else Synapses(weights(size, size, reach=20))
        layers.append(Layer(f"l{index}", synapses, neuron, recurrent))
    return Network(tuple(layers), Readout("spike_count"))


@pytest.mark.parametrize("delayed", [False, True], ids=["dense_rec", "delays"])
def test_a_stack(record: Record, tmp_path: Path, delayed: bool) -> None:
    path = tmp_path / "stack.net"
    write_net(path, stack(3, delayed=delayed))
    inputs = (np.random.default_rng(4).random((2, 100, 12)) < 0.4).astype(np.uint8)
    assert_same(record, path, inputs)


@pytest.mark.parametrize("seed", range(4))
def test_a_bias_that_spikes_before_the_first_input(
    record: Record, tmp_path: Path, seed: int
) -> None:
    """Feed-forward layers come to the same integers; a recurrent layer among them is refused."""
    network = stack(seed, delayed=False)
    layers = []
    for layer in network.layers:
        bias = layer.neuron.bias + np.where(np.arange(layer.size) % 5, 0, 128 * 300)
        layers.append(replace(layer, neuron=replace(layer.neuron, bias=bias), recurrent=None))
    early = replace(network, layers=tuple(layers))
    assert spikes_before(early.layers[0].neuron, 1)
    path = tmp_path / "early.net"
    write_net(path, early)
    inputs = (np.random.default_rng(seed).random((2, 60, 12)) < 0.4).astype(np.uint8)
    assert_same(record, path, inputs)
    back = replace(layers[2], recurrent=network.layers[2].recurrent)
    recurrent = replace(network, layers=(*layers[:2], back))
    assert any("recurrent spikes of that time" in x for x in stock_lava_dl_obstacles(recurrent))


def test_convolutions(record: Record, tmp_path: Path) -> None:
    network = convolution_network()
    path = tmp_path / "convolution.net"
    write_net(path, network)
    shape = (2, 40, network.input_size)
    inputs = (np.random.default_rng(6).random(shape) < 0.4).astype(np.uint8)
    assert_same(record, path, inputs)
