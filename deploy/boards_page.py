"""docs/BOARDS.md, made from the bundled boards and the table of neuron models.

python -m srnn.deploy.boards_page docs/BOARDS.md
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..export.files import replace_file
from ..export.network import NEURONS
from .boards import LABELS, Boards, Chip, Limit, read_boards
from .programs import NATIVE, support

COMMAND = "python -m srnn.deploy.boards_page docs/BOARDS.md"

EXAMPLE = """\
[chips.small]
title = "A small chip"
native_neurons = ["CUBA", "SRNN_ALIF"]
microcode = false

[chips.small.limits]
cores_per_chip = { value = 16, source = "data sheet, page 3", verified = true }
neurons_per_core = { value = 256 }
synapse_bits_per_core = { value = 262144 }
weight_bits = { value = 4 }

[boards.bench]
title = "Bench board, 4 chips"
chip = "small"
chips = { value = 4 }
"""

_HEAD = f"""\
# Boards

<!-- Made by `{COMMAND}`; edit deploy/boards.toml or the code, not this file. -->

`srnn-deploy model.net --target loihi2 --dry-run` places a network on the cores of a board: it
prints what every core needs of every resource, the spikes between cores in a simulated run, the
bottleneck, and everything that keeps the network off the board, all at once, each with its layer,
the value, the limit and how to fix it. Exit code 0: it fits; 1: it does not; 2: bad input.

**No Loihi board exists here.** Nothing on this page was checked on silicon. A limit is *verified*
if its source is the chip's maker, or the code of a tool that ran on the chip, and no other public
source known to us contradicts it. A limit without a value is not public; it is not checked, and
the output says so. "Fits" means that the network keeps the limits below, and nothing more.
"""

_HOW = """\
## How a network is placed

- A core holds neurons of one layer. A layer that needs more than one core is split, evenly where
  possible; this includes recurrent layers, with one axon for every neuron and core that it reaches.
- Where a core holds few parameter profiles, neurons with equal profiles are grouped. A decay
  profile is a set of decays that neurons share, a threshold profile a set of all other parameters
  that their step reads but the bias: thresholds and threshold steps.
- Input axons of a core: sources with a synapse on it. Output axons: cores with a synapse of the
  neuron, one each. Zero weights do not count as synapses.
- Synapse memory: for every input axon a list of entries, in whole words, dense or with indices,
  whichever is smaller; every tap of a convolution is a synapse of its own. Weights take the
  smallest width that holds them exactly; delays take the bits they need.
- A threshold that no 24-bit membrane potential reaches is stored as the largest possible one, which
  only a membrane potential within 63 of saturation exceeds.
- Cores fill chips in order, layer by layer. Equal networks give equal placements.

## Clustered time constants

`--cluster N` merges the decays and thresholds of each layer to at most N profiles, before placing:
k-means on their logarithms; weights, biases and states of a neuron are scaled so that its steady
response keeps its distance from the threshold. The new network is written to a `.net` of its own,
and its cost is measured by simulation on the bundled samples, or on those of `--task`: accuracy,
changed answers, spikes. A neuron without `RESPONSE` in its file, which says how it answers a
constant input, is refused.
"""

_OWN = f"""\
## A board of your own

`srnn-deploy model.net --dry-run --board my.toml` takes boards from a file with the same tables as
`deploy/boards.toml`. A limit that is left out counts as not known. A board may name a chip of the
file or one on this page.

```toml
{EXAMPLE}```
"""


def page(boards: Boards) -> str:
    """Return the page."""
    return "\n".join(
        [
            _HEAD,
            _boards(boards),
            _programs(boards),
            *(_limits(chip) for chip in boards.chips.values()),
            _HOW,
            _OWN,
        ]
    )


def _boards(boards: Boards) -> str:
    short = {board: name for name, board in boards.targets.items()}
    rows = [
        (
            f"`{board.name}`" + (f", `{short[board.name]}`" if board.name in short else ""),
            board.title,
            board.chip.title,
            f"{board.chips.value:,}",
            f"{board.cores:,}",
            _verified(board.chips),
            board.chips.source,
        )
        for board in boards.boards.values()
    ]
    columns = (
        "`--target`",
        "board",
        "chip",
        "chips",
        "cores",
        "verified",
        "source of the chip count",
    )
    return "## Boards\n\n" + _table(columns, rows)


_NEURONS = """
All of it follows from what a neuron's file declares, yours too: which parameters are decays and the
code that a chip stores as 0 (`decay`), the width of its states from the ranges of its step, what
it lacks on other chips (`NEEDS`), which neuron can stand in for it (`NATIVE_AS`). A state that its
step does not limit is cut by the chip. Name it in a chip's `native_neurons` if the chip has it.
"""


def _programs(boards: Boards) -> str:
    chips = list(boards.chips.values())
    rows = [
        (f"`{name}`", *(support(chip, record).kind for chip in chips))
        for name, record in NEURONS.items()
    ]
    lines = []
    for name, record in NEURONS.items():
        reasons = {chip.title: support(chip, record) for chip in chips}
        said = "; ".join(
            f"{title}: {found.reason}"
            for title, found in reasons.items()
            if found.kind != NATIVE or record.NATIVE_AS
        )
        if said:
            lines.append(f"- `{name}`: {said}.")
    return (
        "## Neuron models by target\n\n"
        + _table(("neuron", *(chip.title for chip in chips)), rows)
        + "\n"
        + "\n".join(lines)
        + "\n"
        + _NEURONS
    )


def _limits(chip: Chip) -> str:
    rows = [
        (
            LABELS[name] + (" per core" if name.endswith("_per_core") else ""),
            "not known" if limit.value is None else f"{limit.value:,}",
            _verified(limit),
            limit.source,
        )
        for name, limit in chip.limits.items()
    ]
    form = chip.synapse_format
    return (
        f"## Limits of {chip.title}\n\n"
        + _table(("limit", "value", "verified", "source"), rows)
        + f"\nSynapse memory: words of {form.word_bits} bits, up to {form.entry_synapses} synapses "
        f"per entry after a header of {form.entry_header_bits} bits, weights of "
        f"{', '.join(map(str, form.weight_widths))} bits, indices of "
        f"{', '.join(map(str, form.index_widths))} bits. "
        f"{'Verified' if form.verified else 'Not verified'}: {form.source}.\n"
    )


def _verified(limit: Limit) -> str:
    return "-" if limit.value is None else "yes" if limit.verified else "no"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page."""
    parser = argparse.ArgumentParser(description="Write docs/BOARDS.md from code.")
    parser.add_argument("file", type=Path)
    replace_file(parser.parse_args(argv).file, page(read_boards()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
