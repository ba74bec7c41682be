"""The kernels compiled for two generations of GPU, without one: Triton includes NVIDIA's assembler.

A kernel is fast if states and resident weights stay in registers; the assembler says if they do.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from srnn.train.cuda.plan import (
    LAYOUTS,
    MAX_WIDTH,
    NO_RECURRENCE,
    RESIDENT,
    RESIDENT_BYTES,
    STREAMED,
    plan,
)
from srnn.train.engine import programs

pytestmark = pytest.mark.needs("triton")

SHARED_LIMIT = 48 * 1024
"""Bytes of shared memory that a program may use on any device by default."""


@pytest.fixture(autouse=True)
def _no_cache_of_earlier_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))


def compiled(which: str, neuron: str, n: int, recurrent: bool, capability: int) -> tuple[Any, str]:
    """A kernel as ``sequence.py`` launches it with all outputs; the assembler's report."""
    import triton
    from srnn.train.cuda import kernels
    from triton.backends import nvidia
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    kernel = getattr(kernels, which)
    program, layout = LAYOUTS[neuron], plan(n, recurrent)
    constants: dict[str, Any] = {
        "PROGRAM": program.number,
        "KIND": programs.MULTI_GAUSSIAN,
        "RECURRENCE": layout.recurrence,
        "WIDTH": layout.width,
        "ROWS": layout.rows,
    }
    if 1 not in program.states:
        constants |= dict.fromkeys(("second_kept", "final_second", "g_second"))
    if not program.spikes:
        constants |= dict.fromkeys(("spikes", "g_spikes", "final_s", "g_s"))
    if not recurrent:
        constants |= dict.fromkeys(("recurrent_weight", "s_before_out"))
    if layout.recurrence != STREAMED:
        constants["exchange"] = None
    kinds = dict.fromkeys(("batch", "steps", "n"), "i32")
    kinds |= dict.fromkeys(("f0", "f1", "f2", "f3", "f4"), "fp32")
    signature = {
        name: "constexpr" if name in constants else kinds.get(name, "*fp32")
        for name in kernel.arg_names
    }
    aligned = [name for name in signature if signature[name] == "*fp32"]
    source = ASTSource(
        kernel,
        signature,
        {name: value for name, value in constants.items() if name in signature},
        # Allocations of torch begin at multiples of 512 bytes.
        {(kernel.arg_names.index(name),): [["tt.divisibility", 16]] for name in aligned},
    )
    built = triton.compile(
        source, target=GPUTarget("cuda", capability, 32), options={"num_warps": layout.warps}
    )
    binary = Path(os.environ["TRITON_CACHE_DIR"]) / "kernel.cubin"
    binary.write_bytes(built.asm["cubin"])
    tool = Path(nvidia.__file__).parent / "bin" / "cuobjdump"
    report = subprocess.run(
        [tool, "-res-usage", binary], capture_output=True, text=True, check=True
    )
    return built, report.stdout + report.stderr


def spilled(report: str) -> int:
    """Bytes per thread that are not in registers."""
    return sum(int(size) for size in re.findall(r"(?:STACK|LOCAL):(\d+)", report))


LAYERS = [
    *((neuron, 128, True) for neuron in LAYOUTS if neuron != "li"),
    ("li", 20, False),
    ("alif", 1000, False),
    ("alif", 36, True),
    ("alif", 256, True),
    ("alif", 512, True),
    ("alif", 1024, True),
]


@pytest.mark.parametrize("which", ["forward_kernel", "backward_kernel"])
@pytest.mark.parametrize(("neuron", "n", "recurrent"), LAYERS)
@pytest.mark.parametrize("capability", [80, 90])
def test_all_that_a_step_needs_stays_in_registers(which, neuron, n, recurrent, capability):
    built, report = compiled(which, neuron, n, recurrent, capability)
    assert "REG:" in report
    assert spilled(report) == 0
    assert built.metadata.shared <= SHARED_LIMIT


def test_the_widest_layer_spills_little():
    _, report = compiled("forward_kernel", "alif", MAX_WIDTH, True, 90)
    assert spilled(report) == 0
    _, report = compiled("backward_kernel", "alif", MAX_WIDTH, True, 90)
    assert 0 < spilled(report) <= 128


def test_a_resident_layer_reads_its_weights_before_the_first_step():
    """In the loop over the steps there are no more loads than a step's own values need."""
    built, _ = compiled("forward_kernel", "alif", 128, True, 90)
    ptx = built.asm["ptx"]
    before, _, loop = ptx.partition("Loop Header: Depth=1")
    loaded = sum(int(width or 1) for width in re.findall(r"ld\.global(?:\.v(\d))?\.b32", before))
    assert loaded >= 128 * 128 // (32 * plan(128, True).warps)
    # The drive of the next step.
    assert loop.count("ld.global") == 1


def test_a_streamed_layer_waits_between_showing_and_reading_spikes():
    built, _ = compiled("forward_kernel", "alif", 256, True, 90)
    ptx = built.asm["ptx"]
    loop = ptx[ptx.index("Loop Header: Depth=1") :]
    order = re.findall(r"st\.global|bar\.sync|ld\.global", loop)
    # The drive of the next step, the spikes, the barrier, and the first of the other's spikes.
    assert order[:4] == ["ld.global", "st.global", "bar.sync", "ld.global"]


def test_layouts_cover_all_neurons():
    for n in (1, 2, 63, 64, 65, 128, 129, 256, 257, 1024, 1025, MAX_WIDTH):
        for recurrent in (False, True):
            layout = plan(n, recurrent)
            assert layout.width * layout.blocks >= n
            assert layout.width & (layout.width - 1) == 0
            assert 1 <= layout.warps <= 32
            if not recurrent:
                assert layout.recurrence == NO_RECURRENCE
                continue
            assert layout.blocks == 1
            fits = 4 * layout.width**2 <= RESIDENT_BYTES
            assert layout.recurrence == (RESIDENT if fits else STREAMED)
    assert plan(128, True).recurrence == RESIDENT
    assert plan(129, True).recurrence == STREAMED
