"""A reference for the engine: the plain loop of ``train/neurons.py`` in float64 autograd."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from srnn.export.config import FLOAT_NEURONS, LayerConfig
from srnn.train.engine.sequence import spiking_sequence
from srnn.train.engine.surrogates import encode
from srnn.train.neurons import Neuron, coefficient_names
from srnn.train.surrogate import SURROGATES, spike
from torch import Tensor

NAMES = {name: coefficient_names(name) for name in FLOAT_NEURONS}


@dataclass(frozen=True)
class Case:
    """A layer call: every tensor a leaf."""

    neuron: str
    inputs: Tensor
    weight: Tensor
    recurrent_weight: Tensor | None
    bias: Tensor
    coefficients: tuple[Tensor, ...]
    state: tuple[Tensor, ...]
    surrogate: Any

    def leaves(self) -> dict[str, Tensor]:
        found = {"inputs": self.inputs, "weight": self.weight, "bias": self.bias}
        if self.recurrent_weight is not None:
            found["recurrent_weight"] = self.recurrent_weight
        found |= dict(zip(NAMES[self.neuron], self.coefficients, strict=True))
        states = FLOAT_NEURONS[self.neuron].STATES
        return found | {f"{k}0": v for k, v in zip(states, self.state, strict=True)}

    def to(self, kind: torch.dtype) -> Case:
        def leaf(x: Tensor | None) -> Any:
            return None if x is None else x.detach().to(kind).clone().requires_grad_()

        return replace(
            self,
            inputs=leaf(self.inputs),
            weight=leaf(self.weight),
            recurrent_weight=leaf(self.recurrent_weight),
            bias=leaf(self.bias),
            coefficients=tuple(leaf(x) for x in self.coefficients),
            state=tuple(leaf(x) for x in self.state),
        )


def draw(  # noqa: PLR0917
    neuron: str,
    seed: int,
    batch: int = 5,
    steps: int = 11,
    channels: int = 21,
    n: int = 13,
    recurrent: bool = True,
    density: float = 0.2,
    graded: bool = True,
    bias: float = 0.0,
    surrogate: str = "multi_gaussian",
) -> Case:
    """Draw a layer whose neurons fire at about 5 to 40 % unless the bias drives them."""
    g = torch.Generator().manual_seed(seed)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(*shape, generator=g)

    fires = (torch.rand(batch, steps, channels, generator=g) < density).float()
    inputs = fires * uniform(0.5, 1.5, batch, steps, channels) if graded else fires
    scale = (density * channels + 1) ** -0.5
    decays = {
        "alpha": uniform(0.6, 0.97, n),
        "alpha_syn": uniform(0.4, 0.9, n),
        "rho": uniform(0.8, 0.99, n),
        "threshold": uniform(0.05, 0.5, n),
        "adaptation": uniform(0.2, 1.8, n),
        "a_gain": uniform(0.0, 0.3, n),
        "w_step": uniform(0.0, 0.3, n),
        "keep": uniform(0.7, 0.98, n),
        "turn": uniform(0.02, 0.3, n),
        "q_gain": uniform(0.005, 0.05, n),
        "q_keep": uniform(0.7, 0.95, n),
    }
    states = {
        "v": uniform(-0.2, 0.2, batch, n),
        "i": uniform(-0.2, 0.2, batch, n),
        "b": uniform(0.0, 0.3, batch, n),
        "w": uniform(0.0, 0.3, batch, n),
        "x": uniform(-0.2, 0.2, batch, n),
        "q": uniform(0.0, 0.3, batch, n),
        "s": (torch.rand(batch, n, generator=g) < 0.3).float(),
    }
    return Case(
        neuron,
        inputs,
        scale * torch.randn(n, channels, generator=g),
        0.3 * n**-0.5 * torch.randn(n, n, generator=g) if recurrent else None,
        bias + 0.05 * torch.randn(n, generator=g),
        tuple(decays[name] for name in NAMES[neuron]),
        tuple(states[name] for name in FLOAT_NEURONS[neuron].STATES),
        SURROGATES[surrogate](),
    )


def run_loop(case: Case) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    """Return membranes, spikes and the last state of the plain loop."""
    neuron = Neuron(LayerConfig(neuron=case.neuron, size=len(case.bias)))
    coefficients, bias = case.coefficients, case.bias
    if neuron.kind.BIAS_IN_STEP:
        coefficients, bias = (*coefficients, bias), torch.zeros_like(bias)
    state, membranes, spikes = case.state, [], []
    for x in case.inputs.unbind(1):
        current = x @ case.weight.T + bias
        if case.recurrent_weight is not None:
            current = current + state[-1] @ case.recurrent_weight.T
        state = neuron.step(state, current, coefficients, lambda v: spike(v, case.surrogate))
        membranes.append(state[neuron.states.index("v")])
        spikes.append(state[-1])
    return torch.stack(membranes, 1), torch.stack(spikes, 1), state


def run_engine(case: Case, inputs: Any = None) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    """Return the same from the engine."""
    encoded = encode(case.surrogate)
    assert encoded is not None
    result = spiking_sequence(
        case.neuron,
        case.inputs if inputs is None else inputs,
        case.weight,
        case.recurrent_weight,
        case.bias,
        case.coefficients,
        case.state,
        encoded,
    )
    assert result.membranes is not None
    return result.membranes, result.spikes, result.state


def objective(outputs: tuple[Tensor, Tensor, tuple[Tensor, ...]]) -> Tensor:
    """Return a scalar that weighs every membrane, spike and last state differently."""
    membranes, spikes, state = outputs
    total = membranes.new_zeros(())
    for number, tensor in enumerate((membranes, spikes, *state)):
        g = torch.Generator().manual_seed(number)
        total = total + (tensor * torch.randn(tensor.shape, generator=g).to(tensor)).sum()
    return total


def agreeing(make: Any, tries: int = 30) -> tuple[Case, Case]:
    """Return the first drawn case, in both precisions, whose spikes agree."""
    for seed in range(tries):
        case = make(seed).to(torch.float32)
        exact = case.to(torch.float64)
        with torch.no_grad():
            same = ((run_engine(case)[1] != 0) == (run_loop(exact)[1] != 0)).all()
        if same:
            return case, exact
    raise AssertionError(f"the spikes of none of {tries} drawn layers agree with the loop's")


def relative_errors(case: Case, exact: Case, inputs: Any = None) -> dict[str, float]:
    """Run both passes; return the relative error of outputs and every gradient."""
    mine, theirs = run_engine(case, inputs), run_loop(exact)
    errors = {
        name: error(a, b)
        for name, a, b in zip(("membranes", "spikes"), mine[:2], theirs[:2], strict=True)
    }
    objective(mine).backward()
    objective(theirs).backward()
    other = exact.leaves()
    for name, leaf in case.leaves().items():
        if inputs is not None and name == "inputs":
            continue
        expected = other[name].grad
        assert leaf.grad is not None, name
        errors[name] = error(
            leaf.grad, torch.zeros_like(other[name]) if expected is None else expected
        )
    return errors


def error(found: Tensor, expected: Tensor) -> float:
    """Return the largest deviation relative to the largest expected element."""
    deviation = (found.detach().double() - expected.detach()).abs().max()
    return float(deviation / expected.detach().abs().max().clamp(min=1e-6))
