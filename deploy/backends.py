"""The targets that can run a network of integers, best first, and how one is picked.

A target returns the same ``Trace`` as the simulator, so that any two can be compared. Those of
other distributions are found by entry point (``plugins.py``, docs/BACKENDS.md). Importing this
module imports neither Lava nor the simulator's kernels nor a plug-in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy.typing as npt

from ..export.errors import InputError
from ..export.extras import pip_install
from ..export.network import Network
from ..export.suggest import unknown
from ..export.trace import Trace
from . import plugins
from .c.options import COptions
from .loihi2.options import BoardOptions
from .measuring import MeasuredRun
from .plan import LayerDescription
from .progress import Progress

if TYPE_CHECKING:
    from .c.backend import HostTarget
    from .c.mcu import McuTarget
    from .c.wasm import WasmTarget


@dataclass(frozen=True)
class Availability:
    """Whether a target can run here, and why or why not."""

    ok: bool
    reason: str


@runtime_checkable
class Backend(Protocol):
    """A target: what ``srnn-deploy --target NAME`` runs a network on.

    Other distributions add one by an entry point of the group ``srnn.backends`` that names a
    callable from ``RunOptions`` to a ``Backend``; docs/BACKENDS.md has a worked example.
    """

    @property
    def name(self) -> str:
        """Name on the command line; that of the entry point."""
        ...

    def available(self) -> Availability:
        """Say whether the target can run here, quickly and without starting anything."""
        ...

    def describe(self, network: Network) -> list[LayerDescription]:
        """Say for each layer what computes it, in the order of the layers.

        Raises
        ------
        InputError
            Layers that the target cannot compute, all of them, each with the reason.
        """
        ...

    def run(
        self, network: Network, inputs: npt.ArrayLike, lengths: npt.ArrayLike | None = None
    ) -> Trace:
        """Run every sample from the network's initial state.

        Parameters
        ----------
        network
            The network of integers.
        inputs
            Integers (batch, time, channel), as ``export.network.check_inputs`` takes them.
        lengths
            Integers (batch,), steps of each sample; all steps when None.

        Returns
        -------
        Trace
            One entry per layer, each layer's own window where layers lag. What a target cannot
            record is left out; what it returns is compared with the simulator bit for bit.

        Raises
        ------
        InputError
            A network or inputs that the target does not take.
        RunError
            The run failed: the command prints it and exits with 1.
        """
        ...


@dataclass(frozen=True)
class RunOptions:
    """Options of a run.

    ``timeout``: seconds without progress after which it is ended, None for the target's own;
    ``progress``: a callback; ``board``: where the board is and how it is measured; ``c``: what is
    kept of a network printed as C, and the core that runs it.
    """

    timeout: float | None = None
    progress: Progress | None = None
    board: BoardOptions = field(default_factory=BoardOptions)
    c: COptions = field(default_factory=COptions)


@dataclass(frozen=True)
class LavaBackend:
    """Intel's Lava on the CPU: one process per synapse group and per layer, in a watched child."""

    options: RunOptions = RunOptions()
    name: str = "lava"

    def available(self) -> Availability:
        """Whether lava-nc is installed and this Python can run it."""
        from .lava import compat

        return Availability(*compat.available())

    def describe(self, network: Network) -> list[LayerDescription]:
        """Stock processes where they compute the same bits, ours elsewhere."""
        from .lava.choice import describe

        return describe(network)

    def run(
        self, network: Network, inputs: npt.ArrayLike, lengths: npt.ArrayLike | None = None
    ) -> Trace:
        """Run on Lava; see ``lava.runner.run`` for the errors."""
        from .lava import runner

        timeout = self.options.timeout
        return runner.run(
            network,
            inputs,
            lengths,
            timeout=runner.DEFAULT_TIMEOUT if timeout is None else timeout,
            progress=self.options.progress,
        )


@dataclass(frozen=True)
class Loihi2Backend:
    """A Loihi 2 board through Lava and Intel's lava-loihi extension; only neurons of the chip."""

    options: RunOptions = RunOptions()
    name: str = "loihi2"

    def available(self) -> Availability:
        """Whether the extension is installed; no board is contacted."""
        from .loihi2 import native

        return Availability(*native.available())

    def describe(self, network: Network) -> list[LayerDescription]:
        """Stock processes of the chip; see ``loihi2.native.describe_layers`` for the errors."""
        from .loihi2 import native

        return native.describe_layers(network, self.options.board)

    def run(
        self, network: Network, inputs: npt.ArrayLike, lengths: npt.ArrayLike | None = None
    ) -> Trace:
        """Run on the board and measure nothing."""
        board = replace(self.options.board, measured_steps=0)
        return self._run(network, inputs, lengths, board).trace

    def run_measured(
        self, network: Network, inputs: npt.ArrayLike, lengths: npt.ArrayLike | None = None
    ) -> MeasuredRun:
        """Run on the board, then measure; see ``loihi2.runner.run`` for the errors."""
        return self._run(network, inputs, lengths, self.options.board)

    def _run(
        self,
        network: Network,
        inputs: npt.ArrayLike,
        lengths: npt.ArrayLike | None,
        board: BoardOptions,
    ) -> MeasuredRun:
        from .loihi2 import runner

        return runner.run(
            network,
            inputs,
            lengths,
            options=board,
            timeout=self.options.timeout,
            progress=self.options.progress,
        )


class _Printed:
    """A target of ``c/``: the network printed as C99."""

    def available(self) -> Availability:
        """Whether its compiler, and what runs it, are there."""
        return Availability(*self._target().available())

    def describe(self, network: Network) -> list[LayerDescription]:
        """One function per layer, no lag."""
        return self._target().describe(network)

    def run(
        self, network: Network, inputs: npt.ArrayLike, lengths: npt.ArrayLike | None = None
    ) -> Trace:
        """Compile, run and read back; see ``c.runner.run`` for the errors."""
        return self._target().run(network, inputs, lengths).trace

    def _target(self) -> HostTarget | WasmTarget | McuTarget:
        raise NotImplementedError


@dataclass(frozen=True)
class CBackend(_Printed):
    """Compiled and run on this computer."""

    options: RunOptions = RunOptions()
    name: str = "c"

    def _target(self) -> HostTarget:
        from .c.backend import HostTarget

        return HostTarget(self.options.c, self.options.timeout)


@dataclass(frozen=True)
class WasmBackend(_Printed):
    """Compiled to WebAssembly and run by node."""

    options: RunOptions = RunOptions()
    name: str = "wasm"

    def _target(self) -> WasmTarget:
        from .c.wasm import WasmTarget

        return WasmTarget(self.options.c, self.options.timeout)


@dataclass(frozen=True)
class McuBackend(_Printed):
    """On a microcontroller's core that QEMU emulates."""

    options: RunOptions = RunOptions()
    name: str = "mcu"

    def run_measured(
        self, network: Network, inputs: npt.ArrayLike, lengths: npt.ArrayLike | None = None
    ) -> MeasuredRun:
        """Run, and say what the network takes; nothing is measured."""
        ran, footprint = self._target().run_measured(network, inputs, lengths)
        return MeasuredRun(ran.trace, None, footprint)

    def _target(self) -> McuTarget:
        from .c.mcu import McuTarget

        return McuTarget(self.options.c, self.options.timeout)


@dataclass(frozen=True)
class SimulatorBackend:
    """The project's event-driven simulator."""

    name: str = "simulator"

    def available(self) -> Availability:
        """Whether its compiler is installed."""
        if find_spec("numba") is None:
            return Availability(False, f"numba is not installed ({pip_install('numba')})")
        return Availability(True, "runs everywhere")

    def describe(self, network: Network) -> list[LayerDescription]:
        """One kernel per layer, no lag."""
        return _uniform(network, "kernel", "event-driven kernel of the simulator")

    def run(
        self, network: Network, inputs: npt.ArrayLike, lengths: npt.ArrayLike | None = None
    ) -> Trace:
        """Run the kernels and record every spike and state."""
        from ..simulate import simulator

        return simulator.run(network, inputs, lengths, record="states")


@dataclass(frozen=True)
class ReferenceBackend:
    """The executable specification, to which the simulator is compared; not a target to pick."""

    name: str = "reference"

    def available(self) -> Availability:
        """Always available: it needs only NumPy."""
        return Availability(True, "runs everywhere")

    def describe(self, network: Network) -> list[LayerDescription]:
        """One function per neuron model, no lag."""
        return _uniform(network, "reference", "the equations in NumPy")

    def run(
        self, network: Network, inputs: npt.ArrayLike, lengths: npt.ArrayLike | None = None
    ) -> Trace:
        """Run the specification."""
        from ..simulate import reference

        return reference.run(network, inputs, lengths)


def _uniform(network: Network, process: str, reason: str) -> list[LayerDescription]:
    def kinds(recurrent: bool, n_in: int, n: int) -> str:
        return f"{n_in}x{n}" + (f", recurrent {n}x{n}" if recurrent else "")

    return [
        LayerDescription(
            layer=layer.name,
            neuron=layer.neuron.TYPE,
            process=process,
            stock=True,
            lag=0,
            synapses=kinds(layer.recurrent is not None, layer.synapses.n_in, layer.size),
            reason=reason,
        )
        for layer in network.layers
    ]


BACKENDS: dict[str, Callable[[RunOptions], Backend]] = {
    "loihi2": Loihi2Backend,
    "lava": LavaBackend,
    "mcu": McuBackend,
    "c": CBackend,
    "wasm": WasmBackend,
    "simulator": lambda _options: SimulatorBackend(),
}
"""The built-in targets by name, best first: the closer to hardware, the better."""

COMPUTERS = ("lava", "simulator")
"""Those that run on a computer, best first; boards and plug-ins run only when they are named."""

PRINTED = ("c", "mcu", "wasm")
"""Those that print the network as C; they run only when they are named."""

AUTO = "auto"
"""Stands for the best of ``COMPUTERS`` that is available."""


def targets() -> tuple[str, ...]:
    """Return the names that ``pick`` accepts: auto, the built-in targets, those of plug-ins."""
    return (AUTO, *BACKENDS, *plugins.find(_taken()).plugins)


def refused_plugins() -> tuple[str, ...]:
    """Return one line for each plug-in whose name is taken; none of them is imported."""
    return plugins.find(_taken()).refused


def _taken() -> tuple[str, ...]:
    return (AUTO, *BACKENDS)


@dataclass(frozen=True)
class Pick:
    """A chosen target and why it was chosen, as one sentence."""

    backend: Backend
    reason: str


def pick(target: str = AUTO, options: RunOptions | None = None) -> Pick:
    """Return the target of that name, or for ``auto`` the best of ``COMPUTERS``.

    Raises
    ------
    InputError
        No such target; or it is not available here, with the reason; or its plug-in is broken.
    """
    options = RunOptions() if options is None else options
    if target == AUTO:
        return _best(options)
    whose = ""
    if target in BACKENDS:
        backend = BACKENDS[target](options)
        found = backend.available()
    else:
        plugin = plugins.find(_taken()).plugins.get(target)
        if plugin is None:
            raise InputError(unknown("target", target, targets(), "--target"))
        backend = plugin.make(options, Backend)
        found = plugin.asked("available", backend.available)
        whose = f" of {plugin.distribution}"
    if not found.ok:
        raise InputError(f"target {target} cannot run here: {found.reason}")
    return Pick(backend, f"{target}{whose}, as asked: {found.reason}")


def _best(options: RunOptions) -> Pick:
    passed_over = []
    for name in COMPUTERS:
        backend = BACKENDS[name](options)
        found = backend.available()
        if found.ok:
            skipped = "".join(f"; not {entry}" for entry in passed_over)
            return Pick(backend, f"{name} is the best target here: {found.reason}{skipped}")
        passed_over.append(f"{name}: {found.reason}")
    raise InputError(f"no target can run here: {'; '.join(passed_over)}")
