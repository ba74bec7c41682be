"""The ranges of a run: their values, their storage in a file, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from export_networks import adaptive_network
from srnn.export.errors import InputError
from srnn.export.network import Network
from srnn.export.netx import read_net, write_net
from srnn.export.ranges import KEY, calibration_of, stored_calibration
from srnn.simulate import run


def some_run() -> tuple[Network, np.ndarray, np.ndarray]:
    network = adaptive_network()
    rng = np.random.default_rng(1)
    high = 2 if network.message_bits == 0 else 1 << network.message_bits
    return network, rng.integers(0, high, (3, 30, network.input_size)), np.array([30, 12, 9])


def test_ranges_are_those_of_the_trace(tmp_path: Path) -> None:
    network, inputs, lengths = some_run()
    trace = run(network, inputs, lengths)
    found = calibration_of(network, trace, "three samples")
    assert (found.origin, found.samples, found.steps) == ("three samples", 3, 51)
    for layer, recorded in zip(found.layers, trace.layers, strict=True):
        assert layer.states == {n: np.abs(v).max() for n, v in recorded.states.items()}
        if recorded.spikes is None:
            assert (layer.firing_rate, layer.rates, layer.rate_range(5)) == (None, (), None)
            continue
        size = recorded.spikes.shape[2]
        assert layer.firing_rate == pytest.approx(recorded.spikes.sum() / 51 / size)
        assert [row[0] for row in layer.rates] == [1, 10]
        for window, low, high in layer.rates:
            means = [
                recorded.spikes[b, t : t + int(window)].mean()
                for b in range(3)
                for t in range(lengths[b] - int(window) + 1)
            ]
            assert (low, high) == pytest.approx((min(means), max(means)))
        assert layer.rate_range(9) == layer.rates[0][1:]
        assert layer.rate_range(999) == layer.rates[1][1:]
    assert any(layer.firing_rate for layer in found.layers)
    kept = replace(network, provenance={KEY: found.plain()})
    write_net(tmp_path / "m.net", kept)
    assert stored_calibration(read_net(tmp_path / "m.net")) == found
    assert stored_calibration(network) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"samples": "three"}, "samples: 'three' is not a whole number"),
        ({"more": 1}, "unknown setting"),
        ({"layers": []}, "belongs to other layers or states"),
    ],
)
def test_wrong_entries_are_refused(change: dict, words: str) -> None:
    network, inputs, lengths = some_run()
    plain = calibration_of(network, run(network, inputs, lengths), "x").plain()
    with pytest.raises(InputError, match=words):
        stored_calibration(replace(network, provenance={KEY: plain | change}))
    for layer in (
        {"rates": [[1, 0.5, 0.1]]},
        {"rates": [[1, 0.5]]},
        {"rates": [[0, 0.1, 0.5]]},
        {"states": {"v": -1, "d": 0}},
        {"states": {"v": "1", "d": 0}},
    ):
        bad = plain | {"layers": [plain["layers"][0] | layer, *plain["layers"][1:]]}
        with pytest.raises(InputError, match="provenance, calibration"):
            stored_calibration(replace(network, provenance={KEY: bad}))
