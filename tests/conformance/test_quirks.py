"""Minimal examples of unexpected behaviour of Lava and lava-dl: each shows what it says."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from srnn.deploy.lava import compat

pytestmark = [
    pytest.mark.lava,
    pytest.mark.skipif(not compat.available()[0], reason=compat.available()[1]),
]

QUIRKS = sorted(Path(__file__).with_name("quirks").glob("*.py"))
PREPARED = (
    "import runpy, sys; from srnn.deploy.lava import compat; compat.prepare(); "
    "runpy.run_path(sys.argv[1], run_name='__main__')"
)


def has_lava_dl() -> bool:
    try:
        return version("lava-dl") == "0.6.0"
    except PackageNotFoundError:
        return False


@pytest.mark.parametrize("path", QUIRKS, ids=[path.stem for path in QUIRKS])
def test_a_quirk_is_still_there(path: Path, tmp_path: Path) -> None:
    if path.stem.startswith("netx_") and not has_lava_dl():
        pytest.skip("needs lava-dl, which .ci/run installs in an environment of its own")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PREPARED, str(path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
