"""The target ``mcu``: a network printed as C on an emulated microcontroller."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import numpy.typing as npt

from ...export.network import Network
from ..errors import RunError
from ..plan import LayerDescription
from . import runner, toolchain
from .backend import describe
from .cores import Core, Machine
from .footprint import Footprint, counted, flash_parts, stack_bound
from .options import COptions
from .parts import check_memory, chosen
from .program import Program

_FLAGS = ("-O2", "-ffunction-sections", "-fdata-sections")


@dataclass(frozen=True)
class McuTarget:
    """A core under QEMU, as ``options.board`` names it, or its part."""

    options: COptions = field(default_factory=COptions)
    timeout: float | None = None

    @property
    def core(self) -> Core:
        """The core; refuses a board that is not known."""
        return chosen(self.options.board)[0]

    def available(self) -> tuple[bool, str]:
        """Whether compiler and emulator are there."""
        missing = toolchain.missing_programs(self.core.programs)
        if missing:
            return False, missing
        return True, f"{self.core.name} emulated by {self.core.emulator}"

    def describe(self, network: Network) -> list[LayerDescription]:
        """Say how each layer is printed; refuses what is not."""
        return describe(runner.printed_program(network, self.options.name))

    def run(
        self, network: Network, inputs: npt.ArrayLike, lengths: npt.ArrayLike | None = None
    ) -> runner.CRun:
        """Compile, emulate and read back; see ``run_measured`` for the errors."""
        return self.run_measured(network, inputs, lengths)[0]

    def run_measured(
        self, network: Network, inputs: npt.ArrayLike, lengths: npt.ArrayLike | None = None
    ) -> tuple[runner.CRun, Footprint]:
        """Run, and say what the network takes on the core; see ``runner.run`` for the errors.

        Raises
        ------
        InputError
            The part does not hold the network; with all limits.
        """
        core, part = chosen(self.options.board)
        sizes: dict[str, int] = {}
        used: list[Machine] = []

        def execute(program: Program, folder: Path) -> str:
            sizes.update(self._sizes(core, program, folder))
            if part is not None:
                flash = sizes["weights"] + sizes["parameters"] + sizes["code"]
                check_memory(part, flash, sizes["state"] + sizes["stack"])
            used.append(self._link(core, program, folder))
            return self._call(core.emulation(used[0], f"{program.prefix}.elf"), folder, "running")

        ran = runner.run(network, inputs, lengths, self.options, execute)
        state, steps, total, worst = counted(ran.printed)
        machine = used[0]
        return ran, Footprint(
            core.name,
            part,
            machine.name,
            f"{core.compiler} {' '.join((*core.flags, _FLAGS[0]))}",
            **{**sizes, "state": state},
            steps=steps,
            instructions_mean=total * machine.instructions_per_count / max(steps, 1),
            instructions_worst=worst * machine.instructions_per_count,
        )

    def _sizes(self, core: Core, program: Program, folder: Path) -> dict[str, int]:
        p = program.prefix
        (folder / "size.c").write_text(f'#include "{p}.h"\n{p}_state state_of_one;\n')
        for source in (f"{p}.c", "size.c"):
            self._compile(core, folder, ["-c", "-fstack-usage", source])
        tool = core.compiler.replace("gcc", "size")
        state = self._call([tool, "-A", "size.o"], folder, "measuring")
        found = flash_parts(self._call([tool, "-A", f"{p}.o"], folder, "measuring"))
        memory = [line.split() for line in state.splitlines() if line.startswith((".bss", ".sbss"))]
        found["state"] = sum(int(line[1]) for line in memory)
        found["stack"] = stack_bound((folder / f"{p}.su").read_text(encoding="utf-8"))
        return found

    def _link(self, core: Core, program: Program, folder: Path) -> Machine:
        """Link for the first machine that is large enough, and return it."""
        support = resources.files(__name__.rpartition(".")[0]).joinpath("boards")
        for file in support.iterdir():
            if file.name.endswith((".c", ".ld")):
                (folder / file.name).write_bytes(file.read_bytes())
        p = program.prefix
        sources = [*core.support, f"{p}.c", f"{p}_main.c"]
        for machine in core.machines:
            try:
                self._compile(
                    core, folder,
                    ["-DSRNN_TRACE", "-DSRNN_COUNTER", "-Wl,--gc-sections", "-o", f"{p}.elf",
                     *core.link_flags(machine), *sources, "-lm"],
                )  # fmt: skip
            except RunError as error:
                if "overflowed" not in str(error) or machine is core.machines[-1]:
                    raise
                continue
            return machine
        raise RunError(f"mcu: {core.name} has no machine")

    def _compile(self, core: Core, folder: Path, arguments: list[str]) -> None:
        self._call([core.compiler, *core.flags, "-std=c99", *_FLAGS, *arguments], folder,
                   "compiling")  # fmt: skip

    def _call(self, command: list[str], folder: Path, what: str) -> str:
        timeout = runner.DEFAULT_TIMEOUT if self.timeout is None else self.timeout
        return toolchain.call(command, folder, f"{what} C", timeout)
