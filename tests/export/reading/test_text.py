"""Text from outside, in every reader: encodings, long lines, large numbers, deep nesting."""

from __future__ import annotations

import io
import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paths import ROOT
from simulate_networks import random_network
from srnn.deploy.boards import read_boards
from srnn.export.errors import InputError
from srnn.export.filekind import kind_of
from srnn.export.reading import text
from srnn.export.reading.limits import (
    LINE_BYTES_MAX,
    READ_BYTES,
    SAMPLE_BYTES_MAX,
    TEXT_BYTES_MAX,
)
from srnn.simulate.energy import read_energy_models
from srnn.simulate.inputs import read_inputs
from srnn.simulate.pilot import read_pilot
from srnn.simulate.report.placement import read_placement
from srnn.simulate.report.records import read_report
from srnn.simulate.sample_lines import sample_lines
from srnn.simulate.stream_state import read_state
from srnn.tasks.readers import read_recordings
from srnn.train.recipe import read_plain

pytestmark = pytest.mark.extra("train")

ONE = random_network(3, ["SRNN_ALIF", "SRNN_LI"], [4, 2], 1)
TS = "@problemName x\n@timestamps false\n@dimensions 2\n@classLabel true a b\n@data\n"


def stream(path: Path) -> list[tuple[int, list[float]]]:
    with path.open("rb") as file:
        return list(sample_lines(file, str(path), 2))


READERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "recipe": ("a.toml", lambda path: read_plain(str(path))),
    "energy": ("a.toml", lambda path: read_energy_models([path])),
    "pilot": ("a.toml", read_pilot),
    "boards": ("a.toml", read_boards),
    "csv": ("a.csv", read_recordings),
    "ts": ("a.ts", read_recordings),
    "inputs": ("a.csv", lambda path: read_inputs(path, ONE)),
    "stream": ("a.txt", stream),
    "report": ("a.json", read_report),
    "placement": ("a.json", lambda path: read_placement(path, ONE)),
}


def refusal(name: str, content: bytes, folder: Path) -> str:
    file, read = READERS[name]
    path = folder / file
    path.write_bytes(content)
    with pytest.raises(InputError) as refused:
        read(path)
    line = str(refused.value)
    assert "\n" not in line
    assert len(line) < 500
    # A place is named once.
    assert line.count(str(path)) == 1
    return line


@pytest.mark.parametrize("name", READERS)
def test_other_encodings_are_named(name: str, tmp_path: Path) -> None:
    given = "# é\n1,2\n"
    for encoding, said in (
        ("utf-16", "is not UTF-8 text but UTF-16; save it as UTF-8"),
        ("utf-32", "is not UTF-8 text but UTF-32; save it as UTF-8"),
        ("latin-1", r"is not UTF-8 text (byte 0xe9, as in Latin-1 or Windows-1252); save it as"),
        ("utf-16-le", "holds zero bytes, is not text or in UTF-16; save it as UTF-8"),
    ):
        assert said in refusal(name, given.encode(encoding), tmp_path)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_byte_order_mark_changes_nothing(end: str, tmp_path: Path) -> None:
    def read(name: str, given: str) -> Any:
        path = tmp_path / READERS[name][0]
        found = []
        for mark in ("", "\ufeff"):
            path.write_bytes((mark + given.replace("\n", end)).encode())
            found.append(READERS[name][1](path))
        return found

    for inputs in read("inputs", "1\n0\n1\n"):
        assert inputs.inputs.tolist() == [[[1], [0], [1]]]
    for recordings in read("csv", "sample,label,x\n0,é,1\n0,é,2\n1,b,3\n"):
        assert [signal.tolist() for signal in recordings.signals] == [[[1], [2]], [[3]]]
        assert recordings.names == ("b", "é")
    for recordings in read("ts", TS + "1,2:3,4:a\n5:6:b\n"):
        assert [signal.tolist() for signal in recordings.signals] == [[[1, 3], [2, 4]], [[5, 6]]]
    for rows in read("stream", "1,2\n3,4\n"):
        assert rows == [(1, [1, 2]), (2, [3, 4])]
    for plain in read("recipe", "[task]\nname = 'x'\n") if end != "\r" else []:
        assert plain == {"task": {"name": "x"}}


def test_a_mark_that_is_no_mark_is_kept() -> None:
    found = list(text.stream_lines(io.BytesIO("a\n\ufeffb".encode()), "x"))
    assert found == [(1, "a\n"), (2, "\ufeffb")]


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 100])
def test_lines_whatever_the_pieces(limit: int) -> None:
    for parts in itertools.product([b"a", b"\n", b"\r", b"\r\n"], repeat=5):
        content = b"".join(parts)
        wanted = [line.decode() for line in content.splitlines(keepends=True)]
        if all(len(line) <= limit for line in wanted):
            found = list(text.stream_lines(io.BytesIO(content), "x", limit=limit))
            assert found == list(enumerate(wanted, 1))
        if any(len(line.strip("\r\n")) > limit for line in wanted):
            with pytest.raises(InputError, match=f"longer than {limit} bytes"):
                list(text.stream_lines(io.BytesIO(content), "x", limit=limit))


class Endless(io.RawIOBase):
    """A stream without line ends that counts what is taken of it."""

    taken = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert size > 0
        self.taken += size
        return b"1," * (size // 2) + b"1" * (size % 2)


def test_a_stream_without_line_ends_is_read_up_to_the_limit() -> None:
    endless = Endless()
    with pytest.raises(InputError, match=r"^x, line 1: longer than 1,048,576 bytes") as refused:
        list(text.stream_lines(endless, "x"))  # type: ignore[arg-type]
    assert READ_BYTES in str(refused.value)
    assert endless.taken == LINE_BYTES_MAX + 1


def test_limits_are_raised_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = b"1" * (LINE_BYTES_MAX + 1)
    assert "line 1: longer than" in refusal("inputs", wide, tmp_path)
    large = b"{" + b" " * TEXT_BYTES_MAX + b"}"
    assert "more than 4,194,304 bytes" in refusal("report", large, tmp_path)
    monkeypatch.setenv(READ_BYTES, str(1 << 40))
    assert "longer than" not in refusal("inputs", wide, tmp_path)
    assert "not a report of srnn-simulate" in refusal("report", large, tmp_path)


def test_a_sample_a_line_may_be_long(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    channel = ",".join(["-0.123456"] * 100_000)
    path.write_text(f"{TS}{channel}:{channel}:a\n", encoding="utf-8")
    assert path.stat().st_size > LINE_BYTES_MAX
    assert read_recordings(path).signals[0].shape == (100_000, 2)
    assert "line 6: longer than" in refusal(
        "ts", TS.encode() + b"1" * (SAMPLE_BYTES_MAX + 1), tmp_path
    )


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("recipe", f"a = {'1' * 5000}", "is not TOML: an integer of more than 1,000 digits"),
        ("recipe", f"a = 0x{'f' * 5000}", "holds an integer of more than 1,000 digits"),
        ("recipe", f"a = {'[' * 40}{']' * 40}", "nested more than 32 levels deep"),
        ("recipe", f"{'a.' * 30_000}b = 1", "nested too deeply"),
        ("recipe", "a = 1\n" * 200_000, "more than 65,536 bytes"),
        (
            "report",
            f'{{"format": {"1" * 5000}}}',
            "is not JSON (an integer of more than 1,000 digits)",
        ),
        ("report", f'{{"format": {"1" * 4000}}}', "holds an integer of more than 1,000 digits"),
        ("report", "[" * 5000, "nested too deeply"),
        ("report", '{"a": ' * 40 + "1" + "}" * 40, "nested more than 32 levels deep"),
        ("report", '{"format": NaN}', "NaN is not a number"),
        ("report", "[]", "'[]' is not an object in JSON"),
        ("placement", "[" * 5000, "nested too deeply"),
        ("placement", "[3]", "is not what srnn-deploy --dry-run --json prints"),
        (
            "placement",
            (ROOT / "tests/fuzz/found/placement--infinite-count.json").read_text("utf-8"),
            "is not what srnn-deploy",
        ),
        ("stream", f"[{'1' * 5000}, 1]", "an integer of more than 1,000 digits"),
        ("stream", "[" * 5000, "nested too deeply"),
        ("stream", "[-Infinity, 1]", "-Infinity is not a number"),
        ("stream", f"{'9' * 5000},1\n", "inf is not a finite number"),
        ("inputs", f"{'1' * 5000}\n", "is not a row of integers"),
        ("inputs", f"{1 << 63}\n", "line 1: holds an integer beyond 64 bits"),
        ("csv", f"sample,label,x\n0,a,{'9' * 5000}\n", "is not a number"),
        ("csv", f"sample,label,x\n0,a,{'1' * 200_000}\n", "not CSV (field larger than"),
        ("csv", 'sample,label,x\n0,a,"' + "1\n" * 200_000, "not CSV (field larger than"),
        ("csv", f"sample,label,{'y' * 9000},{'y' * 9000}\n", "occurs twice in the header"),
        ("ts", TS.replace("2", "1" * 5000) + "1:2:a\n", "@dimensions says 1111"),
        ("ts", TS + f"1:{'1' * 5000}:a\n", "is not a number"),
        ("ts", TS + f"1:2:{'z' * 5000}\n", "sample 0 has label 'zzz"),
        ("csv", f"sample,label,x\n0,{'z' * 5000},1\n", "of more than 1000 characters"),
    ],
)
def test_what_is_too_much_is_one_line(name: str, content: str, said: str, tmp_path: Path) -> None:
    assert said in refusal(name, content.encode(), tmp_path)


class Counting(str):
    """A column's name that counts how often it is compared."""

    compared = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Counting.compared += 1
        return str.__eq__(self, other)  # type: ignore[arg-type]


def test_a_line_of_many_keys_takes_linear_time(monkeypatch: pytest.MonkeyPatch) -> None:
    count = 3000
    names = [f"c{at}" for at in range(count)]
    rows = [names, names[::-1]]

    def counted_names(given: str, where: str, kind: type[Any]) -> dict[str, int]:
        del where, kind
        return {Counting(key): value for key, value in json.loads(given).items()}

    monkeypatch.setattr("srnn.simulate.sample_lines.json_value", counted_names)
    lines = "\n".join(json.dumps({name: names.index(name) for name in row}) for row in rows)
    Counting.compared = 0
    found = list(sample_lines(io.BytesIO(lines.encode()), "x", count))
    assert [values for _, values in found] == [list(range(count))] * 2
    assert Counting.compared < 40 * count


def test_rows_of_many_columns_are_chosen_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from srnn.simulate import sample_lines as module

    calls = []
    places = module._places
    monkeypatch.setattr(module, "_places", lambda *given: calls.append(1) or places(*given))
    rows = "a,b,c\n" + "1,2,3\n" * 5
    found = list(sample_lines(io.BytesIO(rows.encode()), "x", 2, ("c", "1")))
    assert found == [(number, [3, 1]) for number in range(2, 7)]
    assert len(calls) == 1
    short = "a,b,c\n1,2,3\n1,2\n"
    with pytest.raises(InputError, match="line 3: 2 columns, but column 3 was chosen"):
        list(sample_lines(io.BytesIO(short.encode()), "x", 2, ("c", "1")))
    with pytest.raises(InputError, match="unknown column '1111"):
        list(sample_lines(io.BytesIO(rows.encode()), "x", 1, ("1" * 5000,)))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no such pipes")
@pytest.mark.parametrize("name", [name for name in READERS if name != "stream"])
def test_a_pipe_is_told_so(name: str, tmp_path: Path) -> None:
    # It would wait for a writer that never comes.
    file, read = READERS[name]
    os.mkfifo(tmp_path / file)
    with pytest.raises(InputError, match="is a device or a pipe, needs a file"):
        read(tmp_path / file)
    with pytest.raises(InputError, match="is a device or a pipe, needs a file"):
        read_state(tmp_path / file, ONE, "")


def test_a_state_of_hostile_header(tmp_path: Path) -> None:
    for header in (b"[" * 4000, b'{"format": ' + b"1" * 4050 + b"}", b"\xff\xfe", b""):
        (tmp_path / "a.state").write_bytes(header + b"\n")
        with pytest.raises(InputError, match="not a state file of srnn"):
            read_state(tmp_path / "a.state", ONE, "")


def test_the_kind_of_what_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    for content in (b"\xff\xfe[task]", b"x = " + b"1" * 5000, b"x" * (1 << 21)):
        path.write_bytes(content)
        assert kind_of(path) is None
    path.write_bytes("\ufeff[task]\n".encode())
    found = kind_of(path)
    assert found is not None
    assert found.what == "a recipe"


def test_a_long_column_of_numbers_takes_8_bytes_a_value(tmp_path: Path) -> None:
    import tracemalloc

    count = 20_000
    path = tmp_path / "a.csv"
    path.write_text("sample,label,x\n" + "0,a,1\n" * count, encoding="utf-8")
    tracemalloc.start()
    try:
        recordings = read_recordings(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert np.array_equal(recordings.signals[0], np.ones((count, 1)))
    # Values twice, as they come and as an array; a pointer for each label, and its set.
    assert peak < 40 * count
