"""Convolutions on Lava's own ``Conv``: equal to the simulator, or refused in one line."""

# pyright: reportArgumentType=false

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from srnn.deploy.backends import pick
from srnn.deploy.lava import runner
from srnn.deploy.lava.choice import check_convolutions, describe
from srnn.export.errors import InputError
from srnn.export.network import (
    AdaptiveLIF,
    Convolution,
    CubaLIF,
    Layer,
    Network,
    Readout,
    Synapses,
)
from srnn.export.trace import compare
from srnn.simulate import simulator


def network(seed: int, bits: int = 0, **changes: object) -> Network:
    rng = np.random.default_rng(seed)
    groups = 1 + seed % 2
    first = Convolution(
        2 * rng.integers(-40, 50, (4, 2 // groups, 3, 2)),
        (2, 6, 5),
        stride=(1 + seed % 2, 2),
        padding=(1, seed % 3),
        dilation=(1, 1 + seed % 2),
        groups=groups,
        weight_exp=(0, 1, -1)[seed % 3],
    )
    second = Convolution(2 * rng.integers(-40, 60, (3, 4, 2, 1)), first.shape_out)
    thresholds = rng.integers(20, 90, first.n_out)
    return Network(
        (
            Layer("one", replace(first, **changes), CubaLIF(first.n_out, 2000, 700, thresholds)),
            Layer("two", second, AdaptiveLIF(second.n_out, 400, 90, 4000, 300, 2)),
            Layer(
                "out",
                Synapses(2 * rng.integers(-40, 60, (5, second.n_out)), 0, rng.integers(0, 9, 5)),
                CubaLIF(5, 2000, 700, 60),
            ),
        ),
        Readout("spike_count"),
        message_bits=bits,
    )


@pytest.mark.lava
@pytest.mark.parametrize(("seed", "bits"), [(0, 0), (1, 5), (2, 0)])
def test_lava_computes_the_same(seed: int, bits: int) -> None:
    net, rng = network(seed, bits), np.random.default_rng(seed)
    inputs = rng.integers(-(2**bits) + 1 if bits else 0, 2**bits if bits else 2, (1, 14, 60))
    expected = simulator.run(net, inputs)
    assert all(layer.spikes is not None and layer.spikes.any() for layer in expected.layers)
    rows = compare(pick("lava").backend.run(net, inputs), expected)
    assert len(rows) > 6
    assert [row for row in rows if row.different] == []


def test_the_table_names_the_process() -> None:
    kinds = [row.synapses for row in describe(network(1, 5))]
    assert [kind.split(",")[0] for kind in kinds[:2]] == ["graded Conv 3x2", "Conv 2x1"]
    assert kinds[2].startswith("DelayDense")


@pytest.mark.parametrize(
    ("changes", "bits", "match"),
    [
        ({"delay": [1, 0, 2, 3]}, 0, "with delays, which Lava's Conv lacks"),
        ({"weight_exp": -3}, 0, "with weight_exp -3, which its weights cannot absorb"),
        ({}, 20, "whose sums may reach .*; Lava's Conv wraps beyond 8388607"),
        ({"padding": (128, 0)}, 0, "above 127, which Lava's Conv keeps in 8 bits"),
    ],
)
def test_what_lava_cannot_compute_is_refused(changes: dict, bits: int, match: str) -> None:
    net = network(0, bits)
    first = replace(net.layers[0].synapses, **changes)
    layer = Layer("one", first, CubaLIF(first.n_out, 2000, 700, 60))
    inputs = np.full((1, 2, 60), (1 << bits) - 1 if bits else 1, np.int32)
    with pytest.raises(InputError, match=f"layer one: a convolution .*{match}"):
        check_convolutions(Network((layer,), message_bits=bits), inputs)


def test_a_convolution_with_delays_is_refused_before_lava_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernel = np.array([[[[2, -4], [6, 8]]]])
    connection = Convolution(kernel, (1, 4, 4), delay=np.array([3]))
    late = Network((Layer("c", connection, CubaLIF(9, 100, 100, 5)),), Readout("spike_count"))
    monkeypatch.setattr(runner, "run_worker", lambda *_, **__: pytest.fail("Lava was started"))
    with pytest.raises(InputError, match="layer c: a convolution with delays"):
        runner.run(late, np.zeros((1, 3, 16), np.uint8))
