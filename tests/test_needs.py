"""Without the optional extras the suite is collected; what needs them is skipped by name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT, SUPPORT

EXTRAS = [
    "triton",
    "nir",
    "nirtorch",
    "snntorch",
    "norse",
    "neurobench",
    "tqdm",
    "matplotlib",
    "jinja2",
    "lava",
    "networkx",
    "asteval",
    "xdist",
]
TRAIN = ["torch", "tensorboard", "sklearn", "filelock"]

WITHOUT = """
import importlib.machinery, sys

class PathFinder(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, *where):
        return None if name.split(".")[0] in BLOCKED else super().find_spec(name, *where)

BLOCKED = sys.argv.pop(1).split(",")
place = sys.meta_path.index(importlib.machinery.PathFinder)
sys.meta_path[place] = PathFinder
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""


def run_without(
    missing: list[str], *arguments: object, ci: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run pytest in a Python that has not these packages."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("CI", "PYTEST"))}
    return subprocess.run(
        [
            *(sys.executable, "-c", WITHOUT, ",".join(missing)),
            *("-p", "no:cacheprovider", "-q", *map(str, arguments)),
        ],
        cwd=ROOT,
        env=environment | ({"CI": "true"} if ci else {}),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("missing", [EXTRAS, EXTRAS + TRAIN], ids=["extras", "extras, torch"])
def test_the_suite_is_collected_without_the_extras(missing: list[str]) -> None:
    done = run_without(missing, "--collect-only", "tests")
    assert done.returncode == 0, done.stdout
    assert "no nir (extra nir)" in done.stdout
    assert "no matplotlib, jinja2 (extra report)" in done.stdout
    assert ("extra train" in done.stdout) == ("torch" in missing)
    assert int(re.findall(r"(\d+) tests collected", done.stdout)[0]) > 1000


def test_no_test_decides_by_itself_what_it_skips_or_measures_time() -> None:
    """Markers say what a test needs (``needs.py``); waits are in ``waiting.py``."""
    forbidden = re.compile(
        r"importorskip\(|shutil\.which\(|\b(?:perf_counter|monotonic|process_time|sleep)\("
    )
    wrong = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in (ROOT / "tests").rglob("test_*.py")
        if path.name != "test_needs.py"
        for found in forbidden.finditer(path.read_text(encoding="utf-8"))
        if "def " + found[0] not in path.read_text(encoding="utf-8")
    ]
    assert wrong == []


SUITE = {
    "test_file.py": """
import nir, pytest
pytestmark = [pytest.mark.extra("nir")]
def test_of_a_file(): nir.read
""",
    "test_single.py": """
import pytest
@pytest.mark.needs("triton")
def test_of_a_program(): import triton
@pytest.mark.needs_data("no_such_folder")
def test_of_data(): raise OSError
def test_of_nothing(): pass
""",
}


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A suite of its own with the markers of this one."""
    folder = tmp_path / "tests"
    folder.mkdir()
    for name, text in SUITE.items():
        (folder / name).write_text(text)
    conftest = (ROOT / "tests" / "conftest.py").read_text(encoding="utf-8")
    (folder / "conftest.py").write_text(conftest)
    return folder


def run_suite(suite: Path, *arguments: str, ci: bool) -> str:
    config = ["-c", ROOT / "pyproject.toml", "--rootdir", suite.parent, "-p", "no:xdist"]
    where = ["-o", f"pythonpath={SUPPORT}", *arguments, suite]
    done = run_without(["nir", "triton"], *config, *where, ci=ci)
    return done.stdout + done.stderr


def test_what_is_missing_is_skipped_by_name(suite: Path) -> None:
    said = run_suite(suite, ci=False)
    assert "1 passed, 3 skipped" in said
    for reason in (
        "no nir (extra nir)",
        "no triton (extra cuda)",
        "no no_such_folder in SRNN_DATA",
    ):
        assert reason in said


def test_what_is_missing_fails_in_ci(suite: Path) -> None:
    said = run_suite(suite, "--continue-on-collection-errors", ci=True)
    assert "1 passed, 3 errors" in said
    for reason in (
        "no nir (extra nir)",
        "no triton (extra cuda)",
        "no no_such_folder in SRNN_DATA",
    ):
        assert f"CI must have what this needs: {reason}" in said


def test_what_ci_leaves_out_is_named(suite: Path) -> None:
    said = run_suite(suite, "--without", "nir,triton", ci=True)
    assert "1 passed, 2 skipped, 1 error" in said
    assert "--without: {'tritn'} not among" in run_suite(suite, "--without", "tritn", ci=True)
