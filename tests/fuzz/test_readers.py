"""A few changed inputs for every reader, of which ``make fuzz`` makes many, and what it found."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from fuzz import HERE, Tally, attempt, judged
from fuzz_readers import READERS, reader_of, seeds_of
from srnn.export.errors import InputError
from srnn.export.reading.limits import READ_BYTES

pytestmark = [pytest.mark.extra("train"), pytest.mark.extra("nir")]

TRIES = 40
FOUND = {
    "data-h5--text-of-4-GiB.h5": "more bytes than the file holds",
    "data-npz--characters-that-do-not-exist.npz": "characters that do not exist",
    "data-npz--samples-of-nothing.npz": "hold no values",
    "data-h5--no-outermost-group.h5": "it has no outermost group",
    "data-npz--header-that-is-no-line.npz": "is not a line of at most 1024 characters",
    "idx-gzipped--60-axes.gz": "60 axes",
    "idx-gzipped--inflates-a-thousand-times.gz": "above 1,000,000; if that is right, set",
    "inputs-npz--member-of-1-GiB.npz": "holds 177 bytes, not 1,073,741,824",
    "placement--infinite-count.json": "is not what srnn-deploy",
}
"""Inputs that were not refused as they should be, named after reader and fault, and what is said.

Each was made smaller by hand.
"""


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


def test_what_was_found_is_kept() -> None:
    assert {path.name for path in (HERE / "found").iterdir()} == set(FOUND)


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = name.partition("--")[0]
    (reader,) = (one for one in READERS if one.name.replace(", ", "-").replace(" ", "-") == wanted)
    read, path, tally = reader.read(), HERE / "found" / name, Tally()
    # A small file cannot inflate beyond the usual limit.
    monkeypatch.setenv(READ_BYTES, "1000000" if "inflates" in name else str(1 << 31))
    wrong = judged(read, path, tally)
    assert wrong is None or wrong.startswith("slow"), wrong
    assert tally.refused == 1
    with pytest.raises(InputError, match=FOUND[name]):
        read(path)


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
