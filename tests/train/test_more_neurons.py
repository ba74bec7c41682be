"""adlif and brf: their equations by hand, their gradients, and equality of the grid everywhere."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from needs import data_root
from srnn.export.checkpoint import FloatModel, read_model
from srnn.export.config import FLOAT_NEURONS, Delay, Init, LayerConfig, ModelConfig, SurrogateConfig
from srnn.export.float_run import run_float
from srnn.export.freeze import Quantization
from srnn.export.network import dense
from srnn.export.quantize import quantize
from srnn.export.trace import compare
from srnn.neurons.alif import ALIF
from srnn.neurons.real import fma, lerp
from srnn.neurons.registry import register_float
from srnn.simulate import reference, run
from srnn.train.cli import main as train_main
from srnn.train.integer import OnGrid
from srnn.train.network import SRNN

pytestmark = pytest.mark.extra("train")

INPUTS, SIZE, OUT, BATCH, STEPS = 7, 9, 3, 4, 60
NEW = ("adlif", "brf")
GAINS = {"adlif": 8.0, "brf": 60.0}
TASK = {"input_scale": 1.0, "message_bits": 0, "classes": tuple("abc")}


def network(kind: str, seed: int = 0, readout: str = "membrane", **settings: Any) -> SRNN:
    torch.manual_seed(seed)
    if kind == "adlif":
        # Those of the publication.
        taus = {
            "tau_mem": Init("uniform", low=5, high=25),
            "tau_adp": Init("uniform", low=60, high=300),
        }
        settings = {**taus, **settings}
    layers = (
        LayerConfig(kind, SIZE, recurrent=True, weight_gain=GAINS.get(kind, 2.0), **settings),
        LayerConfig(kind, SIZE, weight_gain=6 * GAINS.get(kind, 2.0)),
        LayerConfig("li", OUT),
    )
    counted = LayerConfig(kind, OUT, weight_gain=6 * GAINS.get(kind, 2.0))
    last = layers if readout == "membrane" else (layers[0], counted)
    surrogate = SurrogateConfig("exponential")
    return SRNN(ModelConfig(INPUTS, last, readout, surrogate=surrogate))


def draw(seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.random((BATCH, STEPS, INPUTS)) < 0.3).astype(np.uint8)


def by_hand(kind: str, w: dict[str, np.ndarray], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The docstring equations of the first layer in float64: membranes and spikes."""
    n = SIZE
    v, s, extra, q = (np.zeros((len(x), n)) for _ in range(4))
    membranes, spikes = [], []
    for t in range(x.shape[1]):
        current = x[:, t] @ w["weight"].T + s @ w["weight_rec"].T + w["bias"]
        if kind == "adlif":
            alpha, rho = np.exp(-1 / w["tau_mem"]), np.exp(-1 / w["tau_adp"])
            u = alpha * v + (1 - alpha) * (current - extra)
            s = (u > 1) * 1.0
            v = u * (1 - s)
            extra = rho * extra + (1 - rho) * 120 * (w["a"] * v + w["b"] * s)
        else:
            k = np.sqrt(1 - w["omega"] ** 2) - w["b_offset"] - 0.01 * q
            v, extra = (
                k * v - w["omega"] * extra + 0.01 * current,
                w["omega"] * v + k * extra,
            )
            s = (v - 1 - q > 0) * 1.0
            q = 0.9 * q + s
        membranes.append(v)
        spikes.append(s)
    return np.stack(membranes, 1), np.stack(spikes, 1)


def first_layer(model: SRNN) -> dict[str, np.ndarray]:
    return {
        name.removeprefix("layers.0."): value.astype(np.float64)
        for name, value in model.weights().items()
        if name.startswith("layers.0.")
    }


@pytest.mark.parametrize("kind", NEW)
def test_it_computes_its_docstring(kind: str) -> None:
    model, x = network(kind), draw()
    model.load_weights(model.weights())
    membranes, spikes = by_hand(kind, first_layer(model), x.astype(float))
    assert 0.02 < spikes.mean() < 0.5
    found = model.double()(torch.from_numpy(x).double())
    np.testing.assert_allclose(found.spikes[0].detach(), spikes, atol=1e-9)
    assert 0.01 < found.spikes[1].mean() < 0.6
    file = FloatModel(model.config, model.float().weights(), TASK)
    ran = run_float(file, x)
    np.testing.assert_allclose(ran.membranes[0], membranes, atol=1e-6)
    np.testing.assert_array_equal(ran.spikes[0], spikes)


@pytest.mark.parametrize("kind", NEW)
def test_gradients_are_those_of_float64(kind: str) -> None:
    x = draw()
    gradients = []
    for dtype in (torch.float32, torch.float64):
        model = network(kind).to(dtype)
        outputs = model(torch.from_numpy(x).to(dtype))
        g = torch.Generator().manual_seed(3)
        weighing = torch.randn(outputs.output.shape, generator=g).to(dtype)
        (
            (outputs.output * weighing).sum() + outputs.spikes[1].sum() + outputs.spikes[0].sum()
        ).backward()
        gradients.append({name: p.grad for name, p in model.named_parameters()})
    names = {entry.name for entry in FLOAT_NEURONS[kind].PARAMETERS}
    assert all(any(name in key for key in gradients[0]) for name in names)
    for name, exact in gradients[1].items():
        assert exact is not None, name
        assert exact.abs().max() > 0, name
        error = (gradients[0][name].double() - exact).abs().max() / exact.abs().max()
        assert error < 1e-4, name


@pytest.mark.parametrize("readout", ["membrane", "spike_count"])
@pytest.mark.parametrize("kind", NEW)
def test_the_grid_is_the_same_everywhere(kind: str, readout: str) -> None:
    model, inputs = network(kind, readout=readout), draw()
    model.grid = OnGrid(
        model.config, Quantization(), TASK, lambda *given: run(*given, record="states")
    )
    model.grid.calibrate(model.weights(), inputs)
    outputs = model(torch.from_numpy(inputs).float())
    frozen = model.grid.freeze(model.weights()).network
    expected = reference.run(frozen, inputs)
    assert not any(r.different for r in compare(run(frozen, inputs), expected))
    for sent, layer in zip(outputs.spikes, expected.layers, strict=True):
        if layer.spikes is not None:
            assert 0.01 < layer.spikes.mean() < 0.9
            np.testing.assert_array_equal(sent.detach().numpy(), layer.spikes)
    if readout == "membrane":
        real = expected.output * frozen.layers[-1].state_scale
        np.testing.assert_array_equal(outputs.output.detach().numpy(), real.astype(np.float32))
    outputs.output.sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    file = FloatModel(
        model.config, model.weights(), TASK, quantization=model.grid.description(),
        samples={"inputs": inputs, "output": outputs.output.detach().numpy()},
    )  # fmt: skip
    network_, _ = quantize(file, None, reference.run, inputs)
    assert not any(r.different for r in compare(reference.run(network_, inputs), expected))


@pytest.mark.parametrize("kind", [*NEW, "alif", "lif"])
def test_integers_mean_what_they_were_made_from(kind: str) -> None:
    model, inputs = network(kind), draw()
    file = FloatModel(model.config, model.weights(), TASK)
    made, reports = quantize(file, Quantization(), reference.run, inputs)
    neuron = FLOAT_NEURONS[kind]
    w = first_layer(model)
    real = neuron.coefficients(type("P", (), w))
    meant = neuron.meaning(made.layers[0].neuron, made.layers[0].state_scale)
    assert set(meant) == set(real)
    for name, value in real.items():
        np.testing.assert_allclose(meant[name], value, rtol=3e-2, atol=2e-4, err_msg=name)
    assert reports[0].decay_error < 2e-4
    # With these coefficients the float equations compute nearly what the integers do.
    recorded, layer = reference.run(made, inputs).layers[0], made.layers[0]
    assert layer.recurrent is not None
    assert recorded.spikes is not None
    scale = layer.state_scale[:, None] * 64
    weight = scale * dense(layer.synapses).weight * 2.0**layer.synapses.weight_exp
    back = scale * layer.recurrent.weight * 2.0**layer.recurrent.weight_exp
    bias = layer.state_scale * getattr(layer.neuron, "bias")  # noqa: B009
    state: Any = SimpleNamespace(**{name: np.zeros((BATCH, SIZE)) for name in neuron.STATES})
    differ = 0
    for t in range(STEPS):
        current = inputs[:, t] @ weight.T + state.s @ back.T + bias
        after = neuron.step(SimpleNamespace(**meant), state, current, lambda x: (x > 0) * 1.0)
        state = SimpleNamespace(**after)
        differ += int((state.s != recorded.spikes[:, t]).sum())
    assert differ < 0.02 * recorded.spikes.sum()


@pytest.mark.parametrize("late", [0, 9])
@pytest.mark.parametrize("kind", ["alif", "lif", "cuba_lif", *NEW])
def test_the_loop_on_the_grid_equals_the_engine(kind: str, late: int) -> None:
    inputs = draw()
    found = []
    for engine in ("events", "loop"):
        model = network(kind, delay=Delay(0, late), delay_rec=Delay(0, late))
        model.engine = engine
        model.grid = OnGrid(
            model.config, Quantization(), TASK, lambda *given: run(*given, record="states")
        )
        outputs = model(torch.from_numpy(inputs).float())
        (outputs.output.square().sum() + outputs.spikes[0].sum()).backward()
        found.append((outputs, {name: p.grad for name, p in model.named_parameters()}))
    (one, mine), (other, theirs) = found
    assert torch.equal(one.output, other.output)
    assert all(torch.equal(a, b) for a, b in zip(one.spikes, other.spikes, strict=True))
    for name, gradient in mine.items():
        if gradient is not None:
            expected = theirs[name]
            assert expected is not None, name
            scale = expected.abs().max().clamp(min=1e-3)
            assert ((gradient - expected).abs().max() / scale) < 2e-3, name


class Cousin(ALIF):
    """ALIF whose second state is what is added to the threshold; it becomes the same integers."""

    NAME = "cousin"
    STATES = ("added", "v", "s")
    INITIAL: ClassVar[dict[str, str]] = {}

    @staticmethod
    def step(c: Any, s: Any, current: Any, spike: Any) -> dict[str, Any]:
        added = lerp(c.adaptation * s.s, s.added, c.rho)
        limit = c.threshold + added
        v = fma(c.alpha, s.v, current) - limit * s.s
        return {"added": added, "v": v, "s": spike(v - limit)}

    @staticmethod
    def real_states(record: Any, scale: Any, states: Any) -> dict[str, Any]:
        return {"added": scale * states["d"] / 2.0**record.b_exp, "v": scale * states["v"]}


def test_an_own_neuron_that_becomes_built_in_integers() -> None:
    register_float(Cousin)
    try:
        found = []
        for engine in ("events", "loop"):
            torch.manual_seed(0)
            layers = (LayerConfig("cousin", SIZE, recurrent=True), LayerConfig("li", OUT))
            model = SRNN(ModelConfig(INPUTS, layers), engine)
            model.grid = OnGrid(
                model.config, Quantization(), TASK, lambda *given: run(*given, record="states")
            )
            outputs = model(torch.from_numpy(draw()).float())
            (outputs.output.square().sum() + outputs.spikes[0].sum()).backward()
            gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
            found.append((outputs, gradients))
        (one, mine), (other, theirs) = found
        assert torch.equal(one.output, other.output)
        assert one.spikes[0].sum() > 50
        for name, gradient in mine.items():
            scale = theirs[name].abs().max().clamp(min=1e-3)
            assert ((gradient - theirs[name]).abs().max() / scale) < 2e-3, name
    finally:
        del FLOAT_NEURONS["cousin"]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "gain"), [("adlif", 2.0), ("brf", 30.0)])
@pytest.mark.parametrize(
    ("task", "least", "quantized"),
    [
        ("digits", 0.6, False),
        pytest.param("ecg", 0.33, True, marks=pytest.mark.needs_data("qtdb_ecg")),
    ],
)
def test_five_epochs_learn(  # noqa: PLR0917
    task: str, least: float, kind: str, gain: float, quantized: bool, tmp_path: Path
) -> None:
    words = [task, "--layers.0.neuron", kind, "--layers.0.weight_gain", str(gain)]
    words += ["--surrogate.name", "exponential", "--epochs", "5", "--out", str(tmp_path / "run")]
    if kind == "adlif":
        for name, low, high in (("tau_mem", "5", "25"), ("tau_adp", "60", "300")):
            words += [f"--layers.0.{name}.kind", "uniform", f"--layers.0.{name}.low", low]
            words += [f"--layers.0.{name}.high", high]
    if kind == "brf" and task == "digits":
        words += ["--layers.0.parameters.omega.kind", "uniform"]
        words += ["--layers.0.parameters.omega.low", "0.05"]
        words += ["--layers.0.parameters.omega.high", "0.3"]
    words += ["--data", str(data_root())] if task == "ecg" else []
    assert train_main([*words, "--no-test", *(["--quantize"] if quantized else [])]) == 0
    assert read_model(tmp_path / "run" / "model.pt").metrics["validation"]["accuracy"] > least
