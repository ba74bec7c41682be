"""From the last layer to a label, as C.

Membranes are compared as exact products with the real value of their unit, in integers. The mean
of softmax is the one readout that needs floating-point numbers: float64, as everywhere else.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from ...export.network import Network
from .steps import state_member
from .tables import filled, table

_LOW_BITS = 30
"""Bits of the lower of the two numbers that a unit's value is written as."""


def _membrane(network: Network) -> str:
    return state_member("v", len(network.layers) - 1)


def _equal_scales(network: Network) -> bool:
    scale = network.layers[-1].state_scale
    return bool((scale == scale[0]).all())


def _sums(network: Network) -> bool:
    return network.readout.kind in {"mean_softmax", "spike_count"}


def _share(network: Network) -> int:
    """Return the number of neurons of a class."""
    return network.output_size // network.class_count


def includes(network: Network, prefix: str) -> str:
    """Return the lines that name other headers."""
    standard = ["<math.h>"] if network.readout.kind == "mean_softmax" else []
    lines = [f'#include "{prefix}.h"', "", *(f"#include {name}" for name in standard)]
    return "\n".join([*lines, "#include <string.h>", ""])


def members(network: Network) -> list[str]:
    """Return what the state holds for the readout."""
    if network.readout.kind == "spike_count":
        return [f"int32_t totals[{network.output_size}];"]
    if network.readout.kind == "mean_softmax":
        return [f"double totals[{network.class_count}];"]
    return []


def output_remark(network: Network) -> str:
    """Return what the output function returns, in one line."""
    if network.readout.reads_spikes:
        return "The spikes of each neuron of the last layer so far."
    return "The membranes of the last layer after the last step."


def output(network: Network) -> str:
    """Return the statement of the output function."""
    return f"return s->{'totals' if network.readout.reads_spikes else _membrane(network)};"


def tables(network: Network) -> list[str]:
    """Return the real values of units, where they differ."""
    readout = network.readout
    if readout.reads_spikes:
        return []
    scale = network.layers[-1].state_scale
    if readout.kind == "mean_softmax":
        numbers = filled(float(value).hex() for value in scale)
        return [
            "/* The real value of a unit of the membrane. */\n"
            f"static const double scale[{len(scale)}] = {{\n{numbers}\n}};\n"
        ]
    if _equal_scales(network):
        return []
    high, low = _split_scales(network)
    remark = f"The value of a unit, as a share of the largest: high 2^{_LOW_BITS} + low."
    return [table("scale_high", high, remark), table("scale_low", low)]


def _split_scales(network: Network) -> tuple[np.ndarray, np.ndarray]:
    """Return integers that are proportional to the scales: all bits of those above 1 / 128."""
    bits = 2 * _LOW_BITS - math.ceil(math.log2(_share(network)))
    scale = [Fraction(float(value)) for value in network.layers[-1].state_scale]
    whole = [round(value / max(scale) * (1 << bits)) for value in scale]
    high = np.array([value >> _LOW_BITS for value in whole])
    return high, np.array([value & ((1 << _LOW_BITS) - 1) for value in whole])


def label(network: Network, prefix: str) -> str:
    """Return the function that answers with a class."""
    readout, classes, share = network.readout, network.class_count, _share(network)
    last = len(network.layers) - 1
    head = f"static int32_t label({prefix}_state *s)\n{{\n"
    if readout.kind == "spike_count":
        value = _group("s->totals[{}]", share, "int32_t")
        counted = _counted(readout.skip_steps, [
            f"for (i = 0; i < s->layer{last}_count; i++) {{",
            f"    s->totals[s->layer{last}_spikes[i]]++;",
            "}",
        ])  # fmt: skip
        lines = [*counted, *_argmax(classes, *value)]
        remark = "The class with the most spikes so far."
    elif readout.kind == "mean_softmax":
        lines = _softmax(network)
        remark = "The class of the largest mean softmax, in float64: the one float stage."
    elif _equal_scales(network):
        kind = "int32_t" if share == 1 else "int64_t"
        value = _group(f"s->{_membrane(network)}[{{}}]", share, kind)
        lines = ["uint32_t i;", *_argmax(classes, *value)]
        remark = "The class of the highest membrane."
    else:
        lines = _exact_argmax(network)
        remark = "The class of the highest membrane, each times the real value of its unit."
    body = "\n".join(f"    {line}" for line in lines)
    return f"/* {remark} */\n{head}{body}\n}}\n"


def _counted(skip: int, lines: list[str]) -> list[str]:
    if skip == 0:
        return ["uint32_t i;", *lines]
    return ["uint32_t i;", f"if (s->steps <= {skip}) {{", "    return -1;", "}", *lines]


def _group(entry: str, share: int, kind: str) -> tuple[str, list[str], str]:
    """Return the type and the statements of a class's value, and the value."""
    if share == 1:
        return kind, [], entry.format("i")
    return (
        kind,
        [
            f"{kind} value = 0;",
            "uint32_t j;",
            f"for (j = 0; j < {share}; j++) {{",
            f"    value += {entry.format(f'i * {share} + j')};",
            "}",
        ],
        "value",
    )


def _argmax(classes: int, kind: str, inner: list[str], value: str) -> list[str]:
    least = "INT32_MIN" if kind == "int32_t" else "INT64_MIN"
    declared = [f"{kind} most = {least};", "int32_t best = 0;"]
    return [
        *declared,
        f"for (i = 0; i < {classes}; i++) {{",
        *(f"    {line}" for line in inner),
        f"    if ({value} > most) {{",
        f"        most = {value};",
        "        best = (int32_t)i;",
        "    }",
        "}",
        "return best;",
    ]


def _exact_argmax(network: Network) -> list[str]:
    classes, share, v = network.class_count, _share(network), _membrane(network)
    at = "i" if share == 1 else f"i * {share} + j"
    add = [
        f"high += (int64_t)s->{v}[{at}] * scale_high[{at}];",
        f"low += (int64_t)s->{v}[{at}] * scale_low[{at}];",
    ]
    if share > 1:
        add = [f"for (j = 0; j < {share}; j++) {{", *(f"    {line}" for line in add), "}"]
        add = ["uint32_t j;", *add]
    declared = [line for line in add if line.endswith("j;")]
    rest = [line for line in add if line not in declared]
    mask = hex((1 << _LOW_BITS) - 1)
    return [
        "int64_t most_high = INT64_MIN, most_low = 0;",
        "int32_t best = 0;",
        "uint32_t i;",
        f"for (i = 0; i < {classes}; i++) {{",
        "    int64_t high = 0, low = 0;",
        *(f"    {line}" for line in declared),
        *(f"    {line}" for line in rest),
        f"    high += shifted64(low, {_LOW_BITS});",
        f"    low = (int64_t)((uint64_t)low & {mask}u);",
        "    if (high > most_high || (high == most_high && low > most_low)) {",
        "        most_high = high;",
        "        most_low = low;",
        "        best = (int32_t)i;",
        "    }",
        "}",
        "return best;",
    ]


def _softmax(network: Network) -> list[str]:
    classes, share, v = network.class_count, _share(network), _membrane(network)
    at = "i" if share == 1 else f"i * {share} + j"
    value = [f"values[i] = s->{v}[i] * scale[i];"]
    if share > 1:
        value = [
            "values[i] = 0.0;",
            f"for (j = 0; j < {share}; j++) {{",
            f"    values[i] += s->{v}[{at}] * scale[{at}];",
            "}",
            f"values[i] /= {share}.0;",
        ]
    skip = network.readout.skip_steps
    counted = f"(s->steps - {skip}u)" if skip else "s->steps"
    return [
        f"double values[{classes}], largest = -HUGE_VAL, total = 0.0, most = -1.0;",
        "int32_t best = 0;",
        f"uint32_t i{'' if share == 1 else ', j'};",
        *([f"if (s->steps <= {skip}) {{", "    return -1;", "}"] if skip else []),
        f"for (i = 0; i < {classes}; i++) {{",
        *(f"    {line}" for line in value),
        "    largest = values[i] > largest ? values[i] : largest;",
        "}",
        f"for (i = 0; i < {classes}; i++) {{",
        "    values[i] = exp(values[i] - largest);",
        "    total += values[i];",
        "}",
        f"for (i = 0; i < {classes}; i++) {{",
        "    double mean;",
        "    s->totals[i] += values[i] / total;",
        f"    mean = s->totals[i] / (double){counted};",
        "    if (mean > most) {",
        "        most = mean;",
        "        best = (int32_t)i;",
        "    }",
        "}",
        "return best;",
    ]
