"""``srnn-simulate --report``: files, refusals, the page's numbers, comparison, placement."""

from __future__ import annotations

import csv
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from report_pages import HOSTILE, check_numbers, network_of, read_page, samples_of, write_network
from srnn.export.extras import how_to_install
from srnn.export.netx import read_net, write_net
from srnn.export.readout import predictions
from srnn.simulate.activity import Activity
from srnn.simulate.cli import main
from srnn.simulate.report.records import as_dict, read_report
from srnn.simulate.report.values import clean
from srnn.simulate.report.write import write_report
from srnn.simulate.simulator import run_with_activity

SECTIONS = ["summary", "answers", "activity", "samples", "time-constants", "parity"]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    assert main([str(write_network(folder / "model.net")), "--report", str(folder / "r.html")]) == 0
    return folder / "r.html"


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main([str(a) for a in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("srnn-simulate: ")
    assert err.count("\n") == 1
    return err


def test_the_page_shows_the_numbers_of_the_json(target: Path) -> None:
    text = target.read_text(encoding="utf-8")
    content = json.loads(target.with_suffix(".json").read_text(encoding="utf-8"))
    page = read_page(text)
    found = [section["id"] for section in content["sections"]]
    assert found == page.sections
    assert set(SECTIONS) <= set(found)
    check_numbers(page, content)
    assert len(text) < 5e6


def test_the_json_comes_back_and_the_tables_are_its_own(target: Path) -> None:
    path = target.with_suffix(".json")
    report = read_report(path)
    assert json.loads(json.dumps(as_dict(report))) == json.loads(path.read_text(encoding="utf-8"))
    files = {file.stem for file in (target.parent / "r-tables").iterdir()}
    assert files == {table.id for table in report.tables()}
    for table in report.tables():
        with (target.parent / "r-tables" / f"{table.id}.csv").open(encoding="utf-8") as file:
            head, *rows = csv.reader(file)
        assert len(head) == len(table.columns)
        assert len(rows) == len(table.rows)
        for row, wanted in zip(rows, table.rows, strict=True):
            for cell, value in zip(row, wanted, strict=True):
                if isinstance(value, float):
                    assert float(cell) == value
                elif value is None:
                    assert cell == ""


def test_the_numbers_are_those_of_a_run(target: Path) -> None:
    report = read_report(target.with_suffix(".json"))
    network = read_net(target.parent / "model.net")
    samples = samples_of(network)
    trace, activity = run_with_activity(network, samples.inputs, samples.lengths)
    layers = {row[0]: row for row in report.table("layers").rows}
    columns = [column.id for column in report.table("layers").columns]
    assert activity.steps == int(samples.lengths.sum())
    for layer in activity.layers:
        row = dict(zip(columns, layers[layer.name], strict=True))
        assert row["firing-rate"] == layer.firing_rate
        assert row["effective-acs"] == layer.effective_acs / activity.steps
    answers = predictions(network, trace.output, trace.lengths)
    counted = np.arange(trace.output.shape[1]) < samples.lengths[:, None]
    assert samples.targets is not None
    right = (answers == samples.targets)[counted].mean()
    assert report.table("accuracy").rows[0][1] == pytest.approx(right)
    raster = next(item for item in report.items() if item.id == "raster-0-layer-0")
    spikes = trace.layers[0].spikes
    assert spikes is not None
    times = raster.series[0].values("spike times")  # type: ignore[union-attr]
    assert times == tuple(
        tuple(np.flatnonzero(spikes[0, :, neuron]).tolist()) for neuron in range(spikes.shape[2])
    )


@pytest.mark.slow
def test_names_from_a_file_do_no_harm(tmp_path: Path) -> None:
    path = write_network(tmp_path / "<b>&.net", "mean_softmax", classes=HOSTILE)
    target = tmp_path / "r.html"
    assert main([str(path), "--report", str(target), "--report-samples", "1"]) == 0
    text = target.read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "<img" not in text
    assert "<b>" not in text
    assert "\x00" not in text
    assert text.count("<script>") == 1
    assert not re.search(r"""(src|href)\s*=\s*["'](?!#|data:)""", text)
    page = read_page(text)
    assert {cell[1] for row in page.tables["classes"] for cell in row[:1]} == set(
        map(clean, HOSTILE)
    )


def test_a_report_that_is_there_is_kept(target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {file: file.read_bytes() for file in target.parent.rglob("*") if file.is_file()}
    network = target.parent / "model.net"
    assert "exists; replace it with --overwrite" in refusal(capsys, network, "--report", target)
    for suffix in ("txt", "json"):
        wrong = refusal(capsys, network, "--report", target.with_suffix(f".{suffix}"))
        assert "ends in .html" in wrong
    assert before == {f: f.read_bytes() for f in target.parent.rglob("*") if f.is_file()}


def test_what_cannot_be_written_leaves_nothing(
    target: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = target.parent / "model.net"
    (tmp_path / "file").write_text("not a folder")
    refusal(capsys, network, "--report", tmp_path / "file" / "r.html")
    (tmp_path / "r.html").mkdir()
    assert "is a folder" in refusal(capsys, network, "--report", tmp_path / "r.html", "--overwrite")
    (tmp_path / "s-tables").write_text("not a folder")
    refusal(capsys, network, "--report", tmp_path / "s.html", "--overwrite")
    (tmp_path / "s-tables").unlink()
    # The last of the files cannot be opened.
    report = read_report(target.with_suffix(".json"))
    last = list(report.tables())[-1].id
    (tmp_path / "s-tables" / f"{last}.csv").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        write_report(report, tmp_path / "s.html", overwrite=True)
    left = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*"))
    assert left == ["file", "r.html", "s-tables", f"s-tables/{last}.csv"]


@pytest.mark.slow
def test_overwriting_gives_equal_bytes_and_removes_old_tables(
    target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    path = write_network(tmp_path / "model.net", "mean_softmax")
    goal = tmp_path / "r.html"
    words = [str(path), "--report", str(goal), "--report-samples", "2", "--overwrite"]
    assert main(words) == 0
    first = [item.svg for item in drawings(path, goal)]
    assert (tmp_path / "r-tables" / "predictions.csv").exists()
    (tmp_path / "r-tables" / "mine.csv").write_text("kept")
    write_network(path)
    assert main(words) == 0
    assert not (tmp_path / "r-tables" / "predictions.csv").exists()
    assert (tmp_path / "r-tables" / "mine.csv").read_text() == "kept"
    write_network(path, "mean_softmax")
    assert first == [item.svg for item in drawings(path, goal)]
    assert "2023-11-14T22:13:20Z" in goal.read_text(encoding="utf-8")
    assert target.exists()


def drawings(path: Path, goal: Path) -> list:
    from srnn.simulate.report.document import Drawing
    from srnn.simulate.report.evidence import Data, gather
    from srnn.simulate.report.single import Extras, single_report

    network = read_net(path)
    samples = samples_of(network)
    data = Data(goal.name, samples.inputs, samples.lengths, samples.targets)
    made = single_report(gather(path, network, data, samples=(2,)), Extras())
    found = [item for item in made.items() if isinstance(item, Drawing)]
    assert all(item.svg.startswith("<svg") for item in found)
    return found


def test_options_of_reports_need_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_network(tmp_path / "model.net")
    goal = tmp_path / "r.html"
    assert "--overwrite: needs --report" in refusal(capsys, path, "--overwrite")
    assert "2 networks" in refusal(capsys, path, path)
    assert "--trace" in refusal(capsys, path, "--report", goal, "--trace", tmp_path / "t.h5")
    several = refusal(capsys, path, path, "--report", goal, "--report-samples", "1")
    assert "to one network only" in several
    assert "outside 0..5" in refusal(capsys, path, "--report", goal, "--report-samples", "6")
    assert "list of numbers" in refusal(capsys, path, "--report", goal, "--report-samples", "a")
    assert not goal.exists()


def test_a_missing_extra_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_network(tmp_path / "model.net")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    err = refusal(capsys, path, "--report", tmp_path / "r.html")
    assert how_to_install("report") in err


@pytest.mark.slow
def test_wrong_outputs_are_told_and_fail(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = network_of("mean_softmax")
    path = tmp_path / "wrong.net"
    write_net(path, network, samples_of(network, change=1))
    assert main([str(path), "--report", str(tmp_path / "r.html"), "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["bytes"] == (tmp_path / "r.html").stat().st_size
    page = read_page((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert page.texts["summary-wrong"].startswith("1 outputs")


@pytest.mark.slow
def test_inputs_without_labels(tmp_path: Path) -> None:
    path = write_network(tmp_path / "model.net")
    np.save(tmp_path / "x.npy", samples_of(read_net(path)).inputs[:2])
    words = [str(path), "--input", str(tmp_path / "x.npy"), "--report", str(tmp_path / "r.html")]
    assert main(words) == 0
    report = read_report(tmp_path / "r.json")
    assert "no-labels" in [item.id for item in report.items()]
    assert "confusion" not in [item.id for item in report.items()]


@pytest.mark.slow
def test_networks_side_by_side(tmp_path: Path) -> None:
    one = write_network(tmp_path / "a.net")
    network = network_of()
    quiet = replace(
        network.layers[0],
        neuron=replace(network.layers[0].neuron, v_threshold=np.full(25, 400000)),
    )
    network = replace(network, layers=(quiet, network.layers[1]))
    write_net(tmp_path / "b.net", network, samples_of(network))
    goal = tmp_path / "r.html"
    assert main([str(one), str(tmp_path / "b.net"), "--report", str(goal)]) == 0
    report = read_report(tmp_path / "r.json")
    assert [row[0] for row in report.table("networks").rows] == ["a.net", "b.net"]
    activities: list[Activity] = []
    for path in (one, tmp_path / "b.net"):
        made = read_net(path)
        samples = samples_of(made)
        activities.append(run_with_activity(made, samples.inputs, samples.lengths)[1])
    ratio = activities[1].spikes / activities[0].spikes
    columns = [column.id for column in report.table("differences").columns]
    row = dict(zip(columns, report.table("differences").rows[0], strict=True))
    assert row["spikes"] == pytest.approx(ratio)
    assert ratio < 1
    page = read_page(goal.read_text(encoding="utf-8"))
    check_numbers(page, json.loads((tmp_path / "r.json").read_text(encoding="utf-8")))


@pytest.mark.slow
def test_placements_are_shown_and_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from srnn.deploy.cli import main as deploy

    path = write_network(tmp_path / "model.net")
    assert deploy([str(path), "--target", "loihi2", "--dry-run", "--json"]) in {0, 1}
    placed = capsys.readouterr().out
    (tmp_path / "placed.json").write_text(placed)
    words = [path, "--report", tmp_path / "r.html", "--placement", tmp_path / "placed.json"]
    assert main([str(word) for word in words]) == 0
    capsys.readouterr()
    content = json.loads(placed)
    rows = read_report(tmp_path / "r.json").table("resources").rows
    assert len(rows) == len(content["resources"])
    for row, wanted in zip(rows, content["resources"], strict=True):
        assert row[1] == wanted["fullest_core"]
    (tmp_path / "bad.json").write_text("[1, 2]")
    words[-1] = tmp_path / "bad.json"
    assert "is not what srnn-deploy" in refusal(capsys, *words, "--overwrite")
    content["layers"][0]["neurons"] += 1
    (tmp_path / "bad.json").write_text(json.dumps(content))
    assert "another network" in refusal(capsys, *words, "--overwrite")


def test_samples_without_a_step_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_network(tmp_path / "a.net")
    inputs = samples_of(read_net(path)).inputs[:2]
    np.savez(tmp_path / "x.npz", inputs=inputs, lengths=np.zeros(2, np.int64))
    words = [str(path), "--input", str(tmp_path / "x.npz"), "--report", str(tmp_path / "r.html")]
    assert main(words) == 2
    assert "x.npz: 2 samples without a step; there is nothing" in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()
