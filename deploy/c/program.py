"""A network as the text of C99 files: its tables, its step, and what surrounds them."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...export.digest import network_digest
from ...export.errors import InputError
from ...export.network import Layer, Network
from . import readouts
from .helpers import TYPES, helpers
from .steps import Step, printed_step, state_member
from .synapses import Delivery, delivery
from .tables import c_type, commented, literal

_INT32_MAX = (1 << 31) - 1
_NAME_MAX = 40


def c_name(stem: str) -> str:
    """Return a file's stem as the end of a name of C: ``my-net.v2`` is ``my_net_v2``."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", stem).strip("_").lower()
    return (name or "network")[:_NAME_MAX]


@dataclass(frozen=True, eq=False)
class PrintedLayer:
    """A layer: its deliveries, where each adds its sums, and its neurons' step."""

    layer: Layer
    index: int
    deliveries: tuple[Delivery, ...]
    step: Step

    @property
    def merged(self) -> bool:
        """Whether all sums go to one array: nothing is late, and no sum is shifted right."""
        return all(not d.ring and d.exponent >= 0 for d in self.deliveries)

    @property
    def exponent(self) -> int:
        """The common exponent of merged sums."""
        return min(d.exponent for d in self.deliveries) if self.merged else 0

    @property
    def spikes(self) -> bool:
        """Whether its neurons spike."""
        return self.layer.neuron.SPIKING

    def unit(self, place: int) -> int:
        """What the codes of a delivery are multiplied by as they are added."""
        return 1 << (self.deliveries[place].exponent - self.exponent) if self.merged else 1

    @property
    def largest_sums(self) -> list[int]:
        """The largest magnitude in the array of each delivery, for messages of 1."""
        sums = [d.largest_code_sum * self.unit(k) for k, d in enumerate(self.deliveries)]
        return [sum(sums)] if self.merged else sums


class Program:
    """A network printed as C.

    Parameters
    ----------
    network
        The network of integers.
    name
        The end of every public name; ``c_name`` makes one.
    version
        What printed it, for the head comment.

    Raises
    ------
    InputError
        A step that 64 bits do not hold.
    """

    def __init__(self, network: Network, name: str, version: str) -> None:
        self.network, self.version = network, version
        self.prefix = f"srnn_{name}"
        self.macro = self.prefix.upper()
        message = max((1 << network.message_bits) - 1, 1)
        self.layers = tuple(
            self._layer(layer, index, message if index == 0 else 1)
            for index, layer in enumerate(network.layers)
        )
        most = max(
            bound * (message if printed.index == 0 else 1)
            for printed in self.layers
            for bound in printed.largest_sums
        )
        if most > (1 << 62):
            raise InputError("network: sums of weights beyond 62 bits are not printed as C")
        self.sum_type = "int32_t" if most <= _INT32_MAX else "int64_t"
        sizes = [network.input_size, *(layer.size for layer in network.layers)]
        # An index, or the number of all.
        self.source_type = c_type(0, max(sizes))

    def _layer(self, layer: Layer, index: int, message: int) -> PrintedLayer:
        deliveries = [
            delivery(layer.synapses, f"{index}_in", index == 0 and self.network.message_bits > 0)
        ]
        if layer.recurrent is not None:
            deliveries.append(delivery(layer.recurrent, f"{index}_loop", False))
        step = printed_step(layer.neuron, index, layer.largest_sum(message))
        return PrintedLayer(layer, index, tuple(deliveries), step)

    @cached_property
    def input_type(self) -> str:
        """The type of an input."""
        bits = self.network.message_bits
        return "int8_t" if bits < 8 else "int16_t" if bits < 16 else "int32_t"

    @cached_property
    def digest(self) -> str:
        """The network's digest."""
        return network_digest(self.network)

    # --- the header

    @cached_property
    def header(self) -> str:
        """The text of the header."""
        network, p, m = self.network, self.prefix, self.macro
        sizes = " + ".join(str(layer.size) for layer in network.layers)
        classes = ", ".join(network.readout.classes)
        about = textwrap.fill(
            commented(
                f"A spiking network of {network.input_size} inputs and {sizes} neurons, "
                f"readout {network.readout.kind}" + (f", classes {classes}." if classes else ".")
            ),
            92, initial_indent=" * ", subsequent_indent=" * ",
        )  # fmt: skip
        values = (
            "0 or 1 each"
            if network.message_bits == 0
            else f"of at most {network.message_bits} bits and a sign each"
        )
        return f"""\
/* {p}, printed by srnn {self.version} from the network with the SHA-256
 * {self.digest}
 *
{about}
 *
 *     static {p}_state s;
 *     {p}_reset(&s);
 *     for (;;) {{
 *         {p}_input inputs[{m}_INPUTS];    (integers, {values})
 *         ...
 *         int32_t label = {p}_step(&s, inputs);    (0 to {network.class_count - 1}; -1: none yet)
 *     }}
 *
 * The state is the caller's: as many networks and copies of one as there is memory for.
 */
#ifndef {m}_H
#define {m}_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

#define {m}_INPUTS {network.input_size}
#define {m}_OUTPUTS {network.output_size}
#define {m}_CLASSES {network.class_count}

typedef {self.input_type} {p}_input;

/* Between two steps; nothing in it needs to be known to use it. */
typedef struct {{
{self._members()}
}} {p}_state;

/* The state before the first step. */
void {p}_reset({p}_state *s);

/* One time step. Returns the class so far, or -1. Inputs beyond their range are limited to it. */
int32_t {p}_step({p}_state *s, const {p}_input *inputs);

/* {readouts.output_remark(network)} */
const int32_t *{p}_output(const {p}_state *s);

#ifdef __cplusplus
}}
#endif

#endif
"""

    def _members(self) -> str:
        network = self.network
        lines = []
        for printed in self.layers:
            n, k = printed.layer.size, printed.index
            lines += [
                f"int32_t {state_member(state, k)}[{n}];" for state in printed.layer.neuron.STATES
            ]
        for width, name in self._sums():
            lines.append(f"{self.sum_type} {name}[{width}];")
        if network.message_bits:
            lines.append(f"int32_t values[{network.input_size}];")
        lines += readouts.members(network)
        lines.append("uint32_t steps;")
        lines.append(f"{self.source_type} inputs[{network.input_size}];")
        for printed in self.layers:
            if printed.spikes:
                lines.append(
                    f"{self.source_type} layer{printed.index}_spikes[{printed.layer.size}];"
                )
        lines.append(f"{self.source_type} input_count;")
        for printed in self.layers:
            if printed.spikes:
                lines.append(f"{self.source_type} layer{printed.index}_count;")
        for printed in self.layers:
            if printed.step.uses_spikes:
                lines.append(f"uint8_t layer{printed.index}_fired[{printed.layer.size}];")
            lines += [f"uint8_t now_{d.where};" for d in printed.deliveries if d.ring]
        lines.append("uint8_t overflowed;")
        return "\n".join(f"    {line}" for line in lines)

    def _sums(self) -> list[tuple[int, str]]:
        """Return the arrays of sums: those that layers share, then the rings."""
        shared: dict[str, int] = {}
        rings = []
        for printed in self.layers:
            for place, d in enumerate(printed.deliveries):
                if d.ring:
                    rings.append((d.ring * d.width, f"ring_{d.where}"))
                else:
                    name = self._shared(printed, place)
                    shared[name] = max(shared.get(name, 0), d.width)
        return [*((width, name) for name, width in shared.items()), *rings]

    @staticmethod
    def _shared(printed: PrintedLayer, place: int) -> str:
        return "sums" if printed.merged or place == 0 else "loop_sums"

    # --- the source

    @cached_property
    def source(self) -> str:
        """The text of the source file."""
        p = self.prefix
        body = "\n".join([*map(self._layer_function, self.layers), *self._public()])
        tables = [
            text
            for printed in self.layers
            for text in (*(t for d in printed.deliveries for t in d.tables()), *printed.step.tables)
        ]
        tables += self._initial_tables() + readouts.tables(self.network)
        chunks = {
            bits: min(
                (d.chunk for printed in self.layers for d in printed.deliveries
                 if d.codes.bits == bits), default=1)
            for bits in (4, 8)
        }  # fmt: skip
        types = [text for name, text in TYPES.items() if f"const {name} " in "".join(tables)]
        parts = [
            f"/* {p}, printed by srnn {self.version}; {p}.h says what it is and how to use it. */",
            readouts.includes(self.network, p),
            *types,
            *tables,
            *helpers(body, self.sum_type, self.source_type, chunks),
            body,
        ]
        return "\n".join(parts)

    def _layer_function(self, printed: PrintedLayer) -> str:
        k, layer, step = printed.index, printed.layer, printed.step
        remark = [f"Layer {commented(layer.name)}: {layer.size} {commented(layer.neuron.TYPE)}."]
        for equation in step.equations:
            remark += textwrap.wrap(f"  {equation}", 90, subsequent_indent="      ")
        lines = ["uint32_t i;"]
        if printed.spikes:
            lines.append("uint32_t count = 0;")
        delivering: list[str] = []
        for place, d in enumerate(printed.deliveries):
            delivering += self._deliver(printed, place, d)
        if any("for (e" in line for line in delivering):
            lines.append("uint32_t e;")
        loop = []
        if step.uses_sums:
            loop.append(f"const {self._a_type(printed)} a = {self._a(printed)};")
        if printed.spikes:
            loop.append("int fired;")
        loop += step.lines
        loop += [
            f"s->{self._shared(printed, place)}[i] = 0;"
            for place, d in enumerate(printed.deliveries)
            if not d.ring and not (printed.merged and place)
        ]
        loop += [
            f"s->ring_{d.where}[s->now_{d.where} * {d.width}u + i] = 0;"
            for d in printed.deliveries
            if d.by_synapse
        ]
        if step.uses_spikes:
            loop.append(f"s->layer{k}_fired[i] = (uint8_t)fired;")
        if printed.spikes:
            loop.append(f"s->layer{k}_spikes[count] = ({self.source_type})i;")
            loop.append("count += (uint32_t)fired;")
        lines += delivering
        lines.append(f"for (i = 0; i < {layer.size}; i++) {{")
        lines += [wrapped for line in loop for wrapped in _wrapped(line)]
        lines.append("}")
        if printed.spikes:
            lines.append(f"s->layer{k}_count = ({self.source_type})count;")
        text = "\n".join(f"    {line}" for line in lines)
        head = "\n".join(f" * {line}".rstrip() for line in remark)
        return f"/*\n{head}\n */\nstatic void layer{k}({self.prefix}_state *s)\n{{\n{text}\n}}\n"

    def _deliver(self, printed: PrintedLayer, place: int, d: Delivery) -> list[str]:
        k = printed.index
        loop = place > 0
        if loop or k > 0:
            below = k if loop else k - 1
            sources, count = f"s->layer{below}_spikes", f"s->layer{below}_count"
        else:
            sources, count = "s->inputs", "s->input_count"
        lines: list[str] = []
        sums = f"s->{self._shared(printed, place)}"
        if d.ring:
            now, ring = f"s->now_{d.where}", f"s->ring_{d.where}"
            lines.append(f"{now} = (uint8_t)({now} + 1 < {d.ring} ? {now} + 1 : 0);")
            if not d.by_synapse:
                lines.append(f"for (i = 0; i < {d.width}; i++) {{")
                lines.append(f"    {ring}[{now} * {d.width}u + i] = 0;")
                lines.append("}")
            sums = ring if d.by_synapse else f"{ring} + {now} * {d.width}u"
        return [*lines, *d.lines(sums, printed.unit(place), sources, count, self.sum_type)]

    def _a_type(self, printed: PrintedLayer) -> str:
        message = (1 << self.network.message_bits) - 1 if printed.index == 0 else 1
        small = printed.layer.largest_sum(max(message, 1)) <= _INT32_MAX
        return "int32_t" if small else "int64_t"

    def _a(self, printed: PrintedLayer) -> str:
        """Return the sum that enters neuron ``i``."""
        wide = self._a_type(printed) == "int64_t"
        if printed.merged:
            terms = [self._scaled("s->sums[i]", printed.exponent, wide)]
        else:
            terms = [
                self._scaled(self._entry(printed, place, d), d.exponent, wide)
                for place, d in enumerate(printed.deliveries)
            ]
        text = " + ".join(terms)
        narrowed = not wide and self.sum_type == "int64_t"
        return f"(int32_t)({text})" if narrowed else text

    def _entry(self, printed: PrintedLayer, place: int, d: Delivery) -> str:
        if not d.ring:
            return f"s->{self._shared(printed, place)}[i]"
        now = f"s->now_{d.where}"
        if d.by_synapse:
            return f"s->ring_{d.where}[{now} * {d.width}u + i]"
        row = f"before({now}, delays_{d.where}[i], {d.ring})"
        return f"s->ring_{d.where}[{row} * {d.width} + i]"

    def _scaled(self, entry: str, exponent: int, wide: bool) -> str:
        narrow_sums = self.sum_type == "int32_t"
        if exponent < 0:
            return f"shifted{'' if narrow_sums else '64'}({entry}, {-exponent})"
        if exponent == 0:
            return entry
        return f"{'(int64_t)' if wide and narrow_sums else ''}{entry} * {literal(1 << exponent)}"

    def _initial(self) -> list[tuple[str, np.ndarray]]:
        """Return the states that do not begin at 0."""
        found = []
        for printed in self.layers:
            neuron = printed.layer.neuron
            for state in neuron.STATES:
                values = getattr(neuron, f"{state}_init", None)
                if values is not None and values.any():
                    found.append((state_member(state, printed.index), values))
        return found

    def _initial_tables(self) -> list[str]:
        from .tables import table

        return [
            table(f"{member}_start", values, "Before the first step.")
            for member, values in self._initial()
            if (values != values[0]).any()
        ]

    def _public(self) -> list[str]:
        p, network = self.prefix, self.network
        reset = ["memset(s, 0, sizeof *s);"]
        for member, values in self._initial():
            one = (values == values[0]).all()
            value = literal(int(values[0])) if one else f"{member}_start[i]"
            reset += [
                f"for (i = 0; i < {len(values)}; i++) {{",
                f"    s->{member}[i] = {value};",
                "}",
            ]
        if len(reset) > 1:
            reset.insert(0, "uint32_t i;")
        step = ["uint32_t i, count = 0;", *self._listing()]
        step += [f"layer{printed.index}(s);" for printed in self.layers]
        step.append("s->steps += s->steps < UINT32_MAX;")
        step.append("return label(s);")
        made = [readouts.label(network, p)]
        for head, lines in (
            (f"void {p}_reset({p}_state *s)", reset),
            (f"int32_t {p}_step({p}_state *s, const {p}_input *inputs)", step),
            (f"const int32_t *{p}_output(const {p}_state *s)", [readouts.output(network)]),
        ):
            body = "\n".join(f"    {line}" for line in lines)
            made.append(f"{head}\n{{\n{body}\n}}\n")
        return made

    def _listing(self) -> list[str]:
        """Return the statements that list the inputs that are not 0."""
        m, bits = self.macro, self.network.message_bits
        listed = [f"    s->inputs[count] = ({self.source_type})i;"]
        if bits:
            most = (1 << bits) - 1
            limited = f"x > {most} ? {most} : x < -{most} ? -{most} : x"
            value = ["    const int32_t x = inputs[i];", f"    s->values[count] = {limited};"]
            listed = [*value, *listed]
        return [
            f"for (i = 0; i < {m}_INPUTS; i++) {{",
            *listed,
            "    count += inputs[i] != 0;",
            "}",
            f"s->input_count = ({self.source_type})count;",
        ]


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(
        line, 88, initial_indent="    ", subsequent_indent="        ", break_long_words=False
    )
