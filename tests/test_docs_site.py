"""The notebook runs and what it prints can be read; the site holds every public name."""

from __future__ import annotations

import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from paths import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.extra("train"),
    pytest.mark.extra("report"),
    pytest.mark.needs("docs"),
]
NOTEBOOK = ROOT / "docs" / "notebooks" / "quickstart.ipynb"


@pytest.fixture(scope="module")
def hooks() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docs"))
        yield import_module("site_hooks")


@pytest.fixture(scope="module")
def printed(hooks: ModuleType) -> list[tuple[str, str]]:
    """Code and printed text of every cell."""
    found = []
    for cell in hooks.run_notebook(NOTEBOOK).cells:
        if cell.cell_type == "code":
            bad = [o for o in cell.outputs if o.output_type == "error" or o.get("name") == "stderr"]
            assert bad == []
            text = [
                o.get("text") or "\n".join([*sorted(o["data"]), o["data"]["text/plain"], ""])
                for o in cell.outputs
            ]
            found.append((cell.source, "".join(text)))
    return found


def test_the_notebook_goes_through_all_stages(printed: list[tuple[str, str]]) -> None:
    def of(word: str) -> str:
        return next(text for code, text in printed if word in code)

    assert len(re.findall(r"^epoch \d  loss \d", of("fit("), re.MULTILINE)) == 8
    assert "model.net" in of("model.export(")
    assert float(re.findall(r"accuracy ([\d.]+)", of("run_with_activity("))[0]) > 0.5
    assert "image/png" in of("raster(")
    assert re.match(r"lava|simulator", of("pick("))
    assert "\n0 mismatches in " in of("pick(")
    assert re.fullmatch(r"srnn-simulate: .*missing\.net: .*\n", of("missing.net").replace("\r", ""))
    assert "epochs" in of("InputError")


def test_what_the_notebook_prints_is_plain_text(printed: list[tuple[str, str]]) -> None:
    """No bar that is drawn again and again, no colours that a saved file shows as codes."""
    for code, text in printed:
        assert "\x1b" not in text, code
        assert re.findall("\r(?!\n)", text) == [], code
        assert max(map(len, text.splitlines()), default=0) <= 120, code


def test_the_notebook_is_stored_without_outputs() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert '"output_type"' not in text
    assert '"execution_count": null' in text


def inventory(site: Path) -> set[str]:
    """Names that the Python reference documents."""
    content = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    return {line.split(" ")[0] for line in zlib.decompress(content).decode().splitlines()}


def test_the_site_builds_holds_every_public_name_and_fetches_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    public: set[str] = set()
    for part in ("train", "export", "simulate", "deploy", "tasks"):
        module: Any = import_module(f"srnn.{part}")
        public |= {f"srnn.{part}.{name}" for name in module.__all__}
    assert public - inventory(tmp_path) == set()
    outside = re.compile(r"<(?:script|img|link|iframe)[^>]+(?:src|href)=\"?(https?:[^\"\s>]+)")
    fetched = {
        (page.name, found)
        for page in tmp_path.rglob("*.html")
        for found in outside.findall(page.read_text(encoding="utf-8"))
    }
    assert fetched == set()
