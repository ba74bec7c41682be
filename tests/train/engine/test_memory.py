"""Memory is reused only after its array is gone."""

from __future__ import annotations

import numpy as np
import torch
from srnn.train.engine import memory
from srnn.train.engine.memory import LARGE, aligned


def test_arrays_start_on_a_cache_line():
    for count in (1, 17, 1000, LARGE, LARGE + 3):
        assert aligned((count,)).ctypes.data % 64 == 0
        assert aligned((2, count), clear=False).shape == (2, count)


def test_cleared_memory_is_zero_even_when_used_again():
    memory.release()
    for _ in range(3):
        array = aligned((LARGE + 7,))
        assert not array.any()
        array.fill(3)
        del array


def test_memory_in_use_is_not_handed_out():
    memory.release()
    first = aligned((LARGE,))
    view = first[5:10]
    where = first.ctypes.data
    tensor = torch.from_numpy(aligned((LARGE,)))
    addresses = {where, tensor.data_ptr(), aligned((LARGE,)).ctypes.data}
    assert len(addresses) == 3
    del first
    assert aligned((LARGE,)).ctypes.data != where
    view[:] = 1
    del view
    held = [aligned((LARGE,)) for _ in range(3)]
    assert where in {array.ctypes.data for array in held}
    assert tensor.data_ptr() not in {array.ctypes.data for array in held}


def test_memory_that_nobody_asks_for_is_given_up():
    memory.release()
    aligned((LARGE + 64,))
    assert len(memory._ROOMS) == 1
    held = [aligned((LARGE,)) for _ in range(memory.KEPT_TURNS + 2)]
    assert list(memory._ROOMS) == [LARGE + memory.LINE]
    # Memory that the pool dropped while in use stays valid for its array.
    assert len({array.ctypes.data for array in held}) == len(held)
    assert all(isinstance(array, np.ndarray) for array in held)
    memory.release()
