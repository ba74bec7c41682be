"""The network one time step at a time, with the bits of the batch run; its state can be saved."""

from __future__ import annotations

import os
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..export.digest import network_digest
from ..export.errors import InputError
from ..export.kernel import ready
from ..export.network import Network, check_inputs
from . import loops, stepping
from .answer import RunningAnswer
from .plan import PreparedNetwork, prepared_network, widened
from .programs import NARROW_MAX, STATES_MAX
from .stream_memory import StreamMemory
from .stream_state import StreamState, check_state, read_state, write_state

_KINDS = {0: {"u1": 1, "b1": 1, "i4": 4}, 1: {"i4": 4}}
"""Input types that are read without conversion, without and with message bits, and their bytes."""


class StreamingSimulator:
    """A network that takes its input step by step and keeps its state between steps.

    After the same inputs it has the states, spikes and output that ``simulate.run`` gives for a
    sample of these steps, bit for bit: all neuron models, recurrence, delays, convolutions and
    graded inputs. It takes as much memory after a million steps as after one.

    Parameters
    ----------
    network
        The network of integers.

    Examples
    --------
    ::

        stream = StreamingSimulator(read_net("ecg.net"))
        for sample in samples:                      # integers (channel,)
            output = stream.step(sample)            # int32 (n_out,)
            print(stream.label)                     # a class so far
        stream.save("ecg.state")
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        graded = network.message_bits > 0
        self._kinds = _KINDS[int(graded)]
        self._limit = (1 << network.message_bits) - 1 if graded else 0
        self._inputs = {
            size: np.zeros(network.input_size, np.uint8 if size == 1 else np.int32)
            for size in (1, 4)
        }
        self._addresses = {size: array.ctypes.data for size, array in self._inputs.items()}
        self._answer = RunningAnswer(network)
        self._counts = np.zeros(len(network.layers), np.int64)
        self._peaks = np.zeros((len(network.layers), STATES_MAX), np.int64)
        self._traces = np.zeros((len(network.layers), loops.TRACE_COLUMNS), np.int64)
        if not network.readout.reads_spikes:
            column = loops.STATE + network.layers[-1].neuron.STATES.index("v")
            self._traces[-1, column] = self._answer.outputs.ctypes.data
        self._control = np.zeros(stepping.LEFT + len(network.layers), np.int64)
        self._control[stepping.CHANNELS] = network.input_size
        self._control[stepping.LIMIT] = self._limit
        self._control[stepping.COUNTS] = self._counts.ctypes.data
        self._failed: str | None = None
        ready(stepping.run_step)
        self._use(prepared_network(network, self._limit or 1))
        self.reset()

    def step(self, inputs: npt.ArrayLike) -> npt.NDArray[np.int32]:
        """Take one time step.

        Parameters
        ----------
        inputs
            Integers (channel,): 0 or 1, or graded where the network has message bits.

        Returns
        -------
        ndarray
            What ``Trace.output`` holds for this step, int32 (n_out,): the last layer's membrane
            potential, or its spikes where the readout counts them.

        Raises
        ------
        InputError
            Another number of channels or values out of range: the state stays as it was. A state
            that leaves 32 bits: as in a batch run, no step can follow until ``reset`` or a restore.
        """
        if self._failed is not None:
            raise InputError(self._failed)
        array = np.asarray(inputs)
        if array.shape != (self.network.input_size,):
            raise InputError(f"input: shape {array.shape}, needs ({self.network.input_size},)")
        size = self._kinds.get(array.dtype.str[1:])
        if size is None:
            array, size = check_inputs(self.network, array[None, None])[0, 0], 4
        self._inputs[size][:] = array
        control = self._control
        control[stepping.INPUT], control[stepping.ELEMENT] = self._addresses[size], size
        control[stepping.ROW] = self._answer.row
        ended = self._run_step(self._prepared.layers, self._traces, control)
        if ended:
            self._ended(ended, array)
        if self.network.readout.reads_spikes:
            self._answer.outputs[self._answer.row] = self._memory.spikes(-1)
        return self._answer.advance()

    @property
    def steps(self) -> int:
        """Steps taken since the initial state."""
        return int(self._control[stepping.STEP])

    @property
    def scores(self) -> npt.NDArray[np.float64] | None:
        """Class scores after the steps so far, float64 (class,): what ``readout.scores`` gives.

        Of ``membrane`` and ``last_membrane``: the membrane potential of this step in real units; of
        ``mean_softmax`` and ``spike_count``: the mean or sum from the first counted step on. None
        where no step has been counted yet (the readout's ``skip_steps``).
        """
        return self._answer.scores()

    @property
    def label(self) -> int | None:
        """The class of the highest score, the answer so far; None where there are no scores."""
        scores = self.scores
        return None if scores is None else int(np.argmax(scores))

    def spikes(self, layer: int) -> npt.NDArray[np.uint8]:
        """Return a layer's spikes of the last step, uint8 (n,); zeros where it does not spike."""
        return self._memory.spikes(layer)

    def states(self, layer: int) -> dict[str, npt.NDArray[np.int32]]:
        """Return a layer's states after the last step by name, int32 (n,)."""
        names = self.network.layers[layer].neuron.STATES
        return dict(zip(names, self._memory.states(layer).copy(), strict=True))

    @property
    def spike_counts(self) -> npt.NDArray[np.int64]:
        """Spikes of each layer since this object was made, int64 (layer,)."""
        return self._counts.copy()

    def watch_peaks(self) -> npt.NDArray[np.int64]:
        """Return the largest magnitude of each state, int64 (layer, state), and reset them.

        The first call returns zeros; from then on every step is checked, at a small cost.
        """
        self._control[stepping.PEAKS] = self._peaks.ctypes.data
        peaks = self._peaks.copy()
        self._peaks[:] = 0
        return peaks

    def reset(self) -> None:
        """Return to the initial state in the network."""
        self._failed = None
        self._control[stepping.INPUT] = self._control[stepping.STEP] = 0
        self._run_step(self._prepared.layers, self._traces, self._control)
        total = np.zeros(self.network.class_count)
        self._answer.restore(0, total, np.zeros_like(self._answer.outputs[0]))

    @cached_property
    def digest(self) -> str:
        """The network's digest, which its states carry."""
        return network_digest(self.network)

    @property
    def state(self) -> StreamState:
        """The state, which may be set to one saved earlier.

        Raises
        ------
        InputError
            A state of another network, or one that no run produces; a failed run has no state.
        """
        if self._failed is not None:
            raise InputError(f"{self._failed}; there is no state to keep")
        steps = self.steps
        layers = tuple(self._memory.read(i, steps) for i in range(len(self.network.layers)))
        return StreamState(self.digest, steps, layers, self._answer.total, self._answer.counted)

    @state.setter
    def state(self, state: StreamState) -> None:
        check_state(self.network, self.digest, state)
        self.reset()
        self._control[stepping.STEP] = state.steps
        for index, held in enumerate(state.layers):
            if not self._prepared.wide[index] and _beyond_narrow(held.states):
                self._use(widened(self.network, self._prepared, index))
        for index, held in enumerate(state.layers):
            self._memory.write(index, state.steps, held)
        last = state.layers[-1]
        output = last.spikes.astype(np.int32)
        if not self.network.readout.reads_spikes:
            output = last.states[self.network.layers[-1].neuron.STATES.index("v")]
        self._answer.restore(state.steps, state.total, output)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the state to a file, whole or not at all.

        Raises
        ------
        InputError
            The run failed, so that there is no state.
        OSError
            The file cannot be written; an older one stays.
        """
        write_state(path, self.state)

    def restore(self, path: str | os.PathLike[str]) -> None:
        """Continue from the state in a file.

        Raises
        ------
        InputError
            Not such a file, damaged, or the state of another network; the current state stays.
        """
        self.state = read_state(path, self.network, self.digest)

    def _run_step(self, *arguments: Any) -> int:
        return stepping.run_step.call(*arguments)

    def _use(self, prepared: PreparedNetwork) -> None:
        """Take a prepared network and fresh memory for it, in the initial state."""
        self._prepared, self._memory = prepared, StreamMemory(self.network, prepared)
        control = self._control
        control[stepping.VALUES_OFFSET] = prepared.values_offset
        control[stepping.STARTS_OFFSET] = prepared.starts_offset
        control[stepping.SCRATCH] = self._memory.address
        control[stepping.INPUT] = 0
        self._run_step(prepared.layers, self._traces, control)

    def _ended(self, ended: int, array: npt.NDArray[Any]) -> None:
        """Widen the layers that need it, or refuse."""
        if ended == loops.NOT_BINARY:
            check_inputs(self.network, array[None, None])
        control, layers = self._control, self.network.layers
        if ended == loops.FAILED:
            layer = layers[int(control[stepping.ENDED_LAYER])]
            state = layer.neuron.STATES[int(control[stepping.ENDED_STATE])]
            self._failed = (
                f"layer {layer.name}: state {state} leaves 32 bits at step {self.steps}; lower its "
                "threshold step or its input"
            )
            raise InputError(self._failed)
        held = [self._memory.read(index, self.steps) for index in range(len(layers))]
        prepared = self._prepared
        for index in np.flatnonzero(control[stepping.LEFT :]).tolist():
            prepared = widened(self.network, prepared, index)
        control[stepping.LEFT :] = 0
        self._use(prepared)
        for index, state in enumerate(held):
            self._memory.write(index, self.steps, state)


def _beyond_narrow(states: npt.NDArray[np.int32]) -> bool:
    return bool((np.abs(states.astype(np.int64)) > NARROW_MAX).any())
