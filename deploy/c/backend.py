"""The targets ``c`` and ``mcu``: a network printed as C, compiled, run and read back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy.typing as npt

from ...export.network import Network
from ..plan import LayerDescription
from . import runner, toolchain
from .options import COptions
from .program import PrintedLayer, Program


@dataclass(frozen=True)
class HostTarget:
    """The host's compiler and processor.

    ``flags`` are added to those of ``toolchain.STRICT``.
    """

    options: COptions = field(default_factory=COptions)
    timeout: float | None = None
    flags: tuple[str, ...] = ("-O2",)

    def available(self) -> tuple[bool, str]:
        """Whether there is a compiler, and which."""
        command = toolchain.host_compiler()
        if command is None:
            return False, toolchain.missing_compiler()
        return True, f"C99 by {' '.join(command)} on this computer"

    def describe(self, network: Network) -> list[LayerDescription]:
        """Say how each layer is printed; refuses what is not."""
        return describe(runner.printed_program(network, self.options.name))

    def run(
        self, network: Network, inputs: npt.ArrayLike, lengths: npt.ArrayLike | None = None
    ) -> runner.CRun:
        """Compile, run and read back; see ``runner.run`` for the errors."""
        return runner.run(network, inputs, lengths, self.options, self._execute)

    def _execute(self, program: Program, folder: Path) -> str:
        timeout = runner.DEFAULT_TIMEOUT if self.timeout is None else self.timeout
        p, command = program.prefix, toolchain.host_compiler() or ["cc"]
        toolchain.call(
            [*command, *toolchain.STRICT, *self.flags, "-DSRNN_TRACE", "-o", f"{p}_main",
             f"{p}_main.c", f"{p}.c", "-lm"], folder, "compiling C", timeout,
        )  # fmt: skip
        return toolchain.call([f"./{p}_main"], folder, "running C", timeout)


def describe(program: Program) -> list[LayerDescription]:
    """Say how each layer is printed."""
    return [
        LayerDescription(
            layer=printed.layer.name,
            neuron=printed.layer.neuron.TYPE,
            process=f"layer{printed.index}",
            stock=True,
            lag=0,
            synapses=", ".join(
                f"{'recurrent ' if place else ''}{d.connection.n_in}x{d.connection.n_out}"
                for place, d in enumerate(printed.deliveries)
            ),
            reason=_reason(printed, program.sum_type),
        )
        for printed in program.layers
    ]


def _reason(printed: PrintedLayer, sum_type: str) -> str:
    bits = ", ".join(str(d.codes.bits) for d in printed.deliveries)
    wide = any("int64_t" in line or "64(" in line for line in printed.step.lines)
    return f"weights of {bits} bits; sums in {sum_type[3:5]}, the step in {64 if wide else 32} bits"
