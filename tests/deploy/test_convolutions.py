"""Placement of convolutions: counts as of the dense matrix that computes the same."""

from __future__ import annotations

import numpy as np
import pytest
from board_cases import board
from deploy_networks import cuba
from hypothesis import given, settings
from hypothesis import strategies as st
from srnn.deploy.cluster import cluster
from srnn.deploy.connectivity import connectivity, stored_weight_bits, weight_bits
from srnn.deploy.mapping import place
from srnn.deploy.violations import violations
from srnn.export.errors import InputError
from srnn.export.network import Convolution, Layer, Network, Readout, Synapses


def convolution(seed: int) -> Convolution:
    rng = np.random.default_rng(seed)
    groups = int(rng.integers(1, 3))
    share, per_group = rng.integers(1, 4, 2)
    rows, columns = rng.integers(1, 4, 2)
    kernel = 2 * rng.integers(-9, 9, (groups * per_group, share, rows, columns))
    kernel = np.where(rng.random(kernel.shape) < 0.7, kernel, 0)
    return Convolution(
        kernel,
        (int(groups * share), int(rng.integers(5, 9)), int(rng.integers(5, 9))),
        tuple(rng.integers(1, 3, 2).tolist()),
        tuple(rng.integers(0, 3, 2).tolist()),
        tuple(rng.integers(1, 3, 2).tolist()),
        groups,
    )


def matrix(made: Convolution) -> np.ndarray:
    """Write the convolution as a dense matrix, entry by entry."""
    out = np.zeros((*made.shape_out, *made.shape_in), np.int64)
    per_group, share = made.kernel.shape[0] // made.groups, made.kernel.shape[1]
    for o, i, r, c in np.ndindex(*made.kernel.shape):
        for y, x in np.ndindex(*made.shape_out[1:]):
            row = y * made.stride[0] + r * made.dilation[0] - made.padding[0]
            column = x * made.stride[1] + c * made.dilation[1] - made.padding[1]
            if 0 <= row < made.shape_in[1] and 0 <= column < made.shape_in[2]:
                out[o, y, x, o // per_group * share + i, row, column] += made.kernel[o, i, r, c]
    return out.reshape(made.n_out, made.n_in)


@given(st.integers(0, 1000))
@settings(max_examples=40)
def test_counts_are_those_of_the_dense_matrix(seed: int) -> None:
    made = convolution(seed)
    dense = matrix(made)
    counted = connectivity(made)
    assert counted.fan_in.tolist() == (dense != 0).sum(axis=1).tolist()
    assert counted.fan_out.tolist() == (dense != 0).sum(axis=0).tolist()
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(made.n_out)[: rng.integers(1, made.n_out + 1)])
    assert counted.targets(rows).tolist() == (dense[rows] != 0).sum(axis=0).tolist()
    if made.kernel.any():
        assert weight_bits(made) == weight_bits(Synapses(made.kernel.reshape(1, -1)))


@given(st.integers(0, 1000))
@settings(max_examples=20)
def test_placement_is_that_of_the_dense_matrix(seed: int) -> None:
    made = convolution(seed)
    neuron = cuba(np.random.default_rng(seed), made.n_out)
    target = board(neurons_per_core=17, synapse_bits_per_core=4000, input_axons_per_core=60)
    placed, same = (
        place(Network((Layer("a", each, neuron),), Readout("spike_count")), target)
        for each in (made, Synapses(matrix(made)))
    )
    assert np.array_equal(placed.core_of[0], same.core_of[0])
    widths = target.chip.synapse_format.weight_widths
    if stored_weight_bits(made, widths) == stored_weight_bits(Synapses(matrix(made)), widths):
        for name, used in placed.used.items():
            assert np.array_equal(used, same.used[name])


def test_neurons_that_share_a_kernel_are_not_clustered() -> None:
    made = convolution(3)
    layer = Layer("conv", made, cuba(np.random.default_rng(0), made.n_out))
    network = Network((layer,), Readout("spike_count"))
    with pytest.raises(InputError, match="layer conv: neurons of a convolution share kernels"):
        cluster(network, 4)
    assert violations(network, place(network, board(neurons_per_core=9000))) == []
