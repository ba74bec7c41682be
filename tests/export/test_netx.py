"""The ``.net`` round trip: every network that the records allow is read back equal."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportIndexIssue=false, reportOperatorIssue=false
# pyright: reportOptionalSubscript=false

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest
from export_networks import (
    adaptive_network,
    convolution_network,
    input_block_network,
    random_network,
    random_samples,
    same_samples,
    seeds,
    stock_network,
)
from hypothesis import given, settings
from srnn.export.errors import InputError
from srnn.export.network import LeakyIntegrator, Network, Synapses, same_network
from srnn.export.netx import read_net, read_samples, stock_lava_dl_obstacles, write_net
from srnn.export.netx_stock import folded


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_round_trip_of_random_networks(tmp_path_factory, seed):
    path = tmp_path_factory.mktemp("net") / "model.net"
    network = random_network(seed)
    samples = random_samples(np.random.default_rng(seed), network)
    write_net(path, network, samples)
    read = read_net(path)
    assert same_network(network, read)
    assert read.provenance == network.provenance
    assert same_samples(read_samples(path), samples)


KINDS = {
    "stock": stock_network(),
    "alif": adaptive_network(),
    "convolution": convolution_network(),
    "delayed": convolution_network(stock=False),
    "input-block": input_block_network(),
}


@pytest.mark.parametrize("network", KINDS.values(), ids=KINDS)
def test_equal_networks_give_equal_bytes(tmp_path, network):
    write_net(tmp_path / "a.net", network)
    write_net(tmp_path / "b.net", read_net(tmp_path / "a.net"))
    assert (tmp_path / "a.net").read_bytes() == (tmp_path / "b.net").read_bytes()
    assert read_samples(tmp_path / "a.net") is None


def test_large_values_come_back(tmp_path):
    network = stock_network()
    big = Network(network.layers, network.readout, task={"permutation": list(range(20000))})
    rng = np.random.default_rng(0)
    samples = random_samples(rng, big)
    samples = type(samples)(
        rng.integers(0, 2, (7, 900, 4)), np.full(7, 900), None, None,
        rng.integers(-(2**23), 2**23, (7, 900, 3)),
    )  # fmt: skip
    write_net(tmp_path / "m.net", big, samples)
    assert same_network(big, read_net(tmp_path / "m.net"))
    assert same_samples(read_samples(tmp_path / "m.net"), samples)
    with h5py.File(tmp_path / "m.net") as file:
        assert file["srnn/samples/output"].fletcher32
        assert file["srnn/task"].fletcher32
        assert file["srnn/message_bits"].id.get_create_plist().get_layout() == h5py.h5d.COMPACT


def test_tuples_of_a_task_become_lists(tmp_path):
    network = stock_network()
    write_net(tmp_path / "m.net", Network(network.layers, task={"classes": ("a", ("b", 1))}))
    assert read_net(tmp_path / "m.net").task == {"classes": ["a", ["b", 1]]}


@pytest.mark.parametrize(
    ("settings_", "match"),
    [
        ({"task": {1: "x"}}, "task: JSON would change it"),
        ({"task": {"x": np.arange(3)}}, "task: cannot be written as JSON"),
        ({"provenance": {"x": float("nan")}}, "provenance: cannot be written as JSON"),
        ({"dt": 0.0}, "dt 0.0 is not a positive number"),
        ({"input_scale": float("inf")}, "input_scale inf is not a positive number"),
    ],
)
def test_writer_refuses_what_a_file_cannot_carry(tmp_path, settings_, match):
    network = Network(stock_network().layers, **settings_)
    path = tmp_path / "m.net"
    path.write_bytes(b"the old file")
    with pytest.raises(InputError, match=match):
        write_net(path, network)
    assert path.read_bytes() == b"the old file"
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.net"]


def test_writer_refuses_samples_of_another_network(tmp_path):
    samples = random_samples(np.random.default_rng(0), adaptive_network())
    three_channels = type(samples)(
        samples.inputs[:, :, :3], samples.lengths, None, None, samples.output
    )
    with pytest.raises(InputError, match=r"samples: inputs: shape .* needs \(batch, time, 4\)"):
        write_net(tmp_path / "m.net", adaptive_network(), three_channels)


def contents(path):
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, entry: (
                found.__setitem__(name, (entry[()], entry.dtype, entry.shape))
                if isinstance(entry, h5py.Dataset)
                else None
            )
        )
    return found


def test_stock_part_follows_the_rules_of_netx(tmp_path):
    network = stock_network()
    assert stock_lava_dl_obstacles(network) == []
    write_net(tmp_path / "m.net", network)
    with h5py.File(tmp_path / "m.net") as file:
        assert list(file["layer"]) == ["0", "1", "2", "3"]
        assert set(file["layer/0"]) == {"type", "shape"}
        for index, layer in enumerate(network.layers, start=1):
            group = file[f"layer/{index}"]
            assert group["type"].dtype == "S10"
            assert group["type"].shape == (1,)
            for name in ("weight", "weight_rec", "bias", "delay"):
                if name in group:
                    assert group[name].dtype == np.float32
            weight = group["weight"][()]
            assert not (weight % 2).any()
            assert weight.shape == (layer.size, layer.synapses.n_in)
            neuron = group["neuron"]
            assert neuron["type"][()].decode("ascii") == "CUBA"
            assert set(neuron) == {
                "type", "iDecay", "vDecay", "vThMant", "refDelay", "gradedSpike",
            }  # fmt: skip
            assert neuron["refDelay"][()] == 1
            assert neuron["gradedSpike"][()] == False  # noqa: E712
        assert file["layer/1/type"][0] == b"dense_rec"
        assert "delay" not in file["layer/1"]
        assert np.array_equal(file["layer/2/delay"][()], network.layers[1].synapses.delay[:, 0])
        assert "bias" not in file["layer/2"]
        assert file["layer/3/neuron/vThMant"][()] == (1 << 18) - 1
        assert file["layer/3/neuron/iDecay"][()] == 4096
        assert np.array_equal(file["layer/3/bias"][()] * 64, network.layers[2].neuron.bias)
    assert isinstance(read_net(tmp_path / "m.net").layers[2].neuron, LeakyIntegrator)


def test_stock_part_alone_is_the_same_dynamics(tmp_path):
    network = stock_network()
    write_net(tmp_path / "m.net", network)
    with h5py.File(tmp_path / "m.net", "r+") as file:
        del file["srnn"]
    read = read_net(tmp_path / "m.net")
    assert read.readout.kind == "membrane"
    for ours, theirs in zip(network.layers, read.layers, strict=True):
        assert np.array_equal(ours.synapses.weight, theirs.synapses.weight)
        assert np.array_equal(ours.neuron.v_decay, theirs.neuron.v_decay)
        assert np.array_equal(ours.neuron.bias, theirs.neuron.bias)
    assert np.array_equal(network.layers[1].synapses.delay, read.layers[1].synapses.delay)


@pytest.mark.parametrize("seed", range(30))
def test_what_lava_dl_cannot_run_it_must_refuse(tmp_path, seed):
    network = random_network(seed)
    obstacles = stock_lava_dl_obstacles(network)
    write_net(tmp_path / "m.net", network)
    with h5py.File(tmp_path / "m.net") as file:
        kinds = {
            group["neuron/type"][()].decode()
            for group in file["layer"].values()
            if "neuron" in group
        }
    if obstacles:
        # What netx 0.6.0 loads: these, and any string with RF in it.
        assert not kinds & {"CUBA", "LOIHI", "SDNN"}
        assert not any("RF" in kind for kind in kinds)
        with h5py.File(tmp_path / "m.net", "r+") as file:
            del file["srnn"]
        with pytest.raises(InputError, match="/srnn part only, which this file lacks"):
            read_net(tmp_path / "m.net")
    else:
        assert kinds == {"CUBA"}


def test_read_net_needs_a_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_net(tmp_path / "none.net")
    with pytest.raises(InputError, match="is a folder, not a network of integers"):
        read_net(tmp_path)


def test_num_layers_is_for_files_of_lava_dl(tmp_path):
    write_net(tmp_path / "m.net", stock_network())
    with pytest.raises(InputError, match=r"--layers \(num_layers\) is for files of lava-dl"):
        read_net(tmp_path / "m.net", num_layers=2)


def types_of(path):
    with h5py.File(path) as file:
        layer = file["layer"]
        return [layer[str(index)]["type"][0].decode() for index in range(len(layer))]


def version_of(path):
    with h5py.File(path) as file:
        return int(file["srnn"].attrs["format_version"])


def test_convolutions_are_written_as_lava_dl_writes_them(tmp_path):
    path, network = tmp_path / "m.net", convolution_network()
    assert stock_lava_dl_obstacles(network) == []
    write_net(path, network)
    assert types_of(path) == ["input", "conv", "conv", "flatten", "dense"]
    assert version_of(path) == 2
    with h5py.File(path) as file:
        assert file["layer/0/shape"][()].tolist() == [4, 6, 5]
        conv = file["layer/1"]
        assert conv["weight"].shape == (4, 2, 3, 2)
        assert conv["kernelSize"][()].tolist() == [3, 2]
        geometry = {"stride": [2, 1], "padding": [1, 0], "dilation": [1, 2], "groups": 2}
        assert {name: conv[name][()].tolist() for name in geometry} == geometry
        # The standard part's weights include an exponent that all weights absorb.
        second = network.layers[1]
        assert np.array_equal(file["layer/2/weight"][()], second.synapses.kernel / 2)
        assert file["layer/2/bias"].shape == file["layer/2/neuron/vThMant"].shape == (3,)
        assert file["layer/3/shape"][()].tolist() == [second.size, 1, 1]
        assert file["srnn/layer/2/weight_exp"][()] == -1
    # lava-dl's part alone describes the same network.
    with h5py.File(path, "r+") as file:
        del file["srnn"]
    alone = read_net(path)
    for one, other in zip(network.layers, alone.layers, strict=True):
        assert (one.synapses.n_in, one.size) == (other.synapses.n_in, other.size)
        assert np.array_equal(folded(one.synapses), folded(other.synapses))
        assert np.array_equal(one.neuron.bias, other.neuron.bias)
        assert np.array_equal(one.neuron.v_threshold, other.neuron.v_threshold)


def test_an_input_with_neurons_is_written_as_lava_dl_writes_it(tmp_path):
    path, network = tmp_path / "m.net", input_block_network()
    assert stock_lava_dl_obstacles(network) == []
    write_net(path, network)
    assert types_of(path) == ["input", "conv"]
    with h5py.File(path, "r+") as file:
        assert file["layer/0/weight"][()].tolist() == [36]
        assert file["layer/0/bias"][()].tolist() == [34]
        del file["srnn"]
    assert same_layers(read_net(path), network)


def same_layers(one, other):
    return all(
        np.array_equal(folded(a.synapses), folded(b.synapses))
        and all(
            np.array_equal(getattr(a.neuron, p.name), getattr(b.neuron, p.name))
            for p in a.neuron.PARAMETERS
        )
        for a, b in zip(one.layers, other.layers, strict=True)
    )


@pytest.mark.parametrize("network", [stock_network(), adaptive_network()], ids=["stock", "alif"])
def test_what_version_1_can_say_is_written_in_it(tmp_path, network):
    write_net(tmp_path / "m.net", network)
    assert version_of(tmp_path / "m.net") == 1


def test_exponents_that_lava_dl_reads_as_weights(tmp_path):
    network = stock_network()
    layers = tuple(
        replace(layer, synapses=Synapses(layer.synapses.weight, -1, layer.synapses.delay))
        for layer in network.layers
    )
    changed = replace(network, layers=layers)
    assert stock_lava_dl_obstacles(changed) == []
    write_net(tmp_path / "m.net", changed)
    assert version_of(tmp_path / "m.net") == 2
    assert same_network(read_net(tmp_path / "m.net"), changed)
    with h5py.File(tmp_path / "m.net", "r+") as file:
        assert (file["layer/1/weight"][()] % 2).any()
        file["srnn/layer/1/weight_exp"][...] = 3
    with pytest.raises(InputError, match="weight_exp 3 does not divide it"):
        read_net(tmp_path / "m.net")
