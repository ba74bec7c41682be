"""``srnn-deploy --emit-program``: write a network's microcode programs, checked by running them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from ..export.console import EXIT_NO, EXIT_OK, Output
from ..export.errors import InputError
from ..export.files import replace_file
from ..export.network import Network, Neuron, check_inputs
from ..export.terminal import put
from ..export.trace import LayerTrace, Mismatch, Trace, compare
from ..neurons.neuron import initial_state, take_step
from ..simulate import reference
from . import microcode, microcode_text
from .boards import Chip
from .inputs import Inputs
from .microcode import Listing
from .microcode_programs import SOURCES, listing, notes

STANDARD_OUTPUT = "-"
RANDOM_STEPS = 64

Registers = dict[str, reference.IntArray]


def execute(listed: Listing, network: Network, inputs: Inputs) -> Trace:
    """Run a network whose listed layers are executed from the listing, the others by the reference.

    Raises
    ------
    InputError
        A value that leaves its width; or a listing of another network.
    """
    messages = check_inputs(network, inputs.inputs).astype(np.int64)
    batch, steps, _ = messages.shape
    running = np.arange(steps) < inputs.lengths[:, None]
    layers = []
    for layer in network.layers:
        machine = _Machine(listed, layer.name, layer.neuron, batch)
        spikes = np.zeros((batch, steps, layer.size), dtype=np.int64)
        states = {name: np.zeros_like(spikes) for name in layer.neuron.STATES}
        for t in range(steps):
            total = reference.delivered(layer.synapses, messages, t)
            if layer.recurrent is not None and t > 0:
                total = total + reference.delivered(layer.recurrent, spikes, t - 1)
            spikes[:, t], now = machine.step(total)
            for name, values in now.items():
                states[name][:, t] = values
        kept = running[:, :, None]
        layers.append(
            LayerTrace(
                (spikes * kept).astype(np.uint8) if layer.neuron.SPIKING else None,
                {name: (values * kept).astype(np.int32) for name, values in states.items()},
            )
        )
        messages = spikes
    return reference.trace_of(network, layers, inputs.lengths)


class _Machine:
    """One layer over time: its listing where it has one, else the reference."""

    def __init__(self, listed: Listing, layer: str, neuron: Neuron, batch: int) -> None:
        self._neuron = neuron
        self._bank = listed.bank(layer)
        self._spiked = np.zeros((batch, neuron.size), dtype=np.int64)
        if self._bank is None:
            self._state = initial_state(neuron, batch)
            return
        said = (self._bank.size, self._bank.program)
        if said != (neuron.size, neuron.TYPE):
            raise InputError(
                f"layer {layer}: the listing has {said[0]} neurons of {said[1]}, the network "
                f"{neuron.size} of {neuron.TYPE}"
            )
        self._program = listed.programs[self._bank.program]
        self._state = microcode.start(self._program, self._bank, batch)

    def step(self, total: reference.IntArray) -> tuple[reference.IntArray, Registers]:
        if self._bank is None:
            self._state, self._spiked = take_step(self._neuron, self._state, total, self._spiked)
            return self._spiked, self._state
        self._state = microcode.step(self._program, self._bank, self._state, total)
        return self._state[self._program.spike], {n: self._state[n] for n in self._program.states}


def check(listed: Listing, network: Network, inputs: Inputs) -> list[Mismatch]:
    """Execute a listing and compare every spike and state with the reference."""
    expected = reference.run(network, inputs.inputs, inputs.lengths)
    return compare(execute(listed, network, inputs), expected)


def random_inputs(network: Network) -> Inputs:
    """Return one seeded random sample over the whole range of the network's inputs."""
    rng = np.random.default_rng(0)
    largest = (1 << network.message_bits) - 1 if network.message_bits else 1
    low = -largest if network.message_bits else 0
    values = rng.integers(low, largest + 1, (1, RANDOM_STEPS, network.input_size))
    lengths = np.array([RANDOM_STEPS], dtype=np.int64)
    return Inputs(values.astype(np.int32), lengths, None, "a random sample")


def emit(network: Network, chip: Chip, inputs: Inputs | None, target: str, output: Output) -> int:
    """Write the listing to a file, or to standard output for ``-``, and report what was checked.

    The text is read back, executed on ``inputs`` (a random sample when None) and compared with the
    reference before it is written; on a difference nothing is written and the exit code is 1.

    Raises
    ------
    InputError
        No program is needed, or none can be made.
    """
    listed = listing(network, chip)
    noted = {kind.TYPE: notes(kind) for kind in SOURCES}
    text = microcode_text.write(listed, noted)
    used = random_inputs(network) if inputs is None else inputs
    rows = check(microcode_text.parse(text, "the listing"), network, used)
    compared = int(used.lengths.sum()) * sum(network.layers[row.layer].size for row in rows)
    different = sum(row.different for row in rows)
    to_file = target != STANDARD_OUTPUT
    if to_file and not different:
        replace_file(Path(target), text)
    elif not different and not output.as_json:
        put(sys.stdout, text)
    said = f"{compared:,} spikes and states on {used.source}"
    verdict = (
        f"NOT EQUAL: the listing and the reference differ in {different:,} of {said}"
        if different
        else f"the listing, read back and executed, gives the reference's {said}: 0 mismatches"
    )
    if to_file:
        _print(listed, output)
        output.line(verdict if different else f"{verdict}. Wrote {target}")
    else:
        # Standard output holds the listing and nothing else.
        output.note(verdict)
    output.result(
        {
            "chip": chip.title,
            "programs": [_summary(listed, name) for name in listed.programs],
            "source": used.source,
            "compared": compared,
            "mismatches": different,
            "match": different == 0,
            **({"file": target} if to_file else {"listing": text}),
        }
    )
    return EXIT_NO if different else EXIT_OK


def _summary(listed: Listing, name: str) -> dict[str, object]:
    program = listed.programs[name]
    banks = [bank for bank in listed.banks if bank.program == name]
    return {
        "program": name,
        "layers": [bank.layer for bank in banks],
        "neurons": sum(bank.size for bank in banks),
        "register_bits": sum(width.bits for width in program.registers.values()),
        "constant_bits": sum(width.bits for width in program.constants.values()),
        "widest_intermediate_bits": max(
            operation.width.bits for operation in program.operations if operation.width
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
