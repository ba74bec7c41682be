"""The float model in NumPy against the one that is trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from export_models import float_model, spikes
from srnn.export.checkpoint import LayerConfig, check_samples
from srnn.export.errors import InputError
from srnn.export.float_run import run_float, with_answers
from srnn.neurons.cuba_lif import TAU_SYN_NONE
from srnn.train.network import SRNN

pytestmark = pytest.mark.extra("train")


@pytest.mark.parametrize("neuron", ["alif", "lif", "cuba_lif"])
def test_equals_the_trained_network(neuron: str) -> None:
    layers = (
        LayerConfig(neuron, 14, recurrent=True, initial_adaptation=0.5),
        LayerConfig(neuron, 8), LayerConfig("li", 3),
    )  # fmt: skip
    low = {"layers__0__threshold": np.full(14, 0.05), "layers__1__threshold": np.full(8, 0.05)}
    model = float_model(*layers, seed=2, task={"input_scale": 0.5}, **low)
    inputs = spikes(3, 5, 60)
    network = SRNN(model.config).double()
    network.load_weights(model.weights)
    with torch.no_grad():
        theirs = network(torch.tensor(0.5 * inputs, dtype=torch.float64))
    ours = run_float(model, inputs)
    for their, our in zip(theirs.spikes[:2], ours.spikes[:2], strict=True):
        assert their.sum() > 20
        np.testing.assert_array_equal(our, their.numpy().astype(bool))
    # The trainer keeps time constants as raw single-precision values.
    np.testing.assert_allclose(ours.membranes[-1], theirs.output.numpy(), rtol=1e-3, atol=1e-5)


def test_answers_are_samples_of_a_model() -> None:
    model = float_model(LayerConfig("lif", 9), LayerConfig("li", 3))
    samples = with_answers(model, {"inputs": spikes(0, 3, 21)})
    check_samples(model.config, samples)
    np.testing.assert_array_equal(
        np.unpackbits(samples["spikes.0"], axis=1, count=21),
        run_float(model, samples["inputs"]).spikes[0],
    )


def test_graded_layers_are_refused() -> None:
    with pytest.raises(InputError, match="no integer form for layer 0"):
        run_float(float_model(LayerConfig("alif_relu", 3)), spikes(0, 1, 4))


def test_a_current_without_filter_cannot_be_trained() -> None:
    model = float_model(LayerConfig("cuba_lif", 3), layers__0__tau_syn=np.full(3, TAU_SYN_NONE))
    with pytest.raises(InputError, match=r"tau_syn: 0\.001 steps is below 0\.2"):
        SRNN(model.config).load_weights(model.weights)
