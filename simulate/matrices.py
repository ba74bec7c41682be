"""From connections to what the kernels read: packed weights, delays, the geometry of a convolution.

A layer is narrow or wide (``loops.py``), and so are its matrices. A convolution has one form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..export.grid import STATE_SHIFT
from ..export.network import Connection, Convolution, Synapses
from . import convolve
from .rows import BLOCK, pack


@dataclass(frozen=True, eq=False)
class Matrix:
    """A connection as a kernel reads it, and the arrays that the addresses point to."""

    values: dict[str, int]
    kept: tuple[Any, ...]


def matrix(connection: Connection, wide: bool) -> Matrix:
    """Return a connection as the kernels read it: fields of ``loops.LAYER``."""
    if isinstance(connection, Convolution):
        return _convolution(connection)
    return _wide_matrix(connection) if wide else _packed_matrix(connection)


def padded(rows: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int32]:
    """Return int32 (rows, n) with n padded to blocks by zeros."""
    rest = -rows.shape[1] % BLOCK
    return np.ascontiguousarray(np.pad(rows, ((0, 0), (0, rest))), dtype=np.int32)


def _late(connection: Connection) -> tuple[dict[str, int], npt.NDArray[np.uint8] | None]:
    delay = connection.neuron_delay
    if delay is None:
        return {}, None
    held = delay.astype(np.uint8)
    return {"late": held.ctypes.data, "slots": int(held.max()) + 1}, held


def _packed_matrix(synapses: Synapses) -> Matrix:
    codes, scale, offset = pack(synapses.weight)
    fan_out, (late, held) = synapses.fan_out(), _late(synapses)
    # A left shift distributes over the terms. A right shift acts on the sum, so it comes later.
    exponent = synapses.weight_exp
    rounds = exponent < 0
    left = 0 if rounds else STATE_SHIFT + exponent
    values = {
        "weight": codes.ctypes.data,
        "factor": scale << left,
        "offset": offset << left,
        "left": STATE_SHIFT if rounds else 0,
        "right": -exponent if rounds else 0,
        "fan_out": fan_out.ctypes.data,
        **late,
    }
    return Matrix(values, (codes, fan_out, held))


def _wide_matrix(synapses: Synapses) -> Matrix:
    weight, fan_out = padded(synapses.weight.T).astype(np.int16), synapses.fan_out()
    delay = None if synapses.delay is None else padded(synapses.delay.T).astype(np.uint8)
    values = {
        "weight": weight.ctypes.data,
        "delay": 0 if delay is None else delay.ctypes.data,
        "slots": 0 if delay is None else int(delay.max()) + 1,
        "fan_out": fan_out.ctypes.data,
        **_shifts(synapses),
    }
    return Matrix(values, (weight, delay, fan_out))


def _shifts(connection: Connection) -> dict[str, int]:
    exponent = connection.weight_exp
    return {"left": STATE_SHIFT + max(exponent, 0), "right": max(-exponent, 0)}


def _convolution(convolution: Convolution) -> Matrix:
    out, share, down, along = convolution.kernel.shape
    groups, out_share = convolution.groups, out // convolution.groups
    by_group = convolution.kernel.reshape(groups, out_share, share, down, along)
    weight = np.ascontiguousarray(np.moveaxis(by_group, 1, -1), dtype=np.int16)
    rows, columns = (convolution.targets(axis).astype(np.int32) for axis in (0, 1))
    fan_out, (late, held) = convolution.fan_out(), _late(convolution)
    _, out_rows, out_columns = convolution.shape_out
    geometry = np.zeros(convolve.GEOMETRY_LENGTH, np.int64)
    for place, value in (
        (convolve.GROUPS, groups),
        (convolve.SHARE, share),
        (convolve.AREA, convolution.shape_in[1] * convolution.shape_in[2]),
        (convolve.COLUMNS, convolution.shape_in[2]),
        (convolve.OUT_SHARE, out_share),
        (convolve.OUT_AREA, out_rows * out_columns),
        (convolve.OUT_COLUMNS, out_columns),
        (convolve.TAPS_DOWN, down),
        (convolve.TAPS_ALONG, along),
        (convolve.TARGET_ROWS, rows.ctypes.data),
        (convolve.TARGET_COLUMNS, columns.ctypes.data),
    ):
        geometry[place] = value
    values = {
        "weight": weight.ctypes.data,
        "geometry": geometry.ctypes.data,
        "fan_out": fan_out.ctypes.data,
        **_shifts(convolution),
        **late,
    }
    return Matrix(values, (weight, geometry, rows, columns, fan_out, held))
