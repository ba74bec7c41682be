"""Delays: the same delayed sums in the engine, the loop, NumPy and the integers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from srnn.export.checkpoint import FloatModel, check_weights
from srnn.export.config import Delay, Init, LayerConfig, ModelConfig
from srnn.export.errors import InputError
from srnn.export.extras import how_to_install
from srnn.export.float_run import run_float
from srnn.export.freeze import Quantization
from srnn.export.quantize import quantize
from srnn.export.trace import compare
from srnn.simulate import reference
from srnn.simulate.simulator import run
from srnn.train.cuda.choice import why_loop
from srnn.train.engine.layer import SpikingSequence
from srnn.train.engine.stack import spiking_stack
from srnn.train.integer import OnGrid
from srnn.train.loop import fit
from srnn.train.network import SRNN
from train_helpers import recipe, task

SPREAD = Init("log_uniform", low=2.0, high=60.0)
NONE = Delay()


def make(
    engine: str, neuron: str = "lif", delay: Delay = NONE, delay_rec: Delay = NONE, size: int = 20
) -> SRNN:
    torch.manual_seed(0)
    gain = 0.6 if neuron == "cuba_lif" else 4.0
    settings: dict[str, Any] = {
        "threshold": 0.3, "adaptation": 0.4, "weight_gain": gain, "delay": delay,
        "tau_mem": SPREAD, "tau_adp": SPREAD,
    }  # fmt: skip
    hidden = LayerConfig(neuron, size, recurrent=True, delay_rec=delay_rec, **settings)
    second = LayerConfig(neuron, 11, **settings)
    return SRNN(ModelConfig(6, (hidden, second, LayerConfig("li", 3))), engine)


def draw(batch: int = 11, steps: int = 40) -> torch.Tensor:
    torch.manual_seed(1)
    return (torch.rand(batch, steps, 6) < 0.3).float()


def run_back(model: SRNN, inputs: torch.Tensor) -> tuple[Any, list[torch.Tensor]]:
    outputs = model(inputs)
    weights = torch.linspace(-1, 1, outputs.spikes[0].shape[2])
    (outputs.output.sin().sum() + (outputs.spikes[0] * weights).sum()).backward()
    return outputs, [p.grad for p in model.parameters() if p.grad is not None]


BOTH = (Delay(4, 4), Delay(0, 50))


@pytest.mark.parametrize(
    ("neuron", "delay", "delay_rec"),
    [
        ("alif", NONE, Delay(0, 9)),
        ("alif", Delay(2, 5), NONE),
        ("alif", Delay(0, 7), Delay(3, 3)),
        *((neuron, *BOTH) for neuron in ("alif", "alif_relu", "lif", "cuba_lif")),
    ],
)
def test_the_engine_computes_what_the_loop_does(neuron, delay, delay_rec):
    loop, engine = (make(e, neuron, delay, delay_rec) for e in ("loop", "events"))
    ahead, back = run_back(loop, draw())
    fast, fast_back = run_back(engine, draw())
    for one, other in zip(ahead.spikes, fast.spikes, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert ahead.spikes[1].sum() > 50
    assert len(back) == len(fast_back)
    for one, other in zip(back, fast_back, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * float(one.abs().max()))


def test_a_matrix_beyond_the_caches_learns_the_same(monkeypatch):
    delays = (Delay(0, 7), Delay(0, 50))
    _, narrow = run_back(make("events", "lif", *delays), draw(32))
    monkeypatch.setattr("srnn.train.engine.function.CACHED", 0)
    _, wide = run_back(make("events", "lif", *delays), draw(32))
    for one, other in zip(narrow, wide, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * float(one.abs().max()))


def test_a_synapse_delivers_the_delay_later():
    model = make("events", "lif", Delay(0, 19), Delay(0, 38))
    layer = model.layers[0].forward_direction
    x = draw(3)
    spikes = model(x).spikes[0].detach().numpy()
    values = {n: p.detach().double().numpy() for n, p in layer.named_parameters()}
    tau = layer.neuron.tau("tau_mem").detach().double().numpy()
    alpha, n = np.exp(-1 / tau), 20
    u, s = np.zeros((3, n)), [np.zeros((3, n))]
    for t in range(x.shape[1]):
        current = np.zeros((3, n))
        for i in range(n):
            if t >= i:
                current[:, i] = x[:, t - i].double().numpy() @ values["weight"][i]
            if t >= 2 * i:
                current[:, i] += s[t - 2 * i] @ values["recurrent_weight"][i]
        u = alpha * u + (1 - alpha) * (current + values["bias"]) - 0.3 * s[-1]
        s.append((u > 0.3).astype(float))
    np.testing.assert_array_equal(spikes, np.stack(s[1:], 1))
    assert spikes[:, 20:].sum() > 20


def test_without_delays_nothing_changes():
    plain, late = make("events"), make("events")
    assert not plain.layers[0].forward_direction.delays()
    assert not any("delay" in name for name in plain.weights())
    ring = late.layers[0].forward_direction
    ring.delay, ring.delay_rec = torch.zeros(20), torch.zeros(20)
    (one, back), (other, other_back) = run_back(plain, draw()), run_back(late, draw())
    assert torch.equal(one.output, other.output)
    assert all(map(torch.equal, back, other_back))


@pytest.mark.parametrize("neuron", ["alif", "lif", "cuba_lif"])
def test_numpy_runs_the_same_network(neuron):
    model = make("events", neuron, Delay(1, 6), Delay(0, 12))
    x = draw()
    found = run_float(FloatModel(model.config, model.weights()), x.numpy().astype(np.uint8))
    ours = model(x).spikes
    for one, other in zip(found.spikes[:2], ours, strict=False):
        assert one is not None
        assert np.mean(one != (other.detach().numpy() > 0)) < 0.001


@pytest.mark.parametrize("neuron", ["alif", "lif", "cuba_lif"])
def test_training_on_the_grid_runs_the_integers_that_are_exported(neuron):
    model = make("events", neuron, Delay(0, 7), Delay(2, 62))
    inputs = draw(9, 90)
    integers = inputs.numpy().astype(np.uint8)

    def states(network: Any, inputs: Any, lengths: Any) -> Any:
        return run(network, inputs, lengths, record="states")

    task = {"input_scale": 1.0, "message_bits": 0}
    model.grid = OnGrid(model.config, Quantization(), task, states)
    model.grid.calibrate(model.weights(), integers)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(3):
        optimizer.zero_grad()
        outputs, gradients = run_back(model, inputs)
        assert all(g.abs().max() > 0 for g in gradients[:2])
        optimizer.step()
    outputs = model(inputs)
    trained = FloatModel(
        model.config, model.weights(), task=task, quantization=model.grid.description(),
        samples={"inputs": integers, "output": outputs.output.detach().numpy()},
    )  # fmt: skip
    network, _ = quantize(trained, None, states, integers)
    synapses, recurrent = network.layers[0].synapses, network.layers[0].recurrent
    assert recurrent is not None
    np.testing.assert_array_equal(
        recurrent.neuron_delay, model.layers[0].forward_direction.delay_rec
    )
    np.testing.assert_array_equal(synapses.neuron_delay, model.layers[0].forward_direction.delay)
    trace = states(network, integers, None)
    for layer, spikes in zip(trace.layers[:2], outputs.spikes, strict=False):
        np.testing.assert_array_equal(layer.spikes, spikes.detach().numpy())
        assert layer.spikes.sum() > 50
    assert not any(r.different for r in compare(reference.run(network, integers), trace))


def test_gradients_flow_back_through_delays():
    """The only way from a first spike to a late membrane is a synapse of 30 steps."""
    config = LayerConfig("lif", 1, threshold=0.5, tau_mem=Init(mean=1.0), delay=Delay(30, 30))
    layer = SpikingSequence(config, 1)
    torch.nn.init.ones_(layer.weight)
    x = torch.zeros(1, 40, 1)
    x[0, 3] = 1.0
    x.requires_grad_()
    result = layer(x)
    assert result.spikes.nonzero().tolist() == [[0, 33, 0]]
    result.membranes[0, 33, 0].backward()
    (reached,) = x.grad[0, :, 0].nonzero().T.tolist()
    assert 3 in reached
    assert max(reached) == 3


def test_a_state_cannot_be_continued():
    for engine in ("loop", "events"):
        model = make(engine, delay_rec=Delay(0, 3))
        outputs = model(draw())
        with pytest.raises(InputError, match="cannot continue from a state"):
            model(draw(), state=outputs.state)


@pytest.mark.parametrize(
    "late", [np.full(20, -1, np.int32), np.zeros(19, np.int32), np.zeros(20, np.float32)]
)
def test_the_engine_refuses_delays_that_are_none(late):
    layer = make("events").layers[0].forward_direction.on_engine(2, None)
    for name in ("delay", "delay_rec"):
        with pytest.raises(InputError, match=f"engine: {name} is .* needs whole steps"):
            spiking_stack((replace(layer, **{name: late}),), draw(2))


def test_truncated_sequences_are_refused_before_training(tmp_path):
    settings = recipe(truncate_steps=4)
    first, *others = settings.model.layers
    layers = ({**first, "delay": {"high": 2}}, *others)
    late = replace(settings, model=replace(settings.model, layers=layers))
    with pytest.raises(InputError, match=r"training\.truncate_steps: with delays"):
        fit(late, task(), tmp_path / "run")


@pytest.mark.needs("triton")
def test_the_cuda_kernels_refuse_them_too():
    from srnn.train.cuda.stack import spiking_stack as cuda_stack

    layer = make("events").layers[0].forward_direction.on_engine(2, None)
    late = replace(layer, delay=np.ones(20, np.int32))
    with pytest.raises(InputError, match=r"cuda: (delays have no kernel|Triton is not installed)"):
        cuda_stack((late,), draw(2))


def test_the_cuda_kernels_say_that_they_have_none():
    assert why_loop(make("loop", delay=Delay(1, 1)).config.layers, True, True) in {
        "layer 0: delays have no kernel",
        f"layer 0: Triton is not installed ({how_to_install('cuda')})",
    }


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"delay_rec": Delay(0, 3)}, "delay_rec of a layer that is not recurrent"),
        ({"delay": Delay(0, 3), "bidirectional": True}, "one direction of time"),
        ({"delay": Delay(0, 3), "neuron": "gru"}, "not gru"),
    ],
)
def test_layers_that_have_no_delays(settings, line):
    with pytest.raises(InputError, match=line):
        LayerConfig(**settings)


@pytest.mark.parametrize("span", [(-1, 3), (4, 3), (0, 63)])
def test_delays_out_of_range(span):
    with pytest.raises(InputError, match="0 <= low <= high <= 62 steps"):
        Delay(*span)


@pytest.mark.parametrize(("value", "line"), [(1.5, "not a whole number"), (63, "outside 0..62")])
def test_delays_of_a_file_are_checked(value, line):
    model = make("loop", delay=Delay(0, 9))
    weights = model.weights()
    weights["layers.0.delay"][4] = value
    with pytest.raises(InputError, match=line):
        check_weights(model.config, weights)
    weights["layers.0.delay"][4] = 7
    model.load_weights(weights)
    assert model.layers[0].forward_direction.delay[4] == 7
    del weights["layers.0.delay"]
    with pytest.raises(InputError, match=r"missing layers\.0\.delay"):
        check_weights(model.config, weights)
    check_weights(replace(model.config, layers=make("loop").config.layers), make("loop").weights())
