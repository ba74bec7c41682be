"""Every part of ``make reliability`` with the least counts, so that the script stays usable."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from reliability import PARTS
from reliability_tally import Tally

pytestmark = [pytest.mark.extra("train"), pytest.mark.extra("report"), pytest.mark.extra("nir")]

COUNTS = {"stream": 2000, "threads": 8, "commands": 3}
SLOW = {"training", "commands", "full disk", "two writers"}


def params():
    marks = {name: [pytest.mark.slow] for name in SLOW} | {
        "lava children": [pytest.mark.slow, pytest.mark.lava]
    }
    return [pytest.param(name, marks=marks.get(name, [])) for name in PARTS]


@pytest.mark.parametrize("name", params())
def test_a_part_finds_nothing(name: str, tmp_path: Path) -> None:
    tally = Tally()
    PARTS[name][0](COUNTS.get(name, 1), random.Random(f"1 {name}"), tmp_path, tally)
    assert tally.rows
    assert sum(row.done for row in tally.rows.values()) > 0
    assert tally.wrong == []


def test_what_is_wrong_is_counted() -> None:
    tally = Tally()
    tally.check("runs", "")
    tally.check("runs", "differs", "", "is left")
    assert (tally.rows["runs"].done, tally.rows["runs"].failed) == (2, 1)
    assert tally.notes() == ["FAILED: runs: differs", "FAILED: runs: is left"]
