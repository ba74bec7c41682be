"""Our processes in a user's own Lava script: found by Lava itself, fixed and floating point."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paths import SUPPORT
from second_reading import STEPS as REFERENCE
from srnn.export.network import NEURONS
from srnn.neurons.neuron import initial_state

pytestmark = [
    pytest.mark.lava,
]

SCRIPT = SUPPORT / "plain_lava.py"
TYPES = {
    "AdaptiveLIF": "SRNN_ALIF",
    "LeakyIntegrator": "SRNN_LI",
    "CubaLIF": "CUBA",
    "ThresholdRefractoryLIF": "ATRLIF",
}


def run_plain(tag: str, tmp_path: Path) -> tuple[Any, dict[str, np.ndarray]]:
    out = tmp_path / f"{tag}.npz"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), tag, str(out)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Cannot import module" not in done.stderr
    import plain_lava

    with np.load(out) as found:
        return plain_lava, dict(found)


def test_fixed_point_models_are_found_and_read_back(tmp_path: Path) -> None:
    script, found = run_plain("fixed_pt", tmp_path)
    weights, spikes = script.stimulus("fixed_pt")
    for name, values in script.parameters("fixed_pt").items():
        kind = NEURONS[TYPES[name]]
        values.setdefault("b_exp", 0)
        known = {p.name for p in kind.PARAMETERS}
        renamed = {k if k in known else f"{k}_init": v for k, v in values.items()}
        neuron = kind(script.N, **{k: v for k, v in renamed.items() if k in known})
        state = initial_state(neuron, 1)
        spiked = np.zeros((1, script.N), dtype=np.int64)
        for t in range(script.STEPS):
            a = (weights @ spikes[:, t])[None]
            state, spiking = REFERENCE[kind.TYPE](neuron, state, a, spiked)
            spiked = spiking.astype(np.int64)
        for state_name, expected in state.items():
            np.testing.assert_array_equal(found[f"{name}.{state_name}"], expected[0])
        for parameter in {"v_decay", "bias"} & set(values):
            np.testing.assert_array_equal(found[f"{name}.{parameter}"], values[parameter])


def float_step(
    name: str, p: dict[str, np.ndarray], x: dict[str, np.ndarray], a: np.ndarray
) -> None:
    """One step of the float equations, written from the papers' formulas, scalar by scalar."""
    for j in range(len(a)):
        if name == "AdaptiveLIF":
            alpha, rho = 1 - p["v_decay"][j], 1 - p["b_decay"][j]
            x["d"][j] = rho * x["d"][j] + p["b_step"][j] * x["s"][j]
            threshold = p["v_threshold"][j] + x["d"][j]
            current = (1 - alpha) * (a[j] + p["bias"][j])
            x["v"][j] = alpha * x["v"][j] + current - threshold * x["s"][j]
            x["s"][j] = float(x["v"][j] > threshold)
        elif name == "LeakyIntegrator":
            alpha = 1 - p["v_decay"][j]
            x["v"][j] = alpha * x["v"][j] + (1 - alpha) * (a[j] + p["bias"][j])
        elif name == "CubaLIF":
            x["u"][j] = (1 - p["i_decay"][j]) * x["u"][j] + a[j]
            x["v"][j] = (1 - p["v_decay"][j]) * x["v"][j] + x["u"][j] + p["bias"][j]
            if x["v"][j] > p["v_threshold"][j]:
                x["v"][j] = 0.0
        else:
            rest = p["th_init"][j]
            x["i"][j] = (1 - p["i_decay"][j]) * x["i"][j] + a[j]
            x["v"][j] = (1 - p["v_decay"][j]) * x["v"][j] + x["i"][j] + p["bias"][j]
            x["th"][j] = (1 - p["th_decay"][j]) * (x["th"][j] - rest) + rest
            x["r"][j] = (1 - p["r_decay"][j]) * x["r"][j]
            if x["v"][j] - x["r"][j] >= x["th"][j]:
                x["r"][j] += 2 * x["th"][j]
                x["th"][j] += p["th_step"][j]


def test_floating_point_models_follow_the_float_equations(tmp_path: Path) -> None:
    script, found = run_plain("floating_pt", tmp_path)
    weights, spikes = script.stimulus("floating_pt")
    states = {
        "AdaptiveLIF": ("v", "d", "s"),
        "LeakyIntegrator": ("v",),
        "CubaLIF": ("u", "v"),
        "ThresholdRefractoryLIF": ("i", "v", "th", "r"),
    }
    for name, p in script.parameters("floating_pt").items():
        x = {k: np.array(p.get(k, np.zeros(script.N)), dtype=float) for k in states[name]}
        if name == "ThresholdRefractoryLIF":
            x["th"] = p["th_init"].copy()
        for t in range(script.STEPS):
            float_step(name, p, x, weights @ spikes[:, t])
        for state, expected in x.items():
            np.testing.assert_allclose(found[f"{name}.{state}"], expected, rtol=1e-9, atol=1e-12)
