"""Pilots by hand: power, battery life, yearly energy and cost, with their ranges."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from paths import ROOT
from srnn.export.errors import InputError
from srnn.simulate.cli import main
from srnn.simulate.energy import Cost, Range, read_energy_models
from srnn.simulate.estimates import Option, compare_energy
from srnn.simulate.operations import Operations
from srnn.simulate.pilot import Measurement, Pilot, pilot_report, read_pilot
from srnn.simulate.pilot_example import EXAMPLE, example_text

PILOT = """\
inferences_per_day = 86400
sensors = 1000
hours_per_day = 12
electricity_price = 0.25
currency = "CHF"
battery_watt_hours = 2.4

[idle_watts]
loihi1 = { value = 0.02, low = 0.01, high = 0.04, source = "a guess" }

[[measured]]
name = "LSTM on the controller"
joules_per_inference = 0.004
idle_watts = 0.002
accuracy = 0.9
source = "power analyser"
"""

REPORT = compare_energy([Option("SRNN", Operations(synaptic_acs=1e6), "formula", 1000)])
"""A million accumulates per step, a thousand steps."""


def write(folder: Path, text: str) -> Path:
    file = folder / "pilot.toml"
    file.write_text(text)
    return file


def test_worked_by_hand(tmp_path: Path) -> None:
    pilot = read_pilot(write(tmp_path, PILOT))
    report = pilot_report(pilot, REPORT)
    by_model = {option.model: option for option in report.of_kind("estimated")}
    cmos = by_model["cmos-45nm"]
    # One inference per second of 1e9 accumulates at 0.9 pJ.
    assert cmos.mean_watts.value == pytest.approx(0.9e-3)
    assert cmos.battery_days is not None
    assert cmos.battery_days.value == pytest.approx(2.4 / 0.9e-3 / 24)
    assert cmos.kilowatt_hours_per_year.value == pytest.approx(0.9e-3 * 8.76 * 1000)
    assert cmos.cost_per_year.value == pytest.approx(0.9e-3 * 8.76 * 1000 * 0.25)
    assert not cmos.idle_included
    loihi = by_model["loihi1"]
    assert loihi.idle_included
    # On for 12 of 24 hours.
    assert loihi.mean_watts.value == pytest.approx(23.6e-3 + 0.01)
    assert loihi.mean_watts.low == pytest.approx(23.6e-3 + 0.005)
    assert loihi.mean_watts.high == pytest.approx(35.5e-3 + 0.02)
    assert loihi.battery_days is not None
    assert loihi.battery_days.low < loihi.battery_days.value < loihi.battery_days.high
    (measured,) = report.of_kind("measured")
    assert measured.mean_watts == Range(0.005, 0.005, 0.005)
    assert (measured.name, measured.model) == ("LSTM on the controller", "power analyser")
    written = report.as_dict()
    assert [one["kind"] for one in written["measured"]] == ["measured"]
    assert {one["kind"] for one in written["estimated"]} == {"estimated"}
    assert written["pilot"]["currency"] == "CHF"


def test_without_a_battery(tmp_path: Path) -> None:
    text = "inferences_per_day = 10\n"
    report = pilot_report(read_pilot(write(tmp_path, text)), REPORT)
    assert all(option.battery_days is None for option in report.options)
    assert len(report.options) == len(read_energy_models().models)
    assert report.options[0].cost_per_year.value == 0.0


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("inferences_per_day = 86400", "", "inferences_per_day: is missing"),
        ("inferences_per_day = 86400", "inferences_per_day = 0", "0.* is not positive"),
        ("sensors = 1000", "sensors = 0", "sensors: 0 is below 1"),
        ("sensors = 1000", "sensor = 1", r"unknown setting 'sensor'; did you mean 'sensors'\?"),
        ("hours_per_day = 12", "hours_per_day = 25", "outside 0..24"),
        ("electricity_price = 0.25", "electricity_price = -1", "is negative"),
        ("battery_watt_hours = 2.4", "battery_watt_hours = 0", "is not positive"),
        ('source = "a guess"', 'source = ""', "source: is empty; name the source"),
        ("joules_per_inference = 0.004", "joules_per_inference = -1", "is negative"),
        ("accuracy = 0.9", "accuracy = 90", "outside 0..1"),
        ('name = "LSTM on the controller"', 'name = ""', "name: is empty"),
        ("[idle_watts]", "[idle_watts", "is not TOML"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, old: str, new: str, text: str) -> None:
    file = write(tmp_path, PILOT.replace(old, new, 1))
    with pytest.raises(InputError, match=text) as refused:
        read_pilot(file)
    assert str(refused.value).startswith(str(file))


def test_other_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="idle_watts: is not a table"):
        read_pilot(write(tmp_path, "inferences_per_day = 1\nidle_watts = 3"))
    (tmp_path / "pilot.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="save it as UTF-8"):
        read_pilot(tmp_path / "pilot.toml")
    pilot = read_pilot(write(tmp_path, PILOT.replace("loihi1", "loihi")))
    with pytest.raises(InputError, match=r"unknown energy model 'loihi'; did you mean 'loihi1'\?"):
        pilot_report(pilot, REPORT)


def test_the_example_is_a_pilot_with_every_setting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["--pilot-example"])
    assert raised.value.code == 0
    text = capsys.readouterr().out
    assert text == example_text()
    pilot = read_pilot(write(tmp_path, text))
    assert pilot == EXAMPLE
    assert pilot_report(pilot, REPORT).options
    lines = text.splitlines()
    for name in (f.name for kind in (Pilot, Measurement, Cost) for f in fields(kind)):
        assert f"{name} = " in text or f"[{name}" in text
    for place, line in enumerate(lines):
        if line and not line.startswith("#"):
            assert lines[place - 1].startswith("# ")


def test_idle_power_of_a_model_that_is_not_there_is_found_before_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path, PILOT.replace("loihi1", "loihi"))
    assert main([str(ROOT / "zoo" / "digits.net"), "--pilot", str(file)]) == 2
    shown = capsys.readouterr()
    assert "idle_watts: unknown energy model 'loihi'; did you mean 'loihi1'?" in shown.err
    assert shown.out == ""
