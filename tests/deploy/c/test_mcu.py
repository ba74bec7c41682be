"""Networks on emulated microcontrollers: the simulator's bits, sizes, counts, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from c_cases import DRAWN, Case, c_cases, expected_trace
from hypothesis import given, settings
from hypothesis import strategies as st
from paths import ROOT
from srnn.deploy.c.cores import CORES
from srnn.deploy.c.footprint import flash_parts, stack_bound
from srnn.deploy.c.mcu import McuTarget
from srnn.deploy.c.options import COptions
from srnn.deploy.c.parts import chosen, cycles_per_instruction, estimates, parts
from srnn.deploy.cli import main
from srnn.export.errors import InputError
from srnn.export.netx import read_net, read_samples
from srnn.export.trace import compare
from srnn.simulate import simulator

ECG = ROOT / "zoo" / "ecg.net"
ARM = pytest.mark.needs("arm")
RISCV = pytest.mark.needs("riscv")
BOARDS = [
    pytest.param("cortex-m0plus", 25_000, marks=ARM),
    pytest.param("cortex-m3", 20_000, marks=ARM),
    pytest.param("cortex-m4", 15_000, marks=ARM),
    pytest.param("cortex-m7", 20_000, marks=ARM),
    pytest.param("riscv32", 25_000, marks=RISCV),
]
"""Cores, and the instructions that a step of zoo/ecg.net may take on them."""


def target(board: str) -> McuTarget:
    return McuTarget(COptions("case", board=board))


@pytest.mark.parametrize(("board", "most"), BOARDS)
def test_ecg_keeps_within_its_bars(board: str, most: int) -> None:
    network, samples = read_net(ECG), read_samples(ECG)
    assert samples is not None
    ran, found = target(board).run_measured(network, samples.inputs, samples.lengths)
    expected = simulator.run(network, samples.inputs, samples.lengths)
    assert [row for row in compare(ran.trace, expected) if row.different] == []
    assert 5_000 < found.instructions_mean <= most
    assert found.instructions_mean < found.instructions_worst < 2 * most
    assert found.steps == 1300
    assert found.flash <= 24_000
    assert found.ram <= 2_200
    assert found.weights >= 128 * (4 + 128 + 6)
    assert min(found.parameters, found.code, found.state, found.stack) > 0


@pytest.mark.slow
@pytest.mark.parametrize(("board", "most"), BOARDS)
@pytest.mark.parametrize("name", ["digits", "spoken-digits"])
def test_the_zoo_on_every_core(board: str, most: int, name: str) -> None:
    path = ROOT / "zoo" / f"{name}.net"
    network, samples = read_net(path), read_samples(path)
    assert samples is not None
    ran, found = target(board).run_measured(network, samples.inputs, samples.lengths)
    expected = simulator.run(network, samples.inputs, samples.lengths)
    assert [row for row in compare(ran.trace, expected) if row.different] == []
    # Both have more synapses than ecg.
    assert found.instructions_mean > most / 2
    assert found.instructions_mean < found.instructions_worst


@pytest.mark.slow
@pytest.mark.parametrize(("board", "most"), BOARDS)
def test_random_networks_on_every_core(board: str, most: int) -> None:  # noqa: ARG001
    compared = []

    @settings(DRAWN, max_examples=24)
    @given(st.booleans().flatmap(c_cases))
    def check(case: Case) -> None:
        expected = expected_trace(case)
        if expected is None:
            return
        ran = target(board).run(*case)
        assert [row for row in compare(ran.trace, expected) if row.different] == []
        compared.append(case)

    check()
    assert len(compared) >= 15


@ARM
def test_the_command_prints_sizes_counts_and_estimates(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    given = [str(ECG), "--target", "mcu", "--board", "stm32l412", "--steps", "60"]
    assert main([*given, "--emit", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "0 mismatches" in said
    assert "Estimated, not measured" in said
    assert "QEMU's count of instructions a step" in said
    assert "not cycles" in said
    assert (tmp_path / "srnn_ecg.c").exists()
    assert main([*given, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["footprint"]
    assert found["flash"] == found["weights"] + found["parameters"] + found["code"]
    (estimate,) = found["estimates"]
    low, high = estimate["seconds"]
    assert low == pytest.approx(found["instructions_mean"] / 80e6)
    assert high == pytest.approx(2 * low)
    assert estimate["joules"][1] == pytest.approx(high * 20.9e-3)


@ARM
def test_a_part_that_is_too_small_says_all_that_it_lacks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    small = parts()["stm32l412"]
    for name, value in (("flash_bytes", 20_000), ("ram_bytes", 1_000)):
        limit = getattr(small, name)
        monkeypatch.setitem(limit.__dict__, "value", value)
    given = [str(ECG), "--target", "mcu", "--board", "stm32l412", "--emit", str(tmp_path / "c")]
    assert main(given) == 2
    said = capsys.readouterr().err
    assert "bytes of flash, limit 20,000: fewer neurons" in said
    assert "bytes of RAM, limit 1,000: fewer neurons" in said
    assert not (tmp_path / "c").exists()


def test_a_board_that_is_not_known_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(ECG), "--target", "mcu", "--board", "cortex-m5"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "cortex-m4" in said


def test_what_is_missing_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    assert main([str(ECG), "--target", "mcu", "--board", "riscv32"]) == 2
    said = capsys.readouterr().err
    assert (
        "apt install gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf qemu-system-misc" in said
    )
    assert main([str(ECG), "--target", "c"]) == 2
    assert "apt install gcc" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--emit", "x"], "--emit: keeps C files; add --target c, mcu, wasm"),
        (["--target", "lava", "--emit", "x"], "--emit: keeps C files; add --target c, mcu, wasm"),
        (["--target", "c", "--board", "cortex-m4"], "--board: is about placement; add --dry-run"),
        (["--target", "c", "--emit", str(ECG)], "is a file; name a folder"),
    ],
)
def test_options_that_do_not_go_together(
    given: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(ECG), *given]) == 2
    assert said in capsys.readouterr().err


def test_every_number_of_a_part_has_a_source() -> None:
    for name, part in parts().items():
        assert part.core in CORES, name
        for known in (part.clock_hz, part.flash_bytes, part.ram_bytes):
            assert known.value is not None, name
            assert known.source, name
        assert part.active_w.value is None or part.active_w.source
        assert chosen(name) == (CORES[part.core], name)
    for core in CORES:
        assert cycles_per_instruction(core).source
        assert estimates(core, None, 1000)
    with pytest.raises(InputError, match="cortex-m4"):
        chosen("cortex-m44")


def test_sizes_are_read() -> None:
    sizes = (
        "section  size addr\n.text 0 0\n.text.srnn_x_step 100 0\n.rodata.weights_0_in 64 0\n"
        ".srodata.bias_0 8 0\n.rodata.delays_0_in 4 0\n.comment 20 0\n"
    )
    assert flash_parts(sizes) == {"weights": 68, "parameters": 8, "code": 100}
    usage = (
        "srnn_x.c:1:1:add_rows8.constprop\t60\tstatic\nsrnn_x.c:2:1:layer0\t40\tstatic\n"
        "srnn_x.c:3:1:label\t56\tstatic\nsrnn_x.c:4:1:srnn_x_step\t24\tstatic\n"
    )
    assert stack_bound(usage) == 24 + 56 + 60
