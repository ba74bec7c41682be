"""The reference's convolutions against independent formulations of the same sums."""

# The records take scalars and lists, and store arrays.
# pyright: reportArgumentType=false

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulate_networks import random_convolution
from srnn.export.network import Convolution
from srnn.simulate.reference import convolved

SEEDS = st.integers(0, 2**32 - 1)


def connections(convolution: Convolution) -> np.ndarray:
    """Return the whole weight matrix (n_out, n_in), one unit source at a time."""
    identity = np.eye(convolution.n_in, dtype=np.int64)
    return convolved(convolution, identity).reshape(convolution.n_in, -1).T


@pytest.mark.extra("train")
@settings(max_examples=150, deadline=None)
@given(SEEDS, st.booleans())
def test_the_reference_is_conv2d_of_torch(seed: int, extreme: bool) -> None:
    import torch

    rng = np.random.default_rng(seed)
    convolution = random_convolution(rng, extreme=extreme, delays=False)
    limit = 1 << (8 if extreme else 1)
    messages = rng.integers(-limit, limit, (3, convolution.n_in))
    # Sums are far below 2^53, so float64 is exact.
    expected = torch.nn.functional.conv2d(
        torch.tensor(messages.reshape(3, *convolution.shape_in), dtype=torch.float64),
        torch.tensor(convolution.kernel.astype(np.float64)),
        stride=convolution.stride,
        padding=convolution.padding,
        dilation=convolution.dilation,
        groups=convolution.groups,
    )
    found = convolved(convolution, messages)
    assert found.shape[1:] == convolution.shape_out
    np.testing.assert_array_equal(found, expected.numpy().astype(np.int64))


@settings(max_examples=100, deadline=None)
@given(SEEDS)
def test_the_reference_is_a_correlation_of_scipy(seed: int) -> None:
    from scipy import signal

    rng = np.random.default_rng(seed)
    convolution = random_convolution(rng, extreme=True, delays=False)
    block = rng.integers(-9, 10, convolution.shape_in)
    padded = np.pad(block, ((0, 0), *((p, p) for p in convolution.padding)))
    out, share, rows, columns = convolution.kernel.shape
    (down, along), (vertical, horizontal) = convolution.dilation, convolution.stride
    spread = np.zeros((out, share, down * (rows - 1) + 1, along * (columns - 1) + 1), np.int64)
    spread[:, :, ::down, ::along] = convolution.kernel
    found = convolved(convolution, block.reshape(1, -1))[0]
    for o in range(out):
        first = o // (out // convolution.groups) * share
        whole = sum(
            signal.correlate(padded[first + i], spread[o, i], "valid", "direct")
            for i in range(share)
        )
        np.testing.assert_array_equal(found[o], np.asarray(whole)[::vertical, ::horizontal])


@settings(max_examples=100, deadline=None)
@given(SEEDS)
def test_the_record_counts_its_synapses(seed: int) -> None:
    rng = np.random.default_rng(seed)
    convolution = random_convolution(rng, extreme=False, delays=False)
    np.testing.assert_array_equal(
        convolution.fan_out(), np.count_nonzero(connections(convolution), axis=0)
    )
    full = Convolution(
        np.ones_like(convolution.kernel), convolution.shape_in, convolution.stride,
        convolution.padding, convolution.dilation, convolution.groups,
    )  # fmt: skip
    assert full.count == np.count_nonzero(connections(full)) == full.fan_out().sum()
    assert convolution.largest_sum >= np.abs(connections(convolution)).sum(axis=1).max()


def test_a_spike_reaches_what_the_kernel_reaches() -> None:
    kernel = np.arange(1, 10).reshape(1, 1, 3, 3)
    convolution = Convolution(kernel, (1, 4, 4), padding=(1, 1))
    # A source in a corner meets four taps, one at an edge six, one inside nine.
    assert convolution.fan_out().reshape(4, 4).tolist() == [
        [4, 6, 6, 4], [6, 9, 9, 6], [6, 9, 9, 6], [4, 6, 6, 4],
    ]  # fmt: skip
    corner = convolved(convolution, np.eye(16, dtype=np.int64)[:1])[0, 0]
    assert corner.tolist() == [[5, 4, 0, 0], [2, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    strided = Convolution(kernel, (1, 5, 4), stride=(2, 3))
    assert strided.shape_out == (1, 2, 1)
    assert connections(strided)[0].reshape(5, 4)[:3, :3].tolist() == kernel[0, 0].tolist()
