"""A few changed inputs for every reader; ``make fuzz`` makes many."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from fuzz import Tally, attempt, judged
from fuzz_readers import READERS, reader_of, seeds_of

pytestmark = [pytest.mark.extra("train"), pytest.mark.extra("nir")]

TRIES = 40


@pytest.mark.parametrize("name", [reader.name for reader in READERS])
def test_every_reader_accepts_or_refuses(name: str, tmp_path: Path) -> None:
    reader, tally = reader_of(name), Tally()
    read = reader.read()
    path = tmp_path / f"input{reader.suffix}"
    for content in seeds_of(name):
        path.write_bytes(content)
        read(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(TRIES):
            path.write_bytes(attempt(name, 1, number))
            # Seconds are for make fuzz: here other tests share the processor.
            wrong = judged(read, path, tally)
            assert wrong is None or wrong.startswith("slow"), (number, wrong)
    assert tally.refused > 0


def test_a_try_can_be_made_again() -> None:
    assert attempt("recipe", 3, 7) == attempt("recipe", 3, 7)
    assert attempt("recipe", 3, 7) != attempt("recipe", 3, 8)


def test_what_escapes_is_counted(tmp_path: Path) -> None:
    def broken(_path: Path) -> None:
        raise KeyError("x")

    def large(_path: Path) -> None:
        bytearray(600 << 20)

    tally = Tally()
    assert "KeyError" in str(judged(broken, tmp_path, tally))
    assert str(judged(large, tmp_path, tally)).startswith("large: ")
    assert (tally.tries, tally.escaped, tally.large, tally.accepted) == (2, 1, 1, 1)
    assert tally.failures >= 2
