"""Where a step went wrong: every cause provoked, and found by layer, sample and step."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch
from srnn.export.config import Init, LayerConfig, ModelConfig
from srnn.simulate.simulator import run
from srnn.tasks import Split
from srnn.train.batches import Batch, make_batch, make_feed
from srnn.train.engine.events import Events
from srnn.train.faults import CAUSES, DivergedError, Fault, find_fault, first_fault, parameter_fault
from srnn.train.integer import OnGrid
from srnn.train.layers import SpikingLayer
from srnn.train.loop import make_optimizer
from srnn.train.network import SRNN
from srnn.train.recipe import TrainingConfig
from srnn.train.step import optimizer_step, train_batch
from train_helpers import layer, network, one_thread, recipe, split, task  # noqa: F401

HUGE = 3e38
"""A weight that float32 can hold, but whose products with inputs overflow."""
SPIKING = ("alif", "alif_relu", "lif", "cuba_lif")


def model_of(*neurons: str, engine: str = "loop", seed: int = 0, **settings: Any) -> SRNN:
    """Hidden layers of five of these neurons, and three outputs."""
    torch.manual_seed(seed)
    built = [layer(name, recurrent=True, **settings) for name in neurons[:-1]]
    built.append(layer(neurons[-1], 3))
    return SRNN(ModelConfig(3, tuple(built), readout="mean_softmax"), engine)


def on_grid(model: SRNN) -> SRNN:
    model.engine = "events"
    settings = recipe().quantization
    model.grid = OnGrid(
        model.config, settings, task().description(), lambda *a: run(*a, record="states")
    )
    return model


def quiet_batch(samples: int = 6, steps: int = 9) -> Split:
    """Zeros except channel 2 in sample 4 from step 5 on, and in sample 1 from step 7."""
    inputs = np.zeros((samples, steps, 3), np.uint8)
    inputs[4, 5:, 2] = inputs[1, 7:, 2] = 1
    return Split(inputs, np.arange(samples) % 3)


def spoil(model: SRNN, index: int, value: float = HUGE, name: str = "weight") -> None:
    """Make weights from channel or neuron 2 on so large that one spike overflows the membrane."""
    own = cast(SpikingLayer, model.layers[index]).forward_direction
    with torch.no_grad():
        getattr(own, name)[3 if name == "weight" and index == 0 else 0, 2] = value


def diverge(
    model: SRNN, given: Split | Batch, change: dict[str, Any] | None = None, scale: float = 1.0
) -> DivergedError:
    """Train on a batch, and return the error; no weight may have changed."""
    training = TrainingConfig(**(change or {}))
    before = model.weights()
    batch = (
        make_feed(given, scale, model=model).batch(np.arange(len(given)))
        if isinstance(given, Split)
        else given
    )
    with pytest.raises(DivergedError) as raised:
        train_batch(model, make_optimizer(model, training), batch, training)
    for name, value in model.weights().items():
        np.testing.assert_array_equal(value, before[name])
    assert raised.value.fault is not None
    return raised.value


def found(error: DivergedError) -> Fault:
    assert error.fault is not None
    return error.fault


@pytest.mark.parametrize("engine", ["loop", "events"])
@pytest.mark.parametrize("neuron", SPIKING)
def test_the_first_membrane_that_overflows(neuron: str, engine: str) -> None:
    model = model_of(neuron, "li", engine=engine, tau_mem=Init(mean=2.0))
    spoil(model, 0)
    # With graded inputs, 5 is enough for any gain of the current.
    given = quiet_batch()
    given = Split(given.inputs * 5, given.targets)
    error = diverge(model, given)
    fault = found(error)
    assert (fault.cause, fault.layer, fault.sample, fault.step) == ("state", 0, 4, 5)
    assert fault.what in {"membrane v of neuron 3 is inf", "current i of neuron 3 is inf"}
    assert "its weight reaches 3e+38: lower --learning-rate (it is 0.01)" in fault.hint
    said = fault.describe(model.config, "training")
    assert said == f"it began in layer 0 ({neuron}), training sample 4, step 5, {fault.what}"


def test_it_began_in_the_layer_above() -> None:
    model = model_of("alif", "lif", "li", threshold=1e-3, tau_mem=Init(mean=2.0))
    with torch.no_grad():
        cast(SpikingLayer, model.layers[1]).forward_direction.weight[1] = HUGE
        cast(SpikingLayer, model.layers[0]).forward_direction.weight[:, 2] = 5.0
    fault = found(diverge(model, quiet_batch()))
    assert (fault.cause, fault.layer, fault.sample, fault.step) == ("state", 1, 4, 5)
    assert fault.what == "membrane v of neuron 1 is inf"


def test_steps_of_a_truncated_sequence_count_from_its_start() -> None:
    model = model_of("alif", "li")
    spoil(model, 0)
    given = quiet_batch()
    late = Split(
        given.inputs * np.where(np.arange(9) >= 7, 200, 0).astype(np.uint8)[:, None], given.targets
    )
    batch = make_batch(late, np.arange(6), 1.0)
    # Steps are taken before the chunk that fails; that one must not change the weights.
    training = TrainingConfig(truncate_steps=3, learning_rate=1e-12)
    with pytest.raises(DivergedError) as raised:
        train_batch(model, make_optimizer(model, training), batch, training)
    fault = found(raised.value)
    assert (fault.cause, fault.layer, fault.step) == ("state", 0, 7)
    assert fault.sample in {1, 4}


def test_the_direction_that_runs_backwards_is_told_in_real_time() -> None:
    model = model_of("alif", "li", bidirectional=True)
    own = cast(SpikingLayer, model.layers[0]).backward_direction
    assert own is not None
    with torch.no_grad():
        own.weight[3, 2] = HUGE
    inputs = np.zeros((2, 9, 3), np.uint8)
    inputs[1, 2, 2] = 200
    given = Split(inputs, np.array([0, 1]), np.array([9, 6]))
    fault = found(diverge(model, given))
    assert (fault.cause, fault.layer, fault.sample, fault.step) == ("state", 0, 1, 2)


@pytest.mark.parametrize("name", ["weight", "recurrent_weight", "bias", "raw_tau_mem", "threshold"])
@pytest.mark.parametrize("back", [False, True])
def test_a_parameter_that_is_not_finite(name: str, back: bool) -> None:
    model = network(
        layer("alif", recurrent=True, bidirectional=True, train_threshold=True), layer("li", 3)
    )
    first = cast(SpikingLayer, model.layers[0])
    own: Any = first.backward_direction if back else first.forward_direction
    target = getattr(own, name) if hasattr(own, name) else getattr(own.neuron, name)
    with torch.no_grad():
        target.view(-1)[4] = math.inf if name == "raw_tau_mem" else math.nan
    fault = parameter_fault(model, TrainingConfig(learning_rate=0.25))
    assert fault is not None
    assert (fault.cause, fault.layer, fault.sample) == ("parameter", 0, None)
    at = {"weight": "[1, 1]", "recurrent_weight": "[0, 4]"}.get(name, "[4]")
    value = "inf" if name == "raw_tau_mem" else "nan"
    part = "backward." if back else ""
    stored = {"recurrent_weight": "weight_rec"}.get(name, name.removeprefix("raw_"))
    assert fault.what == f"{part}{stored}{at} is {value}"
    assert fault.hint.endswith("lower --learning-rate (it is 0.25)")
    assert find_fault(model, torch.zeros(1, 2, 3), None, None, TrainingConfig()).cause == (
        "parameter"
    )


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize(
    ("stored", "name"),
    [("weight_ih_l0", "weight"), ("weight_hh_l0", "weight_rec"), ("bias_hh_l0", "bias_rec")],
)
def test_parameters_of_dense_layers(cell: str, stored: str, name: str) -> None:
    torch.manual_seed(0)
    config = ModelConfig(
        3, (LayerConfig(cell, 4), LayerConfig("linear", 3)), readout="mean_softmax"
    )
    model = SRNN(config)
    target = dict(model.named_parameters())[f"layers.0.cell.{stored}"]
    with torch.no_grad():
        target.view(-1)[2] = math.nan
    fault = found(diverge(model, split(0, 4)))
    assert (fault.cause, fault.layer) == ("parameter", 0)
    assert fault.what.startswith(f"{name}[")
    assert f"layer 0 ({cell})" in fault.describe(config, "training")


def test_the_output_of_a_dense_layer() -> None:
    torch.manual_seed(0)
    config = ModelConfig(
        3, (LayerConfig("lstm", 4), LayerConfig("linear", 3)), readout="mean_softmax"
    )
    model = SRNN(config)
    with torch.no_grad():
        own = dict(model.named_parameters())
        own["layers.1.linear.weight"][2] = HUGE
        own["layers.1.linear.bias"][2] = HUGE
        own["layers.0.cell.bias_ih_l0"][:] = 2.0
    fault = found(diverge(model, quiet_batch()))
    assert (fault.cause, fault.layer, fault.sample, fault.step) == ("state", 1, 0, 0)
    assert fault.what == "output of neuron 2 is inf"


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("as_events", [False, True])
def test_an_input_that_is_not_finite(value: float, as_events: bool) -> None:
    given = quiet_batch()
    dense = torch.from_numpy(given.inputs.astype(np.float32))
    dense[4, 6, 2] = value
    dense[1, 8, 2] = value
    inputs = Events.from_dense(dense.numpy()) if as_events else dense
    model = model_of("alif", "li", engine="events" if as_events else "loop")
    batch = Batch(inputs, torch.from_numpy(given.targets), None, None)
    fault = found(diverge(model, batch))
    assert (fault.cause, fault.layer, fault.sample, fault.step) == ("input", None, 4, 6)
    assert fault.describe(model.config, "training") == (
        f"it began in training sample 4, step 6, input channel 2 is {value}"
    )


def test_inputs_that_are_too_large_are_named_in_the_hint() -> None:
    model = model_of("alif", "li", tau_mem=Init(mean=2.0))
    given = quiet_batch()
    large = Split(given.inputs.astype(np.int32) * 2**20, given.targets)
    with torch.no_grad():
        cast(SpikingLayer, model.layers[0]).forward_direction.weight.fill_(1000.0)
    fault = found(diverge(model, large, scale=3e31))
    assert (fault.cause, fault.layer, fault.sample, fault.step) == ("state", 0, 4, 5)
    assert fault.hint == "the inputs reach 3.15e+37: scale the data down"


def test_a_loss_over_finite_states() -> None:
    fault = found(
        diverge(
            model_of("alif", "li"),
            split(0, 8),
            {"rate_weight": 1e300, "target_rate": 0.9},
        )
    )
    assert fault.cause == "loss"
    assert fault.what.startswith("every state is finite (at most ")
    assert fault.hint.startswith("lower --rate-weight (it is 1e+300), or lower --learning-rate")


@pytest.mark.parametrize("clip", [0.0, 1.0])
def test_a_gradient_that_explodes(clip: float) -> None:
    model = model_of("alif", "li")
    limit = 1e-3
    error = diverge(model, split(0, 8), {"largest_gradient": limit, "clip_gradient": clip})
    fault = found(error)
    assert str(error).startswith("the gradient exploded (norm ")
    assert str(error).endswith(", largest_gradient 0.001)")
    assert (fault.cause, fault.sample, fault.step) == ("gradient", None, None)
    assert "has norm" in fault.what
    assert ("--clip-gradient" in fault.hint) is (clip == 0.0)
    assert "lower --learning-rate" in fault.hint


def test_a_clipped_gradient_does_not_explode() -> None:
    model = model_of("alif", "li")
    training = TrainingConfig(clip_gradient=1e-4, largest_gradient=1e-3)
    batch = make_batch(split(0, 8), np.arange(8), 1.0)
    assert train_batch(model, make_optimizer(model, training), batch, training).terms == 8


@pytest.mark.parametrize("factor", [1e25, math.inf, math.nan])
def test_the_gradient_of_one_parameter(factor: float) -> None:
    model = model_of("alif", "lif", "li")
    own = cast(SpikingLayer, model.layers[1]).forward_direction
    own.neuron.raw_tau_mem.register_hook(lambda gradient: gradient * factor)  # type: ignore[union-attr]
    error = diverge(model, split(0, 8))
    fault = found(error)
    assert (fault.cause, fault.layer) == ("gradient", 1)
    assert fault.what.startswith("the gradient of tau_mem")
    if factor == 1e25:
        # Its square overflows float32; the norm is reported all the same.
        assert re.match(r"the gradient exploded \(norm \d\.?\d*e\+2\d, ", str(error))
        assert re.match(r"the gradient of tau_mem has norm \d\.?\d*e\+2\d", fault.what)
    else:
        assert str(error) in {"the gradient became nan", "the gradient became inf"}
        assert "--truncate-steps" in fault.hint


@pytest.mark.parametrize("engine", ["loop", "events"])
def test_weights_through_which_the_gradient_explodes(engine: str) -> None:
    model = model_of("alif", "li", engine=engine)
    spoil(model, 0, 1e30, "recurrent_weight")
    fault = found(diverge(model, split(0, 8, steps=20)))
    assert fault.cause in {"gradient", "state"}
    assert fault.layer == 0
    assert "weight_rec" in fault.hint
    assert "1e+30" in fault.hint


@pytest.mark.parametrize("neuron", ["alif", "lif", "cuba_lif"])
def test_gradients_on_the_grid(neuron: str) -> None:
    model = on_grid(model_of(neuron, "li"))
    spoil(model, 0, 1e30, "recurrent_weight")
    fault = found(diverge(model, split(0, 8, steps=20), {"quantize": True}))
    assert (fault.cause, fault.layer) == ("gradient", 0)
    assert "weight_rec of layer 0 reaches 1e+30" in fault.hint
    assert "--truncate-steps" not in fault.hint


def test_states_of_the_grid_beyond_float32() -> None:
    model = on_grid(model_of("alif", "li"))
    with torch.no_grad():
        cast(SpikingLayer, model.layers[1]).forward_direction.weight[1] = HUGE
        cast(SpikingLayer, model.layers[1]).forward_direction.neuron.raw_tau_mem.fill_(-12.0)
    fault = found(diverge(model, split(0, 8, steps=20), {"quantize": True}))
    assert (fault.cause, fault.layer) == ("state", 1)
    assert fault.what.startswith("membrane v of neuron 1 is ")
    assert "3e+38" in fault.hint


@pytest.mark.parametrize("name", ["weight", "recurrent_weight", "bias", "raw_tau_mem"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("neuron", ["alif", "lif", "cuba_lif"])
def test_weights_without_integers(neuron: str, name: str, value: float) -> None:
    model = on_grid(model_of(neuron, "li"))
    own = cast(SpikingLayer, model.layers[0]).forward_direction
    target = getattr(own, name) if hasattr(own, name) else getattr(own.neuron, name)
    with torch.no_grad():
        target.view(-1)[1] = value
    if name == "raw_tau_mem" and value == math.inf:
        assert parameter_fault(model, TrainingConfig()) is not None
        return
    error = diverge(model, split(0, 8), {"quantize": True})
    assert str(error) == "the weights have no integers"
    fault = found(error)
    assert (fault.cause, fault.layer) == ("parameter", 0)
    stored = {"recurrent_weight": "weight_rec"}.get(name, name.removeprefix("raw_"))
    assert fault.what.startswith(stored)


def test_a_bias_beyond_all_integers() -> None:
    model = on_grid(model_of("alif", "li"))
    with torch.no_grad():
        cast(SpikingLayer, model.layers[0]).forward_direction.bias[2] = 1e30
    error = diverge(model, split(0, 8), {"quantize": True})
    fault = found(error)
    assert fault.cause == "refused"
    assert fault.what.startswith("layer 0: threshold, adaptation or bias of neurons 2 are too")
    assert fault.hint.startswith("bias of layer 0 reaches 1e+30: lower --learning-rate")


def test_of_several_faults_the_one_from_which_others_followed() -> None:
    made = {cause: Fault(cause, "", "", 1, 0, 3) for cause in CAUSES}
    order: Callable[..., Fault] = lambda *names: first_fault([made[n] for n in names])  # noqa: E731
    assert order("loss", "gradient", "input").cause == "input"
    assert order("state", "loss").cause == "state"
    early = replace(made["state"], step=2, layer=4)
    assert first_fault([made["state"], early]) is early


def test_a_step_without_a_fault_looks_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("srnn.train.step.find_fault", lambda *_, **__: pytest.fail("looked for"))
    model = model_of("alif", "li")
    training = TrainingConfig()
    batch = make_batch(split(0, 8), np.arange(8), 1.0)
    before = model.weights()["layers.0.weight"]
    train_batch(model, make_optimizer(model, training), batch, training)
    assert not np.array_equal(model.weights()["layers.0.weight"], before)


def test_a_loss_alone_has_no_place() -> None:
    model = model_of("alif", "li")
    loss = cast(SpikingLayer, model.layers[0]).forward_direction.bias.sum() * math.nan
    with pytest.raises(DivergedError, match="the loss became nan") as raised:
        optimizer_step(model, make_optimizer(model, TrainingConfig()), loss, 0.0)
    assert raised.value.fault is None
    assert not raised.value.of_gradient
