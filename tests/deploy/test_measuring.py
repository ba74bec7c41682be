"""Targets that measure, and what the command prints about it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from loihi2_cases import inputs, network
from srnn.deploy import Loihi2Backend, MeasuredRun, MeasuringBackend, pick
from srnn.deploy.check import check
from srnn.deploy.measured_tables import print_measurement
from srnn.export.console import Output
from srnn.export.network import Network
from srnn.simulate import reference
from srnn.simulate.measurement import Measurement


def example() -> Measurement:
    return Measurement(
        source="a board",
        steps=1000,
        steps_per_sample=50.0,
        execution_time_per_step_us=20.0,
        total_power_w=0.5,
        vdd_power_w=0.3,
        vddm_power_w=0.15,
        vddio_power_w=0.05,
        static_total_power_w=0.2,
        static_vdd_power_w=0.1,
        static_vddm_power_w=0.06,
        static_vddio_power_w=0.04,
        cores=7,
        syn_ops=3000,
        dendrite_updates=4000,
        axon_out=500,
        spikes_in=600,
    )


def test_a_measurement_derives_energy_and_keeps_static_power_apart() -> None:
    found = example()
    assert found.execution_time_per_sample_s == pytest.approx(1e-3)
    assert found.dynamic_power_w() == pytest.approx(0.3)
    assert found.static_energy_per_sample_j == pytest.approx(0.2e-3)
    assert found.dynamic_energy_per_sample_j == pytest.approx(0.3e-3)
    assert found.per_sample(found.syn_ops) == pytest.approx(150)
    assert json.loads(json.dumps(found.as_dict()))["measured"] is True
    with pytest.raises(ValueError, match="measured vdd_power_w: inf is negative or not finite"):
        dataclasses.replace(found, vdd_power_w=float("inf"))


@dataclasses.dataclass(frozen=True)
class Measuring(Loihi2Backend):
    """A target that computes right and measures what the example says."""

    def describe(self, network: Network) -> Any:
        return pick("simulator").backend.describe(network)

    def run_measured(self, network: Network, inputs: Any, lengths: Any = None) -> Any:
        return MeasuredRun(reference.run(network, inputs, lengths), example())


def test_any_target_may_measure_and_the_table_says_measured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert isinstance(Measuring(), MeasuringBackend)
    checked = check(network(), Measuring(), inputs())
    assert checked.measurement == example()
    assert checked.as_dict()["measurement"]["dynamic_total_power_w"] == pytest.approx(0.3)
    assert checked.measurement is not None
    print_measurement(checked.measurement, Output())
    out = capsys.readouterr().out
    assert "measured (a board), power in W over 1,000 steps" in out
    assert "measured, per sample of 50 steps, on 7 cores" in out
    rows = {line.split()[0]: line.split()[-3:] for line in out.splitlines() if line.strip()}
    assert rows["all"] == ["0.5", "0.2", "0.3"]
    assert rows["static"] == ["energy", "0.2", "mJ"]
    assert isinstance(pick("simulator").backend, MeasuringBackend) is False
