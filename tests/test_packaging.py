"""The package list is written by hand, since the folders do not carry the package's name."""

from __future__ import annotations

import sys

from paths import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PARTS = ("train", "export", "simulate", "deploy", "tasks")
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
