"""How a command ends: warnings and settings of the environment."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import pytest
from paths import ROOT
from srnn.export.exits import EXIT_BAD_INPUT, EXIT_OK, guarded


def warning() -> int:
    warnings.warn("a.net: theta differs", stacklevel=1)
    return EXIT_OK


def test_a_warning_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    before = warnings.showwarning
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert guarded("srnn-simulate", warning) == EXIT_OK
    assert capsys.readouterr().err == "srnn-simulate: a.net: theta differs\n"
    assert warnings.showwarning is before


@pytest.mark.parametrize("value", ["0", "-1", "two", ""])
def test_numba_settings_are_checked(value: str) -> None:
    command = [sys.executable, "-m", "srnn.simulate", str(ROOT / "zoo" / "ecg.net")]
    done = subprocess.run(
        command,
        env=os.environ | {"NUMBA_NUM_THREADS": value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == EXIT_BAD_INPUT
    assert done.stderr.startswith(f"srnn-simulate: NUMBA_NUM_THREADS: {value!r} in the environment")
    assert done.stderr.count("\n") == 1
