"""Text of any encoding, length and depth, alike in every reader."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simulate_networks import random_network
from srnn.deploy.boards import read_boards
from srnn.export.errors import InputError
from srnn.export.reading.limits import LINE_BYTES_MAX, TEXT_BYTES_MAX
from srnn.export.reading.text import json_value, read_lines, read_text
from srnn.simulate.energy import read_energy_models
from srnn.simulate.inputs import read_inputs
from srnn.simulate.pilot import read_pilot
from srnn.simulate.report.records import read_report
from srnn.simulate.sample_lines import sample_lines
from srnn.tasks.readers import read_recordings

NETWORK = random_network(3, ["SRNN_ALIF", "SRNN_LI"], [4, 2], 1)


def streamed(path: Path) -> list[Any]:
    return list(sample_lines(BytesIO(path.read_bytes()), str(path), 1))


READERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "pilot": ("a.toml", read_pilot),
    "boards": ("a.toml", read_boards),
    "energy": ("a.toml", lambda path: read_energy_models([path])),
    "report": ("report.json", read_report),
    "arrays csv": ("a.csv", read_recordings),
    "arrays ts": ("a.ts", read_recordings),
    "--input csv": ("a.csv", lambda path: read_inputs(path, NETWORK)),
    "stream": ("a.csv", streamed),
}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "latin-1"])
@pytest.mark.parametrize("reader", READERS)
def test_other_encodings_are_named(reader: str, encoding: str, tmp_path: Path) -> None:
    name, read = READERS[reader]
    (tmp_path / name).write_bytes("# é\n1\n2\n".encode(encoding))
    said = "is not UTF-8 text" if encoding == "latin-1" else f"is {encoding.upper()} text"
    with pytest.raises(InputError, match=f"{said}.*save it as UTF-8"):
        read(tmp_path / name)


def test_a_mark_costs_no_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbf1\n0\n1\n")
    np.testing.assert_array_equal(read_inputs(path, NETWORK).inputs, [[[1], [0], [1]]])
    assert [row for _, row in streamed(path)] == [[1], [0], [1]]
    ts = tmp_path / "a.ts"
    ts.write_bytes(b"\xef\xbb\xbf@classLabel true a b\n@data\n1,2:a\n0,1:b\n1,1:a\n")
    assert len(read_recordings(ts).signals) == 3


def test_a_number_of_thousands_of_digits(tmp_path: Path) -> None:
    digits = "9" * 5000
    with pytest.raises(InputError, match="is not JSON"):
        json_value(digits, "there")
    (tmp_path / "a.csv").write_text(f"{digits}\n", encoding="utf-8")
    with pytest.raises(InputError, match="not a row of integers"):
        read_inputs(tmp_path / "a.csv", NETWORK)
    (tmp_path / "a.ts").write_text(
        f"@dimensions {digits}\n@classLabel true a b\n@data\n1,2:a\n0,1:b\n", encoding="utf-8"
    )
    with pytest.raises(InputError, match="@dimensions says 9999"):
        read_recordings(tmp_path / "a.ts")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "NaN", "[Infinity]", "{", ""])
def test_json_that_cannot_be_read(text: str) -> None:
    with pytest.raises(InputError, match="there: is not JSON"):
        json_value(text, "there")


def test_a_line_of_90000_names_is_read_in_linear_time() -> None:
    names = ", ".join(f'"x{i}": 1' for i in range(90_000))
    backwards = ", ".join(f'"x{i}": 1' for i in reversed(range(90_000)))
    lines = BytesIO(f"{{{names}}}\n{{{backwards}}}\n".encode())
    with pytest.raises(InputError, match="longer than"):
        list(sample_lines(lines, "stdin", 90_000))
    few = 20_000
    names = ", ".join(f'"x{i}": {i}' for i in range(few))
    backwards = ", ".join(f'"x{i}": {i}' for i in reversed(range(few)))
    lines = BytesIO(f"{{{names}}}\n{{{backwards}}}\n".encode())
    first, second = (row for _, row in sample_lines(lines, "stdin", few))
    assert first == second == list(range(few))


def test_lines_and_files_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"1\n" + b"2" * (LINE_BYTES_MAX + 1))
    with pytest.raises(InputError, match="line 2 is longer than"):
        list(read_lines(path))
    with path.open("wb") as file:
        file.truncate(TEXT_BYTES_MAX + 1)
    with pytest.raises(InputError, match="too large for such a file"):
        read_text(path)


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    for name, said in (("pipe", "a device or a pipe"), (".", "is a folder"), ("x", "no such file")):
        with pytest.raises(InputError, match=said):
            read_text(tmp_path / name)
