"""The fused kernels' numerics without a GPU: Triton's interpreter runs them on the CPU.

What it cannot show: the compiler, memory shared between threads, speed. See
``test_compiled.py`` and ``test_device.py``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from cuda_cases import cases
from paths import SUPPORT

pytestmark = pytest.mark.needs("triton")


@pytest.fixture(scope="module")
def interpreter() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-W", "error", str(SUPPORT / "cuda_interpreter.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
    assert process.returncode == 0


@pytest.mark.parametrize("name", cases())
def test_interpreted(name: str, interpreter: subprocess.Popen[str]) -> None:
    assert interpreter.stdin is not None
    assert interpreter.stdout is not None
    interpreter.stdin.write(f"{name}\n")
    interpreter.stdin.flush()
    answer = interpreter.stdout.readline()
    if not answer:
        pytest.fail("the interpreter's process ended; its standard error says why")
    problem = json.loads(answer)
    if problem:
        pytest.fail(problem)
