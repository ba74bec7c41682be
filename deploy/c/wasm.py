"""The target ``wasm``: a network printed as C in WebAssembly, run by node."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import numpy.typing as npt

from ...export.network import Network
from ..plan import LayerDescription
from . import runner, toolchain
from .backend import describe
from .options import COptions
from .program import Program
from .steps import state_member

_PROGRAMS = (("clang", "clang"), ("wasm-ld", "lld"), ("node", "nodejs"))
_FLAGS = (
    "--target=wasm32", "-O2", "-nostdlib", "-fno-builtin", "-isystem", ".",
    "-Wl,--no-entry", "-Wl,--export-dynamic", "-Wl,--allow-undefined",
)  # fmt: skip
_WHAT = "WebAssembly"
_MADE = ("PREFIX.wasm", "PREFIX_wasm.c", "run.mjs")
"""Files that are kept beside the printed ones."""

_SHIM = """\
/* What a page or node sees of {p} in WebAssembly: inputs to fill, a step, its record. */
#include "{p}.h"

#include <stddef.h>
#include <string.h>

#define SEEN __attribute__((visibility("default")))

static {p}_state s;
static {p}_input inputs[{m}_INPUTS];
static uint8_t record[{record}];

void *memset(void *to, int value, size_t size)
{{
    uint8_t *bytes = to;
    while (size > 0) {{
        bytes[--size] = (uint8_t)value;
    }}
    return to;
}}

static uint8_t *put(uint8_t *to, const void *values, size_t size)
{{
    const uint8_t *from = values;
    size_t i;
    for (i = 0; i < size; i++) {{
        to[i] = from[i];
    }}
    return to + size;
}}

SEEN {p}_input *srnn_inputs(void) {{ return inputs; }}
SEEN uint8_t *srnn_record(void) {{ return record; }}
SEEN uint32_t srnn_input_bytes(void) {{ return sizeof inputs; }}
SEEN uint32_t srnn_record_bytes(void) {{ return sizeof record; }}
SEEN void srnn_reset(void) {{ {p}_reset(&s); }}

/* The record: label, output, and of each layer its spikes, a byte each, and states. */
SEEN int32_t srnn_step(void)
{{
    const int32_t label = {p}_step(&s, inputs);
    uint8_t *to = put(record, &label, sizeof label);
    uint32_t i;
    (void)i;
    to = put(to, {p}_output(&s), {m}_OUTPUTS * sizeof(int32_t));
{puts}
    (void)to;
    return label;
}}
"""


@dataclass(frozen=True)
class WasmTarget:
    """WebAssembly by clang and lld, run by node."""

    options: COptions = field(default_factory=COptions)
    timeout: float | None = None

    def available(self) -> tuple[bool, str]:
        """Whether compiler, linker and node are there."""
        missing = toolchain.missing_programs(_PROGRAMS)
        return (False, missing) if missing else (True, "WebAssembly by clang, run by node")

    def describe(self, network: Network) -> list[LayerDescription]:
        """Say how each layer is printed; refuses what is not."""
        return describe(runner.printed_program(network, self.options.name))

    def run(
        self, network: Network, inputs: npt.ArrayLike, lengths: npt.ArrayLike | None = None
    ) -> runner.CRun:
        """Compile, run and read back; see ``runner.run`` for the errors."""
        return runner.run(network, inputs, lengths, self.options, self._execute, made=_MADE)

    def _execute(self, program: Program, folder: Path) -> str:
        timeout = runner.DEFAULT_TIMEOUT if self.timeout is None else self.timeout
        web = resources.files(__name__.rpartition(".")[0]).joinpath("web")
        for file in web.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        p = program.prefix
        (folder / f"{p}_wasm.c").write_text(shim(program), encoding="utf-8")
        command = ["clang", *toolchain.STRICT, *_FLAGS, "-o", f"{p}.wasm", f"{p}_wasm.c", f"{p}.c"]
        toolchain.call(command, folder, f"compiling {_WHAT}", timeout)
        files = (f"{p}.wasm", f"{p}_samples.bin", f"{p}_trace.bin")
        return toolchain.call(["node", "run.mjs", *files], folder, f"running {_WHAT}", timeout)


def shim(program: Program) -> str:
    """Return the file that exports a network to a page."""
    network, lines, size = program.network, [], 4 + 4 * program.network.output_size
    for index, layer in enumerate(network.layers):
        n = layer.size
        if layer.neuron.SPIKING:
            size += n
            lines += [
                f"memset(to, 0, {n});",
                f"for (i = 0; i < s.layer{index}_count; i++) {{",
                f"    to[s.layer{index}_spikes[i]] = 1;",
                "}",
                f"to += {n};",
            ]
        for state in layer.neuron.STATES:
            size += 4 * n
            lines.append(f"to = put(to, s.{state_member(state, index)}, {n} * sizeof(int32_t));")
    return _SHIM.format(
        p=program.prefix,
        m=program.macro,
        record=size,
        puts="\n".join(f"    {line}" for line in lines),
    )
