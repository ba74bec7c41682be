"""The package list is written by hand, since the folders do not carry the package's name."""

from __future__ import annotations

import re
import sys

from paths import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MADE = {"tests/conformance/found/"}
"""Folders that are there once something was found."""

PARTS = ("neurons", "train", "export", "simulate", "deploy", "tasks")
TOP = ROOT / "package"
"""The package ``srnn`` itself, in which the parts are."""


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_package_is_listed() -> None:
    found = {
        "srnn." + ".".join(file.parent.relative_to(ROOT).parts)
        for part in PARTS
        for file in (ROOT / part).rglob("__init__.py")
    }
    found.add("srnn")
    assert set(project()["tool"]["setuptools"]["packages"]) == found


def test_every_runtime_requirement_is_pinned_for_ci() -> None:
    settings = project()["project"]
    wanted = [*settings["dependencies"]]
    for extra in settings["optional-dependencies"].values():
        wanted += extra
    pins = {
        line.split("==")[0].strip()
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    }
    names = {requirement.split(";")[0].split(">")[0].split("=")[0] for requirement in wanted}
    assert {name.strip() for name in names} <= pins


def test_every_data_file_is_in_the_package() -> None:
    given = project()["tool"]["setuptools"]["package-data"]
    found = {
        "srnn." + ".".join(file.parent.relative_to(ROOT).parts)
        for part in PARTS
        for file in (ROOT / part).rglob("*.toml")
    }
    assert {name for name, patterns in given.items() if "*.toml" in patterns} == found


def test_every_file_that_names_the_version_names_the_same() -> None:
    version = project()["project"]["version"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {version}\n" in citation
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\S+)", changelog, re.MULTILINE)[0] == version


def test_workflows_call_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    called = {
        target
        for file in (ROOT / ".github" / "workflows").glob("*.yml")
        for target in re.findall(r"\bmake ([a-z-]+)", file.read_text("utf-8"))
    }
    called |= set(
        re.findall(r"^(?:.* )?make ([a-z-]+)", (ROOT / ".ci" / "run").read_text("utf-8"), re.M)
    )
    assert called >= {"demo", "test", "lint", "wheel"}
    assert called <= targets


NAMED = re.compile(r"(?<![\w./-])(?:tests|docs|benchmarks)/[\w/-]+(?:\.(?:py|md|toml|svg|png)\b|/)")


def test_every_path_that_a_text_names_exists() -> None:
    folders = ("tests", "docs", "benchmarks", *PARTS)
    pages = [*ROOT.glob("*.md"), *(f for folder in folders for f in (ROOT / folder).rglob("*"))]
    wrong = [
        f"{page.relative_to(ROOT)}: {name}"
        for page in pages
        if page.suffix in {".py", ".md"}
        for name in NAMED.findall(page.read_text(encoding="utf-8"))
        if not (ROOT / name).exists() and name not in MADE
    ]
    assert wrong == []
