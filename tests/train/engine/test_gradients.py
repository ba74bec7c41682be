"""The engine against the plain loop in float64: outputs and every gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from engine_reference import (
    Case,
    agreeing,
    draw,
    error,
    objective,
    relative_errors,
    run_engine,
    run_loop,
)
from srnn.export.config import FLOAT_NEURONS, Init, LayerConfig, ModelConfig
from srnn.train.engine import Events, function
from srnn.train.engine.stack import kernels_for
from srnn.train.engine.surrogates import encode
from srnn.train.network import SRNN
from srnn.train.surrogate import SURROGATES

LIMIT = 1e-4
NEURONS = tuple(FLOAT_NEURONS)
RECURRENT = [name for name in NEURONS if name != "li"]


def check(make) -> Case:
    case, exact = agreeing(make)
    errors = relative_errors(case, exact)
    assert {name: e for name, e in errors.items() if not e < LIMIT} == {}
    return case


def test_every_neuron_and_surrogate_has_a_program():
    assert all(kernels_for(name) is not None for name in FLOAT_NEURONS)
    assert all(encode(kind()) is not None for kind in SURROGATES.values())


@pytest.mark.parametrize("neuron", NEURONS)
def test_a_feed_forward_layer_equals_the_loop(neuron):
    check(lambda seed: draw(neuron, seed, recurrent=False))


@pytest.mark.parametrize("neuron", RECURRENT)
@pytest.mark.parametrize("graded", [False, True])
def test_a_recurrent_layer_equals_the_loop(neuron, graded):
    case = check(lambda seed: draw(neuron, seed, graded=graded))
    rate = float((run_engine(case)[1] != 0).float().mean())
    assert 0.02 < rate < 0.6, rate


@pytest.mark.parametrize("surrogate", SURROGATES)
@pytest.mark.parametrize("neuron", ["alif", "lif", "cuba_lif"])
def test_every_surrogate_equals_the_loop(neuron, surrogate):
    check(lambda seed: draw(neuron, seed, surrogate=surrogate))


def test_surrogates_with_settings_of_their_own():
    for kind in SURROGATES.values():
        fields = list(kind.__dataclass_fields__)
        surrogate = kind(**{name: 0.3 + 0.2 * place for place, name in enumerate(fields)})

        def make(seed, surrogate=surrogate):
            case = draw("alif", seed)
            return Case(**{**case.__dict__, "surrogate": surrogate})

        check(make)


@pytest.mark.parametrize("neuron", RECURRENT)
@pytest.mark.parametrize(
    ("batch", "steps", "channels", "n"),
    [
        (1, 1, 1, 1),
        (1, 7, 3, 5),
        (2, 5, 16, 16),
        (3, 4, 17, 33),
        (9, 6, 40, 36),
        (17, 3, 5, 130),
        (20, 5, 130, 64),
    ],
)
def test_odd_sizes(neuron, batch, steps, channels, n):
    check(lambda seed: draw(neuron, seed, batch=batch, steps=steps, channels=channels, n=n))


# Far below the threshold adlif and brf oscillate back.
@pytest.mark.parametrize("neuron", [name for name in RECURRENT if name not in {"adlif", "brf"}])
@pytest.mark.parametrize(("bias", "low", "high"), [(-50.0, 0.0, 0.0), (50.0, 0.99, 1.0)])
def test_silent_and_saturated_layers(neuron, bias, low, high):
    if neuron == "alif_relu" and bias > 0:
        bias = 3.0
        low = 0.4
    case = check(lambda seed: draw(neuron, seed, bias=bias, surrogate="fast_sigmoid"))
    # The first step may follow the drawn state.
    rate = float((run_engine(case)[1][:, 1:] != 0).float().mean())
    assert low <= rate <= high


@pytest.mark.parametrize("neuron", ["alif", "lif", "cuba_lif", "alif_relu"])
@pytest.mark.parametrize("batch", [3, 37, 70])
def test_matrices_beyond_the_caches_are_learnt_alike(monkeypatch, neuron, batch):
    monkeypatch.setattr(function, "CACHED", 50)
    check(lambda seed: draw(neuron, seed, batch=batch, steps=21, n=9))


@pytest.mark.parametrize("density", [0.02, 0.2, 0.3, 1.0])
def test_sparse_and_dense_inputs(density):
    check(lambda seed: draw("alif", seed, channels=90, n=20, density=density))


@pytest.mark.parametrize("neuron", NEURONS)
def test_chunks_with_state_equal_the_whole(neuron):
    recurrent = neuron != "li"
    case, exact = agreeing(lambda seed: draw(neuron, seed, recurrent=recurrent))
    whole = run_loop(exact)
    objective(whole).backward()
    parts, state = [], case.state
    for piece in case.inputs.split([4, 1, 6], dim=1):
        part = run_engine(Case(**{**case.__dict__, "inputs": piece, "state": state}))
        parts.append(part)
        state = part[2]
    joined = tuple(torch.cat([part[k] for part in parts], 1) for k in range(2))
    objective((joined[0], joined[1], state)).backward()
    assert error(joined[0], whole[0]) < LIMIT
    for name, leaf in exact.leaves().items():
        expected = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
        found = case.leaves()[name].grad
        assert found is not None
        assert error(found, expected) < LIMIT, name


@pytest.mark.parametrize("graded", [False, True])
def test_event_lists_equal_the_dense_input(graded):
    case, exact = agreeing(lambda seed: draw("alif", seed, graded=graded, channels=50))
    events = Events.from_dense(case.inputs.detach().numpy())
    assert (events.values is not None) == graded
    errors = relative_errors(case, exact, events)
    assert all(e < LIMIT for e in errors.values()), errors
    dense = run_engine(case)
    listed = run_engine(case, events)
    assert all(torch.equal(a, b) for a, b in zip(dense[:2], listed[:2], strict=True))


@pytest.mark.parametrize("neuron", ["li", "alif_relu"])
def test_finite_differences_where_the_function_is_smooth(neuron):
    case = draw(neuron, 3, recurrent=neuron != "li", bias=0.4).to(torch.float32)
    objective(run_engine(case)).backward()
    exact = case.to(torch.float64)
    g = torch.Generator().manual_seed(0)
    for name, leaf in case.leaves().items():
        direction = torch.randn(leaf.shape, generator=g, dtype=torch.float64)
        place = exact.leaves()[name]
        values = []
        with torch.no_grad():
            for step in (1e-7, -2e-7):
                place += step * direction
                values.append(float(objective(run_loop(exact))))
            place += 1e-7 * direction
        slope = (values[0] - values[1]) / 2e-7
        assert leaf.grad is not None
        found = float((leaf.grad.double() * direction).sum())
        assert found == pytest.approx(slope, rel=1e-3, abs=1e-3), name


def test_partial_gradients_only_some_outputs_enter_the_loss():
    case, exact = agreeing(lambda seed: draw("alif", seed))
    for pick in range(5):
        mine, theirs = case.to(torch.float32), exact.to(torch.float64)
        for run, one in ((run_engine, mine), (run_loop, theirs)):
            membranes, spikes, state = run(one)
            chosen = (membranes, spikes, *state)[pick]
            (chosen * torch.arange(chosen.shape[-1])).sum().backward()
        for name, leaf in theirs.leaves().items():
            expected = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
            found = mine.leaves()[name].grad
            assert found is not None
            assert error(found, expected) < LIMIT, (pick, name)


def test_a_frozen_input_gets_no_gradient_and_the_others_keep_theirs():
    case, _ = agreeing(lambda seed: draw("alif", seed))
    objective(run_engine(case)).backward()
    frozen = case.to(torch.float32)
    frozen.inputs.requires_grad_(False)
    objective(run_engine(frozen)).backward()
    assert frozen.inputs.grad is None
    assert torch.equal(frozen.weight.grad, case.weight.grad)  # type: ignore[arg-type]


def stack(readout: str = "mean_softmax", bidirectional: bool = False) -> ModelConfig:
    tau = Init(kind="uniform", low=3, high=20)
    last = "alif" if readout == "spike_count" else "li"
    hidden: dict[str, Any] = {"threshold": 0.05, "tau_mem": tau, "weight_gain": 3.0}
    return ModelConfig(
        19,
        (
            LayerConfig("alif", 21, recurrent=True, bidirectional=bidirectional, **hidden),
            LayerConfig("lif", 17, recurrent=True, **hidden),
            LayerConfig(last, 5, threshold=0.02, weight_gain=3.0),
        ),
        readout,
    )


@pytest.mark.parametrize("readout", ["mean_softmax", "spike_count"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_network_equals_the_loop(readout, bidirectional):
    config = stack(readout, bidirectional)
    for seed in range(30):
        torch.manual_seed(seed)
        inputs = (torch.rand(6, 15, 19) < 0.3).float()
        lengths = torch.tensor([15, 9, 1, 15, 4, 12])
        mine = SRNN(config, engine="events")
        exact = SRNN(config, engine="loop").double()
        exact.load_state_dict(mine.state_dict())
        a, b = mine(inputs, lengths), exact(inputs.double(), lengths)
        fires = all(float((x != 0).float().mean()) > 0.01 for x in a.spikes)
        if fires and all(error(x, y) < 1e-4 for x, y in zip(a.spikes, b.spikes, strict=True)):
            break
    else:
        pytest.fail("no seed whose layers fire and whose spikes agree")
    assert a.output.shape == b.output.shape
    (a.output * torch.arange(5)).pow(2).sum().backward()
    (b.output * torch.arange(5)).pow(2).sum().backward()
    other = dict(exact.named_parameters())
    for name, parameter in mine.named_parameters():
        assert parameter.grad is not None
        assert error(parameter.grad, other[name].grad) < LIMIT, name  # type: ignore[arg-type]


def test_double_precision_takes_the_loop():
    model = SRNN(stack(), engine="events").double()
    plain = SRNN(stack(), engine="loop").double()
    plain.load_state_dict(model.state_dict())
    inputs = torch.from_numpy(np.random.default_rng(0).random((2, 5, 19)))
    assert torch.equal(model(inputs).output, plain(inputs).output)
