"""The commands beside streams that are closed, full or ASCII, and files of hostile names."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from paths import ROOT
from srnn.export.netx import read_net, read_samples, write_net

ZOO = ROOT / "zoo" / "ecg.net"
CONTROLS = ("\x1b", "\x07", "\x9b", "\r", "\u202e")
NAMES = {"controls": "L\x1b]0;title\x07\x1b[2J\x9b31m\r\n\t\u202eevil", "markup": "[/b]"}


@pytest.fixture(scope="module", params=NAMES)
def hostile(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a network in which whatever has a name has a bad one."""
    name = NAMES[request.param]
    network = read_net(ZOO)
    path = tmp_path_factory.mktemp("hostile") / f"{name.replace('/', ':')}.net"
    layers = tuple(
        replace(layer, name=f"{name}{index}") for index, layer in enumerate(network.layers)
    )
    classes = tuple(f"{name}{index}" for index in range(network.class_count))
    changed = replace(
        network,
        layers=layers,
        readout=replace(network.readout, classes=classes),
        task={"name": name},
        provenance={name: name},
    )
    write_net(path, changed, read_samples(ZOO))
    return path


def run(
    part: str, *words: object, shell: str = "", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", f"srnn.{part}", *map(os.fspath, map(_word, words))]
    start = ["sh", "-c", f'exec "$@" {shell}', "sh"] if shell else []
    return subprocess.run(
        [*start, *command], capture_output=True, check=False, cwd=ROOT,
        env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def _word(word: object) -> str | os.PathLike[str]:
    return word if isinstance(word, (str, os.PathLike)) else str(word)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("simulate", ("{net}",)),
        ("simulate", ("{net}", "--energy")),
        ("simulate", ("no such.net", "--task", "{net}")),
        ("export", ("{net}", "--inspect")),
        ("export", ("{net}", "-o", "{tmp}/model.net")),
        ("deploy", ("{net}", "--dry-run", "--target", "loihi2")),
        ("deploy", ("{net}", "--emit-program", "-")),
        ("train", ("digits", "--data", "{net}")),
    ],
)
def test_hostile_names_are_printed_as_text(
    part: str, words: tuple[str, ...], hostile: Path, tmp_path: Path
) -> None:
    done = run(part, *(word.format(net=hostile, tmp=tmp_path) for word in words))
    assert done.returncode in {0, 2}
    text = (done.stdout + done.stderr).decode()
    assert text
    assert not [char for char in CONTROLS if char in text]
    assert b"Traceback" not in done.stderr


def test_a_stream_has_one_line_a_step(hostile: Path) -> None:
    channels = read_net(hostile).input_size
    done = subprocess.run(
        [sys.executable, "-m", "srnn.simulate", str(hostile), "--stream"],
        input=b"\t".join([b"0"] * channels) + b"\n" + b"\t".join([b"1"] * channels) + b"\n",
        capture_output=True, check=True, cwd=ROOT,
    )  # fmt: skip
    lines = done.stdout.decode().split("\n")
    assert len(lines) == 3
    assert [line.count("\t") for line in lines] == [1, 1, 0]
    assert all(line.replace("\t", "").isprintable() for line in lines)


def test_a_hostile_header(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x,\x1b]0;title\x07\x1b[2Jevil,label\n1,2,0\n3,4,1\n", encoding="utf-8")
    done = run("train", "arrays", "--data", path)
    assert done.returncode == 2
    assert not [char for char in CONTROLS if char in done.stderr.decode()]


ASCII = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}


@pytest.mark.parametrize(
    ("part", "words", "code"),
    [
        ("simulate", (ZOO, "--energy"), 0),
        ("simulate", ("schwelle-θ.net",), 2),
        ("export", (ZOO, "--inspect"), 0),
        ("deploy", (ZOO, "--dry-run", "--target", "loihi2"), 0),
        ("train", ("digits", "--show"), 0),
        ("train", ("θ",), 2),
        ("simulate", ("--help",), 0),
    ],
)
def test_ascii_streams(part: str, words: tuple[object, ...], code: int) -> None:
    done = run(part, *words, env=ASCII)
    assert done.returncode == code, done.stderr
    assert (done.stdout + done.stderr).isascii()
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("words", [("simulate", ZOO), ("simulate", "--help"), ("train", "--list")])
def test_standard_output_that_is_full_is_an_error(words: tuple[object, ...]) -> None:
    done = run(str(words[0]), *words[1:], shell=">/dev/full")
    assert done.returncode == 2
    assert done.stderr.decode().endswith("standard output: No space left on device\n")


@pytest.mark.parametrize("shell", [">&-", "2>&-", "2>/dev/full", ">&- 2>&-"])
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("simulate", ZOO), 0),
        (("simulate", ZOO, "--json"), 0),
        (("simulate", "no-such.net"), 2),
        (("simulate", "--no-such-option"), 2),
        (("train", "--list"), 0),
    ],
)
def test_closed_and_full_streams_change_no_exit_code(
    words: tuple[object, ...], code: int, shell: str
) -> None:
    assert run(str(words[0]), *words[1:], shell=shell).returncode == code


@pytest.mark.slow
@pytest.mark.extra("train")
def test_names_of_files_that_are_no_text(tmp_path: Path) -> None:
    """The whole chain in a folder whose name is bytes that are not UTF-8."""
    folder = tmp_path / os.fsdecode(b"run-\xff\xfe")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes no such name")
    settings = ("--training.epochs", "1", "--no-test", "--overwrite")
    trained = run("train", "digits", *settings, "--out", folder / "a")
    assert trained.returncode == 0, trained.stderr
    exported = run("export", folder / "a" / "model.pt")
    assert exported.returncode == 0, exported.stderr
    assert rb"run-\udcff\udcfe" in exported.stdout
    net = folder / "a" / "model.net"
    shutil.copy(net, folder / os.fsdecode(b"\xff.net"))
    for words in (
        (net, "--report", folder / "r.html"),
        (folder / os.fsdecode(b"\xff.net"), "--report", folder / "s.html", "--energy"),
        (net, "--trace", folder / "t.h5"),
        (folder / os.fsdecode(b"\xfe-none.net"),),
    ):
        done = run("simulate", *words)
        assert done.returncode == (0 if len(words) > 1 else 2), done.stderr
        assert b"Traceback" not in done.stderr
    json.loads(run("simulate", net, "--json").stdout)
    assert run("deploy", net, "--dry-run", "--target", "loihi2").returncode == 0
