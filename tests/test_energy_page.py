"""docs/ENERGY.md: made of runs and records, every number with its model or as measured."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from paths import ROOT
from srnn.export.netx import read_net, read_samples
from srnn.simulate.energy import read_energy_models
from srnn.simulate.latency import (
    confident_exits,
    decision_latency,
    early_exit_curve,
    running_answers,
)
from srnn.simulate.simulator import run_with_activity


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import energy_page
    import energy_times

    return energy_page, energy_times


def ran(energy_page: Any, name: str) -> Any:
    network, samples = read_net(ROOT / f"zoo/{name}.net"), read_samples(ROOT / f"zoo/{name}.net")
    assert samples is not None
    assert samples.targets is not None
    trace, activity = run_with_activity(network, samples.inputs, samples.lengths)
    if network.readout.per_step:
        answers = np.argmax(trace.output * network.layers[-1].state_scale, axis=2)
        latency = decision_latency(answers, samples.targets, samples.lengths, samples.valid)
        return energy_page.Ran(name, network, activity, 0.9, 1, latency)
    soon = running_answers(network, trace.output, trace.lengths)
    curve = early_exit_curve(soon, samples.targets)
    exits = confident_exits(soon, samples.targets)
    return energy_page.Ran(name, network, activity, 0.9, 4, None, curve, exits)


def test_the_page(modules: tuple[Any, Any]) -> None:
    energy_page, energy_times = modules
    from result_plan import RECORDS
    from result_tables import read_records

    rows = (
        energy_times.Timed("SRNN, read", "one sequence", 2e-6, {"package-0": 3e-6}),
        energy_times.Timed("LSTM", "one sequence", 5e-6, {}),
    )
    machine = {"processor": "a processor", "commit": "abc", "date": "2026-11-24T00", "load": "0"}
    networks = ran(energy_page, "ecg"), ran(energy_page, "digits")
    measured = energy_page.Measured(
        machine, networks, rows, {"NVML": "no card"}, read_records(RECORDS)
    )
    text = energy_page.page(measured)
    # The worked example of the S-MNIST network.
    assert (
        "| S-MNIST, published network | 21.5 nJ | 16.9 uJ | 98.1 % | 89.6 | 70.9 | 33.2 |" in text
    )
    for name in read_energy_models().models:
        assert f"| {name} | SRNN | counted |" in text
    assert "| SRNN, read | one sequence | 2 | 3 uJ |" in text
    assert "What could not be read: NVML: no card." in text
    assert "GRU 4-36-6, ecg | formula | 82.6 % |" in text
    assert "## Decision latency: ecg" in text
    assert "## Early exit: digits" in text
    assert " nan " not in text
    unread = energy_page.Measured(machine, networks, rows[1:], {"RAPL": "none"}, {})
    assert "**Energy could not be read on this machine**" in energy_page.times_part(unread)
    assert "GRU 4-36-6" not in energy_page.page(unread)


@pytest.mark.slow
def test_every_network_is_timed_in_every_mode(modules: tuple[Any, Any]) -> None:
    _, energy_times = modules
    inputs = (np.random.default_rng(0).random((2, 6, 4)) < 0.1).astype(np.uint8)
    rows, meters = energy_times.measure(inputs, 1)
    assert {row.name.split(",")[0] for row in rows} == {"SRNN", "LSTM", "GRU", "RNN"}
    assert {row.mode for row in rows} == {"batch 2", "one sequence", "step by step"}
    assert all(row.seconds > 0 for row in rows)
    names = {meter.name for meter in meters.meters}
    assert all(set(row.joules) == names for row in rows)


def test_the_page_in_docs_is_of_this_kind() -> None:
    text = (ROOT / "docs" / "ENERGY.md").read_text(encoding="utf-8")
    assert text.startswith("# Energy and time\n")
    assert sys.executable not in text
    for name in read_energy_models().models:
        assert f"**{name}**" in text
