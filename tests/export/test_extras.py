"""Hints that name commands which work from a clone and from a wheel."""

from __future__ import annotations

import re
import shlex
import sys
from importlib.metadata import Distribution, distribution, packages_distributions
from pathlib import Path

import pytest
from paths import ROOT
from srnn.export import extras

METADATA = """\
Metadata-Version: 2.4
Name: srnn
Version: 0.1.0
Requires-Dist: numpy>=1.26
Provides-Extra: report
Requires-Dist: matplotlib>=3.9; extra == "report"
Requires-Dist: jinja2>=3.1; extra == 'report'
Provides-Extra: cuda
Requires-Dist: triton>=3.4; platform_system == "Linux" and extra == "cuda"
"""


def install(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let srnn look as if it were installed from a wheel, with this metadata beside the package."""
    (folder / "METADATA").write_text(METADATA, encoding="utf-8")
    monkeypatch.setattr(extras, "distribution", lambda _name: Distribution.at(folder))
    monkeypatch.setattr(extras, "__file__", str(folder / "srnn" / "export" / "extras.py"))


def activated(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    (folder / "pip").write_text("#!/bin/sh\n", encoding="utf-8")
    (folder / "pip").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_a_wheel_names_the_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, tmp_path)
    activated(monkeypatch, tmp_path)
    assert extras.how_to_install("report") == "pip install 'matplotlib>=3.9' 'jinja2>=3.1'"
    assert extras.how_to_install("cuda") == "pip install 'triton>=3.4'"
    assert extras.needs("jinja2") == (
        "needs jinja2, which is not installed here; run: pip install 'matplotlib>=3.9' "
        "'jinja2>=3.1'"
    )


def test_a_clone_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone = tmp_path / "a b"
    (clone / "export").mkdir(parents=True)
    (clone / "pyproject.toml").write_text("", encoding="utf-8")
    monkeypatch.setattr(extras, "__file__", str(clone / "export" / "extras.py"))
    activated(monkeypatch, tmp_path)
    assert extras.how_to_install("report") == f"pip install -e '{clone}[report]'"


def test_an_environment_that_is_not_activated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", "/opt/env/bin/python")
    assert extras.pip_install("nir>=1") == "/opt/env/bin/python -m pip install 'nir>=1'"


def test_lava_on_pythons_that_its_pins_refuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    activated(monkeypatch, tmp_path)
    monkeypatch.setattr(sys, "version_info", (3, 10, 0))
    assert extras.lava_install("0.10.0") == "pip install lava-nc==0.10.0"
    monkeypatch.setattr(sys, "version_info", (3, 11, 0))
    assert extras.lava_install("0.10.0") == (
        "pip install networkx asteval && "
        "pip install --no-deps --ignore-requires-python lava-nc==0.10.0"
    )


@pytest.mark.parametrize(("module", "extra"), extras.EXTRAS.items())
def test_the_extra_brings_the_module(module: str, extra: str) -> None:
    names = [
        re.split(r"[<>=!~ ]", need)[0] for need in extras.requirements(distribution("srnn"), extra)
    ]
    assert names
    bringing = packages_distributions().get(module, [module])
    assert {name.lower() for name in names} & {name.lower() for name in bringing}


def test_this_installation_is_named() -> None:
    words = shlex.split(extras.how_to_install("report"))
    assert words[words.index("install") + 1 :] == ["-e", f"{ROOT}[report]"]


def test_no_hint_names_an_index_that_has_no_srnn() -> None:
    told = [
        str(path.relative_to(ROOT))
        for folder in ("train", "export", "simulate", "deploy", "tasks", "docs", "benchmarks")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".md", ".toml"} and path != ROOT / "export" / "extras.py"
        if re.search(r"pip install [^`]*srnn\[", path.read_text(encoding="utf-8"))
    ]
    assert told == []
