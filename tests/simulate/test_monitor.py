"""The monitor: quiet on what it was calibrated on, and drift with its layer and step elsewhere."""

from __future__ import annotations

import json

import numpy as np
import pytest
from paths import ROOT
from simulate_networks import random_inputs, random_network
from srnn.export.errors import InputError
from srnn.export.grid import STATE_MAX
from srnn.export.network import Network
from srnn.export.netx import read_net, read_samples
from srnn.export.ranges import calibration_of
from srnn.simulate import StreamingSimulator, run
from srnn.simulate.cli_stream import calibration_for
from srnn.simulate.monitor import Monitor

ZOO = ROOT / "zoo"


@pytest.fixture(scope="module")
def network() -> Network:
    return random_network(8, ["SRNN_ALIF", "CUBA", "SRNN_LI"], [50, 30, 5], 20)


def watched(network: Network, parts: list[np.ndarray], window: int) -> tuple[list[dict], Monitor]:
    trace = run(network, random_inputs(8, network, 4, 300))
    stream = StreamingSimulator(network)
    monitor = Monitor(stream, calibration_of(network, trace, "random inputs"), window)
    reports = []
    for sample in np.concatenate(parts):
        stream.step(sample)
        report = monitor.advance()
        if report is not None:
            reports.append(report)
    return reports, monitor


def test_what_was_calibrated_on_is_no_drift(network: Network) -> None:
    inputs = random_inputs(8, network, 4, 300)[1]
    trace = run(network, inputs[None])
    reports, monitor = watched(network, [inputs], 100)
    assert [(r["first_step"], r["last_step"]) for r in reports] == [(0, 99), (100, 199), (200, 299)]
    for report in reports:
        assert report["drift"] == []
        assert report["calibration"] == "random inputs"
        part = slice(report["first_step"], report["last_step"] + 1)
        for layer, recorded in zip(report["layers"], trace.layers, strict=True):
            if recorded.spikes is None:
                assert (layer["firing_rate"], layer["expected"]) == (None, None)
            else:
                rate = recorded.spikes[0, part].mean()
                assert layer["firing_rate"] == pytest.approx(rate)
                assert layer["expected"][0] <= rate <= layer["expected"][1]
            for name, values in recorded.states.items():
                state, largest = layer["states"][name], np.abs(values[0, part]).max()
                assert state["largest"] == largest <= state["calibrated"]
                limit = (1 << 31) - 1 if name == "u" else STATE_MAX
                assert state["headroom"] == pytest.approx(1 - largest / limit)
        json.dumps(report, allow_nan=False)
    assert monitor.end() is None


def test_drift_is_flagged_with_its_layer_and_since_when(network: Network) -> None:
    usual = random_inputs(8, network, 4, 300)[1]
    loud = np.ones((250, 20), np.uint8)
    reports, monitor = watched(network, [usual[:200], loud, usual], 100)
    drifting = [{(d["layer"], d["quantity"]) for d in r["drift"]} for r in reports]
    assert drifting[0] == drifting[1] == set()
    assert ("layer0", "firing_rate") in drifting[2]
    since = {(d["layer"], d["quantity"]): d["since"] for d in reports[3]["drift"]}
    assert since["layer0", "firing_rate"] == 200
    rate = next(d for d in reports[2]["drift"] if d["quantity"] == "firing_rate")
    assert not rate["low"] <= rate["value"] <= rate["high"]
    assert drifting[-1] == set()
    assert monitor.drifts == monitor.began == ()


def test_silence_is_drift_and_is_told_once(network: Network) -> None:
    stream = StreamingSimulator(network)
    trace = run(network, random_inputs(8, network, 4, 300))
    monitor = Monitor(stream, calibration_of(network, trace, "random inputs"), 50, margin=0.0)
    told = []
    for _ in range(600):
        stream.step(np.zeros(20, np.uint8))
        if monitor.advance() is not None:
            told += [d.line() for d in monitor.began]
    assert monitor.drifts
    assert len(told) == len({line.split(" is ")[0].rsplit(" ", 1)[0] for line in told})
    assert all("of calibration since step" in line for line in told)


def test_a_short_last_window_is_reported(network: Network) -> None:
    reports, monitor = watched(network, [random_inputs(8, network, 1, 130)[0]], 100)
    assert len(reports) == 1
    last = monitor.end()
    assert last is not None
    assert (last["monitor"], last["first_step"], last["last_step"]) == (1, 100, 129)


def test_without_ranges_nothing_drifts(network: Network) -> None:
    stream = StreamingSimulator(network)
    monitor = Monitor(stream, None, 1)
    stream.step(np.ones(20, np.uint8))
    report = monitor.advance()
    assert report is not None
    assert report["drift"] == []
    assert report["layers"][0]["states"]["v"]["calibrated"] is None
    for window, margin in ((0, 0.1), (1, -1.0), (1, float("nan"))):
        with pytest.raises(InputError, match="monitor: window"):
            Monitor(stream, None, window, margin)


def test_bundled_samples_serve_where_a_file_has_no_ranges() -> None:
    path = ZOO / "ecg.net"
    network, samples = read_net(path), read_samples(path)
    assert samples is not None
    calibration = calibration_for(path, network)
    assert calibration is not None
    assert calibration.origin == "bundled samples of ecg.net"
    stream = StreamingSimulator(network)
    monitor = Monitor(stream, calibration, 100)
    for sample in samples.inputs[0]:
        stream.step(sample)
        monitor.advance()
        assert monitor.drifts == ()
