"""The engine on processors with shorter vectors than this one's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "features"),
    [("haswell", "+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+bmi,+bmi2,+avx,+avx2,+fma,+64bit")],
)
def test_eight_lanes_compute_the_same(tmp_path, name, features):
    environment = os.environ | {
        "NUMBA_CPU_NAME": name,
        "NUMBA_CPU_FEATURES": features,
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    lanes = "from srnn.train.engine.simd import LANES; print(LANES)"
    shown = subprocess.run(
        [sys.executable, "-c", lanes], env=environment, capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "8"
    tests = [FOLDER / f"test_{part}.py" for part in ("gradients", "rows", "losses")]
    command = [sys.executable, "-m", "pytest", "-q", "-x", *map(str, tests)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
