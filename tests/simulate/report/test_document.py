"""The document of a report: what it refuses, and its renderings."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from srnn.export.errors import InputError
from srnn.simulate.figures.series import Series, variable
from srnn.simulate.report.document import (
    Column,
    Drawing,
    Fact,
    Facts,
    Report,
    Section,
    Table,
    Text,
)
from srnn.simulate.report.records import as_dict, read_report, to_csv, to_json
from srnn.simulate.report.values import clean, shown

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**15), 10**15),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)


def table(rows: tuple[tuple, ...], count: int = 2) -> Table:
    return Table("t", "T", tuple(Column(f"c{i}", f"C{i}", "number") for i in range(count)), rows)


def report_of(*items: Text | Table | Facts | Drawing) -> Report:
    return Report("title", "subtitle", (Section("s", "S", items),))


@settings(max_examples=30)
@given(st.lists(st.tuples(VALUES, VALUES), max_size=5))
def test_a_report_comes_back_from_its_json(rows: list[tuple]) -> None:
    figure = Drawing("f", "F", "alt", (Series("a", (variable("x", [[1, 2], [3, 4]], "J"),)),))
    facts = Facts("k", "K", (Fact("n", 1.5, "J", "si", "note", estimated=True),))
    report = report_of(table(tuple(rows)), figure, facts, Text("x", "words", "warning"))
    content = json.loads(to_json(report))
    assert content == json.loads(json.dumps(as_dict(report)))
    with TemporaryDirectory() as folder:
        file = Path(folder) / "r.json"
        file.write_text(to_json(report), encoding="utf-8", newline="")
        assert read_report(file) == report


@given(VALUES, st.sampled_from(["text", "code", "integer", "number", "percent", "points", "si"]))
def test_any_value_can_be_shown(value: object, form: str) -> None:
    text = shown(value, form, "J")  # type: ignore[arg-type]
    assert text == clean(text)


@pytest.mark.parametrize(
    ("value", "form", "unit", "text"),
    [
        (None, "number", "J", "–"),
        (True, "text", "", "yes"),
        (0.98051, "percent", "", "98.05 %"),
        (-0.5, "points", "", "-0.50 points"),
        (1234567, "integer", "", "1,234,567"),
        (0.07103, "number", "", "0.07103"),
        (98765.4321, "number", "steps", "98,765 steps"),
        (1, "number", "steps", "1 step"),
        (1e-7, "number", "", "1.000e-07"),
        (133e-6, "si", "J", "133 µJ"),
        (999.9e-6, "si", "J", "1 mJ"),
        (20400, "si", "B", "20.4 kB"),
        (0.0, "si", "J", "0 J"),
        (1e-18, "si", "J", "0.001 fJ"),
        ("a\x00b\u202e", "text", "", "a\ufffdb\ufffd"),
    ],
)
def test_values_are_written(value: object, form: str, unit: str, text: str) -> None:
    assert shown(value, form, unit) == text  # type: ignore[arg-type]


def test_csv_is_safe_to_open() -> None:
    made = Table(
        "t",
        "T",
        (Column("a", "name"), Column("b", "energy", "si", "J")),
        (("=cmd()", 1e-9), ('say "hi", you', None), ("-1", -2.5)),
    )
    assert to_csv(made).splitlines() == [
        "name,energy (J)",
        "'=cmd(),1e-09",
        '"say ""hi"", you",',
        "'-1,-2.5",
    ]


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: report_of(Text("x", "1"), Text("x", "2")), "two items"),
        (lambda: report_of(Text("X y", "1")), "lower-case"),
        (lambda: table(((1,),)), "row of 1"),
        (lambda: table(((1, float("nan")),)), "finite"),
        (lambda: table(((1, [2]),)), "plain value"),
        (lambda: Column("a", "A", "big"), "format"),
        (lambda: Text("x", "1", "loud"), "tone"),
        (lambda: Table("t", "T", (), ()), "columns"),
    ],
)
def test_what_is_no_report_is_refused(make, match: str) -> None:
    with pytest.raises(InputError, match=match):
        make()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": "srnn-report"}',
        '{"format": "srnn-report", "format_version": 9}',
        '{"format": "srnn-report", "format_version": 1, "sections": [{"id": 3}]}',
    ],
)
def test_damaged_files_get_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(InputError, match=r"r\.json") as caught:
        read_report(tmp_path / "r.json")
    assert "\n" not in str(caught.value)
