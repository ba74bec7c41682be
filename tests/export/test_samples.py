"""Samples: checked when made, and against their network."""

from __future__ import annotations

import numpy as np
import pytest
from export_networks import stock_network
from srnn.export.errors import InputError
from srnn.export.network import Network, Readout
from srnn.export.samples import Samples, check_samples


def samples(**changes):
    values = {
        "inputs": np.ones((2, 5, 4), np.uint8),
        "lengths": np.array([5, 0]),
        "targets": np.zeros(2, int),
        "valid": np.ones((2, 5), bool),
        "output": np.zeros((2, 5, 3), np.int32),
    }
    return Samples(**(values | changes))


def test_kept_as_documented():
    one = samples()
    assert (one.inputs.dtype, one.lengths.dtype, one.output.dtype) == (np.int32, np.int64, np.int32)
    assert one.count == 2
    assert samples(targets=None, valid=None).targets is None
    with pytest.raises(ValueError, match="read-only"):
        one.output[0, 0, 0] = 1
    check_samples(stock_network(), one)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"inputs": np.ones((2, 5), int)}, r"inputs \(2, 5\), needs \(sample, time, channel\)"),
        ({"inputs": np.ones((0, 5, 4), int)}, r"inputs \(0, 5, 4\)"),
        ({"inputs": np.ones((2, 5, 4))}, "inputs holds float64, needs integers"),
        ({"inputs": np.full((2, 5, 4), 1 << 31)}, "inputs holds values beyond int32"),
        ({"lengths": np.array([5])}, r"lengths \(1,\), needs \(2,\)"),
        ({"lengths": np.array([5, 6])}, r"lengths\[1\] is 6, outside 0..5"),
        ({"lengths": np.array([-1, 5])}, r"lengths\[0\] is -1, outside 0..5"),
        ({"targets": np.zeros((2, 4), int)}, r"targets \(2, 4\), needs \(2,\) or \(2, 5\)"),
        ({"targets": np.zeros(2)}, "targets holds float64"),
        ({"valid": np.ones((2, 5), int)}, r"valid int64 \(2, 5\), needs bool \(2, 5\)"),
        ({"valid": np.ones(2, bool)}, r"valid bool \(2,\)"),
        ({"output": np.zeros((2, 4, 3), int)}, r"output \(2, 4, 3\), needs \(2, 5, outputs\)"),
        ({"output": np.full((2, 5, 3), -(1 << 31) - 1)}, "output holds values beyond int32"),
    ],
)
def test_refused(changes, match):
    with pytest.raises(InputError, match=f"samples: {match}"):
        samples(**changes)


def test_belong_to_a_network():
    network = stock_network()
    with pytest.raises(InputError, match=r"samples: inputs: 2 is outside 0..1"):
        check_samples(network, samples(inputs=np.full((2, 5, 4), 2)))
    with pytest.raises(InputError, match="samples: 2 outputs, the network has 3"):
        check_samples(network, samples(output=np.zeros((2, 5, 2), int)))
    counting = Network(network.layers[:2], Readout("spike_count"))
    output = np.zeros((2, 5, 5), int)
    output[0, 0, 0] = 4
    with pytest.raises(InputError, match=r"output 0..4, but the readout counts spikes"):
        check_samples(counting, samples(output=output))
