"""``torch.compile`` of a model with an engine layer: the same results, whatever it compiles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import numpy as np
import pytest
import torch
from srnn.train.engine import Events, SpikingSequence
from torch import Tensor, nn
from train_helpers import layer

pytestmark = [
    pytest.mark.slow,
    # Raised inside torch while it loads its compiler.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*"),
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf"),
]


@pytest.fixture(autouse=True)
def nothing_compiled_before() -> Iterator[None]:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


class Model(nn.Module):
    """Two engine layers between operations that torch can compile."""

    def __init__(self, neuron: str = "alif") -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(6))
        self.hidden = SpikingSequence(layer(neuron, 9, recurrent=True), inputs=6)
        self.readout = SpikingSequence(layer("li", 4), inputs=9)
        self.out = nn.Linear(4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        spikes = self.hidden(torch.relu(inputs * self.scale) + 0.1).spikes
        membranes = self.readout(spikes * 0.5 + 0.5 * spikes).membranes
        return torch.log_softmax(self.out(membranes), 2).mean(1)


class OnEvents(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = SpikingSequence(layer("lif", 9, recurrent=True), inputs=6)
        self.out = nn.Linear(9, 3)

    def forward(self, inputs: Events) -> Tensor:
        return torch.tanh(self.out(self.hidden(inputs).spikes)).mean(1)


def inputs(seed: int, batch: int = 3, steps: int = 20) -> Tensor:
    return torch.rand(batch, steps, 6, generator=torch.Generator().manual_seed(seed))


def result(model: nn.Module, x: object) -> tuple[Tensor, list[Tensor]]:
    model.zero_grad(set_to_none=True)
    output = cast(Tensor, model(x))
    output.square().sum().backward()
    return output.detach(), [p.grad for p in model.parameters() if p.grad is not None]


def same(model: nn.Module, compiled: nn.Module, x: object) -> None:
    output, gradients = result(model, x)
    again, others = result(compiled, x)
    torch.testing.assert_close(again, output, rtol=1e-5, atol=1e-6)
    assert len(gradients) == len(others) > 0
    for gradient, other in zip(gradients, others, strict=True):
        torch.testing.assert_close(other, gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("neuron", "backend"),
    [("alif", "eager"), ("alif", "inductor"), ("cuba_lif", "aot_eager")],
)
def test_results_and_gradients_are_the_same(neuron: str, backend: str) -> None:
    torch.manual_seed(0)
    model = Model(neuron)
    compiled = cast(nn.Module, torch.compile(model, backend=backend))
    assert model.hidden(inputs(0)).spikes.any()
    for batch, steps in ((3, 20), (3, 20), (5, 11)):
        same(model, compiled, inputs(batch, batch, steps))
    with torch.no_grad():
        torch.testing.assert_close(compiled(inputs(7)), model(inputs(7)))


def test_weights_may_change_between_calls() -> None:
    torch.manual_seed(0)
    model = Model()
    compiled = cast(nn.Module, torch.compile(model))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(4):
        same(model, compiled, inputs(step))
        optimizer.step()


def test_event_lists_go_through() -> None:
    torch.manual_seed(0)
    model = OnEvents()
    compiled = cast(nn.Module, torch.compile(model))
    for seed in range(2):
        dense = (inputs(seed).numpy() < 0.3).astype(np.float32)
        same(model, compiled, Events.from_dense(dense))


def test_a_loop_over_chunks_keeps_its_state() -> None:
    torch.manual_seed(0)
    model = SpikingSequence(layer("alif", 9, recurrent=True), inputs=6)

    def chunks(x: Tensor) -> Tensor:
        first = model(x[:, :8])
        return torch.cat((first.spikes, model(x[:, 8:], first.state).spikes), 1) * 2

    compiled = torch.compile(chunks)
    whole = model(inputs(3)).spikes * 2
    torch.testing.assert_close(chunks(inputs(3)), whole)
    torch.testing.assert_close(compiled(inputs(3)), whole)
