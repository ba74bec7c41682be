"""Tables of any width: no number broken, no line too long, no cell lost."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from srnn.export.console import Output
from srnn.export.tables import table_lines

NUMBERS = st.one_of(
    st.integers(-(10**9), 10**9).map("{:,}".format),
    st.floats(-1e6, 1e6).map("{:.4g}".format),
    st.floats(0, 1e3).map("{:.3g} nJ".format),
    st.just("-"),
)
WORDS = st.text("abcdefghij", min_size=1, max_size=9)
TEXTS = st.lists(WORDS, min_size=1, max_size=14).map(" ".join)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    headers = draw(st.lists(st.lists(WORDS, min_size=1, max_size=3).map(" ".join), min_size=1,
                            max_size=12))  # fmt: skip
    kinds = [draw(st.sampled_from((NUMBERS, NUMBERS, TEXTS, WORDS))) for _ in headers]
    count = draw(st.integers(0, 5))
    return headers, [[draw(kind) for kind in kinds] for _ in range(count)]


@given(tables(), st.sampled_from((30, 60, 80, 120)))
def test_numbers_stay_whole_and_lines_fit(
    table: tuple[list[str], list[list[str]]], width: int
) -> None:
    columns, rows = table
    lines = table_lines(columns, rows, width)
    assert max(map(len, lines), default=0) <= width
    for row in rows:
        for cell in row:
            if len(cell) <= 12:
                # A number with its unit, a name: on one line.
                assert any(f" {cell} " in f" {line} " for line in lines)
    printed = {word for line in lines for word in line.split()}
    given_cells = [cell for cells in (columns, *rows) for cell in cells] if rows else []
    assert {word for cell in given_cells for word in cell.split()} <= printed


def shown(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> str:
    return "".join(f"{line}\n" for line in table_lines(columns, rows, width))


WIDE = ("layer", "spikes seen", "why this process", "energy", "values", "share")
ROWS = [
    ("0", "31,228", "Lava has no adaptive threshold with a soft reset", "6.08 uJ", "1", "-"),
    ("1", "185,419", "Lava has no neuron without a threshold", "422 uJ", "12", "0.5"),
]


def test_headers_and_prose_wrap_first() -> None:
    assert (
        shown(WIDE, ROWS, 60)
        == """\
        spikes
layer     seen  why this process       energy  values  share
────────────────────────────────────────────────────────────
0       31,228  Lava has no adaptive  6.08 uJ       1      -
                threshold with a
                soft reset
1      185,419  Lava has no neuron     422 uJ      12    0.5
                without a threshold
"""
    )


def test_then_columns_move() -> None:
    assert (
        shown(WIDE, ROWS, 40)
        == """\
layer  spikes seen  why this process
────────────────────────────────────────
0           31,228  Lava has no adaptive
                    threshold with a
                    soft reset
1          185,419  Lava has no neuron
                    without a threshold

layer   energy  values  share
─────────────────────────────
0      6.08 uJ       1      -
1       422 uJ      12    0.5
"""
    )


def test_then_the_table_turns() -> None:
    assert (
        shown(WIDE, ROWS, 24)
        == """\
layer             0
spikes seen       31,228
why this process
  Lava has no adaptive
  threshold with a soft
  reset
energy
  6.08 uJ
values            1
share             -

layer             1
spikes seen
  185,419
why this process
  Lava has no neuron
  without a threshold
energy            422 uJ
values            12
share             0.5
"""
    )


def test_rows_that_two_columns_tell_apart_keep_both() -> None:
    rows = [("cpu", "a", "1.23456 mJ", "0.5"), ("cpu", "b", "2.34567 mJ", "0.7")]
    assert (
        shown(("model", "network", "energy", "accuracy"), rows, 26)
        == """\
model  network      energy
──────────────────────────
cpu    a        1.23456 mJ
cpu    b        2.34567 mJ

model  network  accuracy
────────────────────────
cpu    a             0.5
cpu    b             0.7
"""
    )


def test_alignment() -> None:
    rows = [("1", "alif", "12", "-"), ("22", "li", "3", "1..2")]
    assert (
        shown(("layer", "neuron", "size", "range"), rows, 80)
        == """\
layer  neuron  size  range
──────────────────────────
1      alif      12      -
22     li         3   1..2
"""
    )


@pytest.mark.parametrize("width", [None, 60, 80, 120])
def test_the_width_of_the_output(
    width: int | None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    if width is not None:
        monkeypatch.setenv("COLUMNS", str(width))
    columns = [f"column {index}" for index in range(14)]
    Output().table("a title " * 20, columns, [range(10**6, 10**6 + 14)] * 3)
    out, _ = capsys.readouterr()
    longest = max(map(len, out.splitlines()))
    assert (width or 80) - 20 < longest <= (width or 80)
    assert out.count("1,000,013") == 3
