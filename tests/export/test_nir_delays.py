"""Delay nodes of NIR: steps of the neurons after them, or refused by name."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nir_graphs import DT, chain, ends, lif, matrix, nir, offences, write
from srnn.export.config import Delay
from srnn.export.float_run import run_float
from srnn.export.nir_import import import_nir

pytestmark = pytest.mark.extra("nir")


def test_delays_reach_the_neurons_in_steps(tmp_path: Path) -> None:
    w, r = matrix(6, 4), matrix(6, 6, 1)
    nodes = {
        **ends(4, 6), "before": nir.Delay(np.full(4, 2 * DT)), "w": nir.Linear(w),
        "behind": nir.Delay(np.arange(6) * DT), "scale": nir.Scale(np.full(6, 2.0)),
        "n": lif(6, v_threshold=0.05),
        "r": nir.Linear(r), "back": nir.Delay(np.arange(6)[::-1] * 3 * DT),
    }  # fmt: skip
    ahead = ["in", "before", "w", "behind", "scale", "n", "out"]
    edges = [*pairwise(ahead), *pairwise(["n", "r", "back", "n"])]
    model = import_nir(write(tmp_path, nodes, edges), dt=DT)
    np.testing.assert_array_equal(model.weights["layers.0.delay"], 2 + np.arange(6))
    np.testing.assert_array_equal(model.weights["layers.0.delay_rec"], 3 * np.arange(6)[::-1])
    assert model.config.layers[0].delay == Delay(2, 7)
    x = (np.random.default_rng(0).random((1, 80, 4)) < 0.3).astype(np.int32)
    node, v, s, sent = nodes["n"], np.zeros(6), [np.zeros(6)], []
    for t in range(80):
        late = [t - 2 - k for k in range(6)]
        i = np.array([2.0 * w[k] @ x[0, late[k]] if late[k] >= 0 else 0.0 for k in range(6)])
        back = [t - 3 * (5 - k) for k in range(6)]
        i = i + np.array([r[k] @ s[back[k]] if back[k] >= 0 else 0.0 for k in range(6)])
        v = v + DT / node.tau * (node.v_leak - v + node.r * i)
        s.append((v > node.v_threshold).astype(float))
        v = np.where(s[-1] > 0, node.v_reset, v)
    sent = np.array(s[1:])
    assert sent.sum() > 20
    np.testing.assert_array_equal(run_float(model, x).spikes[0], sent[None].astype(bool))


@pytest.mark.parametrize(
    ("nodes", "line"),
    [
        (
            [nir.Delay(np.arange(4) * DT), nir.Linear(np.ones((4, 4)))],
            "n1 (Linear): mixes in output 0 values that a Delay before it delays by 0 to 0.003 s; "
            "a neuron of srnn has one delay: put the Delay after it",
        ),
        (
            [nir.Affine(np.ones((4, 4)), np.ones(4)), nir.Delay(np.full(4, DT))],
            "n1 (Delay): delays a bias",
        ),
        ([nir.Linear(np.ones((4, 4))), nir.Delay(np.full(4, -DT))], "n1 (Delay): delay -0.001 s"),
        ([nir.Delay(np.full(3, DT)), nir.Linear(np.ones((4, 4)))], None),
        (
            [nir.Linear(np.ones((4, 4))), nir.Delay(np.full(4, 1.5 * DT))],
            "n2 (LIF): the delay of neurons 0, 1, 2, 3 is 0.0015 s, 1.5 steps of dt 0.001 s, which "
            "is not a whole number from 0 to 62",
        ),
        ([nir.Linear(np.ones((4, 4))), nir.Delay(np.full(4, 63 * DT))], "63 steps of dt 0.001 s"),
        ([nir.Linear(np.ones((4, 4))), nir.Delay(np.full(4, 1e300))], "whole number from 0 to 62"),
    ],
)
def test_delays_that_no_neuron_has_are_refused(
    tmp_path: Path, nodes: list[Any], line: str | None
) -> None:
    assert (line or "") in offences(write(tmp_path, chain(4, *nodes, lif(4), m=4)))


def test_delays_of_branches_and_of_the_output_are_refused(tmp_path: Path) -> None:
    nodes = {**ends(4, 4), "a": nir.Linear(matrix(4, 4)), "b": nir.Delay(np.full(4, DT)),
             "n": lif(4)}  # fmt: skip
    edges = [*pairwise(["in", "a", "n", "out"]), *pairwise(["in", "b", "n"])]
    assert "n (LIF): adds what in sent at different times" in offences(
        write(tmp_path, nodes, edges)
    )
    late = chain(4, nir.Linear(matrix(4, 4)), lif(4), nir.Delay(np.full(4, DT)), m=4)
    assert "out (Output): receives n1 with a delay" in offences(write(tmp_path, late))
