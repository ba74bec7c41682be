"""Files that lava-dl wrote: read by netx's rules, or refused by name."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportIndexIssue=false, reportOptionalMemberAccess=false
# pyright: reportOptionalSubscript=false

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lava_dl_files import write_conv, write_file
from scipy.signal import correlate2d
from srnn.export.errors import InputError
from srnn.export.network import (
    Convolution,
    CubaLIF,
    Network,
    Readout,
    ThresholdRefractoryLIF,
    same_network,
)
from srnn.export.netx import read_net, read_samples, stock_lava_dl_obstacles, write_net
from srnn.export.readout import scores
from srnn.simulate.reference import run


def weight_of(path, layer=0, name="weight"):
    with h5py.File(path) as file:
        return file[f"layer/{layer}/{name}"][()]


@pytest.mark.needs_data("schema")
@pytest.mark.parametrize("name", ["cuba_dense_delay", "cuba_dense_heterogeneous", "cuba_recurrent"])
def test_schema_cuba(data_dir, name):
    path = data_dir / "schema" / f"{name}.net"
    network = read_net(path)
    (layer,) = network.layers
    assert isinstance(layer.neuron, CubaLIF)
    assert np.array_equal(layer.synapses.weight, weight_of(path))
    assert (layer.neuron.v_threshold == 80).all()
    assert (layer.recurrent is not None) == (name == "cuba_recurrent")
    if layer.recurrent is not None:
        assert np.array_equal(layer.recurrent.weight, weight_of(path, name="weight_rec"))
    if name == "cuba_dense_heterogeneous":
        assert np.array_equal(layer.neuron.v_decay, weight_of(path, name="neuron/vDecay"))
        assert len(set(layer.neuron.v_decay.tolist())) == 5
    else:
        assert (layer.neuron.v_decay == 410).all()
    assert layer.synapses.delay is None
    assert network.readout.kind == "spike_count"
    assert network.layers[0].state_scale[0] == 1 / 4096
    assert read_samples(path) is None


@pytest.mark.needs_data("schema")
def test_schema_alif_is_atrlif(data_dir):
    neuron = read_net(data_dir / "schema" / "alif_dense.net").layers[0].neuron
    assert isinstance(neuron, ThresholdRefractoryLIF)
    found = [int(getattr(neuron, parameter.name)[0]) for parameter in neuron.PARAMETERS]
    assert found == [4096, 410, 41, 410, 64 * 80, 64 * 32, 0]


@pytest.mark.needs_data("schema")
def test_schema_affine_never_spikes(data_dir):
    network = read_net(data_dir / "schema" / "cuba_affine_nodynamics.net")
    neuron = network.layers[0].neuron
    assert isinstance(neuron, CubaLIF)
    assert (neuron.i_decay[0], neuron.v_decay[0], neuron.v_threshold[0]) == (0, 4096, 1 << 17)
    assert network.readout.kind == "membrane"


@pytest.mark.needs_data("schema")
@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("rf_dense", "/layer/0/weight: complex weights are not read"),
        ("sdnn_dense", "'SDNN' neurons are not read; supported are CUBA, LOIHI, ALIF"),
    ],
)
def test_schema_refused_by_name(data_dir, name, match):
    path = data_dir / "schema" / f"{name}.net"
    with pytest.raises(InputError, match=match) as caught:
        read_net(path)
    assert str(path) in str(caught.value)


@pytest.mark.needs_data("schema")
def test_schema_input_with_neurons(data_dir):
    network = read_net(data_dir / "schema" / "cuba_input.net")
    (layer,) = network.layers
    assert isinstance(layer.synapses, Convolution)
    assert layer.synapses.kernel.ravel().tolist() == [64] * 6
    assert (network.message_bits, network.input_size, layer.size) == (8, 6, 6)
    assert (layer.neuron.bias == 6 * 64).all()
    # SLAYER: u = 64 x + 6, v decays by 410 / 4096, a spike above 80.
    trace = run(network, np.array([1, 2, -1, 0, 0, 3])[None, None].repeat(2, axis=1))
    first = 64 * (64 * np.array([1, 2, -1, 0, 0, 3]) + 6)
    assert trace.layers[0].spikes[0, 0].tolist() == (first > 80 * 64).astype(int).tolist()
    assert trace.layers[0].states["v"][0, 0].tolist() == np.where(first > 5120, 0, first).tolist()


@pytest.mark.needs_data("netx")
def test_tiny_net_of_convolutions(data_dir, tmp_path):
    path = data_dir / "netx" / "tiny.net"
    network = read_net(path)
    assert [layer.synapses.shape_out for layer in network.layers] == [
        (3, 16, 16), (24, 6, 6), (36, 1, 1),
    ]  # fmt: skip
    assert (network.message_bits, network.input_size) == (8, 768)
    assert stock_lava_dl_obstacles(network) == []
    rng = np.random.default_rng(4)
    pixels = rng.integers(-60, 60, (2, 12, 768))
    trace = run(network, pixels)
    assert all(0.01 < layer.spikes.mean() < 0.9 for layer in trace.layers)
    # The same sums by SciPy, from the file's own weights, bias and spikes.
    below = trace.layers[0].spikes.reshape(2, 12, 3, 16, 16).astype(np.int64)
    kernel, bias = weight_of(path, 1)[..., 0].astype(np.int64), weight_of(path, 1, "bias")
    v = np.zeros((2, 24, 6, 6), np.int64)
    for step in range(12):
        for sample, channel in np.ndindex(2, 24):
            a = sum(
                correlate2d(below[sample, step, i], kernel[channel, i], "valid") for i in range(3)
            )
            leaked = np.sign(v[sample, channel]) * (np.abs(v[sample, channel]) * 3072 >> 12)
            v[sample, channel] = leaked + 64 * (a[::2, ::2] + int(bias[channel]))
        spikes = v > 25 * 64
        assert np.array_equal(trace.layers[1].spikes[:, step].reshape(spikes.shape), spikes)
        v[spikes] = 0
    write_net(tmp_path / "m.net", network)
    assert same_network(network, read_net(tmp_path / "m.net"))


@pytest.mark.needs_data("golden")
def test_golden_recurrent_network(data_dir, tmp_path):
    network = read_net(data_dir / "golden" / "recurrent_cuba.net")
    assert [layer.size for layer in network.layers] == [32, 32, 10]
    assert network.readout.kind == "membrane"
    recorded = np.load(data_dir / "golden" / "recurrent_cuba.npz")
    sent = [recorded[name].T for name in ("input", "s0", "s1")]
    # In Lava every synapse adds a step: each layer reads the previous step of the one below.
    fed = [np.vstack([np.zeros_like(spikes[:1]), spikes[:-1]])[None] for spikes in sent]
    for index in (0, 1):
        trace = run(Network((network.layers[index],)), fed[index])
        assert sent[index + 1].any()
        assert np.array_equal(trace.layers[0].spikes[0], sent[index + 1])
    output = run(Network((network.layers[2],), network.readout), fed[2]).output[0]
    assert np.array_equal(output, recorded["readout_v"])
    write_net(tmp_path / "m.net", network)
    assert same_network(network, read_net(tmp_path / "m.net"))


@pytest.mark.needs_data("netx")
def test_ntidigits(data_dir, tmp_path):
    folder = data_dir / "netx" / "ntidigits"
    network = read_net(folder / "ntidigits.net")
    assert network.readout == Readout("spike_count", populations=11)
    assert network.class_count == 11
    shorter = read_net(folder / "ntidigits.net", num_layers=5)
    assert shorter.readout == Readout("spike_count")
    assert [layer.synapses.weight.shape for layer in network.layers] == [
        (256, 64), (256, 256), (242, 256),
    ]  # fmt: skip
    delays = [layer.synapses.delay for layer in network.layers]
    assert [d is not None for d in delays] == [True, True, False]
    assert delays[0].max() == 62
    steps = 150
    inputs = np.load(folder / "input.npy")[:, :steps].T[None].astype(np.uint8)
    # SLAYER adds a step in its input block and in each of the three layers.
    expected = np.load(folder / "output.npy")[:, 4 : steps + 4].T
    assert expected.any()
    trace = run(network, inputs)
    assert np.array_equal(trace.layers[2].spikes[0], expected)
    # SLAYER's average block: the mean of each group of 22 consecutive neurons.
    answers = scores(network, trace.output)
    assert np.allclose(answers[0], expected.sum(axis=0).reshape(11, 22).mean(axis=1))
    write_net(tmp_path / "m.net", network)
    assert same_network(network, read_net(tmp_path / "m.net"))


LOIHI = {
    "neuron__type": "LOIHI",
    "neuron__theta": 5120,
    "neuron__tauRho": 0.5,
    "neuron__scaleRho": 10.0,
    "neuron__wgtExp": 0,
}
ALIF = {
    "neuron__type": "ALIF",
    "neuron__thDecay": 40,
    "neuron__refDecay": 400,
    "neuron__vThStep": 32,
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"type": "dense"},
        {"shape": np.array([3, 1, 1])},
        {"shape": None, "inFeatures": None, "outFeatures": None},
        {"weight": np.array([2, -4, 6, 8, -10, 12], np.float32)},
        {"weight": np.array([[2, -4], [6, 8], [-10, 12]], np.int64)},
        {"neuron__iDecay": np.array([1024.0])},
        {"neuron__vDecay": np.full(3, 128, np.int16)},
        {"bias": np.zeros(3, np.float32)},
        {"delay": np.array([0.9, 0.2, 0.0], np.float32)},
        LOIHI,
    ],
)
def test_forms_that_mean_the_same(tmp_path, changes):
    read = read_net(write_file(tmp_path / "a.net", **changes))
    assert same_network(read, read_net(write_file(tmp_path / "b.net")))
    assert read.layers[0].synapses.weight.tolist() == [[2, -4], [6, 8], [-10, 12]]


def test_bias_is_in_weight_units(tmp_path):
    path = write_file(tmp_path / "m.net", bias=np.array([-6, 0, 32767], np.float32))
    assert read_net(path).layers[0].neuron.bias.tolist() == [-384, 0, 32767 * 64]
    assert (
        read_net(write_file(path, bias=np.array([5.0]))).layers[0].neuron.bias.tolist() == [320] * 3
    )


@pytest.mark.parametrize(
    ("delay", "expected"),
    [
        (np.array([1.9, 0, 62]), [[1, 1], [0, 0], [62, 62]]),
        (np.float32(4), [[4, 4]] * 3),
        (np.array([3, 5]), [[3, 5]] * 3),
        (np.arange(6).reshape(3, 2), [[0, 1], [2, 3], [4, 5]]),
    ],
)
def test_delays_spread_as_netx_does(tmp_path, delay, expected):
    read = read_net(write_file(tmp_path / "m.net", delay=delay))
    assert read.layers[0].synapses.delay.tolist() == expected


def test_square_layers_delay_per_neuron(tmp_path):
    path = write_file(
        tmp_path / "m.net", weight=2 * np.eye(3, dtype=np.float32), inFeatures=3,
        delay=np.array([1, 2, 3]),
    )  # fmt: skip
    assert read_net(path).layers[0].synapses.delay.tolist() == [[1] * 3, [2] * 3, [3] * 3]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-127, 127), min_size=6, max_size=6), st.integers(0, 7))
def test_odd_weights_keep_their_sum(tmp_path_factory, drawn, pattern):
    weight = np.array(drawn).reshape(3, 2)
    path = write_file(tmp_path_factory.mktemp("n") / "m.net", weight=weight.astype(np.float32),
                      neuron__iDecay=4096, neuron__vThMant=(1 << 18) - 1)  # fmt: skip
    spikes = np.array([pattern & 1, pattern >> 1 & 1])
    trace = run(read_net(path), spikes[None, None])
    assert np.array_equal(trace.output[0, 0], 64 * (weight @ spikes))


def test_alif_bias_has_a_place_only_without_a_current_filter(tmp_path):
    bias = np.array([2, 4, 6], np.float32)
    with pytest.raises(InputError, match="ALIF with a bias is read only with iDecay 4096"):
        read_net(write_file(tmp_path / "m.net", **ALIF, bias=bias))
    read = read_net(write_file(tmp_path / "m.net", **(ALIF | {"neuron__iDecay": 4096}), bias=bias))
    neuron = read.layers[0].neuron
    assert neuron.bias.tolist() == [128, 256, 384]
    assert (neuron.i_decay[0], neuron.th_init[0], neuron.th_step[0]) == (4096, 5120, 2048)


def test_input_and_flatten_pass_through(tmp_path):
    path = write_file(tmp_path / "m.net")
    with h5py.File(path, "r+") as file:
        file.move("layer/0", "layer/2")
        file["layer/0/type"] = "input"
        file["layer/0/shape"] = np.array([2, 1, 1])
        file["layer/1/type"] = "flatten"
    assert read_net(path).input_size == 2
    with h5py.File(path, "r+") as file:
        file["layer/1/shape"] = np.array([5])
    with pytest.raises(InputError, match="/layer/1/shape: 5 values, but the layer before has 2"):
        read_net(path)
    with h5py.File(path, "r+") as file:
        del file["layer/1/shape"]
        file["layer/0/shape"][...] = [4, 1, 1]
    with pytest.raises(InputError, match=r"/layer/2/weight: weights \(3, 2\) do not fit: needs 4"):
        read_net(path)
    with pytest.raises(InputError, match=r"/layer: has no layer of neurons"):
        read_net(path, num_layers=2)
    with pytest.raises(InputError, match=r"num_layers 4 is outside 1..3"):
        read_net(path, num_layers=4)


def test_a_theta_that_disagrees_where_nothing_ever_spikes(tmp_path):
    path = write_file(
        tmp_path / "a.net", **LOIHI | {"neuron__theta": 1, "neuron__vThMant": 1 << 17}
    )
    with pytest.warns(UserWarning, match="theta: 1 is not read, .* these neurons never spike"):
        network = read_net(path)
    assert (network.layers[0].neuron.v_threshold == 1 << 17).all()


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"type": "convT"}, "'convT' layers are not read; supported are input, flatten, dense"),
        ({"type": None}, "/layer/0/type: missing"),
        ({"type": 3}, r"/layer/0/type: holds int64 \(\), needs a string"),
        ({"neuron__type": "ADRF_PHASE"}, "'ADRF_PHASE' neurons are not read"),
        ({"neuron__type": "SRNN_ALIF"}, "read with the /srnn part only"),
        ({"neuron__type": None}, "/layer/0/neuron/type: missing"),
        ({"neuron__refDelay": 2}, "refDelay: 2 is not read, only 1"),
        ({"neuron__gradedSpike": True}, "gradedSpike: True is not read, only 0"),
        ({"neuron__weight_exp": np.array([1.0])}, "weight_exp: 1.0 is not read, only 0"),
        (LOIHI | {"neuron__wgtExp": 2}, "wgtExp: 2 is not read, only 0"),
        (LOIHI | {"neuron__theta": 5000}, "theta: 5000 is not read, only 64 vThMant, 5120"),
        ({"neuron__messageBits": 8}, "/layer/0/neuron/messageBits: unknown"),
        ({"neuron__iDecay": 4097}, "iDecay: 4097 is outside 0..4096"),
        ({"neuron__iDecay": None}, "iDecay: missing"),
        ({"neuron__iDecay": "fast"}, "iDecay: holds the string 'fast', needs numbers"),
        ({"neuron__vDecay": np.ones(2)}, r"vDecay: shape \(2,\), needs a scalar or \(3,\)"),
        ({"neuron__vThMant": 80.5}, "vThMant: 80.5 is not a whole number"),
        ({"weight": np.zeros((3, 2, 1, 1, 1), np.float32)}, r"weight: shape \(3, 2, 1, 1, 1\)"),
        ({"weight": np.full((3, 2), 0.5)}, r"weight\[0, 0\]: 0.5 is not a whole number"),
        ({"weight": np.full((3, 2), 300)}, r"weight\[0, 0\]: 300 is outside -256..255"),
        ({"weight": np.array([[129, -2]] * 3)}, "129 is not on the 8-bit grid"),
        ({"outFeatures": 4}, "/layer/0/outFeatures: weights .* do not fit: needs 4, has 3"),
        ({"shape": np.array([4])}, "/layer/0/shape: weights"),
        ({"bias": np.array([0.5, 0, 0])}, r"bias\[0\]: 0.5 is not a whole number"),
        ({"bias": np.array([0, 0, 40000])}, r"bias\[2\]: 40000 is outside -32768..32767"),
        ({"bias": np.zeros(2)}, r"bias: shape \(2,\), needs a scalar or \(3,\)"),
        ({"delay": np.array([0, 0, 63])}, r"delay\[2\]: 63 is outside 0..62"),
        ({"delay": np.zeros(4)}, r"delay: shape \(4,\), needs"),
        ({"stride": 1}, "/layer/0/stride: unknown to this format"),
        ({"type": "dense_rec"}, "/layer/0/weight_rec: missing"),
        ({"type": "dense_rec", "weight_rec": np.zeros((2, 2))}, r"weight_rec: shape \(2, 2\)"),
        (
            {"type": "dense_rec", "weight_rec": np.zeros((3, 3)), "delay": 2},
            "delays in a recurrent layer are not read",
        ),
        ({"neuron__type": None, "neuron__iDecay": np.nan}, "neuron/type: missing"),
        ({"neuron__vDecay": np.nan}, "vDecay: nan is not a whole number"),
    ],
)
def test_refused_by_name(tmp_path, changes, match):
    path = write_file(tmp_path / "m.net", **changes)
    with pytest.raises(InputError, match=match) as caught:
        read_net(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.needs_data("schema")
def test_damaged_files_are_refused_or_read(data_dir, tmp_path):
    path, rng = tmp_path / "m.net", np.random.default_rng(11)
    files = [entry.read_bytes() for entry in sorted((data_dir / "schema").glob("*.net"))]
    assert len(files) == 8
    files.append(write_conv(path).read_bytes())
    lines = []
    for _ in range(600):
        damaged = bytearray(files[rng.integers(len(files))])
        for _ in range(int(rng.integers(1, 6))):
            damaged[rng.integers(len(damaged))] = rng.integers(256)
        path.write_bytes(bytes(damaged))
        try:
            read_net(path)
        except InputError as error:
            lines.append(str(error))
    assert len(lines) > 200
    assert all(line.startswith(f"{path}: ") and "\n" not in line for line in lines)


def test_a_string_heap_that_would_hang_the_library_is_refused(tmp_path):
    path = write_file(tmp_path / "m.net")
    raw = bytearray(path.read_bytes())
    heap = raw.index(b"GCOL")
    # The first object: index 0, size 0, is free space without an end.
    raw[heap + 16 : heap + 32] = bytes(16)
    path.write_bytes(bytes(raw))
    with pytest.raises(InputError, match="damaged string heap"):
        read_net(path)
