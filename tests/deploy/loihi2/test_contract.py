"""The target loihi2 without a board: what it says and refuses, its options, how it ends."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deploy_networks import adaptive, stack, threshold_refractory
from loihi2_cases import backend, inputs, network
from srnn.deploy import BACKENDS, pick
from srnn.deploy.cli import main
from srnn.deploy.errors import RunError
from srnn.deploy.lava import compat
from srnn.deploy.lava.rundir import RunDirectory
from srnn.deploy.loihi2 import native
from srnn.deploy.loihi2.options import _no_blank_lines
from srnn.deploy.loihi2.worker import Ending, Stopped
from srnn.export.errors import InputError
from srnn.export.network import CubaLIF, LeakyIntegrator
from srnn.export.netx import write_net
from srnn.export.samples import Samples
from srnn.simulate import reference

lava = pytest.mark.lava


class TestWithoutTheExtension:
    def test_one_line_says_what_is_missing_and_what_to_run(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr(compat, "available", lambda: (True, "lava-nc 0.10.0"))
        path = tmp_path / "m.net"
        made = network()
        output = reference.run(made, inputs()).output
        write_net(path, made, Samples(inputs(), np.array([30, 30]), None, None, output))
        assert main([str(path), "--target", "loihi2"]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err == (
            "srnn-deploy: target loihi2 cannot run here: Intel's lava-loihi extension is not "
            "installed (lava.utils.loihi2_profiler is missing); run --target lava, its models on a "
            "CPU, or --target simulator\n"
        )

    def test_without_lava_that_is_what_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(compat, "lava_version", lambda: None)
        with pytest.raises(InputError, match=r"lava-nc is not installed .*; run --target lava"):
            pick("loihi2")

    def test_auto_never_takes_a_board(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(native, "available", lambda: (True, "a board"))
        assert pick("auto").backend.name in {"lava", "simulator"}
        assert "loihi2" in BACKENDS

    def test_a_run_by_hand_says_so_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(compat, "available", lambda: (True, "lava-nc 0.10.0"))
        with pytest.raises(RunError, match="lava-loihi extension is not installed"):
            backend().run(network(), inputs())


class TestWhatItRefuses:
    def test_adaptive_neurons_by_layer_with_the_reason(self) -> None:
        rng = np.random.default_rng(2)
        made = stack(rng, 4, [adaptive(rng, 5), threshold_refractory(rng, 4), adaptive(rng, 3)])
        with pytest.raises(InputError) as refused:
            backend().describe(made)
        message = str(refused.value)
        assert message.startswith(
            "target loihi2: layer l0: SRNN_ALIF needs microcode, it needs an adaptive threshold and"
        )
        assert "(--emit-program writes what it has to compute); layer l1: ATRLIF needs" in message
        assert "; layer l2: SRNN_ALIF" in message
        assert message.endswith("run --target lava or --target simulator")

    @pytest.mark.parametrize(
        ("neuron", "exp", "why"),
        [
            (CubaLIF(3, [5, 6, 7], 9, 100), 0, "3 values of iDecay; Lava's LIF has one for all"),
            (CubaLIF(3, 5, 9, [9, 9, 8]), 0, "2 values of threshold"),
            (LeakyIntegrator(3, [1, 2, 2]), 0, "2 values of vDecay"),
            (CubaLIF(3, 0, 9, 100), 0, "iDecay 0 of neuron 0, 1, 2, the chip's 12 bits hold 1..40"),
            (LeakyIntegrator(3, 4096), 0, "vDecay 4096 of neuron 0, 1, 2, the chip's .* 0..4095"),
            (CubaLIF(3, 5, 9, 100, u_init=4), 0, "initial states that must hold"),
            (LeakyIntegrator(3, 9, v_init=4), 0, "initial states that must hold"),
            (LeakyIntegrator(3, 9, bias=(1 << 22) + 1), 0, "a bias beyond 13 bits of mantissa"),
            (CubaLIF(3, 5, 9, 1, bias=640), 0, "the bias alone makes neuron 0, 1, 2 spike before"),
            (LeakyIntegrator(3, 9), 7, r"sums up to \d+, shifted by 6, wrap in the 24-bit current"),
        ],
    )
    def test_what_stock_programs_cannot_do(self, neuron: Any, exp: int, why: str) -> None:
        rng = np.random.default_rng(3)
        made = stack(rng, 20, [neuron], exp=exp, message_bits=4 if exp else 0)
        with pytest.raises(InputError, match=f"target loihi2: layer l0: {why}"):
            backend().describe(made)

    def test_descriptions_name_stock_processes_and_the_lag_of_the_board(self) -> None:
        described = backend().describe(network())
        assert [layer.process for layer in described] == ["LIF", "LIFReset", "LIFReset"]
        # One step per layer, and one of the adapter from the computer.
        assert [layer.lag for layer in described] == [2, 3, 4]
        assert [layer.reason for layer in described][2] == "an unreachable threshold"


class TestOptions:
    @pytest.mark.parametrize(
        ("given", "message"),
        [
            (
                ["--partition", "kp", "--slurm-board", "b1"],
                "--partition, --slurm-board: a board",
            ),
            (["--slurm", "--ethernet-host", "10.0.0.1"], "--ethernet-host: a board is reached by"),
            (["--host-binary", "x"], "--host-binary: needs --ethernet-host"),
            (
                ["--chip-generation", "N2A2"],
                "--chip-generation: unknown chip generation 'N2A2' (known: N3B2, N3B3",
            ),
            (["--adapter-lags", "-1", "1"], "--adapter-lags: a lag is negative"),
            (["--measured-steps", "-5"], "--measured-steps: -5 is below 0"),
        ],
    )
    def test_contradictions_are_one_line(
        self, given: list[str], message: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["none.net", "--target", "loihi2", *given]) == 2
        err = capsys.readouterr().err
        assert err.startswith(f"srnn-deploy: {message}")
        assert err.count("\n") == 1

    @pytest.mark.parametrize(
        "where", [[], ["--target", "lava"], ["--dry-run", "--target", "loihi2"]]
    )
    def test_options_of_a_board_need_one(
        self, where: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["none.net", "--partition", "kp", *where]) == 2
        message = "--partition: applies only to a run on a board; add --target loihi2"
        assert message in capsys.readouterr().err

    def test_other_boards_can_be_placed_on_and_not_run(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["none.net", "--target", "kapoho-point"]) == 2
        assert "kapoho-point is a board; add --dry-run" in capsys.readouterr().err

    @lava
    def test_lava_fails_on_the_last_line_of_sinfo_and_is_mended(self) -> None:
        compat.prepare()
        from lava.utils import slurm

        listed = ["PARTITION AVAIL", "kp up infinite 1 idle n1", ""]
        original, slurm.try_run_command = slurm.try_run_command, lambda _command: list(listed)
        try:
            with pytest.raises(IndexError):
                slurm.get_partitions()
            with _no_blank_lines(slurm):
                assert [entry.name for entry in slurm.get_partitions()] == ["kp"]
            with pytest.raises(IndexError):
                slurm.get_partitions()
        finally:
            slurm.try_run_command = original


def signalled_while_held(ending: Ending, reached: list[str]) -> None:
    with ending.held():
        signal.raise_signal(signal.SIGTERM)
        reached.append("held")


class TestEnding:
    def test_a_signal_ends_at_once_or_after_the_block_that_holds_it(self) -> None:
        before = signal.getsignal(signal.SIGTERM)
        ending, reached = Ending(), []
        signal.signal(signal.SIGTERM, ending._signalled)
        try:
            with pytest.raises(Stopped):
                signalled_while_held(ending, reached)
            # A second one, while the first is obeyed, changes nothing.
            signal.raise_signal(signal.SIGTERM)
            with ending.held():
                reached.append("again")
            other = Ending()
            signal.signal(signal.SIGTERM, other._signalled)
            with pytest.raises(Stopped):
                signal.raise_signal(signal.SIGTERM)
        finally:
            signal.signal(signal.SIGTERM, before)
        assert reached == ["held", "again"]


def test_the_first_failure_of_a_run_is_kept(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.report_failure("the cause")
    run.report_failure("a consequence")
    assert run.failure() == "the cause"
    assert [path.name for path in tmp_path.iterdir()] == ["failure.txt"]
