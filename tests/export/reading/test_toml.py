"""TOML from outside: one reader for recipes, boards, energy models and pilots."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from paths import ROOT
from srnn.export.errors import InputError
from srnn.export.reading.text import read_toml

BAD = {
    "digits": f"a = {'1' * 5000}",
    "nesting": f"a = {'[' * 5000}{']' * 5000}",
    "tables": f"[{'a.' * 5000}b]\nc = 1\n[{'a.' * 5000}b]",
    "text": "a = ",
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_one_line(name: str) -> None:
    with pytest.raises(InputError, match=r"^x\.toml: is not TOML") as refused:
        read_toml(BAD[name], "x.toml")
    line = str(refused.value)
    assert "\n" not in line
    assert len(line) < 250


def test_tables_come_back() -> None:
    assert read_toml("[a]\nb = 1", "x.toml") == {"a": {"b": 1}}


@pytest.mark.extra("train")
@pytest.mark.parametrize("name", ["digits", "nesting"])
def test_a_recipe_of_that_kind(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from srnn.train.cli import main

    path = tmp_path / "a.toml"
    path.write_text(BAD[name], encoding="utf-8")
    assert main([str(path)]) == 2
    assert capsys.readouterr().err.startswith(f"srnn-train: {path}: is not TOML")


def test_nothing_else_reads_toml() -> None:
    readers = {
        str(path.relative_to(ROOT))
        for part in ("train", "export", "simulate", "deploy", "tasks")
        for path in (ROOT / part).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import) and any("toml" in name.name for name in node.names)
    }
    assert readers == {"export/reading/text.py"}
