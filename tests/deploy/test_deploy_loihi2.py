"""The target loihi2: what it refuses, how it calls the extension, what comes back.

Nobody here has a board: ``loihi_standin`` has the names of Intel's extension that srnn calls, over
the real lava-nc.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deploy_networks import adaptive, spikes, stack, threshold_refractory
from srnn.deploy import BACKENDS, Loihi2Backend, MeasuringBackend, RunOptions, pick
from srnn.deploy.check import check
from srnn.deploy.cli import main
from srnn.deploy.errors import RunError
from srnn.deploy.lava import compat
from srnn.deploy.lava.rundir import RunDirectory
from srnn.deploy.loihi2 import native, runner
from srnn.deploy.loihi2.options import BoardOptions, _no_blank_lines
from srnn.deploy.loihi2.worker import Ending, Stopped
from srnn.export.errors import InputError
from srnn.export.network import CubaLIF, LeakyIntegrator, Network
from srnn.export.netx import write_net
from srnn.export.samples import Samples
from srnn.simulate import reference
from srnn.simulate.measurement import Measurement

HERE = Path(__file__).resolve().parent
STANDIN = HERE / "loihi_standin"
FEW = BoardOptions(measured_steps=50)

lava = pytest.mark.lava
needs_lava = pytest.mark.skipif(not compat.available()[0], reason=compat.available()[1])


def network(seed: int = 0, *, bias: bool = True) -> Network:
    """CUBA with and without a bias and a readout, one value a parameter and layer."""
    rng = np.random.default_rng(seed)
    neurons = [
        CubaLIF(7, i_decay=900, v_decay=300, v_threshold=400),
        CubaLIF(
            6, i_decay=2000, v_decay=200, v_threshold=500, bias=64 * rng.integers(0, 9, 6) * bias
        ),
        LeakyIntegrator(3, v_decay=150, bias=rng.integers(-300, 300, 3)),
    ]
    return stack(rng, 4, neurons, exp=1)


def inputs(samples: int = 2, steps: int = 30) -> np.ndarray:
    return spikes(np.random.default_rng(1), samples, steps, 4)


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-in on the path, here and in workers; returns its log."""
    log = tmp_path / "board.jsonl"
    monkeypatch.syspath_prepend(str(STANDIN))
    monkeypatch.setenv("PYTHONPATH", str(STANDIN))
    monkeypatch.setenv("LOIHI_STANDIN_LOG", str(log))
    for name in ("SLURM", "NOSLURM", "PARTITION", "BOARD", "LOIHI_GEN", "LOIHI_STANDIN_DO"):
        monkeypatch.delenv(name, raising=False)
    return log


def events(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def names(log: Path) -> list[str]:
    return [entry["event"] for entry in events(log)]


def backend(options: BoardOptions = FEW, **more: Any) -> Loihi2Backend:
    return Loihi2Backend(RunOptions(board=options, **more))


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

    def test_plans_name_stock_processes_and_the_lag_of_the_board(self) -> None:
        plans = backend().describe(network())
        assert [plan.process for plan in plans] == ["LIF", "LIFReset", "LIFReset"]
        # One step a layer, and one of the adapter from the computer.
        assert [plan.lag for plan in plans] == [2, 3, 4]
        assert [plan.reason for plan in plans][2] == "a threshold out of reach"


class TestOptions:
    @pytest.mark.parametrize(
        ("given", "message"),
        [
            (
                ["--partition", "kp", "--slurm-board", "b1"],
                "--partition and --slurm-board: a board",
            ),
            (["--slurm", "--ethernet-host", "10.0.0.1"], "--ethernet-host: a board is reached by"),
            (["--host-binary", "x"], "--host-binary: needs --ethernet-host"),
            (["--chip-generation", "N2A2"], "--chip-generation: 'N2A2' is not one of N3B2, N3B3"),
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
        message = "--partition: is about running on a board; add --target loihi2"
        assert message in capsys.readouterr().err

    def test_other_boards_can_be_placed_on_and_not_run(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["none.net", "--target", "kapoho-point"]) == 2
        assert "kapoho-point is a board; add --dry-run" in capsys.readouterr().err

    @lava
    @needs_lava
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


def command(path: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program in front of all others."""
    folder = path / "bin"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
    (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def sinfo_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """SLURM's list of partitions."""
    return lambda text: command(tmp_path, "sinfo", text, monkeypatch)


@lava
@needs_lava
class TestOnTheStandIn:
    def test_the_command_calls_in_order_compares_every_bit_and_prints_what_was_measured(
        self,
        board: Path,
        tmp_path: Path,
        sinfo_says: Callable[[str], None],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        sinfo_says("PARTITION AVAIL TIMELIMIT NODES STATE\noheogulch up infinite 1 idle n1")
        path, made = tmp_path / "m.net", network()
        lengths = np.array([30, 12])
        output = reference.run(made, inputs(), lengths).output
        write_net(path, made, Samples(inputs(), lengths, None, None, output))
        where = ["--target", "loihi2", "--partition", "oheogulch", "--measured-steps", "200"]
        assert main([str(path), *where, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["match"] is True
        # Spikes, u, v of 7 and 6 neurons and v of 3.
        assert found["compared"] == 42 * (21 + 18 + 3)
        assert [q["quantity"] for q in found["layers"][0]["quantities"]] == ["spikes", "u", "v"]
        assert all(layer["spikes"] for layer in found["layers"][:2])
        self.check_calls(board)
        self.check_measurement(found["measurement"])

    def check_calls(self, board: Path) -> None:
        # Each run: allocated, probes attached, run, results, released; the last one is measured.
        sample = ["allocate", "run", *["probed"] * 5, "stop"]
        measured = ["allocate", *["attach"] * 3, "run", *["measured"] * 3, "stop"]
        assert names(board) == [*sample, *sample, *measured]
        first, _, last = (entry for entry in events(board) if entry["event"] == "allocate")
        assert first["environment"] == {"SLURM": "1", "PARTITION": "oheogulch", "LOIHI_GEN": "N3B3"}
        assert (first["configuration"], first["tag"]) == ("Loihi2HwCfg", None)
        assert first["models"] == [
            "lava.proc.io.sink: PyReceiveModelFixed",
            "lava.proc.io.source: PySendModelFixed",
        ]
        assert first["callbacks"] == ["StateProbe"] * 5
        assert last["callbacks"] == ["Loihi2Power", "Loihi2ExecutionTime", "Loihi2Activity"]
        inside = ["Dense"] * 5 + ["LIF", "LIFReset", "LIFReset"]
        outside = ["NxToPyAdapter"] * 2 + ["PyToNxAdapter"] + ["RingBuffer"] * 3
        assert first["processes"] == sorted(inside + outside)
        # Nothing is measured that only recording needs.
        assert last["processes"] == sorted([*inside, "PyToNxAdapter", "RingBuffer"])
        steps = [entry["steps"] for entry in events(board) if entry["event"] == "run"]
        assert steps == [30 + 3 + 2, 12 + 3 + 2, 200]
        # The parent's own environment stays as it was.
        assert "SLURM" not in os.environ

    def check_measurement(self, found: dict[str, Any]) -> None:
        assert found["measured"] is True
        assert found["source"] == "lava.utils.loihi2_profiler, SLURM partition oheogulch, N3B3"
        assert (found["steps"], found["steps_per_sample"], found["cores"]) == (200, 21.0, 3)
        powers = {k: round(v, 9) for k, v in found.items() if k.endswith("_power_w")}
        assert powers == {
            "total_power_w": 0.65,
            "vdd_power_w": 0.40,
            "vddm_power_w": 0.20,
            "vddio_power_w": 0.05,
            "static_total_power_w": 0.22,
            "static_vdd_power_w": 0.10,
            "static_vddm_power_w": 0.08,
            "static_vddio_power_w": 0.04,
            "dynamic_total_power_w": 0.43,
            "dynamic_vdd_power_w": 0.30,
            "dynamic_vddm_power_w": 0.12,
            "dynamic_vddio_power_w": 0.01,
        }
        assert found["execution_time_per_step_us"] == 12.5
        seconds = 21 * 12.5e-6
        assert found["execution_time_per_sample_s"] == pytest.approx(seconds)
        assert found["total_energy_per_sample_j"] == pytest.approx(0.65 * seconds)
        assert found["static_energy_per_sample_j"] == pytest.approx(0.22 * seconds)
        assert found["dynamic_energy_per_sample_j"] == pytest.approx(0.43 * seconds)
        assert found["dendrite_updates"] == 200 * 16
        assert found["syn_ops"] > found["spikes_in"] > 200
        assert found["axon_out"] == found["spikes_in"] + 3

    def test_a_run_that_fails_is_stopped_and_named(
        self, board: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LOIHI_STANDIN_DO", "fail 2")
        with pytest.raises(RunError) as failed:
            check(network(), backend(), inputs())
        assert str(failed.value).startswith("Loihi 2: a process failed Traceback")
        assert "RuntimeError: the stand-in board failed as asked" in str(failed.value)
        assert names(board) == [
            "allocate",
            "run",
            *["probed"] * 5,
            "stop",
            "allocate",
            "run",
            "stop",
        ]

    @pytest.mark.slow
    def test_an_interrupt_releases_the_board(
        self, board: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LOIHI_STANDIN_DO", "hang 2")

        def progress(done: int, _steps: int) -> None:
            if done == 1:
                deadline = time.monotonic() + 20
                while names(board).count("run") < 2 and time.monotonic() < deadline:
                    time.sleep(0.05)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            backend(progress=progress).run(network(), inputs())
        assert names(board)[-2:] == ["run", "stop"]
        assert names(board).count("stop") == 2

    @pytest.mark.slow
    def test_a_hang_is_ended_by_the_watchdog_and_the_board_released(
        self, board: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LOIHI_STANDIN_DO", "hang 2")
        with pytest.raises(RunError, match="Loihi 2: no sample finished for 8 s in sample 1 after"):
            backend(timeout=8.0).run(network(), inputs())
        assert names(board)[-2:] == ["run", "stop"]

    @pytest.mark.slow
    def test_a_stop_that_hangs_is_killed_in_the_end(
        self, board: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LOIHI_STANDIN_DO", "hang at stop")
        worker = dataclasses.replace(runner.WORKER, stopping_seconds=1.0)
        monkeypatch.setattr(runner, "WORKER", worker)
        began = time.monotonic()
        with pytest.raises(RunError, match="no sample finished for 8 s"):
            backend(timeout=8.0).run(network(), inputs(1))
        assert time.monotonic() - began < 30
        assert names(board).count("stop") == 1

    @pytest.mark.slow
    def test_a_killed_parent_releases_the_board_too(
        self, board: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LOIHI_STANDIN_DO", "hang 1")
        code = (
            f"import sys; sys.path.insert(0, {str(HERE)!r}); import test_deploy_loihi2 as t;"
            "t.backend().run(t.network(), t.inputs())"
        )
        folder = tmp_path / "t"
        folder.mkdir()
        parent = subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(STANDIN)},
        )
        deadline = time.monotonic() + 60
        while "run" not in names(board) and time.monotonic() < deadline:
            time.sleep(0.05)
        parent.kill()
        parent.wait()
        while (names(board)[-1] != "stop" or any(folder.iterdir())) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert names(board) == ["allocate", "run", "stop"]
        assert list(folder.iterdir()) == []

    @pytest.mark.slow
    def test_a_board_on_the_network(
        self, board: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        command(tmp_path, "ping", "1 packet received", monkeypatch)
        options = BoardOptions(
            ethernet_host="10.0.0.9",
            chip_generation="N3C1",
            host_binary="/opt/nx",
            measured_steps=0,
        )
        checked = check(network(bias=False), backend(options), inputs())
        assert checked.mismatches == 0
        assert checked.measurement is None
        assert events(board)[0]["environment"] == {
            "NOSLURM": "1",
            "LOIHI_GEN": "N3C1",
            "NXSDKHOST": "10.0.0.9",
            "HOST_BINARY": "/opt/nx",
        }

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("options", "sinfo", "why"),
        [
            (
                BoardOptions(partition="kp"),
                "PARTITION\noheogulch up infinite 1 idle n1",
                r"to reach SLURM partition kp, N3B3: .*partition kp is not found or is down",
            ),
            (BoardOptions(slurm=True), "", "to reach SLURM partition of any name, N3B3: .*sinfo"),
        ],
    )
    def test_a_board_that_is_not_reached_is_one_line(
        self,
        board: Path,
        sinfo_says: Callable[[str], None],
        options: BoardOptions,
        sinfo: str,
        why: str,
    ) -> None:
        if sinfo:
            sinfo_says(sinfo)
        with pytest.raises(RunError, match=f"Loihi 2: a process failed {why}") as failed:
            backend(options).run(network(), inputs())
        assert "\n" not in str(failed.value)
        assert names(board) == []

    @pytest.mark.slow
    def test_adapters_of_another_lag_are_seen_and_can_be_told(self, board: Path) -> None:
        wrong = check(network(), backend(BoardOptions(input_lag=2, measured_steps=0)), inputs())
        assert wrong.mismatches > 100
        assert names(board).count("stop") == 2

    @pytest.mark.slow
    def test_a_board_without_power_probes_is_named(
        self, board: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LOIHI_STANDIN_DO", "no power")
        with pytest.raises(RunError, match="measured total_power_w: nan is no such quantity"):
            check(network(), backend(), inputs())
        assert names(board)[-1] == "stop"

    @pytest.mark.slow
    @pytest.mark.parametrize("seed", range(5))
    def test_random_networks_have_the_simulators_bits(self, board: Path, seed: int) -> None:
        rng = np.random.default_rng(seed)
        layers = int(rng.integers(1, 4))
        neurons = [
            CubaLIF(
                int(rng.integers(2, 12)),
                i_decay=int(rng.integers(1, 4097)),
                v_decay=int(rng.integers(0, 2000)),
                v_threshold=int(rng.integers(300, 3000)),
                bias=64 * int(rng.integers(-3, 4)),
            )
            for _ in range(layers)
        ]
        made = stack(rng, 5, neurons, exp=int(rng.integers(-2, 3)), message_bits=int(seed % 2) * 6)
        largest = 63 if made.message_bits else 1
        values = rng.integers(0, largest + 1, (2, 60, 5))
        options = BoardOptions(measured_steps=0)
        checked = check(made, backend(options), values, np.array([60, 23]))
        assert checked.mismatches == 0
        assert names(board).count("stop") == 2


def test_the_first_failure_of_a_run_is_kept(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.report_failure("the cause")
    run.report_failure("a consequence")
    assert run.failure() == "the cause"
    assert [path.name for path in tmp_path.iterdir()] == ["failure.txt"]


def example() -> Measurement:
    return Measurement(
        source="a board",
        steps=1000,
        steps_per_sample=50.0,
        execution_time_per_step_us=20.0,
        total_power_w=0.5,
        vdd_power_w=0.3,
        vddm_power_w=0.15,
        vddio_power_w=0.05,
        static_total_power_w=0.2,
        static_vdd_power_w=0.1,
        static_vddm_power_w=0.06,
        static_vddio_power_w=0.04,
        cores=7,
        syn_ops=3000,
        dendrite_updates=4000,
        axon_out=500,
        spikes_in=600,
    )


def test_a_measurement_derives_energy_and_keeps_static_power_apart() -> None:
    found = example()
    assert found.execution_time_per_sample_s == pytest.approx(1e-3)
    assert found.dynamic_power_w() == pytest.approx(0.3)
    assert found.static_energy_per_sample_j == pytest.approx(0.2e-3)
    assert found.dynamic_energy_per_sample_j == pytest.approx(0.3e-3)
    assert found.per_sample(found.syn_ops) == pytest.approx(150)
    assert json.loads(json.dumps(found.as_dict()))["measured"] is True
    with pytest.raises(ValueError, match="measured vdd_power_w: inf is no such quantity"):
        dataclasses.replace(found, vdd_power_w=float("inf"))


@dataclasses.dataclass(frozen=True)
class Measuring(Loihi2Backend):
    """A target that computes right and measures what the example says."""

    def describe(self, network: Network) -> Any:
        return pick("simulator").backend.describe(network)

    def run_measured(self, network: Network, inputs: Any, lengths: Any = None) -> Any:
        from srnn.deploy import MeasuredRun

        return MeasuredRun(reference.run(network, inputs, lengths), example())


def test_any_target_may_measure_and_the_table_says_measured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from srnn.deploy.measuring import print_measurement
    from srnn.export.console import Output

    assert isinstance(Measuring(), MeasuringBackend)
    checked = check(network(), Measuring(), inputs())
    assert checked.measurement == example()
    assert checked.as_dict()["measurement"]["dynamic_total_power_w"] == pytest.approx(0.3)
    assert checked.measurement is not None
    print_measurement(checked.measurement, Output())
    out = capsys.readouterr().out
    assert "measured (a board), power in W over 1,000 steps" in out
    assert "measured, for a sample of 50 steps, on 7 cores" in out
    rows = {line.split()[0]: line.split()[-3:] for line in out.splitlines() if line.strip()}
    assert rows["all"] == ["0.5", "0.2", "0.3"]
    assert rows["static"] == ["energy", "0.2", "mJ"]
    assert isinstance(pick("simulator").backend, MeasuringBackend) is False
