"""Picking a target, and comparing one with its second opinion."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from deploy_networks import adaptive, cuba, integrator, spikes, stack
from srnn.deploy import backends
from srnn.deploy.backends import (
    BACKENDS,
    LavaBackend,
    ReferenceBackend,
    RunOptions,
    SimulatorBackend,
    pick,
)
from srnn.deploy.check import check, second_opinion
from srnn.deploy.lava import compat
from srnn.export.errors import InputError
from srnn.export.extras import lava_install
from srnn.export.network import Network
from srnn.export.trace import Trace

needs_lava = [
    pytest.mark.lava,
]


def network() -> Network:
    rng = np.random.default_rng(1)
    return stack(rng, 4, [adaptive(rng, 6), cuba(rng, 5), integrator(rng, 3)])


def without_lava(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compat, "lava_version", lambda: None)


def test_the_table_holds_the_nearest_to_hardware_first() -> None:
    assert list(BACKENDS) == ["loihi2", "lava", "mcu", "c", "wasm", "simulator"]
    for name, make in BACKENDS.items():
        assert make(RunOptions()).name == name


def test_auto_takes_the_best_and_says_what_it_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    without_lava(monkeypatch)
    picked = pick("auto")
    assert isinstance(picked.backend, SimulatorBackend)
    assert picked.reason == (
        "simulator is the best target here: runs everywhere; not lava: lava-nc is not installed "
        f"({lava_install('0.10.0')})"
    )


def test_auto_prefers_lava_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compat, "available", lambda: (True, "lava-nc 0.10.0"))
    picked = pick("auto", RunOptions(timeout=7.0))
    assert picked.backend == LavaBackend(RunOptions(timeout=7.0))
    assert picked.reason == "lava is the best target here: lava-nc 0.10.0"


def test_a_named_target_that_is_absent_or_unknown_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_lava(monkeypatch)
    with pytest.raises(InputError, match="target lava cannot run here: lava-nc is not installed"):
        pick("lava")
    with pytest.raises(InputError, match="unknown target 'loihi3'; did you mean 'loihi2'"):
        pick("loihi3")


def test_nothing_available_lists_every_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    without_lava(monkeypatch)
    monkeypatch.setattr(backends, "find_spec", lambda _name: None)
    with pytest.raises(InputError, match=r"no target can run here: lava: .*; simulator: numba"):
        pick("auto")


def test_second_opinions_never_ask_the_target_itself() -> None:
    assert isinstance(second_opinion(LavaBackend()), SimulatorBackend)
    assert isinstance(second_opinion(SimulatorBackend()), ReferenceBackend)


def test_the_simulator_is_checked_against_the_reference() -> None:
    inputs = spikes(np.random.default_rng(2), 3, 40, 4)
    lengths = np.array([40, 0, 25])
    checked = check(network(), SimulatorBackend(), inputs, lengths)
    assert (checked.target, checked.expected_from) == ("simulator", "reference")
    assert checked.mismatches == 0
    # 65 steps: spikes, d, v; spikes, u, v; v.
    assert [layer.compared for layer in checked.layers] == [65 * 18, 65 * 15, 65 * 3]
    assert checked.layers[0].spikes == checked.layers[0].spikes_expected
    assert checked.layers[0].spikes
    assert checked.layers[2].spikes is None


@dataclasses.dataclass(frozen=True)
class OneStateOff(SimulatorBackend):
    """The simulator with one bit of one state changed: what a wrong target would look like."""

    def run(self, network: Network, inputs: object, lengths: object = None) -> Trace:
        trace = super().run(network, inputs, lengths)  # type: ignore[arg-type]
        trace.layers[1].states["u"][1, 7, 3] += 1
        return trace


def test_one_wrong_bit_is_found_and_located() -> None:
    inputs = spikes(np.random.default_rng(3), 2, 20, 4)
    checked = check(network(), OneStateOff(), inputs)
    assert [layer.mismatches for layer in checked.layers] == [0, 1, 0]
    quantities = checked.as_dict()["layers"][1]["quantities"]
    assert [row["first"] for row in quantities] == [
        None,
        {"sample": 1, "step": 7, "neuron": 3},
        None,
    ]


class TestLava:
    pytestmark = needs_lava

    def test_lava_equals_the_simulator(self) -> None:
        inputs = spikes(np.random.default_rng(4), 2, 40, 4)
        checked = check(network(), LavaBackend(), inputs)
        assert (checked.target, checked.expected_from) == ("lava", "simulator")
        assert checked.mismatches == 0
        assert [layer.description.process for layer in checked.layers] == [
            "AdaptiveLIF",
            "LIF",
            "LeakyIntegrator",
        ]
        assert [layer.description.lag for layer in checked.layers] == [1, 2, 3]
