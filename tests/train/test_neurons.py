from __future__ import annotations

import numpy as np
import pytest
import torch
from srnn.export.config import Init
from srnn.export.errors import InputError
from srnn.neurons.alif import LIF
from srnn.neurons.real import TAU_MAX, TAU_MIN, Spread, magnitude, value
from srnn.neurons.registry import FLOAT_NEURONS, register_float
from srnn.train.surrogate import MultiGaussian
from train_helpers import NAMES, direction, layer, network, signals, values

Arrays = dict[str, np.ndarray]


def naive(kind: str, p: Arrays, x: np.ndarray, b_init: float = 0.0) -> tuple:
    """The docstring equations, one number array at a time, float64."""
    batch, steps, _ = x.shape
    u, i, s = (np.zeros((batch, len(p["bias"]))) for _ in range(3))
    b = np.full_like(u, b_init)
    alpha = np.exp(-1 / p["tau_mem"])
    membranes, spikes = [], []
    for t in range(steps):
        current = x[:, t] @ p["weight"].T
        if "weight_rec" in p:
            current = current + s @ p["weight_rec"].T
        if kind == "cuba_lif":
            i = np.exp(-1 / p["tau_syn"]) * i + current
            u = alpha * u + i + p["bias"]
            s = (u - p["threshold"] > 0).astype(float)
            u = np.where(s == 1, 0.0, u)
        elif kind == "li":
            u = alpha * u + (1 - alpha) * (current + p["bias"])
        else:
            limit = p["threshold"]
            if kind != "lif":
                rho = np.exp(-1 / p["tau_adp"])
                b = rho * b + (1 - rho) * s
                limit = limit + p["adaptation"] * b
            u = alpha * u + (1 - alpha) * (current + p["bias"]) - limit * s
            s = np.maximum(0, u - limit) if kind == "alif_relu" else (u - limit > 0) * 1.0
        membranes.append(u)
        spikes.append(u if kind == "li" else s)
    return np.stack(membranes, 1), np.stack(spikes, 1)


@pytest.mark.parametrize(
    ("kind", "recurrent"), [(k, r) for k in NAMES for r in (False, True) if not (r and k == "li")]
)
def test_every_neuron_computes_its_docstring(kind: str, recurrent: bool) -> None:
    model = network(layer(kind, recurrent=recurrent, initial_adaptation=0.05)).double()
    x = signals(1, 4, 40)
    outputs = model(torch.from_numpy(x))
    membrane, spikes = naive(kind, values(direction(model)), x, 0.05)
    np.testing.assert_allclose(outputs.output.detach(), membrane, atol=1e-10)
    np.testing.assert_allclose(outputs.spikes[0].detach(), spikes, atol=1e-10)
    if kind not in {"li", "alif_relu"}:
        assert 0.02 < spikes.mean() < 0.9


@pytest.mark.parametrize("kind", ["alif", "alif_relu", "lif", "cuba_lif"])
def test_both_directions_turn_around_each_samples_own_end(kind: str) -> None:
    model = network(layer(kind, recurrent=True, bidirectional=True), layer("li", 2)).double()
    x, lengths = signals(2, 3, 15), np.array([15, 9, 1])
    x = np.where((np.arange(15) < lengths[:, None])[..., None], x, 5.0)
    spikes = model(torch.from_numpy(x), torch.from_numpy(lengths)).spikes[0].detach().numpy()
    for n, length in enumerate(lengths):
        own = x[n : n + 1, :length]
        ahead = naive(kind, values(direction(model)), own)[1]
        back = naive(kind, values(direction(model, back=True)), own[:, ::-1])[1]
        expected = np.concatenate((ahead, back[:, ::-1]), 2)
        np.testing.assert_allclose(spikes[n : n + 1, :length], expected, atol=1e-10)
    whole = model(torch.from_numpy(x)).spikes[0].detach().numpy()
    np.testing.assert_allclose(whole[0], spikes[0])
    assert not np.allclose(whole[1, :9], spikes[1, :9])


def test_alif_adapts_then_resets_by_the_new_threshold_one_step_late() -> None:
    half = 1 / np.log(2)
    model = network(layer("alif", 1), inputs=1).double()
    with torch.no_grad():
        direction(model).weight.fill_(1.0)
        direction(model).bias.zero_()
        for name, value in (("tau_mem", half), ("tau_adp", half)):
            tensor = torch.full((1,), value, dtype=torch.float64)
            direction(model).neuron.load_parameter(name, tensor)
        direction(model).neuron.threshold.fill_(1.0)
        direction(model).neuron.adaptation.fill_(2.0)
    outputs = model(torch.tensor([4.0, 0.0, 6.0, 0.0]).double().reshape(1, 4, 1))
    # alpha = rho = 1/2: b = 0, 1/2, 1/4, 5/8 and so B = 1, 2, 3/2, 9/4.
    expected = [2.0, 0.5 * 2 - 2, 0.5 * -1 + 3, 0.5 * 2.5 - 2.25]
    np.testing.assert_allclose(outputs.output.detach().ravel(), expected, atol=1e-5)
    assert outputs.spikes[0].ravel().tolist() == [1, 0, 1, 0]
    u, b, s = (part.item() for part in outputs.state[0])
    assert (u, b, s) == pytest.approx((-1.0, 0.625, 0.0), abs=1e-5)


def backward(p: Arrays, x: np.ndarray, g_s: np.ndarray, g_u: np.ndarray) -> Arrays:
    """Reverse the ALIF equations by hand: gradients of sum(g_s s) + sum(g_u u)."""
    alpha, rho = np.exp(-1 / p["tau_mem"]), np.exp(-1 / p["tau_adp"])
    batch, steps, _ = x.shape
    zero = np.zeros((batch, len(alpha)))
    u, b, s, tape = zero, zero, zero, []
    for t in range(steps):
        before = (u, b, s)
        current = x[:, t] @ p["weight"].T + s @ p["weight_rec"].T + p["bias"]
        b = rho * b + (1 - rho) * s
        limit = p["threshold"] + p["adaptation"] * b
        u = alpha * u + (1 - alpha) * current - limit * s
        s = (u > limit) * 1.0
        tape.append((*before, current, limit, u))
    surrogate = MultiGaussian()
    to_u, to_b, to_s = zero, zero, zero
    found = {k: np.zeros_like(p[k]) for k in p}
    for t in reversed(range(steps)):
        u_old, b_old, s_old, current, limit, u = tape[t]
        slope = surrogate.derivative(torch.from_numpy(u - limit)).numpy()
        ds = g_s[:, t] + to_s
        du = g_u[:, t] + to_u + ds * slope
        d_limit = -(ds * slope + du * s_old)
        db = to_b + p["adaptation"] * d_limit
        found["threshold"] += d_limit.sum(0)
        found["adaptation"] += (d_limit * (limit - p["threshold"]) / p["adaptation"]).sum(0)
        di = (1 - alpha) * du
        found["weight"] += di.T @ x[:, t]
        found["weight_rec"] += di.T @ s_old
        found["bias"] += di.sum(0)
        found["tau_mem"] += (du * (u_old - current)).sum(0) * alpha / p["tau_mem"] ** 2
        found["tau_adp"] += (db * (b_old - s_old)).sum(0) * rho / p["tau_adp"] ** 2
        to_s = -du * limit + (1 - rho) * db + di @ p["weight_rec"]
        to_u, to_b = alpha * du, rho * db
    span = np.log(TAU_MAX / TAU_MIN)
    for name in ("tau_mem", "tau_adp"):
        share = np.log(p[name] / TAU_MIN) / span
        found[name] *= p[name] * span * share * (1 - share)
    return found


def test_gradients_flow_through_reset_threshold_and_adaptation() -> None:
    trained = {"train_threshold": True, "train_adaptation": True}
    model = network(layer("alif", recurrent=True, threshold=0.1, **trained)).double()
    x, g_s, g_u = signals(3, 4, 30), signals(4, 4, 30, 5), signals(5, 4, 30, 5)
    outputs = model(torch.from_numpy(x))
    assert 0.05 < outputs.spikes[0].mean() < 0.8
    loss = outputs.spikes[0] * torch.from_numpy(g_s) + outputs.output * torch.from_numpy(g_u)
    loss.sum().backward()
    ahead = direction(model)
    expected = backward(values(ahead), x, g_s, g_u)
    for name, stored in (("weight",) * 2, ("recurrent_weight", "weight_rec"), ("bias",) * 2):
        gradient = getattr(ahead, name).grad
        np.testing.assert_allclose(gradient, expected[stored], rtol=1e-8, atol=1e-9)
    for name in ("tau_mem", "tau_adp"):
        gradient = getattr(ahead.neuron, f"raw_{name}").grad
        np.testing.assert_allclose(gradient, expected[name], rtol=1e-8, atol=1e-9)
        assert np.abs(expected[name]).min() > 0
    for name in ("threshold", "adaptation"):
        gradient = getattr(ahead.neuron, name).grad
        np.testing.assert_allclose(gradient, expected[name], rtol=1e-8, atol=1e-9)


def test_a_current_without_a_filter_cannot_be_trained() -> None:
    neuron = direction(network(layer("cuba_lif"))).neuron
    with pytest.raises(InputError, match=r"tau_syn: 0.001 steps is below 0.2, the least"):
        neuron.load_parameter("tau_syn", torch.full_like(neuron.tau("tau_syn"), 0.001))


def test_a_strength_that_training_drives_below_zero_is_used_without_its_sign() -> None:
    model = network(layer("alif", train_threshold=True, train_adaptation=True))
    with torch.no_grad():
        direction(model).neuron.threshold.fill_(-0.3)
    assert (model.weights()["layers.0.threshold"] == np.float32(0.3)).all()
    assert len([p for p in model.parameters() if p.requires_grad]) == 6
    assert not network(layer("alif")).layers[0].forward_direction.neuron.threshold.requires_grad


def test_strengths_are_trained_only_where_they_exist_and_can_move() -> None:
    with pytest.raises(InputError, match="lif has no adaptation"):
        layer("lif", train_adaptation=True)
    with pytest.raises(InputError, match="no gradient"):
        layer("alif", adaptation=0.0, train_adaptation=True)


def test_lif_is_alif_without_adaptation() -> None:
    lif, alif = network(layer("lif", recurrent=True)), network(layer("alif", recurrent=True))
    weights = lif.weights()
    extra = {"layers.0.tau_adp": np.full(5, 30.0), "layers.0.adaptation": np.zeros(5)}
    lif.load_weights(weights)
    alif.load_weights({**weights, **extra})
    x = torch.from_numpy(signals(6, 2, 50)).float()
    one, other = lif(x), alif(x)
    assert torch.equal(one.output, other.output)
    assert torch.equal(one.spikes[0], other.spikes[0])
    assert one.spikes[0].sum() > 10


@pytest.mark.parametrize("kind", NAMES)
def test_initial_state_is_zero_and_explicit(kind: str) -> None:
    model = network(layer(kind, initial_adaptation=0.25))
    neuron = direction(model).neuron
    state = neuron.initial_state(torch.ones(2, 5))
    assert len(state) == len(neuron.states)
    for name, part in zip(neuron.states, state, strict=True):
        assert (part == (0.25 if name == "b" else 0.0)).all()
    x = torch.from_numpy(signals(7, 2, 9)).float()
    torch.manual_seed(1)
    first = model(x)
    torch.manual_seed(2)
    assert torch.equal(first.output, model(x).output)
    assert torch.equal(first.output, model(x, state=(state,)).output)
    other = tuple(part + 0.5 for part in state)
    assert not torch.equal(first.output, model(x, state=(other,)).output)


def test_parameters_may_have_the_names_of_a_modules_own() -> None:
    class Own(LIF):
        NAME = "own_names"
        PARAMETERS = (
            *LIF.PARAMETERS,
            magnitude("step", Spread(mean=0.5)),
            value("size", 0.0, 1.0, Spread(mean=0.25)),
            magnitude("kind", Spread(mean=2.0)),
        )

    register_float(Own)
    try:
        model = network(layer("own_names"))
        weights = model.weights()
        found = {name: float(weights[f"layers.0.{name}"][0]) for name in ("step", "size", "kind")}
        assert found == {"step": 0.5, "size": 0.25, "kind": 2.0}
        model.load_weights(weights)
        assert torch.isfinite(model(torch.from_numpy(signals(6, 2, 50)).float()).output).all()
    finally:
        del FLOAT_NEURONS["own_names"]


def test_a_layers_time_constants_reach_every_neuron_that_has_them() -> None:
    for kind in ("alif", "adlif", "cuba_lif"):
        model = network(layer(kind, tau_mem=Init(mean=7.0)))
        assert model.weights()["layers.0.tau_mem"] == pytest.approx(7.0)
