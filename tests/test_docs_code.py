"""Every code block of the pages: Python runs, commands are parsed, and run where that is quick."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import os
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from doc_blocks import COMMANDS, KINDS, Block, blocks, every_block, pages
from own_neurons import forgotten
from paths import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

pytestmark = [pytest.mark.extra("train"), pytest.mark.extra("report")]

BIN = Path(sys.executable).parent
ALL = every_block()
DATA = {
    "docs/EXAMPLE_SENSORS.md": "tsc_small",
    "docs/GUIDE.md": "qtdb_ecg",
    "docs/REPORT.md": "qtdb_ecg",
}
"""Pages whose commands read real data: the folder of ``SRNN_DATA``."""
PYTHON_AFTER_COMMANDS = {"docs/EXAMPLE_SENSORS.md"}
"""Pages whose Python reads what their commands wrote."""
REASONS = {
    "a script of the repository, which writes this page",
    "installs packages",
    "needs Lightning; tests/test_python_page.py runs it where that is",
    "needs a C compiler; tests/deploy/c/test_printed.py runs it",
    "needs a cross compiler and QEMU; tests/deploy/c/test_mcu.py runs it",
    "needs a board",
    "needs files of yours",
    "takes minutes, and begins with a clone",
    "tests/conformance/test_quirks.py runs each",
    "tests/deploy/test_plugins.py installs and runs it",
    "tests/test_your_neuron.py writes it to a file and runs the commands",
    "they run these tests",
    "two processes; tests/train/test_parallel.py runs them",
}
"""Why a block is parsed and not run; a new reason is a decision, and stands here."""


def ids(found: list[Block]) -> list[Any]:
    return [pytest.param(block, id=block.where) for block in found]


def at_hand(folder: Path) -> None:
    """What a page finds in the folder it runs in: trained networks, a recording with labels."""
    (folder / "zoo").symlink_to(ROOT / "zoo")
    rows = ["sample,x,y,label"]
    for sample in range(24):
        sign = 1 if sample % 2 else -1
        label = "up" if sample % 2 else "down"
        rows += [f"{sample},{0.1 * sign * step},{step % 5},{label}" for step in range(20)]
    own = next(block for block in blocks("docs/YOUR_NEURON.md") if block.kind == "python")
    (folder / "keeper.py").write_text(own.code, encoding="utf-8")
    (folder / "sensor.csv").write_text("0.1,0.2\n" * 40, encoding="utf-8")
    (folder / "my.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def run_python(block: Block, names: dict[str, Any]) -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile("\n" * block.line + block.code, ROOT / block.page, "exec"), names)
    if block.printed is not None:
        assert printed.getvalue() == block.printed, block.where


def test_every_block_says_what_it_is() -> None:
    assert len(ALL) > 60
    assert [block.where for block in ALL if block.kind not in KINDS] == []
    texts = {page: (ROOT / page).read_text(encoding="utf-8") for page in pages()}
    fences = {page: len(re.findall("^```", text, re.MULTILINE)) for page, text in texts.items()}
    assert {page: 2 * len(blocks(page)) for page in pages()} == fences
    assert [block.where for block in ALL if block.kind == "console" and not block.commands] == []


def test_the_readme_is_short_and_its_output_fits_a_terminal() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count("\n") < 200
    shown = [
        line for b in blocks("README.md") if b.kind == "console" for line in b.code.split("\n")
    ]
    assert max(map(len, shown)) <= 80


def test_links_lead_to_files() -> None:
    broken = []
    for page in pages():
        text = (ROOT / page).read_text(encoding="utf-8")
        text = re.sub("^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
        for target in re.findall(r"\]\(([^()\s#]+)[^()\s]*\)", text):
            if ":" not in target and not (ROOT / page).parent.joinpath(target).exists():
                broken.append(f"{page}: {target}")
    assert broken == []


def test_blocks_that_are_not_run_say_why() -> None:
    assert {block.reason for block in ALL if block.reason} == REASONS
    for reason in REASONS:
        for name in re.findall(r"tests/\S+\.py", reason):
            assert (ROOT / name).exists()


@pytest.mark.parametrize("block", ids([b for b in ALL if b.kind in {"toml", "json"}]))
def test_data_can_be_read(block: Block) -> None:
    {"toml": tomllib.loads, "json": json.loads}[block.kind](block.code)


@pytest.mark.parametrize(
    "page",
    [
        page
        for page in pages()
        if page not in PYTHON_AFTER_COMMANDS
        and any(b.kind == "python" and not b.reason for b in blocks(page))
    ],
)
def test_python_runs_from_the_top_of_the_page(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_hand(tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks(page):
        if block.kind == "python" and not block.reason:
            run_python(block, names)


class Parsed(BaseException):
    """The arguments were accepted; nothing else is to happen."""


def parse(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Give words to the command's own parser; ``srnn-train`` checks the whole recipe as well."""
    main = import_module(f"srnn.{words[0].removeprefix('srnn-')}.cli").main
    if words[0] == "srnn-train" and not any(word.startswith("--resume") for word in words):
        with contextlib.redirect_stdout(io.StringIO()):
            assert main([*words[1:], "--show"]) == 0, words
        return
    original = argparse.ArgumentParser.parse_args

    def parse_args(self: Any, args: Any = None, namespace: Any = None) -> Any:
        original(self, args, namespace)
        raise Parsed

    with monkeypatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", parse_args)
        with pytest.raises(Parsed):
            main(words[1:])


def extras() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return set(project["optional-dependencies"])


def check_command(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse a command that does not exist, or that its own parser would refuse."""
    name, *rest = words
    if name == "torchrun":
        assert "srnn.train" in rest
        name, rest = "srnn-train", rest[rest.index("srnn.train") + 1 :]
    if name in COMMANDS:
        parse([name, *rest], monkeypatch)
    elif name == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        targets = [word for word in rest if "=" not in word]
        assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets), words
    elif name in {"python", "python3", "bash"} and rest[0] != "-m":
        assert rest[0] == "-c" or (ROOT / rest[0]).exists(), words
    elif name in {"python", "python3"}:
        assert rest[1] == "venv" or importlib.util.find_spec(rest[1]) is not None, words
    elif name == "pip":
        for found in re.findall(r"\[([a-z,]+)\]", " ".join(rest)):
            assert set(found.split(",")) <= extras(), words
    else:
        assert name in {"cat", "cd", "git", "source", "printf"}, words


@pytest.mark.parametrize("block", ids([b for b in ALL if b.commands]))
def test_commands_are_accepted(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_hand(tmp_path)
    monkeypatch.chdir(tmp_path)
    for line in block.commands:
        words = shlex.split(line)
        while words:
            ends = [words.index(sign) for sign in ("|", "&&") if sign in words]
            command, words = (words[: min(ends)], words[min(ends) + 1 :]) if ends else (words, [])
            for sign in (">", "<"):
                command = command[: command.index(sign)] if sign in command else command
            with forgotten():
                check_command(command, monkeypatch)


def shortened(line: str) -> str:
    """Two epochs are enough to see that a command works."""
    return line + " --epochs 2" if line.startswith("srnn-train") and "--show" not in line else line


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.needs_data(DATA[page])] if page in DATA else [])
        for page in pages()
        if any(b.commands and not b.reason for b in blocks(page))
    ],
)
def test_commands_and_python_run_in_the_order_of_the_page(
    page: str, tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_hand(tmp_path)
    for file in (data_dir / "tsc_small").glob("*.ts"):
        (tmp_path / file.name).symlink_to(file)
    monkeypatch.chdir(tmp_path)
    environment = os.environ | {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "SRNN_DATA": str(data_dir),
        "SRNN_CACHE": str(tmp_path / "cache"),
    }
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks(page):
        if block.reason:
            continue
        if block.kind == "python":
            run_python(block, names)
        for line in block.commands:
            done = subprocess.run(
                ["bash", "-o", "pipefail", "-c", shortened(line)],
                env=environment, capture_output=True, text=True, check=False, timeout=300,
            )  # fmt: skip
            assert done.returncode == 0, f"{block.where}: {line}\n{done.stdout}{done.stderr}"
