"""``srnn-deploy --emit-program``: write what a network's neurons have to compute in microcode."""

from __future__ import annotations

import sys
from pathlib import Path

from ..export.console import EXIT_OK, Output
from ..export.files import replace_file
from ..export.network import Network
from ..export.terminal import put
from . import microcode_text
from .boards import Chip
from .microcode import Listing, listing

STANDARD_OUTPUT = "-"


def emit(network: Network, chip: Chip, target: str, output: Output) -> int:
    """Write the listing to a file, or to standard output for ``-``.

    Raises
    ------
    InputError
        No program is needed, or none can be made.
    """
    listed = listing(network, chip)
    text = microcode_text.write(listed)
    if target != STANDARD_OUTPUT:
        replace_file(Path(target), text)
        _print(listed, output)
        output.line(f"Wrote {target}")
    elif not output.as_json:
        # Standard output holds the listing and nothing else.
        put(sys.stdout, text)
    output.result(
        {
            "chip": chip.title,
            "programs": [_summary(listed, name) for name in listed.programs],
            **({"file": target} if target != STANDARD_OUTPUT else {"listing": text}),
        }
    )
    return EXIT_OK


def _summary(listed: Listing, name: str) -> dict[str, object]:
    program = listed.programs[name]
    banks = [bank for bank in listed.banks if bank.program == name]
    return {
        "program": name,
        "layers": [bank.layer for bank in banks],
        "neurons": sum(bank.size for bank in banks),
        "register_bits": sum(width.bits for width in program.registers.values()),
        "constant_bits": sum(width.bits for _, width in program.constants.values()),
        "widest_intermediate_bits": max(
            (operation.width.bits for operation in program.operations), default=0
        ),
        "operations": program.counts,
    }


def _print(listed: Listing, output: Output) -> None:
    rows = []
    for name in listed.programs:
        found = _summary(listed, name)
        counts = listed.programs[name].counts
        rows.append(
            [
                name,
                found["neurons"],
                found["register_bits"],
                found["constant_bits"],
                found["widest_intermediate_bits"],
                sum(counts.values()),
                counts.get("mul", 0),
            ]
        )
    output.table(
        "microcode programs, per neuron and step",
        [
            "program",
            "neurons",
            "register bits",
            "constant bits",
            "widest result",
            "operations",
            "multiplications",
        ],
        rows,
    )
