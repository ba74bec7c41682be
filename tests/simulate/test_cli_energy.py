"""``srnn-simulate --energy`` and ``--pilot``: tables with model names, and the same in the JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from paths import ROOT
from srnn.simulate.cli import main
from srnn.simulate.energy import read_energy_models

DIGITS, ECG = ROOT / "zoo/digits.net", ROOT / "zoo/ecg.net"

OWN = """\
[models.ours]
title = "our chip"
technology = "7 nm"
runs = "events"
includes = "synapses"
excludes = "the rest"
[models.ours.joules.synaptic_acs]
value = 2e-12
source = "our laboratory"
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "own.toml").write_text(OWN)
    (tmp_path / "pilot.toml").write_text(
        'inferences_per_day = 1000\nbattery_watt_hours = 1\ncurrency = "CHF"\n'
    )
    return tmp_path / "own.toml", tmp_path / "pilot.toml"


def printed(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert main([str(word) for word in words]) == 0
    return capsys.readouterr().out


def answer(capsys: pytest.CaptureFixture[str], *words: object) -> dict:
    return json.loads(printed(capsys, *words, "--json"))


def test_nothing_unless_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert not {"energy", "pilot", "measures"} & set(answer(capsys, ECG))


def test_bundled_samples(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    own, pilot = files
    words = (ECG, "--energy", "--energy-models", own, "--pilot", pilot)
    found = answer(capsys, *words)
    energy = found["energy"]
    names = {row["model"] for row in energy["estimates"]}
    assert names == {*read_energy_models().models, "ours"}
    assert {row["kind"] for row in energy["estimates"]} == {"estimated"}
    mine = next(row for row in energy["estimates"] if row["model"] == "ours")
    expected = 2e-12 * found["activity"]["per_step"]["Effective_ACs"]
    assert mine["joules_per_step"]["value"] == pytest.approx(expected)
    assert found["measures"]["Footprint"] > 20_000
    assert found["pilot"]["pilot"]["currency"] == "CHF"
    assert found["pilot"]["estimated"]
    text = printed(capsys, *words)
    assert "energy, estimated" in text
    assert "pilot, estimated: 1 sensors" in text
    assert "measured by others, on other tasks and networks (no estimates):" in text
    for name in names:
        assert f"{name}: " in text
    assert "idle power not given" in text
    table = text[text.index("energy, estimated") : text.index("range: per inference")]
    rows = [line for line in table.splitlines() if "J" in line and "RNN" in line]
    assert rows
    assert all(line.split()[0] in names for line in rows)


def test_a_task_tells_when_the_answer_comes(capsys: pytest.CaptureFixture[str]) -> None:
    words = (DIGITS, "--task", "digits", "--limit", 20, "--energy")
    found = answer(capsys, *words)
    curve, exits = found["early_exit"]["curve"], found["early_exit"]["confident"]
    assert curve["steps"] == list(range(1, 65))
    assert curve["accuracy"][-1] == pytest.approx(found["accuracy"])
    steps = [one["mean_steps"] for one in exits]
    assert steps == sorted(steps)
    whole = next(row for row in found["energy"]["estimates"] if row["model"] == "cmos-45nm")
    assert exits[-1]["estimated_joules"]["cmos-45nm"]["value"] == pytest.approx(
        whole["joules_per_step"]["value"] * steps[-1]
    )
    assert "accuracy over the number of steps seen" in printed(capsys, *words)


@pytest.mark.needs_data("qtdb_ecg")
def test_labels_a_step_tell_the_delay(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (ECG, "--data", data_dir / "qtdb_ecg", "--limit", 3, "--energy")
    found = answer(capsys, *words)["decision_latency"]
    assert found["hold_steps"] == 3
    assert found["changes"] > found["missed"]
    assert found["delay_steps"]["median"] < 20
    assert "decision latency" in printed(capsys, *words)


def test_files_are_refused_before_the_run(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    own, pilot = files
    pilot.write_text("sensors = 3\n")
    own.write_text("")
    for option, file in (("--pilot", pilot), ("--energy-models", own)):
        assert main([str(ECG), option, str(file)]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"srnn-simulate: {file}: ")
        assert err.count("\n") == 1
    assert main([str(ECG), "--pilot", str(pilot.with_name("none.toml"))]) == 2
    assert "no such file" in capsys.readouterr().err
