"""What stock lava-dl would compute for a network, against Lava's own weight arithmetic."""

# pyright: reportOperatorIssue=false

from __future__ import annotations

import re
from dataclasses import replace

import h5py
import numpy as np
import pytest
from export_networks import (
    adaptive_network,
    convolution_network,
    input_block_network,
    stock_network,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from srnn.export import netx_stock
from srnn.export.grid import hardware_weights
from srnn.export.network import (
    Convolution,
    CubaLIF,
    Layer,
    LeakyIntegrator,
    Network,
    Readout,
    Synapses,
    ThresholdRefractoryLIF,
    same_network,
)
from srnn.export.netx import read_net, stock_lava_dl_obstacles, write_net


def cuba(size, **changes):
    values = {"i_decay": 4096, "v_decay": 400, "v_threshold": 80} | changes
    return CubaLIF(size, **{name: np.array(value) for name, value in values.items()})


def network(weight, neuron=None, *, recurrent=None, exponent=0, delay=None, bits=0):
    synapses = Synapses(np.array(weight), exponent, delay)
    neuron = neuron or cuba(synapses.n_out)
    rec = None if recurrent is None else Synapses(np.array(recurrent))
    return Network((Layer("one", synapses, neuron, rec),), message_bits=bits)


def test_none_for_cuba_networks():
    assert stock_lava_dl_obstacles(stock_network()) == []
    assert stock_lava_dl_obstacles(network([[2, -4]])) == []
    assert stock_lava_dl_obstacles(network([[255, 3]])) == []


EVEN = [[2, -4], [6, 8]]


def test_exponents_that_the_weights_absorb():
    assert stock_lava_dl_obstacles(network(EVEN, exponent=1)) == []
    assert stock_lava_dl_obstacles(network(EVEN, exponent=-1)) == []


KERNEL = np.array([[[[2, -4]]], [[[6, 8]]]])


def convolution(neuron=None, *, recurrent=None, bits=0, **changes):
    values = {"kernel": KERNEL, "shape_in": (1, 2, 3)} | changes
    connection = Convolution(**values)
    neuron = neuron or cuba(connection.n_out)
    return Network((Layer("one", connection, neuron, recurrent),), message_bits=bits)


@pytest.mark.parametrize(
    ("built", "match"),
    [
        (convolution(bits=4), "input: graded, 4 bits"),
        (convolution(delay=[1, 0]), "layer one: delays in a convolution, which netx ignores"),
        (convolution(cuba(8, v_threshold=[1] * 7 + [2])), "vThMant differs within a channel"),
        (convolution(cuba(8, bias=[128] * 7 + [256])), "bias differs within a channel"),
        (convolution(kernel=KERNEL * 30, weight_exp=1), "weight_exp is 1, lava-dl files"),
        (convolution(stride=(128, 1)), "a stride, .* of 128, Lava keeps int8"),
        (
            convolution(recurrent=Synapses(2 * np.eye(8, dtype=int))),
            "recurrent synapses over a convolution",
        ),
        (
            convolution(kernel=np.full((1, 20000, 1, 2), 255), shape_in=(20000, 1, 2)),
            "can leave the 24 bits in which Lava's Conv wraps",
        ),
        (
            convolution(kernel=[[[[255]]]], shape_in=(1, 2, 2), bits=8),
            "input: weight times 8 bits plus bias reaches 65025",
        ),
    ],
)
def test_one_line_per_obstacle_of_a_convolution(built, match):
    found = stock_lava_dl_obstacles(built)
    assert len(found) == 1
    assert re.search(match, found[0])


def test_convolutions_that_lava_dl_loads():
    assert stock_lava_dl_obstacles(convolution_network()) == []
    assert stock_lava_dl_obstacles(input_block_network()) == []
    # Odd weights of both signs, of which Lava's Conv drops nothing.
    assert stock_lava_dl_obstacles(convolution(weight_exp=-1)) == []
    assert stock_lava_dl_obstacles(convolution(kernel=[[[[0, 0]]]])) == []


@pytest.mark.parametrize(
    ("built", "match"),
    [
        (network(EVEN, bits=8), "input: graded, 8 bits"),
        (network([[2, -4], [6, 200]], exponent=1), "layer one: weight_exp is 1, lava-dl files"),
        (network([[2, -4], [6, 8]], exponent=-2), "layer one: weight_exp is -2, lava-dl files"),
        (network(EVEN, cuba(2, bias=[0, 64])), "bias 64 of neuron 1 is not a multiple of 128"),
        (network(EVEN, cuba(2, bias=32768 * 64)), "has mantissa 32768, outside -32768..32767"),
        (network(EVEN, cuba(2, u_init=1)), "the initial state is not zero"),
        (network(EVEN, cuba(2, v_init=-1)), "the initial state is not zero"),
        (network(EVEN, LeakyIntegrator(2, np.array(9), np.array(0), np.array(5))), "initial state"),
        (network(EVEN, delay=np.array([[1, 2], [3, 3]])), "delays per synapse"),
        (
            network(EVEN, cuba(2, bias=128), delay=np.array([1, 2])),
            "delays and a bias in one layer",
        ),
        (network(EVEN, recurrent=EVEN, delay=np.array([1, 2])), "delays in a recurrent layer"),
        (network([[0, 0]]), "all weights are zero"),
        (network([[-128, -128], [-128, -2]]), r"weight \(-128..-2\) loses weights"),
        (network([[255, 3]] * 2, recurrent=[[2, -2], [0, 0]]), r"weight \(3..255\) loses weights"),
        (
            network(EVEN, ThresholdRefractoryLIF(2, *[np.array(9)] * 6)),
            "ATRLIF neurons are unknown to lava-dl",
        ),
        (network(np.full((1, 600), 254), LeakyIntegrator(1, np.array(9))), "can leave 24 bits"),
    ],
)
def test_one_line_per_obstacle(built, match):
    found = stock_lava_dl_obstacles(built)
    assert len(found) == 1
    with pytest.raises(AssertionError, match=match):
        raise AssertionError(found[0])


def test_adaptive_layers_are_named():
    found = stock_lava_dl_obstacles(adaptive_network())
    assert found == ["layer hidden: SRNN_ALIF neurons are unknown to lava-dl"]


def test_spiking_cuba_may_wrap():
    # Lava's own current may wrap; only that of a replaced leaky integrator must not.
    many = np.full((1, 600), 254)
    assert stock_lava_dl_obstacles(network(many)) == []


def netx_weights(parts):
    """Return the weights of stock netx and Lava, as in lava-dl 0.6.0 and lava-nc 0.10.0."""
    from lava.utils import weightutils

    together = np.hstack(parts)
    if together.max() > 254 and together.min() < 0:
        parts = [np.clip(part, -256, 254) for part in parts]
        together = np.hstack(parts)
    high, low = together.max(), together.min()
    signed = int(not high < 0 and not low >= 0)
    with np.errstate(divide="ignore"):
        if signed:
            scale = np.min([np.float64(127) / high, np.float64(-128) / low])
        else:
            scale = -256 / low if high < 0 else 255 / high
    shift = int(np.floor(np.log2(scale))) + signed
    n = 8
    while n > 0 and np.sum(np.abs(together / 2**n - np.round(together / 2**n))) != 0:
        n -= 1
    bits = 8 - shift - (n - signed)
    effective = []
    for part in parts:
        shifted = np.left_shift(part.astype(np.int32), shift)
        mode = weightutils.determine_sign_mode(shifted)
        clipped = weightutils.clip_weights(shifted, mode, 8)
        kept = weightutils.truncate_weights(clipped, mode, bits)
        effective.append(kept / 2.0**shift)
    return effective


def grid_matrix(columns):
    drawn = hnp.arrays(np.int64, (3, columns), elements=st.integers(-256, 255))
    step = st.sampled_from([1, 2, 4, 32, 128])
    sign = st.sampled_from([lambda w: w, np.abs, lambda w: -np.abs(w)])

    def build(w, by, signed):
        return hardware_weights(hardware_weights(signed(w // by * by)))

    return st.builds(build, drawn, step, sign)


@pytest.mark.lava
@settings(max_examples=300, deadline=None)
@given(grid_matrix(2), st.none() | grid_matrix(3))
@example(np.full((3, 2), -128), None)
@example(np.full((3, 2), -255), np.zeros((3, 3), np.int64))
@example(np.full((3, 2), 255), 2 * np.eye(3, dtype=np.int64) - 2)
def test_weights_survive_exactly_where_lava_keeps_them(weight, recurrent):
    parts = [weight] if recurrent is None else [weight, recurrent]
    lost = any("loses weights" in line for line in stock_lava_dl_obstacles(
        network(weight, recurrent=recurrent)
    ))  # fmt: skip
    if not any(part.any() for part in parts):
        return
    kept = all(np.array_equal(a, b) for a, b in zip(parts, netx_weights(parts), strict=True))
    assert lost == (not kept)


def test_readout_kind_is_no_obstacle():
    built = network(EVEN)
    assert stock_lava_dl_obstacles(Network(built.layers, Readout("spike_count"))) == []


def biased(bias, *, recurrent, layers=1):
    """Layers of 2 neurons whose threshold is 80 mantissas, with a bias on the first."""
    rec = Synapses(np.array([[2, 2], [64, -2]])) if recurrent else None
    first = cuba(2, v_decay=0, v_threshold=10, bias=np.array(bias))
    made = [Layer("l0", Synapses(np.array([[64, -2], [2, 2]])), first, rec)]
    for index in range(1, layers):
        made.append(Layer(f"l{index}", made[0].synapses, cuba(2), rec))
    return Network(tuple(made), Readout("spike_count"))


def test_a_bias_that_spikes_early_in_a_recurrent_layer_is_an_obstacle():
    # Mantissa 14 is above the threshold of 10 in the step before the first input.
    (line,) = stock_lava_dl_obstacles(biased([128, 128 * 7], recurrent=True))
    assert line.startswith("layer l0: the bias alone makes neurons 1 of layer l0 spike before")
    assert stock_lava_dl_obstacles(biased([128, 128 * 7], recurrent=False)) == []
    assert stock_lava_dl_obstacles(biased([128, 128 * 5], recurrent=True)) == []
    # Layer l waits l steps, so that a smaller bias has the time in a later layer.
    late = biased([0, 0], recurrent=True, layers=2)
    slow = replace(late.layers[1], neuron=cuba(2, v_decay=0, v_threshold=10, bias=128 * 3))
    (line,) = stock_lava_dl_obstacles(replace(late, layers=(late.layers[0], slow)))
    assert line.startswith("layer l1: the bias alone makes neurons 0, 1 of layer l1")
    # Early spikes of a layer below reach a recurrent one above.
    mixed = biased([128, 128 * 7], recurrent=False, layers=2)
    above = replace(mixed.layers[1], recurrent=Synapses(2 * np.eye(2, dtype=int)))
    (line,) = stock_lava_dl_obstacles(replace(mixed, layers=(mixed.layers[0], above)))
    assert line.startswith("layer l1: the bias alone makes neurons 1 of layer l0")


def test_files_written_before_that_was_known_are_still_read(tmp_path, monkeypatch):
    network = biased([128, 128 * 7], recurrent=True)
    write_net(tmp_path / "now.net", network)
    with monkeypatch.context() as patch:
        patch.setattr(netx_stock, "early_spikes", lambda _network: [])
        write_net(tmp_path / "before.net", network)
    with h5py.File(tmp_path / "now.net") as now, h5py.File(tmp_path / "before.net") as before:
        assert now["layer/1/neuron/type"][()] == b"SRNN_CUBA"
        assert before["layer/1/neuron/type"][()] == b"CUBA"
    for name in ("now", "before"):
        assert same_network(read_net(tmp_path / f"{name}.net"), network)


def test_an_input_with_more_neurons_than_a_conv_has_groups():
    kernel = np.full((784, 1, 1, 1), 2)
    given_by_bias = Convolution(kernel, (784, 1, 1), groups=784)
    block = Layer("in", given_by_bias, cuba(784, v_threshold=40))
    above = Layer("out", Synapses(np.resize([2, -4], (10, 784))), cuba(10))
    assert stock_lava_dl_obstacles(Network((block, above), message_bits=8)) == []
