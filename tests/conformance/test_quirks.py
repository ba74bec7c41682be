"""Minimal examples of unexpected behaviour of Lava and lava-dl: each shows what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.lava

QUIRKS = sorted(Path(__file__).with_name("quirks").glob("*.py"))
PREPARED = (
    "import runpy, sys; from srnn.deploy.lava import compat; compat.prepare(); "
    "runpy.run_path(sys.argv[1], run_name='__main__')"
)


def case(path: Path) -> Any:
    of_lava_dl = path.stem.startswith("netx_")
    return pytest.param(
        path, id=path.stem, marks=[pytest.mark.needs("lava-dl")] if of_lava_dl else []
    )


@pytest.mark.parametrize("path", [case(path) for path in QUIRKS])
def test_a_quirk_is_still_there(path: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PREPARED, str(path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
