"""The records: what they accept, and the error for everything else."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportOptionalMemberAccess=false

from __future__ import annotations

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
from export_networks import random_network, seeds
from hypothesis import given, settings
from hypothesis import strategies as st
from srnn.export.errors import InputError, index_list
from srnn.export.network import (
    NEURONS,
    AdaptiveLIF,
    Convolution,
    CubaLIF,
    Layer,
    Network,
    Readout,
    Synapses,
    check_inputs,
    dense,
    same_network,
)

PARAMETERS = [
    (kind, parameter) for kind, record in NEURONS.items() for parameter in record.PARAMETERS
]
IDS = [f"{kind}-{parameter.key}" for kind, parameter in PARAMETERS]


def neuron(kind, size=5, **changes):
    record = NEURONS[kind]
    values = {parameter.name: np.array(parameter.low) for parameter in record.PARAMETERS}
    return record(size, **(values | changes))


def layer(name="one", n_in=2, size=3, kind="CUBA", **changes):
    return Layer(name, Synapses(np.full((size, n_in), 2)), neuron(kind, size), **changes)


@pytest.mark.parametrize(("kind", "parameter"), PARAMETERS, ids=IDS)
def test_every_parameter_keeps_its_range(kind, parameter):
    for value in (parameter.low, parameter.high):
        kept = getattr(neuron(kind, **{parameter.name: np.array(value)}), parameter.name)
        assert kept.dtype == np.int64
        assert kept.tolist() == [value] * 5
    for value in (parameter.low - 1, parameter.high + 1):
        values = np.full(5, parameter.low)
        values[3] = value
        match = f"{kind} neuron, {parameter.key}: {value} at neuron 3 is outside "
        with pytest.raises(InputError, match=match + f"{parameter.low}..{parameter.high}$"):
            neuron(kind, **{parameter.name: values})


@pytest.mark.parametrize(("kind", "parameter"), PARAMETERS, ids=IDS)
@pytest.mark.parametrize(
    ("value", "match"),
    [
        (np.ones(4, int), r"shape \(4,\), needs a scalar or \(5,\)"),
        (np.ones((5, 1), int), r"shape \(5, 1\)"),
        (np.array(1.5), "not whole numbers; quantize it first"),
        (np.array(np.nan), "not whole numbers"),
        (np.array(np.inf), "not whole numbers"),
        (np.array(1 + 1j), "not whole numbers"),
        (np.array(True), "holds bool, needs integers"),
        (np.array("1"), "needs integers"),
    ],
)
def test_every_parameter_is_checked(kind, parameter, value, match):
    with pytest.raises(InputError, match=f"{kind} neuron, {parameter.key}: .*{match}"):
        neuron(kind, **{parameter.name: value})


def test_records_cannot_be_changed():
    one = neuron("CUBA")
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.size = 3
    with pytest.raises(ValueError, match="read-only"):
        one.bias[0] = 1
    weight = np.full((2, 2), 4)
    synapses = Synapses(weight)
    weight[0, 0] = 6
    assert synapses.weight[0, 0] == 4
    with pytest.raises(ValueError, match="read-only"):
        synapses.weight[0, 0] = 2


@pytest.mark.parametrize("size", [0, -1, (1 << 24) + 1])
def test_sizes_are_limited(size):
    with pytest.raises(InputError, match=f"CUBA: size {size} is outside 1..16777216"):
        CubaLIF(size, np.array(1), np.array(1), np.array(1))


@pytest.mark.parametrize(
    ("weight", "exponent", "delay", "match"),
    [
        (np.ones(3), 0, None, r"weight: shape \(3,\), needs \(neurons, sources\)"),
        (np.ones((0, 3)), 0, None, r"weight: shape \(0, 3\)"),
        ([[0.5]], 0, None, "not whole numbers"),
        (
            [[2, 3], [-2, 4]],
            0,
            None,
            "weight of neuron 0 from source 1: 3 is not on the 8-bit grid",
        ),
        ([[2, 256]], 0, None, "weight of neuron 0 from source 1: 256"),
        ([[-2], [-256]], 0, None, "weight of neuron 1 from source 0: -256"),
        ([[-258, 2]], 0, None, "weight of neuron 0 from source 0: -258"),
        ([[2]], 8, None, "weight_exp: 8 is outside -8..7"),
        ([[2]], -9, None, "weight_exp: -9 is outside -8..7"),
        ([[2]], 0, [63], "delay: 63 is outside 0..62"),
        ([[2]], 0, [-1], "delay: -1 is outside 0..62"),
        ([[2]], 0, [1, 2], r"delay: shape \(2,\), needs \(1,\) or \(1, 1\)"),
        ([[2]], 0, [0.5], "delay: holds values that are not whole"),
        ([[3, 5]], -1, [[1, 2]], "weight_exp: -1 with delays per synapse"),
    ],
)
def test_synapses_refuse(weight, exponent, delay, match):
    with pytest.raises(InputError, match=match):
        Synapses(np.array(weight), exponent, None if delay is None else np.array(delay))


def test_delays_are_spread_or_dropped():
    weight = np.full((2, 3), 2)
    assert Synapses(weight, -1, np.zeros(2, int)).delay is None
    assert Synapses(weight, 0, np.array([1, 0])).delay.tolist() == [[1] * 3, [0] * 3]
    assert Synapses(weight, 0, np.array(4)).delay.tolist() == [[4] * 3] * 2
    square = Synapses(np.full((2, 2), 2), 0, np.array([1, 2]))
    assert square.delay.tolist() == [[1, 1], [2, 2]]
    assert square.neuron_delay.tolist() == [1, 2]
    assert Synapses(weight, 0, np.arange(6).reshape(2, 3)).neuron_delay is None


@pytest.mark.parametrize(
    ("weight", "delay"), [([[3, 5], [1, 0]], [4, 0]), ([[4, -8], [8, 0]], [[1, 2], [0, 9]])]
)
def test_delays_with_a_right_shift_that_rounds_nothing_apart(weight, delay):
    kept = Synapses(np.array(weight), -2, np.array(delay))
    assert kept.delay is not None
    assert (kept.count, kept.largest_sum) == (4, np.abs(weight).sum(axis=1).max())


def test_a_layer_fits_together():
    three = neuron("CUBA", 3)
    with pytest.raises(InputError, match="layer x: 2 rows of weights for 3 neurons"):
        Layer("x", Synapses(np.ones((2, 2))), three)
    with pytest.raises(InputError, match=r"layer x: recurrent weights \(3, 2\), needs \(3, 3\)"):
        Layer("x", Synapses(np.ones((3, 2))), three, Synapses(np.ones((3, 2))))
    with pytest.raises(InputError, match="layer x: SRNN_LI does not spike"):
        layer("x", kind="SRNN_LI", recurrent=Synapses(np.ones((3, 3))))
    for scale in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(InputError, match="layer one: a state scale is not a positive number"):
            layer(state_scale=np.array([1, scale, 1]))
    with pytest.raises(InputError, match=r"state scale \(2,\), needs \(3,\)"):
        layer(state_scale=np.ones(2))
    assert layer(state_scale=0.5).state_scale.tolist() == [0.5] * 3


@pytest.mark.parametrize(
    ("layers", "settings_", "match"),
    [
        ((), {}, "network: has no layers"),
        ((layer(), layer(n_in=3)), {}, "two layers share a name in one, one"),
        ((layer(), layer("two")), {}, "layer two: weights for 2 sources, but layer one has 3"),
        (
            (layer(kind="SRNN_LI"), layer("two", 3)),
            {},
            "layer one: SRNN_LI does not spike",
        ),
        ((layer(),), {"message_bits": 25}, "message_bits 25 is outside 0..24"),
        ((layer(),), {"message_bits": -1}, "message_bits -1 is outside 0..24"),
        (
            (layer(kind="SRNN_LI"),),
            {"readout": Readout("spike_count")},
            "readout spike_count: the last layer, one, is SRNN_LI",
        ),
        (
            (layer(),),
            {"readout": Readout(classes=("a", "b"))},
            "readout: 2 class names for 3 output neurons",
        ),
    ],
)
def test_a_network_fits_together(layers, settings_, match):
    with pytest.raises(InputError, match=match):
        Network(layers, **settings_)


def test_readouts_are_known():
    with pytest.raises(InputError, match=r"unknown readout 'best' \(known: membrane, mean_softmax"):
        Readout("best")
    with pytest.raises(InputError, match="readout: skip_steps -1 is negative"):
        Readout(skip_steps=-1)


@pytest.mark.parametrize(
    ("bits", "inputs", "match"),
    [
        (0, np.zeros((2, 3)), r"inputs: shape \(2, 3\), needs \(batch, time, 2\)"),
        (0, np.zeros((1, 1, 3)), r"inputs: shape \(1, 1, 3\)"),
        (0, np.full((1, 1, 2), 2), r"inputs: 2 is outside 0..1 \(binary spikes\)"),
        (0, np.full((1, 1, 2), -1), "inputs: -1 is outside 0..1"),
        (0, np.full((1, 1, 2), 0.5), "inputs: holds values that are not whole"),
        (3, np.full((1, 1, 2), 8), r"inputs: 8 is outside -7..7 \(3 bits\)"),
        (3, np.full((1, 1, 2), -8), "inputs: -8 is outside -7..7"),
    ],
)
def test_inputs_are_checked(bits, inputs, match):
    with pytest.raises(InputError, match=match):
        check_inputs(Network((layer(),), message_bits=bits), inputs)


@given(st.integers(1, 24))
def test_graded_inputs_use_all_their_bits(bits):
    network = Network((layer(),), message_bits=bits)
    ends = np.array([[[-(2**bits) + 1, 2**bits - 1]]])
    assert check_inputs(network, ends).tolist() == ends.tolist()


def test_boolean_spikes_are_spikes():
    found = check_inputs(Network((layer(),)), np.array([[[True, False]]]))
    assert found.dtype == np.int32
    assert found.tolist() == [[[1, 0]]]


def changed(network, rng):
    """Return the network with one number changed, and the name of what changed."""
    index = int(rng.integers(len(network.layers)))
    old = network.layers[index]
    parameter = old.neuron.PARAMETERS[int(rng.integers(len(old.neuron.PARAMETERS)))]
    values = np.array(getattr(old.neuron, parameter.name))
    at = int(rng.integers(old.size))
    values[at] += 1 if values[at] < parameter.high else -1
    new = dataclasses.replace(
        old, neuron=dataclasses.replace(old.neuron, **{parameter.name: values})
    )
    layers = list(network.layers)
    layers[index] = new
    return dataclasses.replace(network, layers=tuple(layers))


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_same_network_sees_one_changed_number(seed):
    network = random_network(seed)
    assert same_network(network, random_network(seed))
    rng = np.random.default_rng(seed)
    assert not same_network(network, changed(network, rng))
    for other in (
        dataclasses.replace(network, task={}),
        dataclasses.replace(network, dt=12345.0),
        dataclasses.replace(network, input_scale=12345.0),
        dataclasses.replace(network, readout=Readout(network.readout.kind, 101)),
    ):
        assert not same_network(network, other)
    assert same_network(network, dataclasses.replace(network, provenance={"else": 1}))


def test_same_network_tells_neuron_programs_apart():
    li = Network((layer(kind="SRNN_LI"),))
    assert not same_network(li, Network((layer(kind="CUBA"),)))
    assert not same_network(li, Network((layer(kind="SRNN_ALIF"),)))


def test_defaults_of_the_paper_neuron_are_zero():
    one = AdaptiveLIF(2, *[np.array(3)] * 5)
    assert (one.bias.tolist(), one.v_init.tolist(), one.d_init.tolist()) == ([0, 0],) * 3


def test_index_list_is_short():
    assert index_list([3]) == "3"
    assert index_list(list(range(8))) == "0, 1, 2, 3, 4 and 3 more"


CONVOLUTION = {"kernel": np.ones((4, 2, 3, 2)), "shape_in": (4, 5, 6), "groups": 2}


def test_convolutions_have_a_geometry():
    convolution = Convolution(**CONVOLUTION, stride=(2, 1), padding=(1, 0), dilation=(2, 3))
    assert convolution.shape_out == (4, 2, 3)
    assert (convolution.n_in, convolution.n_out, convolution.largest_sum) == (120, 24, 12)
    assert convolution.neuron_delay is None
    late = replace(convolution, delay=[0, 3, 0, 62])
    assert late.neuron_delay.reshape(4, 6).tolist() == [[0] * 6, [3] * 6, [0] * 6, [62] * 6]
    assert replace(late, delay=np.zeros(4)).delay is None
    with pytest.raises(ValueError, match="read-only"):
        convolution.kernel[0, 0, 0, 0] = 1
    with pytest.raises(InputError, match="convolutions cannot be used here"):
        dense(convolution)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"kernel": np.ones((4, 2, 3))}, r"kernel: shape \(4, 2, 3\), needs \(channels out"),
        ({"kernel": np.ones((4, 2, 0, 2))}, "kernel: shape"),
        ({"kernel": np.full((4, 2, 3, 2), 0.5)}, "kernel: holds values that are not whole"),
        ({"kernel": np.full((4, 2, 3, 2), 256)}, r"kernel\[0, 0, 0, 0\]: 256 is not on the 8-bit"),
        ({"kernel": [[[[3, -2]]]] * 4, "groups": 4}, "3 is not on the 8-bit grid"),
        ({"shape_in": (4, 5)}, r"shape_in: shape \(2,\), needs \(3,\)"),
        ({"shape_in": (4, 0, 6)}, r"shape_in: \(4, 0, 6\) is outside 1.."),
        ({"shape_in": (4, 1 << 12, 1 << 12)}, "convolution: 67108864 sources, at most 16777216"),
        ({"stride": (-1, 1)}, r"stride: \(-1, 1\) is outside 1..32767"),
        ({"stride": (0, 1)}, "stride: .* is outside 1.."),
        ({"stride": 2}, r"stride: shape \(\), needs \(2,\)"),
        ({"stride": (1.5, 1)}, "stride: holds values that are not whole"),
        ({"padding": (0, -1)}, "padding: .* is outside 0.."),
        ({"padding": (1 << 40, 1)}, "padding: .* is outside 0..32767"),
        ({"padding": (9000, 9000)}, "convolution: .* neurons, at most"),
        ({"dilation": (1, 0)}, "dilation: .* is outside 1.."),
        ({"dilation": (1, 6)}, "kernel: spans 7 columns, but the padded sources have 6"),
        ({"groups": 0}, "groups: 0 do not divide 4 channels in"),
        ({"groups": 3}, "groups: 3 do not divide 4 channels in"),
        ({"groups": 1}, "kernel: 2 channels in for each of 1 groups, but the sources have 4"),
        ({"kernel": np.ones((3, 2, 1, 1))}, "groups: 2 do not divide 3 channels out"),
        ({"weight_exp": 9}, "weight_exp: 9 is outside"),
        ({"delay": [1, 2]}, r"delay: shape \(2,\), needs \(4,\)"),
        ({"delay": [0, 0, 0, 63]}, "delay: 63 at neuron 3 is outside 0..62"),
    ],
)
def test_convolutions_refuse(changes, match):
    with pytest.raises(InputError, match=match):
        Convolution(**(CONVOLUTION | changes))


def test_stacked_convolutions_must_meet():
    one = Convolution(np.ones((4, 2, 1, 1)), (2, 3, 5))
    layers = [Layer("one", one, CubaLIF(60, 0, 0, 1))]
    for shape, fits in (((4, 3, 5), True), ((4, 5, 3), False)):
        two = Convolution(np.ones((1, 4, 3, 3)), shape)
        above = Layer("two", two, CubaLIF(two.n_out, 0, 0, 1))
        if fits:
            assert Network((*layers, above)).output_size == 3
            continue
        with pytest.raises(InputError, match=r"a convolution of \(4, 5, 3\), but layer one is"):
            Network((*layers, above))


def test_populations_are_groups_of_output_neurons():
    layer = Layer("out", Synapses(np.ones((6, 2))), CubaLIF(6, 0, 0, 1))
    assert Network((layer,), Readout("spike_count", populations=3)).class_count == 3
    assert Network((layer,), Readout("spike_count")).class_count == 6
    for readout, match in (
        ({"populations": 4}, "4 populations do not divide 6 output neurons"),
        ({"populations": -1}, "populations -1 is negative"),
        ({"populations": 3, "classes": ("a",)}, "1 class names for 3 populations"),
    ):
        with pytest.raises(InputError, match=match):
            Network((layer,), Readout("spike_count", **readout))
