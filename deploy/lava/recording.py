"""Recording and guarding variants of the stock and own process models.

Reading states through ``Var.get`` or a Monitor costs about 30 microseconds per element. These
models run ``run_spk`` of the model they extend, unchanged, and then copy states and spikes into
memory-mapped files: one array (sample, step, neuron) per quantity, shared by every sample's run.

An exception in a process that others wait for is never shown by Lava's runtime, which then hangs;
the guard writes it to a file first, where the watchdog finds it.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from . import compat
from .rundir import RunDirectory

compat.prepare()

from lava.magma.core.run_configs import Loihi2SimCfg  # noqa: E402
from lava.proc.atrlif.models import PyATRLIFModelFixed  # noqa: E402
from lava.proc.atrlif.process import ATRLIF  # noqa: E402
from lava.proc.conv.models import PyConvModelFixed  # noqa: E402
from lava.proc.conv.process import Conv  # noqa: E402
from lava.proc.dense.models import PyDelayDenseModelBitAcc, PyDenseModelBitAcc  # noqa: E402
from lava.proc.dense.process import DelayDense, Dense  # noqa: E402
from lava.proc.io.source import PySendModelFixed, RingBuffer  # noqa: E402
from lava.proc.lif.models import PyLifModelBitAcc, PyLifResetModelBitAcc  # noqa: E402
from lava.proc.lif.process import LIF, LIFReset  # noqa: E402

from .builder import Graph  # noqa: E402
from .processes.process import NeuronProcess  # noqa: E402

STOCK_MODELS: dict[type, type] = {
    RingBuffer: PySendModelFixed,
    Dense: PyDenseModelBitAcc,
    DelayDense: PyDelayDenseModelBitAcc,
    Conv: PyConvModelFixed,
    LIF: PyLifModelBitAcc,
    LIFReset: PyLifResetModelBitAcc,
    ATRLIF: PyATRLIFModelFixed,
}
"""Stock process class to its fixed-point model."""


def model_of(process: Any) -> type:
    """Return the fixed-point model of a process."""
    own = isinstance(process, NeuronProcess)
    return process.FIXED if own else STOCK_MODELS[type(process)]


@dataclass(frozen=True)
class RecordingWindow:
    """What one neuron process records: its window of Lava steps, and the files.

    ``first`` is the time step (counted from 1) of step 0 of the sample. ``states`` maps a quantity
    to the model's attribute. ``reports`` is set for the last layer, whose step is reported as
    progress.
    """

    run: RunDirectory
    sample: int
    layer: int
    first: int
    steps: int
    states: dict[str, str]
    spikes: bool
    reports: bool


class Guarded:
    """Mixin: an exception in a step is written to the run directory before it is raised."""

    run_directory: ClassVar[RunDirectory]

    def run_spk(self) -> None:
        """Run one step of the model."""
        try:
            super().run_spk()  # type: ignore[misc]
        except Exception:
            name = type(self).__name__
            step = self.time_step  # type: ignore[attr-defined]
            self.run_directory.report_failure(f"in {name}, step {step}\n{traceback.format_exc()}")
            raise


class Recording(Guarded):
    """Mixin: keeps states and spikes of every step of the sample."""

    window: ClassVar[RecordingWindow]
    _files: dict[str, npt.NDArray[Any]] | None = None

    def run_spk(self) -> None:
        """Run one step of the model, then copy its states and what it sent."""
        if self._files is None:
            self._open()
        super().run_spk()
        step = self.time_step - self.window.first  # type: ignore[attr-defined]
        if 0 <= step < self.window.steps:
            assert self._files is not None
            for quantity, attribute in self.window.states.items():
                self._files[quantity][self.window.sample, step] = getattr(self, attribute)
            if self.window.spikes:
                self._files["spikes"][self.window.sample, step] = self._sent
        if self.window.reports:
            self._progress[1] = self.time_step  # type: ignore[attr-defined]

    def _open(self) -> None:
        window = self.window
        quantities = [*window.states, *(["spikes"] if window.spikes else [])]
        self._files = {q: window.run.record(window.layer, q) for q in quantities}
        self._progress = window.run.progress()
        self._sent: Any = 0
        if window.spikes:
            self._keep_what_is_sent()

    def _keep_what_is_sent(self) -> None:
        port = self.s_out  # type: ignore[attr-defined]
        send = port.send

        def keep_and_send(data: npt.NDArray[Any]) -> None:
            self._sent = np.array(data, copy=True)
            send(data)

        port.send = keep_and_send


def run_configuration(graph: Graph, run: RunDirectory, sample: int) -> Loihi2SimCfg:
    """Return a run configuration in which every process is guarded and every neuron recorded.

    Models are given per process instance, so that Lava's search for models (which executes files)
    does not take place.
    """
    models: dict[Any, type] = {
        process: type(
            f"Guarded{type(process).__name__}",
            (Guarded, model_of(process)),
            {"run_directory": run},
        )
        for process in graph.processes
    }
    layers = len(graph.stages)
    for index, stage in enumerate(graph.stages):
        window = RecordingWindow(
            run=run,
            sample=sample,
            layer=index,
            first=stage.lag + 1,
            steps=graph.steps - layers,
            states=stage.states,
            spikes=stage.layer.neuron.SPIKING,
            reports=index == layers - 1,
        )
        models[stage.neuron] = type(
            f"Recording{type(stage.neuron).__name__}_{stage.layer.name}",
            (Recording, model_of(stage.neuron)),
            {"window": window, "run_directory": run},
        )
    return Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map=models)
