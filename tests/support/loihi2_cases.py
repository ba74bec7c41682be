"""Networks, a board and its log for the tests of the target loihi2.

We have no board: ``loihi_standin`` has the names of Intel's extension that srnn calls, over
the real lava-nc.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deploy_networks import spikes, stack
from paths import SUPPORT
from srnn.deploy import Loihi2Backend, RunOptions
from srnn.deploy.loihi2.options import BoardOptions
from srnn.export.network import CubaLIF, LeakyIntegrator, Network

STANDIN = SUPPORT / "loihi_standin"
FEW = BoardOptions(measured_steps=50)


def network(seed: int = 0, *, bias: bool = True) -> Network:
    """CUBA with and without a bias and a readout, one value per parameter and layer."""
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


def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the stand-in on the path, here and in workers; return its log."""
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
