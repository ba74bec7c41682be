"""The options of ``srnn-deploy`` about a board that a network runs on."""

from __future__ import annotations

import argparse

from ..export.errors import InputError
from .loihi2.options import CHIP_GENERATIONS, MEASURED_STEPS, BoardOptions

_NAMES = (
    "slurm",
    "partition",
    "slurm_board",
    "ethernet_host",
    "host_binary",
    "chip_generation",
    "adapter_lags",
    "measured_steps",
)


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options, in a group of their own."""
    group = parser.add_argument_group(
        "running on a board (--target loihi2; Lava's use_slurm_host and use_ethernet_host)"
    )
    group.add_argument("--slurm", action="store_true", default=None, help="ask SLURM for a board")
    group.add_argument("--partition", metavar="NAME", help="SLURM partition to take a board from")
    group.add_argument("--slurm-board", metavar="NAME", help="SLURM node of the board")
    group.add_argument("--ethernet-host", metavar="ADDRESS", help="host of a board on the network")
    group.add_argument("--host-binary", metavar="PATH", help="nxcore's driver server there (path)")
    group.add_argument(
        "--chip-generation",
        metavar="NAME",
        help=f"{', '.join(CHIP_GENERATIONS)} (default {BoardOptions.chip_generation})",
    )
    group.add_argument(
        "--adapter-lags",
        type=int,
        nargs=2,
        metavar=("IN", "OUT"),
        help="steps that the adapters to and from the chip add (default "
        f"{BoardOptions.input_lag} {BoardOptions.output_lag})",
    )
    group.add_argument(
        "--measured-steps",
        type=int,
        metavar="N",
        help=f"number of steps in the measured run (default {MEASURED_STEPS}; 0: measure nothing)",
    )


def board_options(arguments: argparse.Namespace, on_computer: bool) -> BoardOptions:
    """Return what was asked for.

    Raises
    ------
    InputError
        A board option although the network does not run on a board; or options that
        contradict each other.
    """
    given = {name: getattr(arguments, name) for name in _NAMES}
    given = {name: value for name, value in given.items() if value is not None}
    if given and on_computer:
        name = next(iter(given)).replace("_", "-")
        raise InputError(f"--{name}: applies only to a run on a board; add --target loihi2")
    lags = given.pop("adapter_lags", None)
    if lags is not None:
        given |= {"input_lag": lags[0], "output_lag": lags[1]}
    if "slurm_board" in given:
        given["board"] = given.pop("slurm_board")
    return BoardOptions(**given)
