"""The fused kernels on a GPU; skipped by name where there is none."""

from __future__ import annotations

import warnings

import pytest
import torch
from cuda_cases import cases, error, fused, on, stack
from engine_reference import draw, run_engine
from srnn.export.config import LayerConfig, ModelConfig
from srnn.train.engine import SpikingSequence
from srnn.train.network import SRNN

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.mark.parametrize("name", cases())
def test_on_a_device(name):
    check, arguments = cases()[name]
    check("cuda", **arguments)


@pytest.mark.parametrize("n", [64, 128, 256, 512, 1024, 2048])
@pytest.mark.parametrize("neuron", ["alif", "alif_relu", "cuba_lif"])
def test_layers_of_real_size_equal_the_cpu_engine(neuron, n):
    """Threads of a program that read each other's spikes too early would show here."""
    shape = {"batch": 70, "steps": 50, "channels": 40, "n": n}
    for seed in range(10):
        other = draw(neuron, seed, **shape).to(torch.float32)
        case = on(other, "cuda")
        mine, theirs = fused(case), run_engine(other)
        if ((mine[1].cpu() != 0) == (theirs[1] != 0)).float().mean() > 0.9999:
            break
    else:
        pytest.fail("more than one spike in 10000 differs in every drawn layer")
    weights = torch.randn(theirs[0].shape, generator=torch.Generator().manual_seed(0))
    for outputs in (mine, theirs):
        (outputs[0] * weights.to(outputs[0])).sum().backward()
    # Single membranes may cross the threshold.
    for name, leaf in case.leaves().items():
        expected = other.leaves()[name].grad
        difference = (leaf.grad.cpu() - expected).norm() / expected.norm().clamp(min=1e-6)
        assert difference < 0.02, name


def test_a_network_and_a_layer_take_the_kernels():
    config = ModelConfig(
        5, (LayerConfig("alif", 7, recurrent=True), LayerConfig("li", 3)), "mean_softmax"
    )
    inputs = torch.rand(2, 4, 5, device="cuda")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        output = SRNN(config, "events").to("cuda")(inputs).output
    assert type(output.grad_fn).__name__ == "LayerBackward"
    layer = SpikingSequence(config.layers[0], inputs=5)
    expected = layer(inputs.cpu())
    found = layer.to("cuda")(inputs)
    assert error(found.membranes.cpu(), expected.membranes.detach()) < 1e-4


def test_memory_is_what_the_docstring_says():
    batch, steps, channels, n = 64, 200, 8, 256
    case = on(draw("alif", 0, batch=batch, steps=steps, channels=channels, n=n), "cuda")
    case.inputs.requires_grad_(False)
    one = 4 * batch * steps * n

    def measured(needed):
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        spikes = stack(case, membranes=False).spikes[0]
        after = torch.cuda.memory_allocated()
        if needed:
            spikes.backward(torch.ones_like(spikes))
        torch.cuda.synchronize()
        case.weight.grad = case.recurrent_weight.grad = None
        return (after - before) / one, (torch.cuda.max_memory_allocated() - before) / one

    for needed, kept, peak in ((False, 1, 2), (True, 3, 6)):
        for leaf in case.leaves().values():
            leaf.requires_grad_(needed and leaf is not case.inputs)
        # The first run allocates the workspaces of the matrix products.
        measured(needed)
        found = measured(needed)
        # In addition to sequences there are weights and states.
        assert found[0] == pytest.approx(kept, abs=0.2)
        assert found[1] == pytest.approx(peak, abs=0.4)
