"""Convolutions, inputs with neurons and averages of files that lava-dl wrote."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportIndexIssue=false, reportOptionalMemberAccess=false
# pyright: reportOptionalSubscript=false

from __future__ import annotations

import h5py
import numpy as np
import pytest
from lava_dl_files import write_conv, write_file
from srnn.export.errors import InputError
from srnn.export.network import Readout, same_network
from srnn.export.netx import read_net


def conv(name):
    return f"_1__{name}"


def test_parameters_of_a_convolution_belong_to_channels(tmp_path):
    bias = np.array([2, 0, -4, 6], np.float32)
    network = read_net(write_conv(tmp_path / "m.net", **{conv("bias"): bias}))
    (layer,) = network.layers
    assert layer.neuron.v_decay.reshape(4, 10)[:, 0].tolist() == [128, 200, 300, 400]
    assert layer.neuron.v_decay.reshape(4, 10)[:, 9].tolist() == [128, 200, 300, 400]
    assert layer.neuron.bias.reshape(4, 10)[:, 3].tolist() == [128, 0, -256, 384]
    assert (network.input_size, network.message_bits) == (40, 0)
    assert layer.synapses.shape_in == (2, 4, 5)
    assert (layer.synapses.stride, layer.synapses.groups) == ((2, 1), 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": None, "inChannels": None, "outChannels": None, "kernelSize": None},
        {"dilation": 1},
        {"groups": np.array([2])},
        {"padding": np.array([0.0, 1.0])},
        {"delay": np.array([0.5, 0.2, 0.0, 0.9], np.float32)},
    ],
)
def test_forms_of_a_convolution_that_mean_the_same(tmp_path, changes):
    path = write_conv(tmp_path / "a.net", **{conv(name): value for name, value in changes.items()})
    assert same_network(read_net(path), read_net(write_conv(tmp_path / "b.net")))


def test_kernels_of_older_files_have_five_axes(tmp_path):
    plain = read_net(write_conv(tmp_path / "a.net"))
    kernel = plain.layers[0].synapses.kernel[..., None].astype(np.float32)
    older = read_net(write_conv(tmp_path / "b.net", **{conv("weight"): kernel}))
    assert same_network(plain, older)


def test_odd_kernels_are_doubled_and_delays_belong_to_channels(tmp_path):
    kernel = np.arange(-12, 12).reshape(4, 1, 2, 3).astype(np.float32)
    changes = {conv("weight"): kernel, conv("delay"): np.array([0, 5, 62, 1])}
    synapses = read_net(write_conv(tmp_path / "m.net", **changes)).layers[0].synapses
    assert synapses.weight_exp == -1
    assert np.array_equal(synapses.kernel, 2 * kernel)
    assert synapses.neuron_delay.reshape(4, 10)[:, 7].tolist() == [0, 5, 62, 1]


def test_odd_weights_with_delays(tmp_path):
    path = write_file(tmp_path / "m.net", weight=np.array([[3, -4], [6, 8], [1, 1]]),
                      delay=np.array([[1, 2], [3, 4], [0, 9]]))  # fmt: skip
    synapses = read_net(path).layers[0].synapses
    assert synapses.weight_exp == -1
    assert synapses.delay.tolist() == [[1, 2], [3, 4], [0, 9]]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"_0__shape": None}, "/layer/1/type: a conv layer needs the shape .* gives none"),
        ({"_0__shape": np.array([40])}, r"the layer before gives \[40\]"),
        ({"_0__shape": np.array([2, 4, 5, 1])}, r"/layer/0/shape: \[2, 4, 5, 1\] is not"),
        ({"_0__shape": np.array([4, 2, 5])}, "/layer/1/inChannels: 2, but there are 4"),
        ({conv("outChannels"): 3}, "/layer/1/outChannels: 3, but there are 4"),
        ({conv("kernelSize"): np.array([3, 2])}, r"kernelSize: \(3, 2\), but the weights are"),
        ({conv("shape"): np.array([4, 5, 2])}, r"/layer/1/shape: \[4, 5, 2\], but .* \[4, 2, 5\]"),
        ({conv("stride"): None}, "/layer/1/stride: missing"),
        ({conv("padding"): None}, "/layer/1/padding: missing"),
        ({conv("groups"): None}, "/layer/1/groups: missing"),
        ({conv("stride"): np.array([-2, 1])}, r"stride\[0\]: -2 is outside 1.."),
        ({conv("stride"): np.array([1, 1, 1])}, r"stride: shape \(3,\), needs a scalar or"),
        ({conv("padding"): np.array([0, -1])}, r"padding\[1\]: -1 is outside 0.."),
        ({conv("dilation"): 0}, "dilation: 0 is outside 1.."),
        ({conv("dilation"): 7}, "kernel: spans 8 rows, but the padded sources have 4"),
        ({conv("dilation"): "one"}, "dilation: holds the string 'one'"),
        ({conv("groups"): 3}, "groups: 3 do not divide 2 channels in"),
        ({conv("groups"): 1}, "kernel: 1 channels in for each of 1 groups, .* have 2"),
        ({conv("delay"): np.array([0, 0, 0, 63])}, r"delay\[3\]: 63 is outside 0..62"),
        ({conv("delay"): np.array([0, 1])}, r"delay: shape \(2,\), needs"),
        (
            {conv("delay"): 3, conv("bias"): np.array([2.0])},
            "delays and a bias in a conv layer are not read",
        ),
        ({conv("bias"): np.zeros(40)}, r"bias: shape \(40,\), needs a scalar or \(4,\)"),
        ({conv("neuron__vDecay"): np.ones(3)}, r"vDecay: shape \(3,\), needs a scalar or \(4,\)"),
        ({conv("neuron__type"): "SDNN"}, "'SDNN' neurons are not read; supported are CUBA"),
        ({conv("weight"): np.ones((4, 1, 2, 3, 2))}, r"weight: shape \(4, 1, 2, 3, 2\), needs"),
        ({conv("weight"): None, conv("weight__real"): np.ones(3)}, "complex weights are not read"),
        ({conv("weight"): np.full((4, 1, 2, 3), 256)}, "256 is outside -256..255"),
        ({conv("weight_rec"): np.ones((4, 4))}, "/layer/1/weight_rec: unknown"),
        ({"_0__neuron__type": "CUBA"}, "/layer/0/neuron/vThMant: missing"),
        ({"_0__weight": 64}, "/layer/0/weight: input layers without a neuron are read only with"),
    ],
)
def test_convolutions_refused_by_name(tmp_path, changes, match):
    path = write_conv(tmp_path / "m.net", **changes)
    with pytest.raises(InputError, match=match) as caught:
        read_net(path)
    assert str(caught.value).startswith(f"{path}: ")


INPUT = {
    "_0__neuron__type": "LOIHI",
    "_0__neuron__iDecay": 4096,
    "_0__neuron__vDecay": 100,
    "_0__neuron__vThMant": 30,
}


def test_an_input_without_weight_has_that_of_netx(tmp_path):
    network = read_net(write_conv(tmp_path / "m.net", **INPUT))
    assert network.layers[0].synapses.kernel.ravel().tolist() == [64, 64]
    assert network.layers[0].synapses.shape_out == (2, 4, 5)
    assert network.message_bits == 8


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"_0__neuron__iDecay": 2048}, "CUBA or LOIHI neurons of iDecay 4096 only"),
        ({"_0__shape": None}, "/layer/0/shape: missing; an input layer with neurons"),
        ({"_0__weight": np.ones(2)}, r"/layer/0/weight: shape \(2,\), needs a scalar"),
        ({"_0__weight": 300}, "300 is not on the 8-bit grid"),
        ({"_0__bias": np.ones(2)}, r"/layer/0/bias: shape \(2,\), needs a scalar"),
        ({"_0__delay": 2}, "/layer/0/delay: unknown"),
        ({"_0__neuron__type": "SDNN"}, "'SDNN' neurons are not read"),
    ],
)
def test_inputs_refused_by_name(tmp_path, changes, match):
    with pytest.raises(InputError, match=match):
        read_net(write_conv(tmp_path / "m.net", **(INPUT | changes)))


def with_more(path, *groups):
    """Append groups, each a type and a shape, to a file of one dense layer of 3 neurons."""
    write_file(path)
    with h5py.File(path, "r+") as file:
        for index, (kind, shape) in enumerate(groups, start=1):
            file[f"layer/{index}/type"] = np.array([kind.encode()], "S10")
            if shape is not None:
                file[f"layer/{index}/shape"] = np.array(shape)
    return path


@pytest.mark.parametrize(
    ("groups", "match"),
    [
        ([("average", [2])], r"/layer/1/shape: \[2\] does not average 3 neurons in groups"),
        ([("average", [3, 2])], r"/layer/1/shape: \[3, 2\] does not average 3 neurons"),
        ([("average", None)], "/layer/1/shape: missing; its first number"),
        ([("average", [3]), ("flatten", [3])], "'flatten' after an average layer, .* come last"),
        ([("pool", [3])], "'pool' layers are not read; supported are input, flatten, dense, "),
        ([("input", [3])], "/layer/1/type: an input layer must come first"),
    ],
)
def test_averages_refused_by_name(tmp_path, groups, match):
    with pytest.raises(InputError, match=match):
        read_net(with_more(tmp_path / "m.net", *groups))


def test_an_average_makes_populations(tmp_path):
    for shape, populations in (([3], 3), ([1, 1, 1], 1)):
        network = read_net(with_more(tmp_path / "m.net", ("average", shape)))
        assert network.readout == Readout("spike_count", populations=populations)
    with h5py.File(tmp_path / "m.net", "r+") as file:
        del file["layer/0"]
        file.move("layer/1", "layer/0")
    with pytest.raises(InputError, match="an average layer needs a layer of neurons before it"):
        read_net(tmp_path / "m.net")


def test_a_dense_layer_over_a_block_needs_a_flatten(tmp_path):
    path = write_conv(tmp_path / "m.net")
    with h5py.File(path, "r+") as file:
        file["layer/2/type"] = np.array([b"dense"], "S10")
        file["layer/2/weight"] = np.full((3, 40), 2.0)
    with pytest.raises(InputError, match=r"a dense layer over \(4, 2, 5\) needs a flatten layer"):
        read_net(path)
    with h5py.File(path, "r+") as file:
        file.move("layer/2", "layer/3")
        file["layer/2/type"] = np.array([b"flatten"], "S10")
    assert [layer.size for layer in read_net(path).layers] == [40, 3]
