from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from srnn.export.checkpoint import LayerConfig, ModelConfig
from srnn.export.errors import InputError
from srnn.train.network import SRNN
from train_helpers import NAMES, graph, layer, network, signals


def stack(neuron: str) -> SRNN:
    last = layer("li", 3) if neuron == "li" else layer(neuron, 3)
    middle = "alif" if neuron == "li" else neuron
    return network(layer(middle, recurrent=True), layer(middle, 4), last)


@pytest.mark.parametrize("neuron", NAMES)
def test_chunks_through_the_state_equal_one_forward(neuron: str) -> None:
    model, x = stack(neuron).double(), torch.from_numpy(signals(1, 3, 20))
    whole, state, pieces = model(x), None, []
    for step in (slice(0, 1), slice(1, 2), slice(2, 9), slice(9, 20)):
        pieces.append(model(x[:, step], state=state))
        state = pieces[-1].state
    joined = torch.cat([piece.output for piece in pieces], 1)
    torch.testing.assert_close(joined, whole.output, rtol=0, atol=1e-12)
    for index in range(3):
        spikes = torch.cat([piece.spikes[index] for piece in pieces], 1)
        torch.testing.assert_close(spikes, whole.spikes[index], rtol=0, atol=1e-12)
    for one, other in zip(state, whole.state, strict=True):
        for a, b in zip(one, other, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def test_spike_count_reads_spikes_and_others_the_membrane() -> None:
    x = torch.from_numpy(signals(2, 2, 30)).float()
    config = ModelConfig(3, (layer("alif"), layer("alif", 2)), readout="spike_count")
    torch.manual_seed(3)
    counting = SRNN(config, "loop")(x)
    assert counting.output is counting.spikes[-1]
    assert set(counting.output.unique().tolist()) == {0.0, 1.0}
    torch.manual_seed(3)
    reading = SRNN(ModelConfig(3, config.layers, readout="membrane"), "loop")(x)
    assert torch.equal(reading.spikes[-1], counting.spikes[-1])
    assert not torch.equal(reading.output, counting.output)


@pytest.mark.parametrize("neuron", ["alif", "cuba_lif"])
def test_backward_grows_linearly_with_time(neuron: str) -> None:
    model = stack(neuron)
    sizes = []
    for steps in (10, 20, 30):
        nodes = graph(model(torch.zeros(1, steps, 3)).output.sum())
        # Each of these would make a gradient of the whole sequence's size at every step.
        whole = {name for name in nodes if name.startswith(("Select", "Slice", "Index"))}
        assert sum(nodes[name] for name in whole) == 0
        assert nodes["UnbindBackward0"] == 3
        sizes.append(sum(nodes.values()))
    assert sizes[2] - sizes[1] == sizes[1] - sizes[0] > 0


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("neuron", NAMES)
def test_weights_make_the_round_trip(neuron: str, bidirectional: bool) -> None:
    first = "alif" if neuron == "li" else neuron
    layers = (
        layer(first, recurrent=True, bidirectional=bidirectional),
        layer(neuron, 3),
    )
    one, other = network(*layers, seed=1), network(*layers, seed=2)
    weights = one.weights()
    assert all(value.dtype == np.float32 for value in weights.values())
    for value in weights.values():
        value.flags.writeable = False
    other.load_weights(weights)
    for name, value in other.weights().items():
        np.testing.assert_allclose(value, weights[name], rtol=1e-5, err_msg=name)
    one.load_weights(weights)
    x = torch.from_numpy(signals(4, 2, 25)).float()
    assert torch.equal(one(x).output, other(x).output)


def test_weights_are_copies() -> None:
    model = network(layer("alif"), layer("li", 2))
    weights = model.weights()
    kept = {name: value.copy() for name, value in weights.items()}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    assert all(np.array_equal(weights[name], kept[name]) for name in weights)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"layers.0.weight": None}, "missing layers.0.weight"),
    ({"layers.0.extra": np.zeros(3)}, "not known layers.0.extra"),
    ({"layers.0.weight": np.zeros((3, 5), np.float32)}, "needs float32 (5, 3)"),
    ({"layers.0.bias": np.full(5, np.nan, np.float32)}, "layers.0.bias[0] is nan"),
    ({"layers.0.bias": np.zeros(5, np.int64)}, "layers.0.bias is int64 (5,), needs float32"),
    ({"layers.0.tau_mem": np.full(5, 0.1, np.float32)}, "tau_mem[0] is 0.1 steps, outside 0.2"),
    ({"layers.0.tau_adp": np.full(5, 5000, np.float32)}, "is 5000 steps, outside 0.2..4095"),
    ({"layers.0.threshold": np.full(5, -1, np.float32)}, "threshold[0] is -1, outside 0..inf"),
]


@pytest.mark.parametrize(("change", "said"), BAD)
def test_weights_that_do_not_fit(change: dict[str, Any], said: str) -> None:
    model = network(layer("alif"), layer("li", 2))
    weights = {**model.weights(), **change}
    before = model.weights()
    with pytest.raises(InputError) as raised:
        model.load_weights({name: value for name, value in weights.items() if value is not None})
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert all(np.array_equal(before[name], value) for name, value in model.weights().items())


@pytest.mark.parametrize("shape", [(2, 4), (2, 7, 4), (2, 0, 3), (2, 7, 3, 1)])
def test_inputs_of_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"needs \(batch, time, 3\)"):
        network(layer("alif"), layer("li", 2))(torch.zeros(shape))


def test_a_second_direction_takes_no_state() -> None:
    model = network(layer("alif", bidirectional=True), layer("li", 2))
    outputs = model(torch.zeros(1, 4, 3))
    with pytest.raises(ValueError, match="whole sequence"):
        model(torch.zeros(1, 4, 3), state=outputs.state)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"layers": ()}, "has no layers"),
        ({"layers": (layer("li", 2), layer("alif"))}, "layer 0: li does not spike"),
        ({"layers": (layer("alif", bidirectional=True),)}, "only a first layer that is not"),
        ({"layers": (layer("li", 2),), "readout": "spike_count"}, "a last layer that spikes"),
        ({"layers": (layer("li", 2),), "readout": "sum"}, "unknown readout 'sum' .known: membrane"),
        ({"layers": (layer("li", 2),), "skip_steps": -1}, "skip_steps -1 is negative"),
        ({"layers": (layer("li", 2),), "input_size": 0}, "input_size 0 is below 1"),
    ],
)
def test_networks_that_cannot_be(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        ModelConfig(**{"input_size": 3, **settings})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"neuron": "alf"}, "unknown neuron 'alf'; did you mean 'alif'"),
        ({"size": 0}, "size 0 is below 1"),
        ({"neuron": "li", "recurrent": True}, "cannot be recurrent"),
        ({"threshold": -0.1}, "threshold -0.1"),
        ({"adaptation": float("nan")}, "adaptation nan"),
        ({"weight_gain": float("inf")}, "weight_gain inf"),
        ({"weight_init": "orthogonal"}, "unknown weight_init 'orthogonal'"),
        ({"recurrent_init": "identity"}, "unknown recurrent_init 'identity'"),
    ],
)
def test_layers_that_cannot_be(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        LayerConfig(**settings)


@pytest.mark.parametrize(
    "kind", ["xavier_uniform", "xavier_normal", "kaiming_normal", "uniform", "orthogonal", "zero"]
)
def test_initial_weights_and_their_gain(kind: str) -> None:
    config = layer("alif", 40, recurrent=True, recurrent_init=kind, recurrent_gain=3.0)
    weight = network(config, inputs=4).weights()["layers.0.weight_rec"]
    spread = {"xavier_uniform": 1 / 40, "xavier_normal": 1 / 40, "kaiming_normal": 2 / 40}
    variance = {**spread, "uniform": 1 / 120, "orthogonal": 1 / 40, "zero": 0.0}[kind]
    assert (weight**2).mean() == pytest.approx(9 * variance, rel=0.15)
    if kind == "orthogonal":
        np.testing.assert_allclose(weight @ weight.T, 9 * np.eye(40), atol=1e-4)
