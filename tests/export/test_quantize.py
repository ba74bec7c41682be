from __future__ import annotations

import math
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch
from export_models import config, float_model, spikes, weights
from hypothesis import given, settings
from hypothesis import strategies as st
from srnn.export import export
from srnn.export.checkpoint import FloatModel, LayerConfig, ModelConfig
from srnn.export.errors import InputError
from srnn.export.freeze import avoid_lava_dl_defects, weight_units
from srnn.export.grid import STATE_MAX
from srnn.export.network import AdaptiveLIF, CubaLIF, Layer, Network, Synapses
from srnn.export.netx_stock import form_obstacles
from srnn.export.quantize import (
    LayerReport,
    Quantization,
    dead_neurons,
    lost_weights,
    quantize,
    trained_quantization,
)
from srnn.neurons.alif import adaptation_exponent
from srnn.simulate import reference, run
from srnn.train.network import SRNN

pytestmark = pytest.mark.extra("train")

LI = LayerConfig("li", 3)


def quantized(
    model: FloatModel, inputs: np.ndarray | None = None, **options: Any
) -> tuple[Network, list[LayerReport]]:
    samples = spikes(1, 3, 25, model.config.input_size) if inputs is None else inputs
    return quantize(model, Quantization(**options), reference.run, samples)


def code(tau: float) -> int:
    return max(1, round(4096 * (1 - math.exp(-1 / tau))))


@pytest.mark.parametrize("scale", ["neuron", "layer"])
def test_adaptive_neurons_follow_the_table(scale: str) -> None:
    model = float_model(LayerConfig("alif", 8, initial_adaptation=0.3), LI, seed=3)
    network, reports = quantized(model, scale=scale)
    assert [report.doublings for report in reports] == [0, 0]
    w = {name: value.astype(float) for name, value in model.weights.items()}
    made, neuron = network.layers[0], network.layers[0].neuron
    assert isinstance(neuron, AdaptiveLIF)
    largest = np.abs(w["layers.0.weight"]).max(axis=1)
    for j in range(8):
        k = (largest[j] if scale == "neuron" else largest.max()) / 254
        v_code, b_code = code(w["layers.0.tau_mem"][j]), code(w["layers.0.tau_adp"][j])
        unit = v_code / 4096 * k / 64
        strength = w["layers.0.adaptation"][j] / unit
        exponent = max(e for e in range(16) if strength * 2**e <= STATE_MAX - 4096 / b_code)
        assert neuron.v_decay[j] == v_code
        assert neuron.b_decay[j] == b_code
        assert neuron.v_threshold[j] == round(w["layers.0.threshold"][j] / unit)
        assert neuron.b_exp[j] == exponent
        assert neuron.b_step[j] == round(strength * b_code / 4096 * 2**exponent)
        assert neuron.d_init[j] == round(0.3 * strength * 2**exponent)
        assert neuron.bias[j] == round(64 * w["layers.0.bias"][j] / k)
        assert made.state_scale[j] == pytest.approx(unit, rel=1e-12)
        rows = [2 * round(x / k / 2) for x in w["layers.0.weight"][j]]
        assert made.synapses.weight[j].tolist() == rows
    assert (np.abs(made.synapses.weight).max(axis=1) == 254).all() == (scale == "neuron")


def test_other_neurons_follow_the_table() -> None:
    model = float_model(LayerConfig("lif", 5), LayerConfig("cuba_lif", 4), LI, seed=4)
    network, _ = quantized(model)
    w = {name: value.astype(float) for name, value in model.weights.items()}
    neurons: list[Any] = [layer.neuron for layer in network.layers]
    lif, cuba, li = neurons
    assert not lif.b_step.any()
    assert not lif.d_init.any()
    for index, made in enumerate(network.layers):
        for j in range(made.size):
            k = np.abs(w[f"layers.{index}.weight"][j]).max() / 254
            v_code = code(w[f"layers.{index}.tau_mem"][j])
            bias = w[f"layers.{index}.bias"][j]
            assert neurons[index].v_decay[j] == v_code
            if index == 1:
                assert cuba.i_decay[j] == code(w["layers.1.tau_syn"][j])
                assert cuba.v_threshold[j] == round(w["layers.1.threshold"][j] / k)
                assert cuba.bias[j] == 128 * round(bias / k / 2)
                assert made.state_scale[j] == pytest.approx(k / 64)
                continue
            assert neurons[index].bias[j] == round(64 * bias / k)
            assert made.state_scale[j] == pytest.approx(v_code / 4096 * k / 64)
    assert lif.v_threshold.tolist() == [
        round(t / s)
        for t, s in zip(w["layers.0.threshold"], network.layers[0].state_scale, strict=True)
    ]
    assert li.TYPE == "SRNN_LI"


def test_input_scale_joins_the_first_layers_weights_only() -> None:
    task = {"input_scale": 0.125, "message_bits": 4, "dt": 0.001, "classes": list("abc")}
    layers = (LayerConfig("lif", 5), LI)
    scaled, _ = quantized(float_model(*layers, task=task), scale="layer")
    plain, _ = quantized(float_model(*layers), scale="layer")
    ratio = scaled.layers[0].state_scale / plain.layers[0].state_scale
    np.testing.assert_allclose(ratio, 0.125)
    np.testing.assert_array_equal(scaled.layers[0].synapses.weight, plain.layers[0].synapses.weight)
    np.testing.assert_array_equal(scaled.layers[1].state_scale, plain.layers[1].state_scale)
    assert (scaled.message_bits, scaled.input_scale, scaled.dt) == (4, 0.125, 0.001)
    assert scaled.readout.classes == ("a", "b", "c")


def test_exponents_let_both_matrices_use_their_bits() -> None:
    model = float_model(LayerConfig("lif", 6, recurrent=True), LI)
    small = model.weights["layers.0.weight_rec"] / 20
    model = replace(model, weights={**model.weights, "layers.0.weight_rec": small})
    both, _ = quantized(model, scale="layer")
    one, _ = quantized(model, scale="layer", exponents=False)
    layer, shared = both.layers[0], one.layers[0]
    assert layer.recurrent is not None
    assert shared.recurrent is not None
    assert (layer.synapses.weight_exp, layer.recurrent.weight_exp) == (4, 0)
    assert (shared.synapses.weight_exp, shared.recurrent.weight_exp) == (0, 0)
    for made, name in ((layer.synapses, "weight"), (layer.recurrent, "weight_rec")):
        assert np.abs(made.weight).max() > 127
        unit = layer.state_scale * 64 * 4096 / layer.neuron.v_decay  # type: ignore[attr-defined]
        restored = made.weight * 2.0**made.weight_exp * unit[:, None]
        real = model.weights[f"layers.0.{name}"]
        assert np.abs(restored - real).max() <= unit.max() * 2.0**made.weight_exp * 1.001
    assert np.abs(shared.recurrent.weight).max() < 16


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=50)
def test_units_hold_every_weight(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weight, rec = (rng.normal(size=(5, n)) * 10.0 ** rng.uniform(-6, 6) for n in (3, 5))
    weight[0], rec[0] = 0.0, 0.0
    for scale in ("neuron", "layer"):
        for exponents in (True, False):
            unit, e, e_rec = weight_units(weight, rec, Quantization(scale), exponents)
            assert (unit > 0).all()
            assert -8 <= min(e, e_rec) <= 0
            assert 0 <= max(e, e_rec) <= 7
            assert min(e, e_rec) == 0 or max(e, e_rec) == 7
            tops = [np.abs(m / unit).max() / 2.0**x for m, x in ((weight, e), (rec, e_rec))]
            assert max(tops) == pytest.approx(254)
            assert e == e_rec == 0 or exponents


def largest_adaptation(b_decay: np.ndarray, b_step: np.ndarray, b_exp: np.ndarray) -> np.ndarray:
    """Run neurons that fire at every step, and return the largest d."""
    n = len(b_decay)
    neuron = AdaptiveLIF(n, 4096, b_decay, 0, b_step, b_exp, bias=STATE_MAX)  # type: ignore[arg-type]
    network = Network((Layer("0", Synapses(np.zeros((n, 1), np.int32)), neuron),))
    trace = reference.run(network, np.zeros((1, 600, 1), np.uint8))
    spiking, states = trace.layers[0].spikes, trace.layers[0].states
    assert spiking is not None
    assert spiking.all()
    return states["d"].max(axis=(0, 1))


def test_adaptation_never_saturates_and_one_bit_more_could() -> None:
    rng = np.random.default_rng(5)
    b_decay = rng.integers(60, 4097, 400)
    strength = 2.0 ** rng.uniform(8.1, 21.9, 400)
    b_exp = adaptation_exponent(strength, b_decay)
    assert b_exp.min() >= 1
    assert b_exp.max() <= 15

    def step(exponent: np.ndarray) -> np.ndarray:
        return np.rint(strength * b_decay / 4096 * 2.0**exponent).astype(np.int64)

    assert largest_adaptation(b_decay, step(b_exp), b_exp).max() < STATE_MAX
    more = b_exp + 1
    possible = (more <= 15) & (strength * 2.0**more > STATE_MAX + 2 * 4096 / b_decay)
    assert possible.sum() > 300
    over = largest_adaptation(
        b_decay[possible], np.minimum(step(more), STATE_MAX)[possible], more[possible]
    )
    assert (over == STATE_MAX).all()


def test_adaptation_exponent_at_its_ends() -> None:
    codes = np.full(4, 100)
    found = adaptation_exponent(np.array([0.0, 1e-9, 255.0, 1e9]), codes)
    assert found.tolist() == [0, 15, 15, -1]
    assert adaptation_exponent(np.array([1000.0]), codes[:1], 8.0)[0] == 10
    assert adaptation_exponent(np.array([1000.0]), codes[:1], 0.5)[0] == 13


@pytest.mark.parametrize("scale", ["neuron", "layer"])
@pytest.mark.parametrize("kind", ["alif", "lif", "cuba_lif", "li"])
def test_a_unit_grows_until_states_keep_their_headroom(kind: str, scale: str) -> None:
    n_in, shape = 1500, (3, 1500)
    weight = np.ones(shape) * np.array([[1.0], [0.5], [1.0]])
    weight[2] *= np.where(np.arange(n_in) % 2, 1, -1)
    layers = (LayerConfig(kind, 3),) if kind == "li" else (LayerConfig(kind, 3), LI)
    model = float_model(*layers, inputs=n_in, layers__0__weight=weight)
    inputs = np.ones((1, 12, n_in), np.uint8)
    network, reports = quantized(model, inputs, scale=scale, headroom=0.5)
    assert reports[0].doublings >= 1
    assert reports[0].doubled_neurons == (2 if scale == "neuron" else 3)
    states = reference.run(network, inputs).layers[0].states
    for name, values in states.items():
        assert np.abs(values).max() < STATE_MAX
        if name != "d":
            assert reports[0].headroom[name] < 0.5
    assert max(reports[0].headroom.values()) > 0.125
    synapses = network.layers[0].synapses
    assert np.abs(synapses.weight[:2]).max() * 2.0**synapses.weight_exp <= 254 // 2


def test_a_current_that_would_wrap_is_noticed() -> None:
    # 254 times 1032 times 64 is 2^24: the current wraps to nearly zero, and looks harmless.
    task = {"message_bits": 11, "input_scale": 1.0}
    model = float_model(
        LayerConfig("cuba_lif", 1), LI, inputs=1, task=task, layers__0__weight=[[1.0]]
    )
    inputs = np.zeros((1, 5, 1), np.int32)
    inputs[0, 0, 0] = 1032
    network, reports = quantized(model, inputs)
    assert reports[0].doublings == 2
    u = reference.run(network, inputs).layers[0].states["u"]
    unit = network.layers[0].state_scale
    assert u[0, 0] * unit == pytest.approx(1032.0, rel=0.02)


def test_parameters_far_beyond_their_weights_still_fit() -> None:
    weight = np.full((4, 6), 0.5)
    weight[1] = 1e-9
    model = float_model(LayerConfig("alif", 4), LI, layers__0__weight=weight)
    network, reports = quantized(model)
    assert reports[0].doublings > 16
    assert reports[0].doubled_neurons == 1
    assert not network.layers[0].synapses.weight[1].any()
    threshold = network.layers[0].neuron.v_threshold[1] * network.layers[0].state_scale[1]  # type: ignore[attr-defined]
    assert threshold == pytest.approx(model.weights["layers.0.threshold"][1], rel=1e-5)


def test_what_no_unit_can_hold() -> None:
    model = float_model(LayerConfig("alif", 3), LI, layers__0__threshold=[1, 1e30, 1e38])
    with pytest.raises(InputError, match=r"layer 0: threshold, adaptation or bias of neurons 1, 2"):
        quantized(model)
    silent = float_model(LayerConfig("alif", 3), LI, layers__0__weight=np.zeros((3, 6)))
    with pytest.raises(InputError, match="layer 0: all weights are zero"):
        quantized(silent)


def test_layers_without_an_integer_form_are_refused_together() -> None:
    model = float_model(LayerConfig("alif", 3, bidirectional=True), LayerConfig("alif_relu", 3), LI)
    with pytest.raises(InputError) as raised:
        quantized(model)
    line = str(raised.value)
    assert "layer 0 (alif): a bidirectional layer needs the sequence in reverse" in line
    assert "layer 1 (alif_relu): graded activations do not exist on the chip" in line
    assert "\n" not in line


@pytest.mark.parametrize("tiny", [0.0, 1e-7])
def test_recurrent_weights_that_vanish_are_left_out(tiny: float) -> None:
    rec = np.full((4, 4), tiny)
    model = float_model(LayerConfig("alif", 4, recurrent=True), LI, layers__0__weight_rec=rec)
    network, reports = quantized(model, exponents=False)
    assert network.layers[0].recurrent is None
    assert not reports[0].recurrent
    assert np.abs(network.layers[0].synapses.weight).max() == 254


def test_a_unit_that_grew_does_not_cost_the_coarser_matrix_its_bits() -> None:
    model = float_model(LayerConfig("alif", 6, recurrent=True), LI, layers__0__adaptation=[1] * 6)
    small = model.weights["layers.0.weight_rec"] / 100
    model = replace(model, weights={**model.weights, "layers.0.weight_rec": small})
    network, reports = quantized(model, scale="layer")
    assert reports[0].doublings > 1
    made = network.layers[0]
    assert made.recurrent is not None
    assert made.synapses.weight_exp + reports[0].doublings >= 6
    assert np.abs(made.synapses.weight).max() > 127


CUBA = (LayerConfig("cuba_lif", 6, recurrent=True), LI)


@pytest.mark.parametrize("seed", range(4))
def test_cuba_networks_keep_lava_dls_rules(seed: int) -> None:
    model = float_model(*CUBA, seed=seed)
    changed: dict[str, Any] = dict(model.weights)
    changed["layers.0.weight"] = -np.abs(changed["layers.0.weight"])
    changed["layers.0.weight_rec"] = changed["layers.0.weight_rec"] / 20
    changed["layers.0.bias"] = changed["layers.0.bias"] * 5
    changed["layers.1.weight"] = -np.abs(changed["layers.1.weight"])
    # A matrix without positive entries whose minimum is -128 in units of the largest weight.
    changed["layers.1.weight"][0] = -1.0
    changed["layers.1.weight"][1:] *= 0.4
    network, _ = quantized(replace(model, weights=changed), scale="layer")
    # Recurrent spikes that a bias makes early are no matter of the numbers in a file.
    assert form_obstacles(network) == []
    for layer in network.layers:
        matrices = [layer.synapses] + ([layer.recurrent] if layer.recurrent is not None else [])
        for synapses in matrices:
            assert synapses.weight_exp == 0
            assert synapses.weight.any()
            low = -int(synapses.weight.min())
            assert synapses.weight.max() > 0 or bin(low).count("1") != 1
        assert (layer.neuron.bias % 128 == 0).all()  # type: ignore[attr-defined]
    assert network.layers[0].neuron.bias.any()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([[-128, -4], [0, -2]], [[-126, -4], [0, -2]]),
        ([[-256, -256]], [[-254, -254]]),
        ([[-4, -2]], [[0, 0]]),
        ([[-2, 0]], [[0, 0]]),
        ([[-6, -4]], [[-6, -4]]),
        ([[-128, 2]], [[-128, 2]]),
        ([[0, 0]], [[0, 0]]),
    ],
)
def test_matrices_that_lava_dl_would_mangle(given: list, expected: list) -> None:
    assert avoid_lava_dl_defects(np.array(given)).tolist() == expected


def test_cuba_inputs_that_vanish_next_to_the_recurrent_weights() -> None:
    model = float_model(*CUBA, layers__0__weight=np.full((6, 6), 1e-9))
    with pytest.raises(InputError, match="layer 0: all input weights become zero"):
        quantized(model)


def test_spikes_equal_the_float_models_where_rounding_is_harmless() -> None:
    rng = np.random.default_rng(11)
    hidden = LayerConfig("alif", 20, recurrent=True)
    made = config(hidden, LI)
    w = weights(made, 2)
    for name in ("layers.0.weight", "layers.0.weight_rec", "layers.1.weight"):
        integers = 2 * rng.integers(-127, 128, w[name].shape)
        integers[:, 0] = 254
        w[name] = (integers / 256).astype(np.float32)
    for name in ("layers.0.tau_mem", "layers.0.tau_adp", "layers.1.tau_mem"):
        codes = rng.integers(100, 1500, w[name].shape)
        w[name] = (-1 / np.log1p(-codes / 4096)).astype(np.float32)
    model = SRNN(made).double()
    model.load_weights(w)
    inputs = spikes(6, 8, 30)
    with torch.no_grad():
        outputs = model(torch.from_numpy(inputs).double())
    network, reports = quantized(FloatModel(made, w), inputs)
    assert [report.doublings for report in reports] == [0, 0]
    assert reports[0].weight_error == pytest.approx(0, abs=1e-6)
    assert reports[0].decay_error < 1e-6
    trace = reference.run(network, inputs)
    assert trace.layers[0].spikes is not None
    np.testing.assert_array_equal(trace.layers[0].spikes, outputs.spikes[0].numpy())
    assert 0.05 < trace.layers[0].spikes.mean() < 0.9
    real = trace.output * network.layers[-1].state_scale
    np.testing.assert_allclose(real, outputs.output.numpy(), atol=1e-2)


def test_reports_count_what_is_there() -> None:
    model = float_model(LayerConfig("alif", 5, recurrent=True), LI)
    inputs = spikes(1, 3, 25)
    network, (first, second) = quantized(model, inputs)
    assert (first.name, first.neuron, first.inputs, first.size) == ("0", "SRNN_ALIF", 6, 5)
    assert first.parameters == 5 * 6 + 5 * 5 + 5 + 4 * 5
    assert first.size_bytes == 5 * 6 + 5 * 5 + 5 * (2 + 2 + 3 + 3 + 2 + 3 + 3 + 3)
    assert (second.neuron, second.parameters) == ("SRNN_LI", 3 * 5 + 3 + 3)
    assert (first.recurrent, second.recurrent) == (True, False)
    assert first.weight_range[0] >= -254
    assert first.weight_range[1] == 254 or first.weight_range[0] == -254
    # Half an even step of 254 is 1/254 of the neuron's largest weight, whichever matrix has it.
    assert 0 < first.weight_error <= 1 / 254 * 1.001
    assert 0 < first.decay_error <= 0.5 / 4096 * 1.001
    states = reference.run(network, inputs).layers[0].states
    assert first.headroom == {
        name: float(np.abs(values).max() / STATE_MAX) for name, values in states.items()
    }


def test_silent_and_restless_neurons_are_named() -> None:
    neuron = CubaLIF(3, 4096, 4096, [9, 9, 9], bias=[0, 64 * 20, 0])  # type: ignore[arg-type]
    synapses = Synapses(np.array([[0], [0], [20]], np.int32))
    network = Network((Layer("0", synapses, neuron),))
    inputs = np.array([[[1], [0], [1]], [[1], [0], [0]]], np.uint8)
    trace = reference.run(network, inputs, np.array([3, 2]))
    assert dead_neurons(trace) == [
        "layer 0: neurons 0 never spiked",
        "layer 0: neurons 1 always spiked",
    ]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"scale": "network"}, "unknown scale 'network' .known: neuron, layer"),
        ({"headroom": 0.0}, "headroom 0.0 is outside"),
        ({"headroom": 1.5}, "headroom 1.5 is outside"),
        ({"headroom": math.nan}, "headroom nan is outside"),
    ],
)
def test_schemes_that_make_no_sense(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Quantization(**settings)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"options": {}}, "needs the entries options and doublings"),
        ({"options": {}, "doublings": 3}, "needs the entries options and doublings"),
        ({"options": {"bits": 4}, "doublings": [[0]]}, "bits"),
        ({"options": {"weight_bits": 2}, "doublings": [[0]]}, "weight_bits 2 is outside 3..8"),
        ({"options": {}, "doublings": [["x"]]}, "doublings are not integers"),
        ({"options": {}, "doublings": [[0]]}, "doublings"),
    ],
)
def test_a_damaged_table_of_training_on_the_grid_is_one_line(table, message):
    model = replace(float_model(LayerConfig("lif", 5), LI), quantization=table)
    with pytest.raises(InputError) as raised:
        quantize(model, None, reference.run, spikes(0, 2, 6))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("bits", [3, 4, 6, 8])
def test_fewer_bits_are_a_coarser_grid(bits):
    model = float_model(LayerConfig("alif", 12, recurrent=True), LI)
    options = Quantization(weight_bits=bits)
    network, reports = quantize(model, options, reference.run, spikes(0, 3, 12))
    step = 2 ** (9 - bits)
    for layer in network.layers:
        assert (layer.synapses.weight % step == 0).all()
        assert layer.synapses.weight.max() <= 256 - step
    errors = [report.weight_error for report in reports]
    assert max(errors) <= step / (256 - step)
    assert max(errors) > step / 256 / 8


def fine_inputs(seed: int = 0) -> FloatModel:
    """A model whose input weights are 255 times finer than its recurrent ones: pixels of 8 bits."""
    rng = np.random.default_rng(seed)
    net = ModelConfig(
        8, (LayerConfig("alif", 64, recurrent=True), LayerConfig("li", 10)), "mean_softmax"
    )
    values = {
        "layers.0.weight": rng.normal(0, 0.8, (64, 8)),
        "layers.0.weight_rec": rng.normal(0, 0.8, (64, 64)),
        "layers.0.bias": np.zeros(64),
        "layers.0.tau_mem": np.full(64, 20.0),
        "layers.0.tau_adp": np.full(64, 700.0),
        "layers.0.threshold": np.full(64, 0.01),
        "layers.0.adaptation": np.full(64, 1.8),
        "layers.1.weight": rng.normal(0, 0.1, (10, 64)),
        "layers.1.bias": np.zeros(10),
        "layers.1.tau_mem": np.full(10, 20.0),
    }
    task = {
        "name": "", "options": {}, "encoder": {}, "classes": [], "message_bits": 8,
        "input_scale": 1 / 255, "dt": None,
    }  # fmt: skip
    inputs = rng.integers(0, 256, (4, 300, 8))
    output = np.zeros((4, 300, 10), np.float32)
    samples = {"inputs": inputs, "lengths": np.full(4, 300), "output": output}
    floats = {name: value.astype(np.float32) for name, value in values.items()}
    return FloatModel(net, floats, task, {}, {}, samples, {})


def states(network, inputs, lengths):
    return run(network, inputs, lengths, record="states")


@pytest.mark.parametrize("scale", ["neuron", "layer"])
def test_fine_input_weights_keep_their_bits(scale):
    model = fine_inputs()
    inputs = model.samples["inputs"]
    network, reports = quantize(model, Quantization(scale), states, inputs)
    first = network.layers[0]
    assert first.synapses.weight_exp < 0
    assert first.synapses.weight.any(axis=1).all()
    assert reports[0].weight_error < 0.3
    assert reports[0].recurrent_error < 0.07
    assert reports[0].lost == {}
    assert (run(network, inputs).output != run(network, 0 * inputs).output).any()


def test_neurons_that_lose_their_inputs_are_named():
    model = fine_inputs()
    _, reports = quantize(model, Quantization("layer", False), states, model.samples["inputs"])
    lost = reports[0].lost["weight"]
    assert 0 < len(lost) < 64
    assert reports[0].weight_error == 1
    (line,) = lost_weights(reports)
    assert f"layer 0: all input weights of {len(lost)} neurons ({lost[0]}" in line


def test_a_layer_that_loses_all_its_inputs_is_refused():
    model = fine_inputs()
    weights = {**model.weights, "layers.0.weight": model.weights["layers.0.weight"] / 50}
    small = replace(model, weights=weights)
    with pytest.raises(InputError, match="layer 0: all input weights become zero"):
        quantize(small, Quantization("layer", False), states, model.samples["inputs"])


def test_a_model_trained_before_right_shifts_keeps_its_integers():
    model = fine_inputs()
    options = asdict(Quantization("layer"))
    del options["right_shifts"]
    doublings = [np.full(64, 6).tolist(), np.zeros(10, int).tolist()]
    old = replace(model, quantization={"options": options, "doublings": doublings})
    found, _ = trained_quantization(old)
    assert found.right_shifts is False
    network, _ = quantize(old, None, states, model.samples["inputs"])
    assert network.layers[0].synapses.weight_exp == 0


def test_the_report_warns_of_lost_weights():
    report = export(fine_inputs(), options=Quantization("layer", False))
    assert any("all input weights of" in remark for remark in report.remarks)
    assert not any("weights of" in remark for remark in export(fine_inputs()).remarks)


def test_options_given_to_a_model_of_the_grid_are_said_to_change_it():
    options = asdict(Quantization())
    counts = [np.full(64, 6).tolist(), np.zeros(10, int).tolist()]
    trained = replace(fine_inputs(), quantization={"options": options, "doublings": counts})
    assert not any("trained on the grid" in line for line in export(trained).remarks)
    changed = export(trained, options=Quantization())
    assert any("trained on the grid, but these options" in line for line in changed.remarks)
