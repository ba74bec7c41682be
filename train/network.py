"""``SRNN``: a stack of recurrent and feed-forward spiking layers, or dense ones, with a readout."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ..export.checkpoint import (
    ModelConfig,
    check_weights,
    expected_weights,
)
from ..export.config import DELAYS, RECURRENT_WEIGHT
from ..export.errors import InputError
from ..export.suggest import check_known
from .dense import DenseLayer
from .described import described
from .inputs import checked_inputs, checked_lengths
from .layers import Direction, SpikingLayer, stack_on
from .neurons import State
from .recipe import ENGINES
from .surrogate import make_surrogate, spike

if TYPE_CHECKING:
    import os

    from ..export.api import ExportReport
    from ..export.checkpoint import FloatModel
    from ..export.freeze import Quantization
    from ..tasks.base import Task
    from .engine.events import Events
    from .engine.surrogates import Encoded
    from .integer import IntegerRun, OnGrid


class Outputs(NamedTuple):
    """What a forward pass returns.

    ``output`` (batch, time, n_out): membrane or spikes of the last layer, as the readout needs.
    ``spikes``: one (batch, time, n) per layer; of a layer that does not spike, its membrane. Empty
    where only counts were asked for.
    ``state``: one tuple per layer, to continue the sequence.
    ``counts``: one (batch, n) per layer that spikes, None for others: spikes of each neuron within
    the sample's length; the gradient of a firing rate goes through them.
    ``integers``: the run on the grid, where there was one.
    """

    output: Tensor
    spikes: tuple[Tensor, ...]
    state: tuple[State, ...]
    counts: tuple[Tensor | None, ...] = ()
    integers: IntegerRun | None = None


class SRNN(nn.Module):
    """A spiking recurrent network from a ``ModelConfig``.

    Parameters
    ----------
    config
        Layers from the input up, readout and surrogate gradient.
    engine
        How a layer runs through time: ``events``, compiled, for float32 on the CPU and on CUDA, or
        ``loop``, plain PyTorch step by step, which takes over where the other cannot run (another
        dtype, dense layers, no numba). Both compute the same equations and their exact gradients.

    Attributes
    ----------
    grid
        If set, the forward pass computes the network of integers (``train/integer.py``).
    spike_function
        The spike with its surrogate gradient, as a neuron's ``step`` takes it.

    Raises
    ------
    InputError
        No config, an unknown engine or surrogate.
    """

    def __init__(self, config: ModelConfig, engine: str = "events") -> None:
        super().__init__()
        if not isinstance(config, ModelConfig):
            raise InputError(f"config: a {type(config).__name__}, needs a ModelConfig")
        check_known("engine", engine, ENGINES)
        self.config = config
        self.engine = _usable(engine)
        self.grid: OnGrid | None = None
        self._surrogate = make_surrogate(config.surrogate)
        self.spike_function = partial(spike, surrogate=self._surrogate)
        self.layers = nn.ModuleList(
            (DenseLayer if layer.dense else SpikingLayer)(layer, config.input_width(index))
            for index, layer in enumerate(config.layers)
        )

    def forward(
        self,
        inputs: Tensor | Events,
        lengths: Tensor | None = None,
        state: tuple[State, ...] | None = None,
        *,
        spikes: bool = True,
        finite: bool = True,
    ) -> Outputs:
        """Run over a batch of sequences.

        Parameters
        ----------
        inputs
            float (batch, time, channel), or a dtype that the weights' dtype holds (bool, integers,
            halves); with the engine ``events`` also event lists.
        lengths
            int (batch,), steps of each sample; only a bidirectional layer needs them here, to turn
            each sample around its own end.
        state
            The state of an earlier call, to continue from; the initial state when None.
        spikes
            Whether to return the spikes of all layers, not only their counts. Without them
            the engine writes no large arrays.
        finite
            Whether to refuse inputs that are not finite, on the CPU. The training loop finds them
            by their loss, in all its processes at once.

        Raises
        ------
        InputError
            Inputs without three axes, without a step, of another number of channels, of a dtype
            that the weights' dtype does not hold, on another device, or no tensor; on the CPU also
            a value that is not finite, or a length outside 0..time.
        """
        weight = self._weight
        inputs = checked_inputs(inputs, self.config.input_size, weight, finite)
        lengths = checked_lengths(lengths, inputs.shape, weight.device)
        encoded = self._encoded(inputs)
        layers = [cast(SpikingLayer, layer) for layer in self.layers]
        if self.grid is not None:
            return self._run_on_grid(self.grid, inputs, lengths, state, spikes)
        if encoded is not None and all(layer.backward_direction is None for layer in layers):
            return self._run_stack(layers, inputs, lengths, state, spikes, encoded)
        signal, made = inputs, []
        for index, layer in enumerate(layers):
            before = None if state is None else state[index]
            wanted = index == len(layers) - 1 and self.config.readout != "spike_count"
            made.append(layer(signal, lengths, before, self.spike_function, encoded, wanted))
            signal = made[-1][1]
        return self._outputs(made, lengths, spikes)

    def _outputs(
        self, made: list[tuple[Tensor | None, Tensor, State]], lengths: Tensor | None, spikes: bool
    ) -> Outputs:
        """Return outputs from membranes, spikes and last states of the layers."""
        membranes, sent, final = zip(*made, strict=True)
        output = sent[-1] if self.config.readout == "spike_count" else membranes[-1]
        counts = tuple(
            _counts(spiking, lengths) if index in self.spiking_layers else None
            for index, spiking in enumerate(sent)
        )
        return Outputs(cast(Tensor, output), sent if spikes else (), final, counts)

    def _run_stack(  # noqa: PLR0917
        self,
        layers: list[SpikingLayer],
        inputs: Tensor | Events,
        lengths: Tensor | None,
        state: tuple[State, ...] | None,
        spikes: bool,
        encoded: Encoded,
    ) -> Outputs:
        """Run all layers as one function of the engine."""
        spiking_stack = stack_on(layers[0].forward_direction.weight.device)
        counting = self.config.readout == "spike_count"
        made = spiking_stack(
            [
                layer.forward_direction.on_engine(
                    inputs.shape[0], None if state is None else state[index]
                )
                for index, layer in enumerate(layers)
            ],
            inputs,
            encoded,
            membranes=not counting,
            spikes=spikes,
            last_spikes=counting,
            counts=True,
            lengths=lengths,
        )
        output = made.spikes[-1] if counting else made.membranes
        sent = cast("tuple[Tensor, ...]", made.spikes) if spikes else ()
        return Outputs(cast(Tensor, output), sent, made.states, made.counts)

    def _run_on_grid(
        self,
        grid: OnGrid,
        inputs: Tensor | Events,
        lengths: Tensor | None,
        state: tuple[State, ...] | None,
        spikes: bool,
    ) -> Outputs:
        """Run the integer network, with the gradients of the float one at its states."""
        from .integer import IntegerRun, real_states, replayed, straight_through

        encoded = self._encoded(inputs)
        if self._weight.device.type != "cpu":
            raise InputError("grid: training on the grid runs on the CPU")
        if state is not None:
            raise InputError(
                "grid: the chip resets its state before every sequence; set truncate_steps to 0"
            )
        dense = inputs if isinstance(inputs, Tensor) else torch.from_numpy(inputs.to_dense())
        frozen = grid.freeze(self.weights())
        ends = None if lengths is None else lengths.cpu().numpy()
        trace = grid.run(frozen.network, grid.integers(dense), ends)
        run = IntegerRun(frozen.network, trace.output, trace.lengths)
        directions = [cast(SpikingLayer, layer).forward_direction for layer in self.layers]
        weights = [
            straight_through(direction, layer, grid.input_scale if index == 0 else 1.0)
            for index, (direction, layer) in enumerate(
                zip(directions, frozen.network.layers, strict=True)
            )
        ]
        if encoded is None:
            signal, made = dense, []
            for index, (direction, own) in enumerate(zip(directions, weights, strict=True)):
                meant = real_states(direction.neuron.kind, frozen, trace, index, signal)
                made.append(direction.loop(signal, None, self.spike_function, own, meant))
                signal = made[-1][1]
            return self._outputs(made, lengths, spikes)._replace(integers=run)
        from .engine.stack import spiking_stack

        layers = [
            direction.on_engine(len(dense), None, own)
            for direction, own in zip(directions, weights, strict=True)
        ]
        counting = self.config.readout == "spike_count"
        made = spiking_stack(
            layers,
            inputs,
            encoded,
            membranes=not counting,
            spikes=spikes,
            last_spikes=counting,
            counts=True,
            lengths=lengths,
            replay=replayed(frozen, trace, weights, dense),
        )
        output = made.spikes[-1] if counting else made.membranes
        sent = cast("tuple[Tensor, ...]", made.spikes) if spikes else ()
        return Outputs(cast(Tensor, output), sent, made.states, made.counts, run)

    def _encoded(self, inputs: Tensor | Events) -> Encoded | None:
        """Return the surrogate for the engine, or None where the loop runs."""
        if self.engine == "loop" or any(layer.dense for layer in self.config.layers):
            return None
        from .engine.stack import kernels_for

        if any(kernels_for(layer.neuron) is None for layer in self.config.layers):
            return None
        weight = self._weight
        tensors = (weight, inputs) if isinstance(inputs, Tensor) else (weight,)
        devices = {x.device.type for x in tensors}
        single = all(x.dtype == torch.float32 for x in tensors)
        if devices not in ({"cpu"}, {"cuda"}) or (devices == {"cpu"} and not single):
            return None
        # Imported here, so that the loop needs no compiler.
        from .engine.surrogates import encode

        encoded = encode(self._surrogate)
        if devices == {"cuda"}:
            from .cuda import why_loop

            reason = why_loop(self.config.layers, encoded is not None, single)
            if reason is not None:
                warnings.warn(f'engine "events": the loop runs instead: {reason}', stacklevel=4)
                return None
        return encoded

    def _directions(self) -> dict[str, Direction]:
        return {
            f"layers.{index}.{part}": direction
            for index, layer in enumerate(self.layers)
            if isinstance(layer, SpikingLayer)
            for part, direction in layer.directions().items()
        }

    def _dense_layers(self) -> dict[str, DenseLayer]:
        return {
            f"layers.{index}.": layer
            for index, layer in enumerate(self.layers)
            if isinstance(layer, DenseLayer)
        }

    def weights(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return all weights and per-neuron parameters as a ``model.pt`` names them."""
        found: dict[str, Tensor] = {}
        for prefix, direction in self._directions().items():
            found[f"{prefix}weight"] = direction.weight
            found[f"{prefix}bias"] = direction.bias
            if direction.recurrent_weight is not None:
                found[f"{prefix}{RECURRENT_WEIGHT}"] = direction.recurrent_weight
            values = {**direction.neuron.parameter_values(), **direction.delays()}
            for name, value in values.items():
                found[f"{prefix}{name}"] = value
        for prefix, layer in self._dense_layers().items():
            found.update({f"{prefix}{name}": value for name, value in layer.weights().items()})
        return {
            name: found[name].detach().cpu().numpy().astype(np.float32)
            for name in expected_weights(self.config)
        }

    def load_weights(self, weights: Mapping[str, npt.NDArray[Any]]) -> None:
        """Load what ``weights`` returned, or a ``model.pt`` holds.

        Raises
        ------
        InputError
            A name, shape or value that does not fit the config.
        """
        check_weights(self.config, weights)
        for prefix, direction in self._directions().items():
            with torch.no_grad():
                for name in ("weight", "bias", "recurrent_weight", *DELAYS):
                    target = getattr(direction, name)
                    if target is not None:
                        stored = RECURRENT_WEIGHT if name == "recurrent_weight" else name
                        target.copy_(torch.from_numpy(np.array(weights[prefix + stored])))
            for name in direction.neuron.parameter_values():
                value = torch.from_numpy(np.array(weights[prefix + name], dtype=np.float32))
                direction.neuron.load_parameter(name, value)
        for prefix, layer in self._dense_layers().items():
            layer.load_weights(
                {n.removeprefix(prefix): w for n, w in weights.items() if n.startswith(prefix)}
            )

    def float_model(self, samples: dict[str, npt.NDArray[Any]], task: dict[str, Any]) -> FloatModel:
        """Return what a ``model.pt`` holds, for ``srnn.export``: with the answers to samples.

        ``samples``: ``inputs`` integers (sample, time, channel), and if wanted ``lengths``,
        ``targets``, ``valid``; ``task`` as ``Task.description`` returns it. With a recipe and
        metrics: ``srnn.train.float_model``.
        """
        from .save import collected, with_answers

        found = with_answers(self, samples, float(task.get("input_scale", 1.0)))
        return collected(self, found, task)

    def export(
        self,
        path: str | os.PathLike[str] | None,
        samples: Any,
        *,
        task: Task | Mapping[str, Any] | None = None,
        options: Quantization | None = None,
        max_accuracy_loss: float | None = None,
    ) -> ExportReport:
        """Quantize to chip integers, check them, and write a ``.net`` file.

        Parameters, report and errors are those of ``srnn.export.export``.
        """
        from ..export.api import export

        return export(
            self, samples, path, task=task, options=options, max_accuracy_loss=max_accuracy_loss
        )

    def time_constants(self) -> list[nn.Parameter]:
        """Return the raw time constants that are trained, for a learning rate of their own."""
        return [
            parameter
            for name, parameter in self.named_parameters()
            if ".raw_" in name and parameter.requires_grad
        ]

    def __repr__(self) -> str:
        return described(self.config, self.engine)

    @property
    def _weight(self) -> Tensor:
        """A weight of the first layer, for dtype and device."""
        return next(self.layers[0].parameters())

    @property
    def spiking_layers(self) -> list[int]:
        """Indices of the layers that emit binary spikes."""
        return [
            index
            for index, layer in enumerate(self.layers)
            if isinstance(layer, SpikingLayer) and layer.forward_direction.neuron.spiking
        ]


def _usable(engine: str) -> str:
    """Return the engine, or the loop with a warning where the compiler is missing."""
    if engine != "loop":
        try:
            import numba  # noqa: F401
        except ImportError as error:
            warnings.warn(
                f'engine "{engine}": the loop runs instead, much slower: {error}',
                stacklevel=3,
            )
            return "loop"
    return engine


def _counts(spikes: Tensor, lengths: Tensor | None) -> Tensor:
    """Return the spikes (batch, n) of each neuron within each sample's length."""
    if lengths is None:
        return spikes.sum(1)
    running = torch.arange(spikes.shape[1], device=spikes.device) < lengths[:, None]
    return (spikes * running[..., None]).sum(1)
