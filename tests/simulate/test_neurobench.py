"""The same networks through NeuroBench's harness: the same numbers, exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from neurobench.benchmarks import Benchmark
from neurobench.metrics.static import ConnectionSparsity, Footprint, ParameterCount
from neurobench.metrics.workload import (
    ActivationSparsity,
    ActivationSparsityByLayer,
    MembraneUpdates,
    SynapticOperations,
)
from neurobench_model import IntegerNetwork, IntegerNeurons, Integrators, Stored, Wrapped
from paths import ROOT
from simulate_networks import random_convolution, random_inputs, random_network
from srnn.export.network import Network, Readout
from srnn.export.netx import read_net, read_samples
from srnn.simulate.measures import measure_network
from srnn.simulate.simulator import run_with_activity
from torch.utils.data import DataLoader, TensorDataset

pytestmark = pytest.mark.extra("neurobench")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Spiking(IntegerNeurons):
    """A name of its own for layers whose outputs are activations."""


def harness(
    network: Network, inputs: np.ndarray, batch: int, metrics: list[Any], spiking_only: bool = False
) -> tuple[dict[str, Any], np.ndarray]:
    """Run NeuroBench's benchmark; return its results, and v of the last layer."""
    module = IntegerNetwork(network)
    model = Wrapped(module, (IntegerNeurons,))
    if spiking_only:
        # Membranes count in all layers, activations in those alone that spike.
        for layer in module.layers:
            if type(layer.neurons) is IntegerNeurons:
                layer.neurons.__class__ = Spiking
        model = Wrapped(module, (Spiking,))
    seen: list[np.ndarray] = []

    def keep(answers: torch.Tensor) -> torch.Tensor:
        seen.append(answers.numpy())
        return answers

    data = TensorDataset(torch.from_numpy(inputs.astype(np.int64)), torch.zeros(len(inputs)))
    loader = DataLoader(data, batch_size=batch)
    static = [ConnectionSparsity, ParameterCount]
    benchmark = Benchmark(model, loader, [], [keep], [static, metrics])
    return benchmark.run(quiet=True), np.concatenate(seen)


def compare(network: Network, inputs: np.ndarray, batch: int = 3) -> None:
    trace, activity = run_with_activity(network, inputs)
    found, v = harness(network, inputs, batch, [SynapticOperations, MembraneUpdates])
    assert np.array_equal(v, trace.layers[-1].states["v"])
    ours = activity.per_sample()
    theirs = found["SynapticOperations"]
    assert theirs == {name: ours[name] for name in ("Effective_MACs", "Effective_ACs", "Dense")}
    assert theirs["Dense"] > theirs["Effective_ACs"] + theirs["Effective_MACs"] > 0
    assert found["MembraneUpdates"] == ours["Membrane Updates"] > 0
    measures = measure_network(network)
    assert found["ConnectionSparsity"] == round(measures.connection_sparsity, 4)
    assert found["ParameterCount"] == measures.weights
    # Workload metrics that are not sums are means over batches there; one batch has all.
    metrics = [ActivationSparsity, ActivationSparsityByLayer]
    found, _ = harness(network, inputs, len(inputs), metrics, spiking_only=True)
    # Ours divides one sum by another; the harness adds up shares, which costs a last bit.
    close = pytest.approx(activity.activation_sparsity, rel=1e-12)
    assert found["ActivationSparsity"] == close
    spiking = [layer for layer in activity.layers if layer.spiking]
    if len(spiking) == 1:
        assert list(found["ActivationSparsityByLayer"].values()) == [spiking[0].activation_sparsity]


@pytest.mark.parametrize("kinds", [["SRNN_ALIF", "SRNN_LI"], ["CUBA", "ATRLIF", "SRNN_ALIF"]])
@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2, 3))])
def test_random_networks(seed: int, kinds: list[str]) -> None:
    network = random_network(seed, kinds, [17, 9, 6][: len(kinds)], 12)
    compare(network, random_inputs(seed, network, 5, 20 if seed else 5))


def test_graded_inputs_are_macs() -> None:
    network = random_network(4, ["SRNN_ALIF", "SRNN_LI"], [17, 6], 12, message_bits=6)
    inputs = random_inputs(4, network, 5, 6)
    # NeuroBench calls a step whose values are all -1, 0 or 1 binary.
    inputs[:, :, 0] = 7
    compare(network, inputs)


def test_convolutions() -> None:
    convolution = random_convolution(np.random.default_rng(5), extreme=False, delays=False)
    network = random_network(
        5, ["SRNN_LI"], [4], convolution.n_in, convolutions=[convolution], recurrent=False
    )
    compare(network, random_inputs(5, network, 4, 6, density=0.5))


def test_a_network_of_the_zoo() -> None:
    network, samples = read_net(ROOT / "zoo/ecg.net"), read_samples(ROOT / "zoo/ecg.net")
    assert samples is not None
    compare(network, samples.inputs[:, 300:330])


def test_footprint_is_that_of_the_stored_integers() -> None:
    network = random_network(6, ["SRNN_ALIF", "CUBA", "SRNN_LI"], [13, 8, 3], 5)
    network = replace(network, readout=Readout("mean_softmax"))
    for made in (network, read_net(ROOT / "zoo/digits.net")):
        found = Footprint()(Wrapped(Stored(made), ()))
        assert found == measure_network(made).footprint


def test_silent_failures_of_the_harness_would_show() -> None:
    network = random_network(0, ["SRNN_ALIF", "SRNN_LI"], [17, 6], 12)
    assert isinstance(IntegerNetwork(network).layers[-1].neurons, Integrators)
    inputs = random_inputs(0, network, 5, 5)
    found, _ = harness(network, inputs, 5, [SynapticOperations, MembraneUpdates])
    assert None not in found.values()
    _, activity = run_with_activity(network, inputs[:4])
    assert found["SynapticOperations"]["Effective_ACs"] != activity.per_sample()["Effective_ACs"]
