"""The files around a printed network: a program that runs samples, and what builds it."""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt

from ...export.network import Network
from .inputs import encoder_files
from .program import Program
from .steps import state_member

INPUT_TYPES = {"int8_t": "<i1", "int16_t": "<i2", "int32_t": "<i4"}
"""NumPy's types of inputs, by those of C."""

_MAIN = """\
/* Runs samples from {p}_samples.bin: answers, and a hash of every spike and state of every step.
 * With SRNN_TRACE defined, all of them are written to {p}_trace.bin; with SRNN_COUNTER defined,
 * srnn_counter() is read around each step. Both files: docs/MICROCONTROLLERS.md of srnn. */
#ifndef ARDUINO

#include "{p}.h"

#include <stdio.h>
#include <string.h>

#ifdef SRNN_COUNTER
uint32_t srnn_counter(void);
#endif

static {p}_state s;
static uint8_t fired[{widest}];
static uint32_t hash;
static FILE *trace;

/* FNV-1a over the bytes. */
static void put(const void *values, size_t size)
{{
    const uint8_t *bytes = values;
    size_t i;
    for (i = 0; i < size; i++) {{
        hash = (hash ^ bytes[i]) * 16777619u;
    }}
    if (trace != NULL) {{
        fwrite(values, 1, size, trace);
    }}
}}

static int get(void *values, size_t size, FILE *file)
{{
    return fread(values, 1, size, file) == size;
}}

int main(void)
{{
    FILE *samples = fopen("{p}_samples.bin", "rb");
    uint32_t count, steps, n, t, i;
    uint32_t worst = 0, total_steps = 0, overflowed = 0;
    uint64_t total = 0;
    if (samples == NULL || !get(&count, sizeof count, samples)) {{
        puts("{p}_samples.bin: cannot be read");
        return 2;
    }}
#ifdef SRNN_TRACE
    trace = fopen("{p}_trace.bin", "wb");
    if (trace == NULL) {{
        puts("{p}_trace.bin: cannot be written");
        return 2;
    }}
#endif
    printf("state %lu bytes\\n", (unsigned long)sizeof s);
    for (n = 0; n < count; n++) {{
        int32_t label = -1;
        if (!get(&steps, sizeof steps, samples)) {{
            puts("{p}_samples.bin: ends early");
            return 2;
        }}
        {p}_reset(&s);
        hash = 2166136261u;
        for (t = 0; t < steps; t++) {{
            {p}_input inputs[{m}_INPUTS];
#ifdef SRNN_COUNTER
            uint32_t took;
#endif
            if (!get(inputs, sizeof inputs, samples)) {{
                puts("{p}_samples.bin: ends early");
                return 2;
            }}
#ifdef SRNN_COUNTER
            took = srnn_counter();
#endif
            label = {p}_step(&s, inputs);
#ifdef SRNN_COUNTER
            took = srnn_counter() - took;
            total += took;
            worst = took > worst ? took : worst;
#endif
            total_steps++;
            put(&label, sizeof label);
            put({p}_output(&s), {m}_OUTPUTS * sizeof(int32_t));
{puts}
        }}
        overflowed |= s.overflowed;
        printf("sample %lu: %lu steps, label %ld, hash %08lx\\n", (unsigned long)n,
               (unsigned long)steps, (long)label, (unsigned long)hash);
    }}
#ifdef SRNN_COUNTER
    printf("counted %lu %lu in %lu steps, at most %lu\\n", (unsigned long)(total / 1000000u),
           (unsigned long)(total % 1000000u), (unsigned long)total_steps, (unsigned long)worst);
#else
    (void)total, (void)worst, (void)total_steps;
#endif
    if (overflowed) {{
        puts("a state left 32 bits");
    }}
    fclose(samples);
    return trace != NULL && fclose(trace) != 0 ? 2 : 0;
}}

#endif
"""

_MAKEFILE = """\
# make: runs the samples on this computer. The library itself is {p}.c and {p}.h.
CC ?= cc
CFLAGS ?= -O2 -std=c99 -Wall -Wextra -Wconversion -pedantic

run: {p}_main
	./{p}_main

{p}_main: {p}_main.c {p}.c {p}.h
	$(CC) $(CFLAGS) -o $@ {p}_main.c {p}.c -lm

{stream}clean:
	rm -f {p}_main {p}_stream

.PHONY: run clean
"""
_MAKE_STREAM = """\
# Labels of raw samples: ./{p}_stream < samples.csv
{p}_stream: {p}_stream.c {p}_encoder.c {p}.c
	$(CC) $(CFLAGS) -o $@ $^ -lm

"""

_ZEPHYR = """\
name: {p}
build:
  cmake: zephyr
"""
_ZEPHYR_CMAKE = """\
zephyr_library()
zephyr_library_sources({sources})
zephyr_include_directories(${{CMAKE_CURRENT_LIST_DIR}}/..)
"""


def project(
    program: Program,
    inputs: npt.NDArray[np.int32] | None = None,
    lengths: npt.NDArray[np.int64] | None = None,
) -> dict[str, str | bytes]:
    """Return the files of a printed network by their path, with samples where they are given."""
    p, network = program.prefix, program.network
    encoder = encoder_files(program)
    sources = [f"{p}.c", *(name for name in encoder if name.endswith("_encoder.c"))]
    sentence = f"A spiking network of {network.input_size} inputs, as integers"
    version = "1.0.0"
    properties = {
        "name": p, "version": version, "author": "srnn", "maintainer": "srnn",
        "sentence": sentence, "paragraph": f"Network {program.digest}", "category":
        "Data Processing", "url": "", "architectures": "*",
        "includes": f"{p}.h",
    }  # fmt: skip
    library = {
        "name": p, "version": version, "description": sentence, "frameworks": "*",
        "platforms": "*", "headers": f"{p}.h",
        "build": {"srcFilter": [f"+<{name}>" for name in sources], "srcDir": "."},
    }  # fmt: skip
    files: dict[str, str | bytes] = {
        f"{p}.h": program.header,
        f"{p}.c": program.source,
        f"{p}_main.c": _main(program),
        "Makefile": _MAKEFILE.format(p=p, stream=_MAKE_STREAM.format(p=p) if encoder else ""),
        "library.properties": "".join(f"{k}={v}\n" for k, v in properties.items()),
        "library.json": json.dumps(library, indent=2) + "\n",
        "zephyr/module.yml": _ZEPHYR.format(p=p),
        "zephyr/CMakeLists.txt": _ZEPHYR_CMAKE.format(
            sources=" ".join(f"${{CMAKE_CURRENT_LIST_DIR}}/../{name}" for name in sources)
        ),
        **encoder,
    }
    if inputs is not None and lengths is not None:
        files[f"{p}_samples.bin"] = samples_file(program, inputs, lengths)
    return files


def samples_file(
    program: Program, inputs: npt.NDArray[np.int32], lengths: npt.NDArray[np.int64]
) -> bytes:
    """Return samples as the program reads them.

    Little-endian: uint32, the number of samples; for each its steps, uint32, and its inputs.
    """
    kind = INPUT_TYPES[program.input_type]
    parts = [np.uint32(len(lengths)).astype("<u4").tobytes()]
    for sample, length in zip(inputs, lengths.tolist(), strict=True):
        parts += [np.uint32(length).astype("<u4").tobytes(), sample[:length].astype(kind).tobytes()]
    return b"".join(parts)


def step_layout(network: Network) -> np.dtype:
    """Return what the program writes for a step: label, output, spikes and states by layer."""
    fields: list[tuple[str, str, tuple[int, ...]]] = [
        ("label", "<i4", ()),
        ("output", "<i4", (network.output_size,)),
    ]
    for index, layer in enumerate(network.layers):
        if layer.neuron.SPIKING:
            fields.append((f"{index} spikes", "u1", (layer.size,)))
        fields += [
            (f"{index} state {state}", "<i4", (layer.size,)) for state in layer.neuron.STATES
        ]
    return np.dtype(fields)


def _main(program: Program) -> str:
    network, lines = program.network, []
    for index, layer in enumerate(network.layers):
        n = layer.size
        if layer.neuron.SPIKING:
            lines += [
                f"memset(fired, 0, {n});",
                f"for (i = 0; i < s.layer{index}_count; i++) {{",
                f"    fired[s.layer{index}_spikes[i]] = 1;",
                "}",
                f"put(fired, {n});",
            ]
        lines += [
            f"put(s.{state_member(state, index)}, {n} * sizeof(int32_t));"
            for state in layer.neuron.STATES
        ]
    if not any(layer.neuron.SPIKING for layer in network.layers):
        lines.append("(void)i, (void)fired;")
    return _MAIN.format(
        p=program.prefix,
        m=program.macro,
        widest=max(layer.size for layer in network.layers),
        puts="\n".join(f"            {line}" for line in lines),
    )
