"""Networks of snnTorch and Norse, run and written by them, for the tests of NIR."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


@contextmanager
def their_warnings() -> Iterator[None]:
    """Both use functions that nirtorch deprecates; those warnings are ignored."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


with their_warnings():
    import nir
    import nirtorch
    import norse.torch as norse
    import snntorch as snn
    from norse.torch.utils.export_nir import _extract_norse_module, to_nir
    from norse.torch.utils.import_nir import from_nir
    from snntorch.export_nir import export_to_nir

__all__ = [
    "SnnTorchNet",
    "nir",
    "nirtorch",
    "norse",
    "norse_box",
    "norse_cell",
    "norse_recurrent",
    "read_by_norse",
    "run_norse",
    "snn",
    "write_norse",
    "write_snntorch",
]
CHANNELS, HIDDEN, OUT = 20, 40, 12


class SnnTorchNet(nn.Module):
    """Two layers of snnTorch; every neuron with its own decays.

    snnTorch's RSynaptic with a reset in the step of the spike raises a TypeError (1.0.0), hence
    ``by_hand``: Synaptic with explicit recurrence, which gives the spikes of that neuron.
    """

    def __init__(
        self, kind: str, recurrent: bool, *, bias: bool = True, by_hand: bool = False, **reset: Any
    ) -> None:
        super().__init__()
        self.weights = nn.ModuleList(
            nn.Linear(a, b, bias=bias) for a, b in ((CHANNELS, HIDDEN), (HIDDEN, OUT))
        )
        self.recurrent = nn.ModuleList(nn.Linear(n, n, bias=False) for n in (HIDDEN, OUT))
        self.by_hand = by_hand
        layers = []
        for index, n in enumerate((HIDDEN, OUT)):
            decays = {"beta": 0.45 + 0.5 * torch.rand(n)}
            if kind == "Synaptic":
                decays["alpha"] = 0.9 * torch.rand(n)
            settings: dict[str, Any] = {**decays, "init_hidden": True, **reset}
            if recurrent:
                layer = getattr(snn, f"R{kind}")(linear_features=n, threshold=0.5, **settings)
                if not bias:
                    nn.init.zeros_(layer.recurrent.bias)
                self.recurrent[index].weight = layer.recurrent.weight
            else:
                layer = getattr(snn, kind)(threshold=0.3 + 0.7 * torch.rand(n), **settings)
            layers.append(layer)
        self.layers = nn.ModuleList(layers)

    def forward(self, inputs: Tensor) -> Tensor:
        for weights, layer in zip(self.weights, self.layers, strict=True):
            inputs = layer(weights(inputs))
        return inputs

    def run(self, inputs: np.ndarray) -> list[np.ndarray]:
        """Return the spikes (batch, time, n) of both layers."""
        spikes: list[list[Tensor]] = [[], []]
        for layer in self.layers:
            layer.reset_mem()
        with torch.no_grad():
            for step in range(inputs.shape[1]):
                signal = torch.tensor(inputs[:, step], dtype=torch.float32)
                for index, layer in enumerate(self.layers):
                    signal = self.weights[index](signal)
                    if self.by_hand and step:
                        signal = signal + self.recurrent[index](spikes[index][-1])
                    signal = layer(signal)
                    spikes[index].append(signal)
        return [torch.stack(sent, 1).numpy().astype(bool) for sent in spikes]


def write_snntorch(path: Path, net: SnnTorchNet) -> None:
    with their_warnings(), torch.no_grad():
        nir.write(path, export_to_nir(net, torch.zeros(CHANNELS)))


def norse_box(n: int) -> nn.Module:
    return norse.LIFBoxCell(
        norse.LIFBoxParameters(
            tau_mem_inv=20 + 200 * torch.rand(n),
            v_th=0.03 + 0.12 * torch.rand(n),
            v_leak=torch.zeros(n),
        )
    )


def norse_cell(n: int) -> nn.Module:
    return norse.LIFCell(
        norse.LIFParameters(
            tau_mem_inv=20 + 200 * torch.rand(n),
            tau_syn_inv=20 + 200 * torch.rand(n),
            v_th=0.05 + 0.5 * torch.rand(n),
            v_leak=torch.zeros(n),
        )
    )


def write_norse(path: Path, net: nn.Module, dt: float) -> None:
    """Write by Norse's own writer; its ``dt`` multiplies every time constant (1.1.0)."""
    with their_warnings():
        nir.write(path, to_nir(net, torch.zeros(CHANNELS), dt=dt))


def norse_recurrent(path: Path, bias: bool) -> None:
    """Write a recurrent layer: Norse writes its nodes, but no cycles, which nir adds."""
    modules = {
        "fc": nn.Linear(CHANNELS, HIDDEN),
        "lif": norse_box(HIDDEN),
        "rec": nn.Linear(HIDDEN, HIDDEN, bias=bias),
        "fc2": nn.Linear(HIDDEN, OUT),
        "lif2": norse_box(OUT),
    }
    nodes = {name: _extract_norse_module(module, dt=1.0) for name, module in modules.items()}
    nodes |= {"input": nir.Input([CHANNELS]), "output": nir.Output([OUT])}
    chain = ("input", "fc", "lif", "fc2", "lif2", "output")
    # In this order: nirtorch returns the output of the last node that it visits.
    edges = [("lif", "rec"), ("rec", "lif"), *pairwise(chain)]
    nir.write(path, nir.NIRGraph(nodes, edges))


def read_by_norse(path: Path) -> nn.Module:
    with their_warnings():
        return from_nir(nir.read(path))


def run_norse(net: nn.Module, inputs: np.ndarray) -> np.ndarray:
    """Return what Norse's module sends, (batch, time, n)."""
    state, sent = None, []
    with torch.no_grad():
        for step in range(inputs.shape[1]):
            out, state = net(torch.tensor(inputs[:, step], dtype=torch.float32), state)
            sent.append(out)
    return torch.stack(sent, 1).numpy()


def sinabs_net(reset: str, tau: float) -> nn.Module:
    """Two linear layers with LIF neurons of sinabs, whose time constants are in steps."""
    import sinabs.activation as resets
    from sinabs import layers

    how = {"zero": resets.MembraneReset, "subtract": resets.MembraneSubtract}[reset]
    made = []
    for a, b in ((CHANNELS, HIDDEN), (HIDDEN, OUT)):
        linear = nn.Linear(a, b)
        with torch.no_grad():
            linear.weight.mul_(14).add_(1.5)
        # Per neuron, since nir writes no scalar parameters.
        own = {"tau_mem": torch.full((b,), tau), "spike_threshold": torch.ones(b)}
        made += [linear, layers.LIF(**own, reset_fn=how(), spike_fn=resets.SingleSpike)]
    return nn.Sequential(*made)


def write_sinabs(
    path: Path, net: nn.Module, inputs: np.ndarray, sample: np.ndarray | None = None
) -> list[np.ndarray]:
    """Run and write a network of sinabs; return the spikes (batch, time, n) of both layers."""
    from sinabs.nir import to_nir as sinabs_to_nir

    sent: list[np.ndarray] = []
    with their_warnings(), torch.no_grad():
        signal = torch.tensor(inputs, dtype=torch.float32)
        for module in net:
            signal = module(signal)
            if not isinstance(module, nn.Linear):
                sent.append(signal.numpy().astype(bool))
                module.reset_states()
        # Sample data of one step, since the file keeps its shape.
        given = torch.zeros(1, 1, CHANNELS) if sample is None else torch.tensor(sample).float()
        nir.write(path, sinabs_to_nir(net, given))
    return sent
