"""Violations: each kind in the smallest network that has it, all at once, and how to fix them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from board_cases import board
from hypothesis import given
from hypothesis import strategies as st
from srnn.deploy.boards import Board, read_boards
from srnn.deploy.connectivity import connectivity, stored_weight_bits, weight_bits
from srnn.deploy.mapping import place
from srnn.deploy.violations import Violation, mantissa_bits, violations
from srnn.export.network import (
    AdaptiveLIF,
    CubaLIF,
    Layer,
    LeakyIntegrator,
    Network,
    Readout,
    Synapses,
)


def network(*, message_bits: int = 0, delay: int = 0, weight: int = 254, **neuron: int) -> Network:
    values = {"i_decay": 2048, "v_decay": 100, "v_threshold": 300, **neuron}
    record = CubaLIF(4, **{name: np.array(value) for name, value in values.items()})
    matrix = np.full((4, 3), weight)
    matrix[:, 0] = -6
    synapses = Synapses(matrix, delay=np.full(4, delay) if delay else None)
    loop = Synapses(np.where(np.eye(4, dtype=bool), 0, 2))
    readout = Layer("out", Synapses(np.full((2, 4), 6)), LeakyIntegrator(2, np.array(50)))
    layers = (Layer("in", synapses, record, loop), readout)
    return Network(layers, Readout("membrane"), message_bits=message_bits)


def found(made: Network, target: Board) -> list[Violation]:
    return violations(made, place(made, target))


@pytest.mark.parametrize(
    ("made", "limits", "expected", "fix"),
    [
        (network(message_bits=6), {"graded_payload_bits": 0}, ("graded_payload_bits", None, 7, 0),
         "encode the inputs as spikes"),
        (network(), {"weight_bits": 4}, ("weight_bits", "in", 8, 4), "--weight-bits 4"),
        (network(), {"weight_bits": 2}, ("weight_bits", "in", 8, 2), "take another board"),
        (network(delay=40), {"delay_bits": 5}, ("delay_bits", "in", 6, 5), "fewer than 40 steps"),
        (network(), {"state_bits": 16}, ("state_bits", "in", 24, 16), "same bits"),
        (network(i_decay=0), {"decay_bits": 12}, ("decay_bits", "in", 13, 12),
         "i_decay of neuron 0"),
        (network(v_decay=4096), {"decay_bits": 12}, ("decay_bits", "in", 13, 12), "stored as 4096"),
        (network(v_threshold=9000), {"threshold_bits": 13}, ("threshold_bits", "in", 14, 13),
         "larger weight unit"),
        (network(bias=4097), {"bias_bits": 13}, ("bias_bits", "in", 14, 13), "round biases"),
        (network(), {"fan_in": 5}, ("fan_in", "in", 6, 5), "smaller layer below"),
        (network(), {"fan_out": 4}, ("fan_out", "in", 5, 4), "smaller layer above"),
        (network(), {"input_axons_per_core": 4}, ("input_axons_per_core", "in", 7, 4),
         "smaller layer below"),
        (network(), {"synapse_bits_per_core": 10}, ("synapse_bits_per_core", "out", 64, 10),
         "fewer weight bits"),
        (network(), {"cores_per_chip": 1}, ("cores", None, 2, 1), "larger board"),
    ],
)  # fmt: skip
def test_each_violation(
    made: Network, limits: dict, expected: tuple[str, str | None, int, int], fix: str
) -> None:
    name, layer, value, limit = expected
    (row,) = [
        row for row in found(made, board(**limits)) if (row.limit_name, row.layer) == (name, layer)
    ]
    assert (row.value, row.limit) == (value, limit)
    assert fix in row.fix
    assert f"limit {limit}" in str(row)
    relaxed = {key: bound + 200 for key, bound in limits.items()}
    wide = board(**relaxed) if name != "decay_bits" else board(decay_bits=None)
    assert name not in {row.limit_name for row in found(made, wide)}


def test_all_violations_at_once() -> None:
    target = board(
        cores_per_chip=1, graded_payload_bits=0, weight_bits=4, state_bits=16, decay_bits=8,
        threshold_bits=8, bias_bits=4, delay_bits=2, fan_in=5, fan_out=3, input_axons_per_core=5,
    )  # fmt: skip
    rows = found(network(message_bits=3, delay=9, bias=1001), target)
    assert {row.limit_name for row in rows if row.layer == "in"} == {
        "weight_bits", "state_bits", "decay_bits", "threshold_bits", "bias_bits", "delay_bits",
        "fan_in", "fan_out", "input_axons_per_core",
    }  # fmt: skip
    assert {row.limit_name for row in rows if row.layer is None} == {"graded_payload_bits", "cores"}
    assert all(row.fix for row in rows)


def test_an_unknown_limit_is_not_checked() -> None:
    assert found(network(message_bits=6, delay=40), board()) == []


def test_adaptive_neurons_have_no_place_on_loihi_1() -> None:
    ones = {p.name: np.array(max(1, p.low)) for p in AdaptiveLIF.PARAMETERS[:5]}
    made = Network(
        (Layer("a", Synapses(np.full((2, 2), 4)), AdaptiveLIF(2, **ones)),),
        Readout("spike_count"),
    )
    (row,) = found(made, read_boards().find("loihi1"))
    assert (row.limit_name, row.value, row.limit) == ("neuron_model", "SRNN_ALIF", "CUBA")
    assert "microcode" in row.fix
    assert found(made, read_boards().find("loihi2")) == []


def test_a_readout_that_never_spikes_is_stored_with_the_largest_threshold() -> None:
    never = network(v_threshold=(1 << 18) - 1)
    assert found(never, board(threshold_bits=17)) == []


def test_too_many_cores_name_the_clustering_that_helps() -> None:
    made = network()
    neuron = replace(made.layers[0].neuron, v_threshold=np.array([300, 301, 302, 303]))  # type: ignore[call-arg]
    layers = (replace(made.layers[0], neuron=neuron), made.layers[1])
    target = board(cores_per_chip=3, threshold_profiles_per_core=1)
    (row,) = found(replace(made, layers=layers), target)
    assert (row.limit_name, row.value, row.limit) == ("cores", 5, 3)
    assert "layer in takes 4 cores, 1 with clustered time constants (--cluster 1)" in row.fix


@given(st.lists(st.integers(-(1 << 22), 1 << 22), min_size=1, max_size=20))
def test_mantissas_by_trying(values: list[int]) -> None:
    def bits(value: int) -> int:
        return next(
            b
            for b in range(1, 40)
            if any(
                value % (1 << e) == 0 and -(1 << (b - 1)) <= value >> e < 1 << (b - 1)
                for e in range(8)
            )
        )

    assert mantissa_bits(np.array(values)).tolist() == [bits(value) for value in values]


@given(
    st.lists(st.integers(-64, 63), min_size=1, max_size=12),
    st.integers(0, 1),
    st.sampled_from([-1, 0, 1]),
    st.integers(-8, 7),
)
def test_widths_by_trying(values: list[int], lift: int, sign: int, exponent: int) -> None:
    weights = np.array([values]) * 2 << lift
    if sign:
        weights = sign * np.abs(weights)
    synapses = Synapses(np.clip(weights, -254, 254), exponent)
    mixed = weights.min() < 0 < weights.max()

    def holds(width: int) -> bool:
        """Whether some exponent makes every weight a mantissa of that width."""
        low, high = (
            (-(1 << (width - 1)), (1 << (width - 1)) - 1) if mixed else (0, (1 << width) - 1)
        )
        for stored in range(-8, 8):
            unit = 2.0 ** (8 - width + mixed + stored)
            mantissa = np.abs(synapses.weight) if not mixed else synapses.weight
            mantissa = mantissa * 2.0**exponent / unit
            if (
                (mantissa == np.round(mantissa)).all()
                and low <= mantissa.min()
                and (mantissa.max() <= high)
            ):
                return True
        return False

    widths = tuple(range(1, 9))
    wanted = next((width for width in widths if holds(width)), None)
    assert stored_weight_bits(synapses, widths) == wanted
    if wanted is not None:
        assert weight_bits(synapses) <= wanted


def test_counts_in_blocks_are_those_of_the_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("srnn.deploy.connectivity.BLOCK", 40)
    rng = np.random.default_rng(0)
    weight = np.where(rng.random((50, 17)) < 0.3, 2 * rng.integers(1, 90, (50, 17)), 0)
    counted = connectivity(Synapses(weight))
    assert counted.fan_in.tolist() == (weight != 0).sum(axis=1).tolist()
    assert counted.fan_out.tolist() == (weight != 0).sum(axis=0).tolist()
    for rows in (np.arange(3, 40), np.array([4, 1, 30, 31]), np.array([7])):
        assert counted.targets(rows).tolist() == (weight[rows] != 0).sum(axis=0).tolist()
