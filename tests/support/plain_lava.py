"""Run by the tests in a process of its own: Lava as a user runs it, no builder, no recorder.

``plain_lava.py TAG OUT`` runs each process of ours behind a Dense with ``Loihi2SimCfg(TAG)``, reads
all Vars back with ``Var.get`` and writes them to OUT.
"""

from __future__ import annotations

import sys

import numpy as np
from srnn.deploy.lava.processes import process as own  # first: it makes Lava importable

from lava.magma.core.run_conditions import RunSteps  # isort: skip
from lava.magma.core.run_configs import Loihi2SimCfg  # isort: skip
from lava.proc.dense.process import Dense  # isort: skip
from lava.proc.io.source import RingBuffer  # isort: skip

N, CHANNELS, STEPS = 6, 4, 25


def parameters(tag: str) -> dict[str, dict]:
    """Keyword arguments of each process: integers, or real numbers."""
    rng = np.random.default_rng(20)
    spread = np.linspace(0.5, 1.5, N)
    if tag == "fixed_pt":
        scale = {"decay": 300, "state": 6000, "init": 900, "mantissa": 40, "bias": 70}

        def values(kind: str) -> np.ndarray:
            return np.rint(scale[kind] * spread).astype(int)
    else:
        scale = {"decay": 0.1, "state": 0.4, "init": 0.2, "mantissa": 0.5, "bias": 0.05}

        def values(kind: str) -> np.ndarray:
            return scale[kind] * spread + rng.uniform(0, 1e-3, N)

    return {
        "AdaptiveLIF": {
            "v_decay": values("decay"),
            "b_decay": values("decay"),
            "v_threshold": values("state"),
            "b_step": values("state"),
            "bias": values("bias"),
            "v": values("init"),
            "d": values("init"),
        },
        "LeakyIntegrator": {
            "v_decay": values("decay"),
            "bias": values("bias"),
            "v": values("init"),
        },
        "CubaLIF": {
            "i_decay": values("decay"),
            "v_decay": values("decay"),
            "v_threshold": values("mantissa"),
            "bias": values("bias"),
            "u": values("init"),
            "v": values("init"),
        },
        "ThresholdRefractoryLIF": {
            "i_decay": values("decay"),
            "v_decay": values("decay"),
            "th_decay": values("decay"),
            "r_decay": values("decay"),
            "th_init": values("state"),
            "th_step": values("state"),
            "bias": values("bias"),
        },
    }


def stimulus(tag: str) -> tuple[np.ndarray, np.ndarray]:
    """Weights (N, CHANNELS) and spikes (CHANNELS, STEPS)."""
    rng = np.random.default_rng(21)
    weights = 2 * rng.integers(-20, 60, (N, CHANNELS))
    spikes = (rng.random((CHANNELS, STEPS)) < 0.5).astype(int)
    return (weights if tag == "fixed_pt" else weights / 100.0), spikes


def main(tag: str, out: str) -> None:
    """Run every process and save its Vars."""
    weights, spikes = stimulus(tag)
    found = {}
    for name, values in parameters(tag).items():
        source = RingBuffer(data=spikes)
        dense = Dense(weights=weights)
        neuron = getattr(own, name)(shape=(N,), start=2, **values)
        source.s_out.connect(dense.s_in)
        dense.a_out.connect(neuron.a_in)
        # The last spikes leave the source at step STEPS and arrive one step later.
        neuron.run(condition=RunSteps(num_steps=STEPS + 1), run_cfg=Loihi2SimCfg(select_tag=tag))
        for var in neuron.vars:
            found[f"{name}.{var.name}"] = var.get()
        neuron.stop()
    np.savez(out, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
