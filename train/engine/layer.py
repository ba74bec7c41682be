"""A spiking layer on the engine, for your own models."""

from __future__ import annotations

from torch import Tensor, nn

from ...export.config import LayerConfig, SurrogateConfig
from ...export.errors import InputError
from ..inputs import checked_inputs
from ..layers import Direction
from ..neurons import State
from ..surrogate import make_surrogate
from .events import Events
from .sequence import Result
from .surrogates import encode


class SpikingSequence(nn.Module):
    """A recurrent or feed-forward spiking layer that runs whole sequences, exactly.

    ::

        layer = SpikingSequence(LayerConfig(neuron="alif", size=128, recurrent=True), inputs=700)
        result = layer(x)                       # x float32 (batch, time, 700), or Events
        result.spikes.sum().backward()
        more = layer(y, state=result.state)     # truncated BPTT: detach the state first

    Equations and parameters are those of ``neurons/``; weights are ``layer.weight``
    (n, inputs), ``layer.recurrent_weight`` (n, n) or None, ``layer.bias`` (n,), and the neuron's
    parameters are in ``layer.neuron``.

    Parameters
    ----------
    config
        Neuron, size, recurrence and initial values. One direction of time.
    inputs
        Number of input channels.
    surrogate
        The surrogate gradient.

    Raises
    ------
    InputError
        A bidirectional config, or a surrogate that does not exist.
    """

    def __init__(
        self, config: LayerConfig, inputs: int, surrogate: SurrogateConfig | None = None
    ) -> None:
        super().__init__()
        if config.bidirectional:
            raise InputError(
                "SpikingSequence: has one direction of time; for both, use two layers and reverse "
                "the input of the second in time"
            )
        self._layer = Direction(config, inputs)
        self._encoded = encode(make_surrogate(surrogate or SurrogateConfig()))

    @property
    def weight(self) -> nn.Parameter:
        """Input weights (n, inputs)."""
        return self._layer.weight

    @property
    def recurrent_weight(self) -> nn.Parameter | None:
        """Recurrent weights (n, n), from column to row."""
        return self._layer.recurrent_weight

    @property
    def bias(self) -> nn.Parameter:
        """Constant current (n,)."""
        return self._layer.bias

    @property
    def neuron(self) -> nn.Module:
        """The neurons with their time constants and thresholds."""
        return self._layer.neuron

    def forward(
        self, inputs: Tensor | Events, state: State | None = None, membranes: bool = True
    ) -> Result:
        """Run over (batch, time, inputs).

        ``state`` continues an earlier call (``Result.state``); without ``membranes`` they are None
        and cost nothing. Raises InputError for inputs that do not fit, and for a layer that is not
        float32 on the CPU.
        """
        inputs = checked_inputs(inputs, self.weight.shape[1], self.weight)
        return Result(*self._layer(inputs, state, None, self._encoded, membranes))
