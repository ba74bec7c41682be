"""The synapses of a layer as C: tables of weights, and what adds their rows up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...export.grid import IntArray
from ...export.network import Connection, Convolution
from .helpers import CONVOLUTION_FIELDS
from .tables import GROUP, PackedWeights, packed, table, words_table

_LANE_MAX = (1 << 16) - 1
"""The largest sum of codes that a lane of 16 bits holds."""


@dataclass(frozen=True, eq=False)
class Delivery:
    """One connection of a layer.

    ``where``: the end of its tables' names, as ``0_in``; ``messages``: whether its sources send
    graded values; ``ring``: rows of the ring that holds what arrives later, 0 where nothing does.
    """

    connection: Connection
    where: str
    messages: bool
    codes: PackedWeights
    ring: int

    @property
    def exponent(self) -> int:
        """What the sum of codes is shifted by, left if positive."""
        return self.codes.exponent + self.connection.weight_exp

    @property
    def by_rows(self) -> bool:
        """Whether rows are added several at a time."""
        return not (self.messages or self.by_synapse or isinstance(self.connection, Convolution))

    @property
    def by_synapse(self) -> bool:
        """Whether delays differ within a neuron."""
        return self.ring > 0 and self.connection.neuron_delay is None

    @property
    def width(self) -> int:
        """Entries of a row of sums."""
        n = self.connection.n_out
        return n if self.by_synapse else -(-n // GROUP) * GROUP

    @property
    def chunk(self) -> int:
        """Sources whose codes are added before a lane of 16 bits is full."""
        return _LANE_MAX // max(self.codes.most, 1)

    @property
    def largest_code_sum(self) -> int:
        """Largest sum of the magnitudes of a neuron's codes, for messages of 1."""
        return self.connection.largest_sum >> self.codes.exponent

    def tables(self) -> list[str]:
        """Return the definitions of its arrays."""
        connection, codes = self.connection, self.codes
        made = [
            words_table(
                f"weights_{self.where}",
                codes,
                f"{codes.bits} bits; a weight is (code - {-codes.low}) 2^{codes.exponent}.",
            )
        ]
        if self.by_synapse:
            assert connection.delay is not None
            made.append(table(f"delays_{self.where}", connection.delay.T, "Steps, by source."))
        elif connection.neuron_delay is not None:
            made.append(table(f"delays_{self.where}", connection.neuron_delay, "Steps, by neuron."))
        if isinstance(connection, Convolution):
            values = ", ".join(map(str, self._geometry(connection)))
            made.append(
                f"static const convolution convolution_{self.where} = {{\n"
                f"    weights_{self.where}, {values}\n}};\n"
            )
        return made

    def _geometry(self, c: Convolution) -> list[int]:
        _, rows, columns = c.shape_in
        _, rows_out, columns_out = c.shape_out
        out, share, tap_rows, tap_columns = c.kernel.shape
        made = {
            "stride": self.codes.stride, "rows": rows, "columns": columns, "share": share,
            "groups": c.groups, "channels_out": out // c.groups,
            "rows_out": rows_out, "columns_out": columns_out,
            "tap_rows": tap_rows, "tap_columns": tap_columns,
            "stride_rows": c.stride[0], "stride_columns": c.stride[1],
            "padding_rows": c.padding[0], "padding_columns": c.padding[1],
            "dilation_rows": c.dilation[0], "dilation_columns": c.dilation[1],
        }  # fmt: skip
        return [made[name] for name in CONVOLUTION_FIELDS]

    def lines(self, sums: str, unit: int, sources: str, count: str, sum_type: str) -> list[str]:
        """Return the statements that add what the listed sources deliver, times ``unit``.

        ``sums``: where to: the row of this step, or the whole ring for delays by synapse.
        """
        weights, bits, low = f"weights_{self.where}", self.codes.bits, self.codes.low
        stride, n = self.codes.stride, self.connection.n_out
        if self.by_rows:
            return [
                f"add_rows{bits}({sums}, {weights}, {stride}, {sources}, {count}, {low}, {unit});"
            ]
        x = "s->values[e]" if self.messages else "1"
        if unit != 1:
            x = f"({sum_type}){x} * {unit}" if self.messages else str(unit)
        if isinstance(self.connection, Convolution):
            call = f"convolve{bits}({sums}, &convolution_{self.where}, {sources}[e], {low}, {x});"
        elif self.by_synapse:
            delays = f"delays_{self.where} + {sources}[e] * {n}u"
            call = (
                f"add_late{bits}({sums}, s->now_{self.where}, {self.ring}, {delays},\n"
                f"          {weights} + {sources}[e] * {stride}u, {n}, {low}, {x});"
            )
        else:
            row = f"{weights} + {sources}[e] * {stride}u"
            call = f"add_row{bits}({sums}, {row}, {stride}, {low}, {x});"
        body = [f"    {line}" for line in call.split("\n")]
        return [f"for (e = 0; e < {count}; e++) {{", *body, "}"]


def delivery(connection: Connection, where: str, messages: bool) -> Delivery:
    """Return how a connection is printed."""
    delay = connection.delay
    ring = 0 if delay is None else int(delay.max()) + 1
    return Delivery(connection, where, messages, packed(_by_source(connection)), ring)


def _by_source(connection: Connection) -> IntArray:
    """Return the weights, one row for each source, or for each tap and group of a kernel."""
    if not isinstance(connection, Convolution):
        return connection.weight.T.astype(np.int64)
    out, share, rows, columns = connection.kernel.shape
    groups = connection.groups
    kernel = connection.kernel.astype(np.int64)
    kernel = kernel.reshape(groups, out // groups, share, rows, columns)
    return kernel.transpose(2, 3, 4, 0, 1).reshape(-1, out // groups)
