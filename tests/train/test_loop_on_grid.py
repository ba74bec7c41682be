"""Runs on the chip's grid: reported numbers, resume, fine-tuning, firing rates."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
import torch
from srnn.export.checkpoint import read_model
from srnn.export.errors import InputError
from srnn.export.quantize import quantize
from srnn.export.trace import Trace
from srnn.export.verify import compare_with_float
from srnn.simulate.evaluate import evaluate as evaluate_integers
from srnn.simulate.simulator import run
from srnn.train.evaluate import evaluate
from srnn.train.loop import Stopped, fit
from srnn.train.network import SRNN
from srnn.train.recipe import make_recipe
from srnn.train.run import MODEL
from srnn.train.save import float_model
from train_helpers import recipe, task


def simulate(network: Any, inputs: Any, lengths: Any) -> Trace:
    return run(network, inputs, lengths, record="states")


def on_grid(readout: str = "mean_softmax", neuron: str = "alif", bits: int = 8, **training: Any):
    plain = asdict(recipe(readout, **{"quantize": True, "learning_rate": 0.02, **training}))
    plain["quantization"]["weight_bits"] = bits
    plain["model"]["layers"][0]["neuron"] = neuron
    plain["model"]["surrogate"] = {"name": "multi_gaussian"}
    return make_recipe(plain)


def data(readout: str, **settings: Any) -> Any:
    return task(per_step=readout == "membrane", skip_steps=1, **settings)


@pytest.mark.parametrize("neuron", ["alif", "lif", "cuba_lif"])
@pytest.mark.parametrize("readout", ["membrane", "mean_softmax", "spike_count", "last_membrane"])
@pytest.mark.parametrize("bits", [8, 4])
def test_what_training_reports_is_what_the_integers_do(tmp_path, neuron, readout, bits):
    if neuron == "cuba_lif" and readout == "spike_count":
        readout = "membrane"
    own = data(readout, ragged=readout == "mean_softmax")
    settings = on_grid(readout, neuron, bits)
    model, _ = fit(settings, own, tmp_path, simulate=simulate)
    found = evaluate(model, own, own.validation)
    file = read_model(tmp_path / MODEL)
    network, _ = quantize(file, None, simulate, file.samples["inputs"], file.samples.get("lengths"))
    measured = evaluate_integers(network, own.validation, skip_steps=own.skip_steps)
    assert found.metrics == measured.metrics
    ran = [layer for layer in measured.activity.layers if layer.spiking]
    rate = sum(x.spike_count for x in ran) / sum(x.neuron_updates for x in ran)
    assert found.firing_rate == pytest.approx(rate)
    trace = simulate(network, file.samples["inputs"], file.samples.get("lengths"))
    parity = compare_with_float(file, network, trace)
    assert parity.changed_predictions == 0
    assert set(parity.equal_spikes.values()) <= {1.0}
    assert parity.float_spikes == parity.integer_spikes
    assert file.metrics["validation"] == found.metrics


def test_resume_gives_the_bits_of_a_run_that_nothing_stopped(tmp_path):
    settings, own = on_grid(epochs=3), data("mean_softmax")
    whole, _ = fit(settings, own, tmp_path / "whole", simulate=simulate)

    def stop(row: dict[str, float]) -> None:
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises((KeyboardInterrupt, Stopped)):
        fit(settings, own, tmp_path / "parts", simulate=simulate, on_epoch=stop)
    parts, _ = fit(settings, own, tmp_path / "parts", True, simulate=simulate)
    for name, weight in whole.weights().items():
        np.testing.assert_array_equal(weight, parts.weights()[name], err_msg=name)
    assert whole.grid is not None
    assert parts.grid is not None
    assert whole.grid.description() == parts.grid.description()


def test_fine_tuning_starts_from_a_float_model(tmp_path):
    own = data("mean_softmax")
    first, _ = fit(recipe(epochs=1), own, tmp_path / "float")
    start = float_model(first, own)
    settings = on_grid(epochs=1, learning_rate=1e-12)
    tuned, _ = fit(settings, own, tmp_path / "chip", simulate=simulate, start=start)
    for name, weight in tuned.weights().items():
        np.testing.assert_allclose(weight, start.weights[name], rtol=1e-5, atol=1e-6)
    other = on_grid("membrane", "lif")
    with pytest.raises(InputError, match="start: the model has 3 inputs and layers"):
        fit(other, data("membrane"), tmp_path / "x", simulate=simulate, start=start)


def test_settings_that_the_grid_cannot_have():
    with pytest.raises(InputError, match="runs on the cpu, not cuda"):
        on_grid(device="cuda")
    with pytest.raises(InputError, match="truncate_steps 5"):
        on_grid(truncate_steps=5)
    with pytest.raises(InputError, match=r"weight_bits 9 is outside 3\.\.8"):
        on_grid(bits=9)


@pytest.mark.parametrize("quantized", [False, True])
def test_a_rate_bound_makes_neurons_fire_less(tmp_path, quantized):
    own = data("mean_softmax")
    rates = []
    for weight in (0.0, 300.0):
        settings = recipe(
            epochs=6, learning_rate=0.02, quantize=quantized, rate_weight=weight, largest_rate=0.05
        )
        model, state = fit(settings, own, tmp_path / str(weight), simulate=simulate)
        assert isinstance(model, SRNN)
        rates.append(state.history[-1]["train_firing_rate"])
    assert rates[1] < 0.6 * rates[0]


def test_the_rate_penalty_is_its_equation():
    from srnn.train.batches import make_batch
    from srnn.train.step import rate_penalty

    own = data("mean_softmax", ragged=True)
    model = SRNN(recipe().model.resolve(3, 3, 1), "events")
    batch = make_batch(own.train, np.arange(6), 1.0)
    outputs = model(batch.inputs, batch.lengths)
    settings = recipe(rate_weight=2.0, target_rate=0.2, largest_rate=0.1).training
    assert batch.lengths is not None
    running = torch.arange(12) < batch.lengths[:, None]
    rate = (outputs.spikes[0] * running[..., None]).sum((0, 1)) / running.sum()
    expected = 2 * (((rate - 0.2) ** 2).mean() + (torch.relu(rate - 0.1) ** 2).mean())
    torch.testing.assert_close(torch.as_tensor(rate_penalty(outputs, batch, settings)), expected)
    assert rate_penalty(outputs, batch, recipe().training) == 0.0
