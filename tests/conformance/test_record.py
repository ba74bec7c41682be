"""One wrong bit is found, counted and kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conformance_record import SHRUNK, Record
from simulate_networks import random_inputs, random_network
from srnn.export.netx import read_net, read_samples
from srnn.export.trace import LayerTrace
from srnn.simulate import simulator


def test_one_wrong_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    network = random_network(3, ["SRNN_ALIF", "SRNN_LI"], [5, 2], 4)
    inputs = random_inputs(3, network, 2, 10, 0.5)
    trace = simulator.run(network, inputs, np.array([10, 4]))
    record = Record()
    record.compared("a = b", network, inputs, trace, trace)
    count = record.counts["a = b"]
    assert (count.neuron_steps, count.values, count.mismatches) == (14 * 7, 14 * (5 * 3 + 2), 0)

    d = trace.layers[0].states["d"].copy()
    d[1, 3, 2] ^= 1
    first = LayerTrace(trace.layers[0].spikes, {**trace.layers[0].states, "d": d})
    wrong = replace(trace, layers=(first, *trace.layers[1:]))
    with pytest.raises(AssertionError, match=r"quantity='d'.*first=\(1, 3, 2\).*kept as"):
        record.compared("a = b", network, inputs, wrong, trace)
    assert count.mismatches == 1
    kept = tmp_path / SHRUNK / "a-b.net"
    samples = read_samples(kept)
    assert samples is not None
    np.testing.assert_array_equal(samples.inputs, inputs)
    assert read_net(kept).layers[0].size == 5
    record.write(tmp_path / "record.json")
    written = json.loads((tmp_path / "record.json").read_text(encoding="utf-8"))
    assert written["counts"]["a = b"]["mismatches"] == 1


def test_a_quantity_that_one_side_lacks_is_no_agreement() -> None:
    network = random_network(3, ["SRNN_ALIF"], [5], 4)
    inputs = random_inputs(3, network, 1, 5)
    trace = simulator.run(network, inputs)
    less = replace(trace, layers=(LayerTrace(trace.layers[0].spikes),))
    with pytest.raises(AssertionError, match="held by one of the traces only"):
        Record().compared("a = b", network, inputs, less, trace)
