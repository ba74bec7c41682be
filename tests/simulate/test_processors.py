"""The kernels' tests again, compiled for processors with narrower vectors than this one's."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm
import pytest

FILES = ("kernels", "rows", "events", "vectors", "simulator")
AVX2 = (
    "sse2",
    "sse3",
    "ssse3",
    "sse4.1",
    "sse4.2",
    "avx",
    "avx2",
    "bmi",
    "bmi2",
    "popcnt",
    "lzcnt",
)
PROCESSORS = {"x86-64": ("sse2",), "haswell": AVX2}


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="names x86 processors")
@pytest.mark.parametrize("name", PROCESSORS)
def test_other_processors_compute_the_same(name: str, tmp_path: Path) -> None:
    features = PROCESSORS[name]
    missing = [x for x in features if not llvm.get_host_cpu_features().get(x)]
    if missing:
        pytest.skip(f"this processor lacks {', '.join(missing)}")
    environment = os.environ | {
        "NUMBA_CPU_NAME": name,
        "NUMBA_CPU_FEATURES": ",".join(f"+{x}" for x in features),
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    code = "from srnn.simulate.vectors import LANES; print(LANES)"
    lanes = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert lanes.stdout.strip() == "8"
    here = Path(__file__).parent
    files = [str(here / f"test_{x}.py") for x in FILES]
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "not slow", *files],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-4000:]
