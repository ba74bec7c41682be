"""Recordings of lava-nc 0.10.0, in the reference and in the kernels, element by element."""

# The records take scalars and lists, and store arrays.
# pyright: reportArgumentType=false

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from srnn.export.grid import hardware_weights, wrap24
from srnn.export.network import (
    CubaLIF,
    Layer,
    LeakyIntegrator,
    Network,
    Synapses,
    ThresholdRefractoryLIF,
)
from srnn.export.netx import read_net
from srnn.export.trace import Trace
from srnn.simulate import reference, simulator
from srnn.simulate.plan import prepared_network

GOLDEN = pytest.mark.needs_data("golden")
Run = Callable[..., Trace]
RUNS = pytest.mark.parametrize("run", [reference.run, simulator.run], ids=["reference", "kernels"])


def load(data_dir: Path, name: str, group: str) -> dict[str, np.ndarray]:
    with np.load(data_dir / "golden" / name) as archive:
        prefix = group + "/"
        return {k.removeprefix(prefix): archive[k] for k in archive.files if k.startswith(prefix)}


def bias_of(case: dict[str, np.ndarray]) -> np.ndarray:
    mantissa, exponent = case["bias_mant"].astype(np.int64), case["bias_exp"].astype(np.int64)
    return np.where(
        exponent >= 0, mantissa << np.maximum(exponent, 0), mantissa >> np.maximum(-exponent, 0)
    )


def direct(neuron: CubaLIF | ThresholdRefractoryLIF) -> Network:
    """Feed the recorded synaptic input as graded messages through weights of 1."""
    synapses = Synapses(np.eye(neuron.size, dtype=np.int64))
    return Network((Layer("lif", synapses, neuron),), message_bits=15)


def cuba(case: dict[str, np.ndarray]) -> Network:
    return direct(CubaLIF(16, case["du"] + 1, case["dv"], case["vth"], bias_of(case)))


@GOLDEN
@RUNS
@pytest.mark.parametrize("index", range(12))
def test_lif(run: Run, index: int, data_dir: Path) -> None:
    case = load(data_dir, "lif.npz", f"lif/{index}")
    layer = run(cuba(case), case["a_in"][None]).layers[0]
    assert layer.spikes is not None
    np.testing.assert_array_equal(layer.states["u"][0], case["u"])
    np.testing.assert_array_equal(layer.states["v"][0], case["v"])
    np.testing.assert_array_equal(layer.spikes[0], case["s"])


@GOLDEN
@RUNS
@pytest.mark.parametrize("index", range(12))
def test_lif_reset_is_the_start_of_a_sample(run: Run, index: int, data_dir: Path) -> None:
    case = load(data_dir, "lif.npz", f"lifreset/{index}")
    interval, offset = int(case["reset_interval"]), int(case["reset_offset"])
    first = (offset - 1) % interval
    starts = [0, *range(first, 120, interval)]
    ends = [*starts[1:], 120]
    batch = np.zeros((len(starts), interval, 16), dtype=np.int32)
    for sample, (start, end) in enumerate(zip(starts, ends, strict=True)):
        batch[sample, : end - start] = case["a_in"][start:end]
    lengths = np.array(ends) - np.array(starts)
    layer = run(cuba(case), batch, lengths).layers[0]
    for name, values in (("u", layer.states["u"]), ("v", layer.states["v"]), ("s", layer.spikes)):
        assert values is not None
        joined = np.concatenate([values[i, :n] for i, n in enumerate(lengths)])
        np.testing.assert_array_equal(joined, case[name])


@GOLDEN
@RUNS
@pytest.mark.parametrize("index", range(8))
def test_atrlif(run: Run, index: int, data_dir: Path) -> None:
    case = load(data_dir, "atrlif.npz", f"{index}")

    def code(fraction: np.ndarray) -> np.ndarray:
        return np.rint(4096 * fraction).astype(np.int64)

    neuron = ThresholdRefractoryLIF(
        16,
        code(case["delta_i"]) + 1,
        code(case["delta_v"]),
        code(case["delta_theta"]),
        code(case["delta_r"]),
        case["theta_0"] * 64,
        case["theta_step"] * 64,
        bias_of(case),
    )
    layer = run(direct(neuron), case["a_in"][None]).layers[0]
    assert layer.spikes is not None
    for name, recorded in (("i", "i"), ("v", "v"), ("th", "theta"), ("r", "r")):
        np.testing.assert_array_equal(layer.states[name][0], case[recorded])
    np.testing.assert_array_equal(layer.spikes[0], case["s"])


def delivered_by(run: Run, synapses: Synapses, messages: np.ndarray, bits: int) -> np.ndarray:
    """Return wrap24(a << 6) of every step, read from the current of a neuron that forgets it."""
    neuron = CubaLIF(synapses.n_out, 4096, 4096, 262143)
    network = Network((Layer("dense", synapses, neuron),), message_bits=bits)
    return run(network, messages[None]).layers[0].states["u"][0]


@GOLDEN
@RUNS
@pytest.mark.parametrize("index", range(36))
def test_dense(run: Run, index: int, data_dir: Path) -> None:
    case = load(data_dir, "dense.npz", f"dense/{index}")
    weight = hardware_weights(case["weights"], int(case["num_weight_bits"]))
    np.testing.assert_array_equal(weight, case["effective_weights"])
    synapses = Synapses(weight, int(case["weight_exp"]))
    found = delivered_by(run, synapses, case["s_in"], int(case["num_message_bits"]))
    expected = wrap24(case["a_out"].astype(np.int64) << 6)
    np.testing.assert_array_equal(found[:-1], expected[1:])


@GOLDEN
@RUNS
@pytest.mark.parametrize("index", range(6))
def test_delays(run: Run, index: int, data_dir: Path) -> None:
    case = load(data_dir, "dense.npz", f"delay/{index}")
    synapses = Synapses(case["weights"], 0, case["delays"])
    found = delivered_by(run, synapses, case["s_in"], 0)
    np.testing.assert_array_equal(found[:-1], case["a_out"][1:] << 6)


def a_step_later(spikes: np.ndarray) -> np.ndarray:
    """Delay spikes (time, n) by the step that each of Lava's synapse processes adds."""
    return np.concatenate([np.zeros_like(spikes[:1]), spikes[:-1]])


@GOLDEN
@RUNS
def test_recurrent_network_of_netx(run: Run, data_dir: Path) -> None:
    network = read_net(data_dir / "golden" / "recurrent_cuba.net")
    with np.load(data_dir / "golden" / "recurrent_cuba.npz") as archive:
        recorded = {name: archive[name] for name in archive.files}
    # Biases act from Lava's first step on, before a layer's window; so each layer runs alone, on
    # what the layer below sent, one step later.
    messages = recorded["input"].T.astype(np.uint8)
    for index, layer in enumerate(network.layers):
        ran = run(Network((layer,)), a_step_later(messages)[None]).layers[0]
        for name in ("u", "v"):
            if name in ran.states:
                np.testing.assert_array_equal(
                    ran.states[name][0, -1], recorded[f"final_{name}{index}"]
                )
        if index < 2:
            assert ran.spikes is not None
            np.testing.assert_array_equal(ran.spikes[0], recorded[f"s{index}"].T)
            messages = ran.spikes[0]
        else:
            np.testing.assert_array_equal(ran.states["v"][0], recorded["readout_v"])


@GOLDEN
@RUNS
def test_a_wrong_decay_would_be_noticed(run: Run, data_dir: Path) -> None:
    case = load(data_dir, "lif.npz", "lif/0")
    case["du"] = case["du"] + 1
    layer = run(cuba(case), case["a_in"][None]).layers[0]
    assert (layer.states["u"][0] != case["u"]).any()


@GOLDEN
@RUNS
def test_the_integrator_is_the_readout_of_netx(run: Run, data_dir: Path) -> None:
    network = read_net(data_dir / "golden" / "recurrent_cuba.net")
    with np.load(data_dir / "golden" / "recurrent_cuba.npz") as archive:
        spikes, recorded = archive["s1"].T.astype(np.uint8), archive["readout_v"]
    last = network.layers[-1]
    readout = Layer("readout", last.synapses, LeakyIntegrator(last.size, 200))
    output = run(Network((readout,)), a_step_later(spikes)[None]).output
    np.testing.assert_array_equal(output[0], recorded)


@pytest.mark.needs_data("netx")
def test_ntidigits_of_lava_dl_with_its_delays(data_dir: Path) -> None:
    folder = data_dir / "netx" / "ntidigits"
    network = read_net(folder / "ntidigits.net")
    inputs = np.load(folder / "input.npy").T.astype(np.uint8)
    expected = np.load(folder / "output.npy").T
    trace = simulator.run(network, inputs[None], record="output", threads=1)
    assert prepared_network(network, 1).wide == (False,) * 3
    # SLAYER adds a step for each of its four blocks, the input among them.
    lag = 4
    np.testing.assert_array_equal(trace.output[0, :-lag], expected[lag:])
    assert expected[:lag].sum() == 0
    assert expected.sum() == 22572
