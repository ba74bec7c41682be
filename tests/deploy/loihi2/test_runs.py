"""The target loihi2 on the stand-in: calls, their order, the teardown, what comes back."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deploy_networks import stack
from loihi2_cases import STANDIN, backend, events, inputs, names, network, stand_in
from paths import SUPPORT
from srnn.deploy.check import check
from srnn.deploy.cli import main
from srnn.deploy.errors import RunError
from srnn.deploy.lava import runner as lava_runner
from srnn.deploy.loihi2 import runner
from srnn.deploy.loihi2.options import BoardOptions
from srnn.export.network import CubaLIF
from srnn.export.netx import write_net
from srnn.export.samples import Samples
from srnn.simulate import reference
from waiting import WatchdogClock, wait_until

lava = pytest.mark.lava


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-in; returns its log."""
    return stand_in(tmp_path, monkeypatch)


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
                wait_until(lambda: names(board).count("run") == 2)
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
        clock = WatchdogClock(lambda: names(board).count("run") == 2)
        monkeypatch.setattr(lava_runner, "time", clock)
        with pytest.raises(RunError, match="Loihi 2: no sample finished for 1 s in sample 1 after"):
            backend(timeout=1.0).run(network(), inputs())
        assert names(board)[-2:] == ["run", "stop"]

    @pytest.mark.slow
    def test_a_stop_that_hangs_is_killed_in_the_end(
        self, board: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LOIHI_STANDIN_DO", "hang at stop")
        worker = dataclasses.replace(runner.WORKER, stopping_seconds=1.0)
        monkeypatch.setattr(runner, "WORKER", worker)
        clock = WatchdogClock(lambda: "stop" in names(board))
        monkeypatch.setattr(lava_runner, "time", clock)
        with pytest.raises(RunError, match="no sample finished for 1 s"):
            backend(timeout=1.0).run(network(), inputs(1))
        assert names(board).count("stop") == 1

    @pytest.mark.slow
    def test_a_killed_parent_releases_the_board_too(
        self, board: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LOIHI_STANDIN_DO", "hang 1")
        code = (
            f"import sys; sys.path.insert(0, {str(SUPPORT)!r}); import loihi2_cases as t;"
            "t.backend().run(t.network(), t.inputs())"
        )
        folder = tmp_path / "t"
        folder.mkdir()
        parent = subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(STANDIN)},
        )
        wait_until(lambda: "run" in names(board))
        parent.kill()
        parent.wait()
        wait_until(lambda: names(board)[-1] == "stop" and not any(folder.iterdir()))
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
        with pytest.raises(RunError, match="measured total_power_w: nan is negative or not finite"):
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
