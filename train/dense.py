"""Dense baselines: torch's LSTM, GRU and Elman layers in place of spiking ones.

They use the same data, readouts, losses, training loop and files, so that accuracy and operations
can be compared directly. x_t is the input of a step, h_t the output, sigma the logistic function,
``*`` the element-wise product; weights and biases of a gate are those of torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ..export.config import LayerConfig
from .neurons import State

if TYPE_CHECKING:
    from .engine.events import Events
    from .engine.surrogates import Encoded


class DenseLayer(nn.Module):
    """A dense layer with the forward contract of ``SpikingLayer``.

    ::

        rnn     h_t = tanh(W x_t + R h_{t-1})
        gru     r = sigma(W_r x_t + R_r h_{t-1})      z = sigma(W_z x_t + R_z h_{t-1})
                h_t = (1 - z) * tanh(W_n x_t + r * (R_n h_{t-1})) + z * h_{t-1}
        lstm    i, f, o = sigma(W_ifo x_t + R_ifo h_{t-1})
                c_t = f * c_{t-1} + i * tanh(W_g x_t + R_g h_{t-1})      h_t = o * tanh(c_t)
        linear  h_t = W x_t

    with biases, and zero states before the first step. It uses only ``neuron`` and ``size`` of a
    ``LayerConfig``; initial weights are torch's, uniform within 1 / sqrt(n).

    Parameters
    ----------
    config
        A layer whose ``dense`` is true.
    inputs
        Number of input channels.
    """

    def __init__(self, config: LayerConfig, inputs: int) -> None:
        super().__init__()
        self.name = config.neuron
        self.cell: nn.RNN | nn.GRU | nn.LSTM | None = None
        if config.neuron == "linear":
            self.linear = nn.Linear(inputs, config.size)
        else:
            kinds = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
            self.cell = kinds[config.neuron](inputs, config.size, batch_first=True)

    def forward(  # noqa: PLR0917
        self,
        inputs: Tensor | Events,
        lengths: Tensor | None,
        state: State | None,
        spike_function: Any,
        encoded: Encoded | None = None,
        membranes_wanted: bool = True,
    ) -> tuple[Tensor, Tensor, State]:
        """Return h twice, (batch, time, n), as membranes and as outputs, and the last state.

        ``state``: () for linear, (h,) or for lstm (h, c), each (batch, n). Steps beyond the
        end of a sample run like all others; the readout ignores them.
        """
        del lengths, spike_function, encoded, membranes_wanted
        if not isinstance(inputs, Tensor):
            inputs = torch.from_numpy(inputs.to_dense()).to(next(self.parameters()).device)
        if self.cell is None:
            output = self.linear(inputs)
            return output, output, ()
        before = None if state is None else tuple(part[None].contiguous() for part in state)
        if self.name == "lstm":
            output, after = self.cell(inputs, before)
        else:
            output, last = self.cell(inputs, None if before is None else before[0])
            after = (last,)
        return output, output, tuple(part[0] for part in after)

    def weights(self) -> dict[str, Tensor]:
        """Return the weights by their names in a ``model.pt``."""
        if self.cell is None:
            return {"weight": self.linear.weight, "bias": self.linear.bias}
        names = {"weight": "weight_ih", "weight_rec": "weight_hh"}
        names |= {"bias": "bias_ih", "bias_rec": "bias_hh"}
        return {name: getattr(self.cell, f"{stored}_l0") for name, stored in names.items()}

    def load_weights(self, weights: dict[str, npt.NDArray[Any]]) -> None:
        """Load what ``weights`` returned."""
        with torch.no_grad():
            for name, target in self.weights().items():
                target.copy_(torch.from_numpy(np.array(weights[name])))
