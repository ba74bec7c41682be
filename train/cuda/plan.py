"""How a layer is laid out on the device: sizes of tiles, warps, programs.

One program (a block of threads on one multiprocessor) runs one sample through all steps, so
programs never wait for each other. A layer without recurrence is split over neurons as well.

A recurrent product of one sample is a matrix times a vector. Its weights are read at every step:

- ``RESIDENT``: they stay in registers from the first step to the last. The layer is padded to a
  power of two, ``width``, and ``width^2`` times 4 bytes of float32 must fit in
  ``RESIDENT_BYTES``, a quarter of the 256 KiB of registers that a multiprocessor has: states and
  gradients need registers too, and two samples share a multiprocessor. That is 128 neurons.
- ``STREAMED``: ``rows`` of them at a time are read from the L2 cache. In the forward pass only the
  rows of neurons that fired are read. A program holds all states of its sample in registers, up to
  a width of ``MAX_WIDTH``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

ALIF, ALIF_RELU, LIF, CUBA_LIF, LI = range(5)
"""Neurons that the kernels have."""


class Layout(NamedTuple):
    """How a neuron maps to the kernels of ``kernels.py``.

    ``number``; ``states``: indices of its states among v, second and s; ``coefficients``: indices
    of its coefficients among alpha, rho, threshold and adaptation; ``spikes``: whether its output
    is something other than its membrane.
    """

    number: int
    states: tuple[int, ...]
    coefficients: tuple[int, ...]
    spikes: bool = True


LAYOUTS = {
    "alif": Layout(ALIF, (0, 1, 2), (0, 1, 2, 3)),
    "alif_relu": Layout(ALIF_RELU, (0, 1, 2), (0, 1, 2, 3)),
    "lif": Layout(LIF, (0, 2), (0, 2)),
    "cuba_lif": Layout(CUBA_LIF, (1, 0, 2), (1, 0, 2)),
    "li": Layout(LI, (0,), (0,), spikes=False),
}
"""Neurons by name; all others run as a loop on a GPU."""

NO_RECURRENCE, RESIDENT, STREAMED = range(3)

RESIDENT_BYTES = 64 * 1024

STREAMED_TILES = {256: (32, 8), 512: (16, 16), 1024: (8, 32), 2048: (2, 32)}
"""Rows and warps by width: the most rows per step that the compiler keeps in registers."""

MAX_WIDTH = max(STREAMED_TILES)
"""Neurons of a recurrent layer that a program can hold."""

_LOOSE_WIDTH = 128


@dataclass(frozen=True)
class LaunchPlan:
    """Constants of a launch.

    ``width`` neurons per program, a power of two; ``blocks`` programs per sample; ``recurrence``
    one of ``NO_RECURRENCE``, ``RESIDENT``, ``STREAMED``; ``rows`` of the recurrent weights that are
    in registers at a time; ``warps`` of 32 threads per program.
    """

    width: int
    blocks: int
    recurrence: int
    rows: int
    warps: int


def plan(n: int, recurrent: bool) -> LaunchPlan:
    """Lay out a layer of ``n`` neurons; a recurrent one has at most ``MAX_WIDTH``."""
    width = 1 << (n - 1).bit_length()
    if not recurrent:
        width = min(width, _LOOSE_WIDTH)
        return LaunchPlan(width, -(-n // width), NO_RECURRENCE, 1, max(1, width // 64))
    if 4 * width * width <= RESIDENT_BYTES:
        # 64 weights per thread: more threads share them less well, fewer run out of registers.
        return LaunchPlan(width, 1, RESIDENT, width, max(1, width * width // (64 * 32)))
    rows, warps = STREAMED_TILES[width]
    return LaunchPlan(width, 1, STREAMED, rows, warps)
