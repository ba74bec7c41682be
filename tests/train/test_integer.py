"""Training on the grid: integers forward, the gradient of the float equations backward."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from srnn.export import grid
from srnn.export.checkpoint import FloatModel
from srnn.export.config import Init, LayerConfig, ModelConfig
from srnn.export.errors import InputError
from srnn.export.freeze import Quantization
from srnn.export.quantize import quantize
from srnn.export.trace import compare
from srnn.simulate import reference
from srnn.simulate.simulator import run
from srnn.train.engine.stack import StackLayer
from srnn.train.integer import OnGrid, straight_through
from srnn.train.layers import SpikingLayer
from srnn.train.network import SRNN
from srnn.train.surrogate import make_surrogate, spike
from torch import Tensor

SPREAD = Init("log_uniform", low=2.0, high=60.0)
BATCH, STEPS, CHANNELS = 11, 17, 9


def states_of(network: Any, inputs: Any, lengths: Any) -> Any:
    return run(network, inputs, lengths, record="states")


def hidden(neuron: str, size: int = 20, **settings: Any) -> LayerConfig:
    gain = 0.6 if neuron == "cuba_lif" else 4.0
    return LayerConfig(
        neuron, size, recurrent=True, tau_mem=SPREAD, tau_adp=SPREAD, weight_gain=gain,
        threshold=0.3, adaptation=0.4, recurrent_gain=0.5, train_threshold=True,
        train_adaptation=neuron == "alif", **settings,
    )  # fmt: skip


def make(
    *layers: LayerConfig, readout: str = "membrane", message_bits: int = 0, **options: Any
) -> SRNN:
    torch.manual_seed(2)
    model = SRNN(ModelConfig(CHANNELS, layers, readout), "events")
    for layer in model.layers:
        torch.nn.init.uniform_(layer.forward_direction.bias, -0.05, 0.2)
    scale = 0.25 if message_bits else 1.0
    task = {"input_scale": scale, "message_bits": message_bits}
    model.grid = OnGrid(model.config, Quantization(**options), task, states_of)
    model.grid.calibrate(model.weights(), draw(message_bits)[0])
    return model


def draw(message_bits: int = 0) -> tuple[np.ndarray, Tensor]:
    rng = np.random.default_rng(4)
    inputs = (rng.random((BATCH, STEPS, CHANNELS)) < 0.3).astype(np.int32)
    if message_bits:
        inputs *= rng.integers(-3, 4, inputs.shape)
    return inputs, torch.from_numpy(inputs * (0.25 if message_bits else 1.0)).float()


STACKS = {
    "alif": (hidden("alif"), LayerConfig("li", 4)),
    "alif not adapting": (hidden("alif", initial_adaptation=0.3), hidden("alif", 4)),
    "lif": (hidden("lif"), LayerConfig("li", 4)),
    "cuba_lif": (hidden("cuba_lif"), LayerConfig("li", 4)),
    "deep": (hidden("alif"), hidden("lif", 18), LayerConfig("li", 4)),
}


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("bits", [8, 4, 3])
@pytest.mark.parametrize("scale", ["neuron", "layer"])
def test_the_forward_pass_is_the_integer_network(stack, bits, scale):
    model = make(*STACKS[stack], weight_bits=bits, scale=scale)
    inputs, real = draw()
    outputs = model(real)
    assert model.grid is not None
    network = model.grid.freeze(model.weights()).network
    expected = reference.run(network, inputs)
    for sent, counts, layer in zip(outputs.spikes, outputs.counts, expected.layers, strict=True):
        if layer.spikes is not None:
            assert 0.01 < layer.spikes.mean() < 0.9
            np.testing.assert_array_equal(sent.detach().numpy(), layer.spikes)
            np.testing.assert_array_equal(counts.detach().numpy(), layer.spikes.sum(1))
    membranes = expected.output * network.layers[-1].state_scale
    np.testing.assert_array_equal(outputs.output.detach().numpy(), membranes.astype(np.float32))
    step = grid.weight_step(bits)
    assert all((layer.synapses.weight % step == 0).all() for layer in network.layers)


@pytest.mark.parametrize("stack", STACKS)
def test_the_exporter_finds_the_same_integers(stack):
    model = make(*STACKS[stack])
    inputs, real = draw()
    assert model.grid is not None
    outputs = model(real)
    file = FloatModel(
        model.config, model.weights(), quantization=model.grid.description(),
        samples={"inputs": inputs, "output": outputs.output.detach().numpy()},
    )  # fmt: skip
    network, _ = quantize(file, None, states_of, inputs)
    mine = model.grid.freeze(model.weights()).network
    assert not any(r.different for r in compare(run(network, inputs), run(mine, inputs)))
    for one, other in zip(network.layers, mine.layers, strict=True):
        np.testing.assert_array_equal(one.synapses.weight, other.synapses.weight)
        np.testing.assert_array_equal(one.state_scale, other.state_scale)


def meant(model: SRNN) -> list[StackLayer]:
    """Return the layers with the values of the integers, as leaves in float64."""
    assert model.grid is not None
    frozen = model.grid.freeze(model.weights())
    layers = []
    for index, layer in enumerate(model.layers):
        assert isinstance(layer, SpikingLayer)
        direction = layer.forward_direction
        scale = model.grid.input_scale if index == 0 else 1.0
        weights = straight_through(direction, frozen.network.layers[index], scale)
        layers.append(direction.on_engine(BATCH, None, weights))
    return layers


def reference_loop(layers: list[StackLayer], model: SRNN, inputs: np.ndarray, real: Tensor) -> Any:
    """Run the float equations in float64, every state replaced by the value of the integers."""
    assert model.grid is not None
    network = model.grid.freeze(model.weights()).network
    trace = reference.run(network, inputs)
    surrogate = make_surrogate(model.config.surrogate)

    def given(computed: Tensor, value: Any) -> Tensor:
        return computed + (torch.as_tensor(np.asarray(value)).double() - computed.detach())

    signal, outputs = real.double(), []
    for layer, integer, recorded in zip(layers, network.layers, trace.layers, strict=True):
        scale = integer.state_scale
        state = [part.double() for part in layer.state]
        c = layer.coefficients
        us, spikes = [], []
        for t in range(STEPS):
            current = signal[:, t] @ layer.weight.T
            if layer.recurrent_weight is not None:
                current = current + state[-1] @ layer.recurrent_weight.T
            v = recorded.states["v"][:, t] * scale
            if layer.neuron == "cuba_lif":
                i = given(c[0] * state[0] + current, recorded.states["u"][:, t] * scale)
                x = c[1] * state[1] + i + layer.bias
                s = spike(x - c[2], surrogate)
                s = given(s, recorded.spikes[:, t])
                u = given(x * (1 - s), v)
                state = [i, u, s]
            elif layer.neuron == "li":
                u = given(c[0] * state[0] + current + layer.bias, v)
                s, state = u, [u]
            else:
                before = state[-1]
                if layer.neuron == "alif":
                    b = c[1] * state[1] + (1 - c[1]) * before
                    limit = c[2] + c[3] * b
                    exact = integer.neuron.v_threshold + (
                        recorded.states["d"][:, t] >> integer.neuron.b_exp
                    )
                    limit = given(limit, exact * scale)
                else:
                    limit = c[1]
                u = given(c[0] * state[0] + current + layer.bias - limit * before, v)
                s = given(spike(u - limit, surrogate), recorded.spikes[:, t])
                state = [u, b, s] if layer.neuron == "alif" else [u, s]
            us.append(u)
            spikes.append(s)
        signal = torch.stack(spikes, 1)
        outputs.append((torch.stack(us, 1), signal))
    return outputs


@pytest.mark.parametrize("message_bits", [0, 4])
@pytest.mark.parametrize("stack", STACKS)
def test_gradients_are_those_of_the_float_equations_at_the_integers(stack, message_bits):
    model = make(*STACKS[stack], message_bits=message_bits)
    if stack == "alif not adapting":
        with torch.no_grad():
            model.layers[0].forward_direction.neuron.adaptation.zero_()
    inputs, real = draw(message_bits)
    weights = torch.randn(BATCH, STEPS, 4, generator=torch.Generator().manual_seed(1))
    (model(real).output * weights).sum().backward()
    leaves = []
    for layer in meant(model):
        doubled = {
            name: None if value is None else value.detach().double().requires_grad_()
            for name in ("weight", "recurrent_weight", "bias")
            for value in [getattr(layer, name)]
        }
        coefficients = tuple(x.detach().double().requires_grad_() for x in layer.coefficients)
        leaves.append(
            StackLayer(layer.neuron, **doubled, coefficients=coefficients, state=layer.state)
        )  # type: ignore[arg-type]
    outputs = reference_loop(leaves, model, inputs, real)
    (outputs[-1][0] * weights.double()).sum().backward()
    for layer, leaf in zip(model.layers, leaves, strict=True):
        assert isinstance(layer, SpikingLayer)
        through = layer.forward_direction.on_engine(BATCH, None)
        pairs = [
            (through.weight, leaf.weight), (through.recurrent_weight, leaf.recurrent_weight),
            (through.bias, leaf.bias), *zip(through.coefficients, leaf.coefficients, strict=True),
        ]  # fmt: skip
        total = sum(
            (real * leaf.grad).sum()
            for real, leaf in pairs
            if real is not None and real.requires_grad and leaf.grad is not None
        )
        parameters = [p for p in layer.forward_direction.parameters() if p.requires_grad]
        expected = torch.autograd.grad(total, parameters, allow_unused=True)
        for parameter, wanted in zip(parameters, expected, strict=True):
            assert parameter.grad is not None
            assert wanted is not None
            error = (parameter.grad - wanted).abs().max() / wanted.abs().max().clamp(min=1e-12)
            assert float(error) < 1e-3, (parameter.shape, float(error))


def test_lengths_end_the_integers_and_the_counts():
    model = make(*STACKS["alif"])
    _, real = draw()
    lengths = torch.arange(BATCH) + 4
    outputs = model(real, lengths, spikes=False)
    assert outputs.spikes == ()
    assert outputs.integers is not None
    assert outputs.integers.lengths.tolist() == lengths.tolist()
    whole = model(real)
    counted = torch.stack([whole.spikes[0][k, : 4 + k].sum(0) for k in range(BATCH)])
    assert torch.equal(outputs.counts[0], counted)


def test_what_the_grid_cannot_do_is_said():
    model = make(*STACKS["alif"])
    _, real = draw()
    with pytest.raises(InputError, match="not multiples of the input scale 1"):
        model(0.3 * real)
    with pytest.raises(InputError, match="truncate_steps"):
        model(real, state=model(real).state)
