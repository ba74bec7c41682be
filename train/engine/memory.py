"""Arrays that start on a cache line, and whose memory is reused.

A training step needs the same large arrays every time. Fresh memory is cleared page by page by the
operating system, which can take longer than the step itself, so memory that is no longer
referenced is reused. It is freed once ``KEPT_TURNS`` other requests have not used it.
"""

from __future__ import annotations

import math
import os
import sys
import threading
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

LINE = 16
"""Floats in a cache line of 64 bytes."""
LARGE = 1 << 15
"""Floats from which memory is kept for the next request."""
KEPT_TURNS = 200
_HELD_BY_THE_POOL = 2
"""Reference count of an unused array: the pool, and the argument of ``getrefcount`` itself."""


@dataclass
class _Room:
    memory: Floats
    turn: int


_ROOMS: dict[int, list[_Room]] = {}
_LOCK = threading.Lock()
_TURN = [0]


def aligned(shape: tuple[int, ...], clear: bool = True) -> Floats:
    """Return a float32 array that starts on a cache line; undefined unless cleared."""
    count = math.prod(shape)
    room = np.empty(count + LINE, np.float32) if count < LARGE else _room(count + LINE)
    first = (-room.ctypes.data // 4) % LINE
    array = room[first : first + count].reshape(shape)
    if clear:
        array.fill(0)
    return array


def _room(count: int) -> Floats:
    """Return memory for this many floats that nothing refers to."""
    with _LOCK:
        _TURN[0] += 1
        turn = _TURN[0]
        for room in _ROOMS.setdefault(count, []):
            # Views and tensors refer to the array that owns their memory.
            if sys.getrefcount(room.memory) == _HELD_BY_THE_POOL:
                room.turn = turn
                return room.memory
        _forget(turn - KEPT_TURNS)
        memory = np.empty(count, np.float32)
        _ROOMS.setdefault(count, []).append(_Room(memory, turn))
        return memory


def _forget(before: int) -> None:
    """Drop the pool's references to what was last used before a turn."""
    for count in list(_ROOMS):
        _ROOMS[count] = [room for room in _ROOMS[count] if room.turn >= before]
        if not _ROOMS[count]:
            del _ROOMS[count]


def release() -> None:
    """Give up all kept memory that is not in use."""
    with _LOCK:
        _ROOMS.clear()


def _new_lock() -> None:
    global _LOCK  # noqa: PLW0603
    _LOCK = threading.Lock()


if hasattr(os, "register_at_fork"):
    # A child that is forked while another thread holds the lock would wait forever.
    os.register_at_fork(after_in_child=_new_lock)
