from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from srnn import tasks
from srnn.export.checkpoint import Init, LayerConfig, ModelConfig
from srnn.export.errors import InputError
from srnn.export.quantize import Quantization, quantize
from srnn.simulate.evaluate import evaluate as evaluate_integers
from srnn.simulate.simulator import run
from srnn.train.evaluate import evaluate
from srnn.train.foreign import from_foreign_weights
from srnn.train.network import SRNN
from srnn.train.save import float_model

MAPPING: dict[str, Any] = {
    "layers.0.weight": "i2h.weight",
    "layers.0.weight_rec": "h2h.weight",
    "layers.0.bias": ("i2h.bias", "h2h.bias"),
    "layers.1.weight": "h2o.weight",
    "layers.1.bias": "h2o.bias",
    "layers.1.tau_adp": "tau_adp_o",
}


def published(data_dir: Path, year: int) -> SRNN:
    file, threshold = {2021: ("ecg_2021_0.859.pth", 0.1), 2020: ("ecg_2020_0.853.pth", 0.01)}[year]
    state = torch.load(data_dir / "checkpoints" / file, map_location="cpu", weights_only=True)
    hidden = LayerConfig("lif", 36, recurrent=True, threshold=threshold)
    output = LayerConfig("alif", 6, threshold=threshold, adaptation=1.8, initial_adaptation=0.01)
    mapping = dict(MAPPING)
    if year == 2021:
        mapping |= {"layers.0.tau_mem": "tau_m_h", "layers.1.tau_mem": "tau_m_o"}
    config = ModelConfig(4, (hidden, output), readout="membrane", skip_steps=10)
    return from_foreign_weights(config, state, mapping)


@pytest.fixture
def ecg(data_dir: Path) -> tasks.Task:
    return tasks.load("ecg", data_dir)


@pytest.mark.needs_data("checkpoints")
@pytest.mark.needs_data("qtdb_ecg")
@pytest.mark.parametrize(("year", "expected"), [(2021, 85.8), (2020, 83.2)])
def test_published_weights_in_float(
    data_dir: Path, ecg: tasks.Task, year: int, expected: float
) -> None:
    found = evaluate(published(data_dir, year), ecg, ecg.test)
    assert 100 * found.metrics["accuracy"] == pytest.approx(expected, abs=0.1)


@pytest.mark.needs_data("checkpoints")
@pytest.mark.needs_data("qtdb_ecg")
@pytest.mark.parametrize(
    ("options", "expected"),
    [(Quantization("neuron"), 85.7), (Quantization("layer", exponents=False), 84.9)],
)
def test_published_weights_in_integers(
    data_dir: Path, ecg: tasks.Task, options: Quantization, expected: float
) -> None:
    model = float_model(published(data_dir, 2021), ecg)

    def simulate(network: Any, inputs: Any, lengths: Any) -> Any:
        return run(network, inputs, lengths, record="states")

    network, _ = quantize(model, options, simulate, model.samples["inputs"])
    found = evaluate_integers(network, ecg.test, skip_steps=10)
    assert 100 * found.metrics["accuracy"] == pytest.approx(expected, abs=0.1)


CONFIG = ModelConfig(
    2,
    (
        LayerConfig("alif", 3, recurrent=True, threshold=0.3, adaptation=0.9, tau_mem=Init(mean=8)),
        LayerConfig("li", 2, tau_mem=Init(mean=9.0)),
    ),
)
NAMES = {
    "layers.0.weight": "w",
    "layers.0.weight_rec": "r",
    "layers.0.bias": ("b", "c"),
    "layers.0.tau_adp": "t",
    "layers.1.weight": "o",
}


def weights() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "w": torch.from_numpy(rng.normal(size=(3, 2))),
        "r": rng.normal(size=(3, 3)),
        "b": torch.ones(3, dtype=torch.bfloat16, requires_grad=True),
        "c": [1.0, 2.0, 3.0],
        "t": np.array([10.0, 20.0, 30.0]),
        "o": rng.normal(size=(2, 3)),
    }


def test_names_are_mapped_summed_and_filled_in() -> None:
    given = weights()
    found = from_foreign_weights(CONFIG, given, NAMES).weights()
    np.testing.assert_allclose(found["layers.0.weight"], given["w"], rtol=1e-6)
    np.testing.assert_allclose(found["layers.0.weight_rec"], given["r"], rtol=1e-6)
    np.testing.assert_allclose(found["layers.0.bias"], [2, 3, 4])
    np.testing.assert_allclose(found["layers.0.tau_adp"], [10, 20, 30], rtol=1e-5)
    np.testing.assert_allclose(found["layers.0.tau_mem"], [8] * 3, rtol=1e-5)
    np.testing.assert_allclose(found["layers.0.threshold"], [0.3] * 3)
    np.testing.assert_allclose(found["layers.0.adaptation"], [0.9] * 3)
    np.testing.assert_allclose(found["layers.1.bias"], [0, 0])
    np.testing.assert_allclose(found["layers.1.tau_mem"], [9, 9], rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "mapping", "said"),
    [
        (
            {},
            {"layers.0.wieght": "w"},
            "unknown weight of the network 'layers.0.wieght'; did you mean",
        ),
        ({}, {"layers.0.weight": "x"}, "layers.0.weight: unknown weight 'x' (known: w, r, b"),
        (
            {},
            {"layers.0.bias": ("b", "d")},
            "layers.0.bias: unknown weight 'd' (known: w",
        ),
        ({"w": np.zeros((2, 3))}, {}, "mapping: w has shape (2, 3), layers.0.weight needs (3, 2)"),
        ({"t": [10.0, np.nan, 3.0]}, {}, "layers.0.tau_adp[1] is nan"),
        (
            {"t": [10.0, -2.0, 3.0]},
            {},
            "layers.0.tau_adp: 1 of 3 time constants lie outside 0.2..4095",
        ),
        ({"o": np.full((2, 3), 1e60)}, {}, "layers.1.weight[0, 0] is inf, not a finite number"),
        ({"o": "text"}, {}, "mapping: o holds no numbers"),
        ({"o": {"a": 1}}, {}, "mapping: o holds no numbers"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
def test_what_does_not_fit(change: dict[str, Any], mapping: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as raised:
        from_foreign_weights(CONFIG, {**weights(), **change}, {**NAMES, **mapping})
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_weights_must_be_mapped_and_initial_values_constant() -> None:
    less = {name: source for name, source in NAMES.items() if name != "layers.1.weight"}
    with pytest.raises(InputError, match=r"layers.1.weight must be mapped to a name of the given"):
        from_foreign_weights(CONFIG, weights(), less)
    drawn = LayerConfig("li", 2, tau_mem=Init("uniform"))
    with pytest.raises(InputError, match=r"layers.1.tau_mem is not mapped and its .* is uniform"):
        from_foreign_weights(ModelConfig(2, (CONFIG.layers[0], drawn)), weights(), NAMES)


def test_time_constants_can_be_clipped() -> None:
    given = {**weights(), "t": [-5.0, 0.0, 1e6]}
    with pytest.raises(InputError, match=r"3 of 3 .* such as -5 of neuron 0; clip_time_constants"):
        from_foreign_weights(CONFIG, given, NAMES)
    with pytest.warns(UserWarning, match=r"layers\.0\.tau_adp: 3 of 3 .*, which became 0\.2"):
        found = from_foreign_weights(CONFIG, given, NAMES, clip_time_constants=True).weights()
    np.testing.assert_allclose(found["layers.0.tau_adp"], [0.2, 0.2, 4095], rtol=1e-4)
