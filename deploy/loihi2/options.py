"""How a board is reached and measured, in the terms of ``lava.utils.loihi``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ...export.errors import InputError
from ...export.suggest import check_known

CHIP_GENERATIONS = ("N3B2", "N3B3", "N3C1", "N3D1")
"""The Loihi 2 chips of ``lava.utils.loihi.ChipGeneration``."""

MEASURED_STEPS = 10_000
"""Steps of a measured run; shorter ones give no steady power."""


@dataclass(frozen=True)
class BoardOptions:
    """Where the board is, and how its run is recorded and measured.

    With ``slurm``, a ``partition`` or a ``board``, ``use_slurm_host`` is called; with an
    ``ethernet_host``, ``use_ethernet_host``; with none of them Lava's environment variables are
    left unchanged. ``host_binary`` None is Lava's default path. ``input_lag`` and ``output_lag``
    are the steps that the adapters between the computer and the chip add. ``measured_steps`` 0
    measures nothing.

    Raises
    ------
    InputError
        Options that contradict each other, named as on the command line.
    """

    slurm: bool = False
    partition: str | None = None
    board: str | None = None
    ethernet_host: str | None = None
    host_binary: str | None = None
    chip_generation: str = "N3B3"
    input_lag: int = 1
    output_lag: int = 1
    measured_steps: int = MEASURED_STEPS

    def __post_init__(self) -> None:
        if self.partition is not None and self.board is not None:
            raise InputError(
                "--partition, --slurm-board: a board belongs to a partition; give only one"
            )
        if self.uses_slurm and self.ethernet_host is not None:
            raise InputError(
                "--ethernet-host: a board is reached by SLURM or by Ethernet; give only one"
            )
        if self.host_binary is not None and self.ethernet_host is None:
            raise InputError("--host-binary: needs --ethernet-host ADDRESS, the host that has it")
        check_known("chip generation", self.chip_generation, CHIP_GENERATIONS, "--chip-generation")
        if min(self.input_lag, self.output_lag) < 0:
            raise InputError("--adapter-lags: a lag is negative; give 0 or more")
        if self.measured_steps < 0:
            raise InputError(f"--measured-steps: {self.measured_steps} is below 0")

    @property
    def uses_slurm(self) -> bool:
        """Whether the board is requested from SLURM."""
        return self.slurm or self.partition is not None or self.board is not None

    @property
    def where(self) -> str:
        """The board's location in words, for reports."""
        if self.ethernet_host is not None:
            place = f"host {self.ethernet_host}"
        elif self.board is not None:
            place = f"SLURM board {self.board}"
        elif self.uses_slurm:
            place = f"SLURM partition {self.partition or 'of any name'}"
        else:
            return "the board that the environment names"
        return f"{place}, {self.chip_generation}"


def use_host(options: BoardOptions) -> None:
    """Point Lava at the board; this sets environment variables of the process.

    Raises
    ------
    ValueError, ImportError, FileNotFoundError
        As ``use_slurm_host`` and ``use_ethernet_host`` of ``lava.utils.loihi`` do.
    """
    from lava.utils import loihi, slurm

    generation = loihi.ChipGeneration(options.chip_generation)
    if options.uses_slurm:
        with _no_blank_lines(slurm):
            loihi.use_slurm_host(
                partition=options.partition, board=options.board, loihi_gen=generation
            )
    elif options.ethernet_host is not None:
        binary = options.host_binary
        where = {} if binary is None else {"host_binary_path": binary}
        loihi.use_ethernet_host(options.ethernet_host, loihi_gen=generation, **where)


@contextmanager
def _no_blank_lines(slurm: Any) -> Iterator[None]:
    """Let lava-nc 0.10.0 read ``sinfo``: the blank line at the end of its output makes it fail."""
    run = slurm.try_run_command
    slurm.try_run_command = lambda command: [line for line in run(command) if line.strip()]
    try:
        yield
    finally:
        slurm.try_run_command = run
