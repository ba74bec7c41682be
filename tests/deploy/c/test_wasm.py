"""Networks in WebAssembly: the simulator's bits under node."""

from __future__ import annotations

from pathlib import Path

import pytest
from c_cases import DRAWN, Case, assert_same, c_cases, expected_trace
from hypothesis import given, settings
from paths import ROOT
from srnn.deploy.c.options import COptions
from srnn.deploy.c.wasm import WasmTarget
from srnn.deploy.cli import main
from srnn.export.netx import read_net, read_samples
from srnn.simulate import simulator

pytestmark = pytest.mark.needs("wasm")


def check(case: Case) -> None:
    expected = expected_trace(case)
    if expected is not None:
        assert_same(WasmTarget(COptions("case")).run(*case), expected, case[0])


@settings(DRAWN, max_examples=3)
@given(c_cases(extreme=False))
def test_networks(case: Case) -> None:
    check(case)


@pytest.mark.slow
@settings(DRAWN, max_examples=24)
@given(c_cases(extreme=True))
def test_extreme_networks(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("name", ["ecg", "digits", "spoken-digits"])
def test_the_zoo(name: str) -> None:
    path = ROOT / "zoo" / f"{name}.net"
    network, samples = read_net(path), read_samples(path)
    assert samples is not None
    case = (network, samples.inputs, samples.lengths)
    assert_same(WasmTarget(COptions("case")).run(*case), simulator.run(*case), network)


def test_the_command_keeps_the_module(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    given = [str(ROOT / "zoo" / "ecg.net"), "--target", "wasm", "--steps", "50"]
    assert main([*given, "--emit", str(tmp_path)]) == 0
    assert "0 mismatches" in capsys.readouterr().out
    module = (tmp_path / "srnn_ecg.wasm").read_bytes()
    assert module[:4] == b"\0asm"
    assert len(module) < 60_000
    assert (tmp_path / "run.mjs").exists()
