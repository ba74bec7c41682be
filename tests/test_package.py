"""What ``import srnn`` gives: its packages and their names, when they are used, and typed."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import json
import pydoc
import rlcompleter
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import srnn
from paths import ROOT

PACKAGES = ("neurons", "tasks", "train", "export", "simulate", "simulate.figures", "deploy")
PARTS = ("neurons", "train", "export", "simulate", "deploy", "tasks")


def stub(folder: str) -> Path:
    return ROOT / folder.replace(".", "/") / "__init__.pyi"


def names_in(path: Path) -> list[str]:
    return [
        alias.asname or ""
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    ]


def in_new_python(code: str, folder: Path, path: Path | None = None) -> str:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env={"PATH": "", "HOME": str(folder)} | ({"PYTHONPATH": str(path)} if path else {}),
        timeout=300,
    ).stdout.strip()


def test_the_packages_are_attributes_and_the_version_is_known() -> None:
    assert set(dir(srnn)) == {"__version__", *PARTS}
    assert srnn.__version__ == importlib.metadata.version("srnn")
    for part in PARTS:
        assert getattr(srnn, part) is importlib.import_module(f"srnn.{part}")
    with pytest.raises(AttributeError, match="nothing"):
        srnn.nothing  # noqa: B018


def test_a_folder_of_that_name_where_python_starts_does_not_hide_it(tmp_path: Path) -> None:
    # As where git clone has made it; the folder has no __init__.py and is a namespace package.
    (tmp_path / "srnn" / "train").mkdir(parents=True)
    assert in_new_python("import srnn; print(srnn.train.SRNN.__name__)", tmp_path) == "SRNN"


def test_the_packages_import_nothing_that_takes_time(tmp_path: Path) -> None:
    heavy = ("numpy", "scipy", "torch", "numba", "h5py", "rich", "importlib.metadata")
    code = (
        "import json, sys, srnn\n"
        f"for name in {PARTS}: dir(getattr(srnn, name))\n"
        f"print(json.dumps([m for m in {heavy} if m in sys.modules]))"
    )
    assert json.loads(in_new_python(code, tmp_path)) == []


@pytest.mark.parametrize("name", PACKAGES)
def test_every_public_name_is_listed_once_and_exists(name: str) -> None:
    package = importlib.import_module(f"srnn.{name}")
    listed = names_in(stub(name))
    assert len(listed) == len(set(listed))
    assert sorted(listed) == dir(package) == sorted(package.__all__)
    for one in listed:
        assert getattr(package, one) is not None


@pytest.mark.parametrize(
    ("name", "shown"), [("train", "SRNN"), ("export", "read_net"), ("deploy", "pick")]
)
def test_help_and_tab_completion_show_the_names(name: str, shown: str) -> None:
    package = importlib.import_module(f"srnn.{name}")
    complete = rlcompleter.Completer({"srnn": srnn})
    assert f"srnn.{name}.{shown}" in {
        match.rstrip("()") for match in complete.attr_matches(f"srnn.{name}.")
    }
    text = pydoc.plain(pydoc.render_doc(package))
    assert f"{shown}(" in text
    for one in package.__all__:
        assert one in text


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for folder in (*PARTS, "package"):
        shutil.copytree(
            ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source / file)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    made = subprocess.run(
        [*pip, "wheel", "--no-index", "--no-deps", "--no-build-isolation", "-w", str(target), "."],
        cwd=source,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    (file,) = target.glob("*.whl")
    return file


def test_a_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    assert {"srnn/__init__.py", "srnn/__init__.pyi", "srnn/py.typed"} <= held
    for part in PARTS:
        for file in (ROOT / part).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                assert f"srnn/{file.relative_to(ROOT)}" in held


def test_an_installed_wheel_is_used_in_a_clone_too(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = "import srnn; print(srnn.__file__, srnn.export.__file__, srnn.train.make_recipe)"
    for folder in (tmp_path, ROOT):
        top, export, function = in_new_python(code, folder, tmp_path / "site").split(" ", 2)
        assert Path(top) == tmp_path / "site" / "srnn" / "__init__.py"
        assert Path(export).parent == tmp_path / "site" / "srnn" / "export"
        assert "function make_recipe" in function
