"""From a network and one stretch of inputs to Lava processes that run on a Loihi 2 board.

``RingBuffer -> PyToNxAdapter -> Dense -> LIF -> Dense -> ...``, and, where a run is recorded, a
``NxToPyAdapter`` into a sink for the spikes of each layer and a ``StateProbe`` for each state. The
adapters and probes are the extension's, as Intel's lava-dl and lava-optimization use them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...export.network import Layer, Network
from ..lava import builder, compat
from .native import planned
from .options import BoardOptions

compat.prepare()

from lava.magma.core.run_configs import Loihi2HwCfg  # noqa: E402
from lava.proc.embedded_io.spike import (  # noqa: E402  # pyright: ignore[reportMissingImports]
    NxToPyAdapter,
    PyToNxAdapter,
)
from lava.proc.io.sink import PyReceiveModelFixed  # noqa: E402
from lava.proc.io.sink import RingBuffer as Sink  # noqa: E402
from lava.proc.io.source import PySendModelFixed, RingBuffer  # noqa: E402
from lava.utils.loihi2_state_probes import (  # noqa: E402  # pyright: ignore[reportMissingImports]
    StateProbe,
)


@dataclass(frozen=True, eq=False)
class Stage:
    """One layer: its neurons, their probes by state, and the sink of their spikes or None."""

    layer: Layer
    lag: int
    neuron: Any
    probes: dict[str, Any]
    sink: Any | None


@dataclass(frozen=True, eq=False)
class Graph:
    """Connected processes. ``first`` is the one to run and to stop; ``steps`` how many it runs."""

    first: Any
    stages: tuple[Stage, ...]
    steps: int
    options: BoardOptions

    def configuration(self, callbacks: list[Any]) -> Any:
        """Return the run configuration: the chip's models, and the computer's for source and sinks.

        No tag is given: it would choose the models of the CPU for the neurons too.
        """
        models = {RingBuffer: PySendModelFixed, Sink: PyReceiveModelFixed}
        probes = [probe for stage in self.stages for probe in stage.probes.values()]
        return Loihi2HwCfg(callback_fxs=[*probes, *callbacks], exception_proc_model_map=models)

    def recorded(self, stage: Stage, steps: int) -> dict[str, npt.NDArray[np.int64]]:
        """Return a layer's spikes and states in its own window, (time, n), after a run.

        The source sends step 1 of the sample at Lava's step 1.
        """
        size, found = stage.layer.size, {}
        window = slice(stage.lag, stage.lag + steps)
        for name, probe in stage.probes.items():
            series = np.asarray(probe.time_series).reshape(size, self.steps)
            found[name] = series.T[window].astype(np.int64)
        if stage.sink is not None:
            late = stage.lag + self.options.output_lag
            sent = np.asarray(stage.sink.data.get()).T[late : late + steps]
            found["spikes"] = sent.astype(np.int64)
        return found


def recording(network: Network, sample: npt.NDArray[np.int32], options: BoardOptions) -> Graph:
    """Return the processes that run one sample (time, channel) from rest and record everything.

    Raises
    ------
    InputError
        Layers that the board cannot run.
    """
    lags = len(network.layers) + options.input_lag + options.output_lag
    # Time comes last, and the source starts again at its end: silence fills the lags.
    data = np.zeros((network.input_size, len(sample) + lags), dtype=np.int32)
    data[:, : len(sample)] = sample.T
    return _build(network, data, data.shape[1], options, record=True)


def repeating(network: Network, stretch: npt.NDArray[np.int32], options: BoardOptions) -> Graph:
    """Return the processes that run a stretch (time, channel) repeatedly, recording nothing.

    Probes and adapters for spikes would be measured together with the network.
    """
    data = np.ascontiguousarray(stretch.T)
    return _build(network, data, options.measured_steps, options, record=False)


def _build(
    network: Network,
    data: npt.NDArray[np.int32],
    steps: int,
    options: BoardOptions,
    *,
    record: bool,
) -> Graph:
    source = RingBuffer(data=data)
    first = PyToNxAdapter(shape=(network.input_size,), num_message_bits=network.message_bits)
    source.s_out.connect(first.inp)
    port, stages = first.out, []
    plans = planned(network, options)
    for index, (layer, (plan, stock)) in enumerate(zip(network.layers, plans, strict=True)):
        start = plan.lag + 1
        # The chip resets by a power of two; beyond the run that happens once, at the first input.
        interval = 1 << (steps + start).bit_length()
        neuron = builder.stock_process(stock, layer.size, interval, start)
        builder.connect(port, layer.synapses, neuron, network.message_bits if index == 0 else 0)
        if layer.recurrent is not None:
            builder.connect(neuron.s_out, layer.recurrent, neuron, 0)
        probes, sink = {}, None
        if record:
            probes = {name: StateProbe(getattr(neuron, name)) for name in layer.neuron.STATES}
            sink = _sink(neuron, layer, steps) if layer.neuron.SPIKING else None
        stages.append(Stage(layer, plan.lag, neuron, probes, sink))
        port = neuron.s_out
    return Graph(first, tuple(stages), steps, options)


def _sink(neuron: Any, layer: Layer, steps: int) -> Any:
    adapter, sink = NxToPyAdapter(shape=(layer.size,)), Sink(shape=(layer.size,), buffer=steps)
    neuron.s_out.connect(adapter.inp)
    adapter.out.connect(sink.a_in)
    return sink
