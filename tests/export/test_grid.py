"""The integer grid against Python's unbounded integers and exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from srnn.export import grid

wide = st.integers(-(2**62), 2**62)
HALF, FULL = 1 << 23, 1 << 24


@given(wide, st.integers(0, 40))
@example(-1, 12)
@example(-4096, 12)
@example(4095, 12)
def test_rtz_truncates_toward_zero(x, bits):
    expected = int(Fraction(x, 1 << bits))
    assert int(grid.rtz(np.int64(x), bits)) == expected
    assert int(grid.rtz(np.array([x]), bits)[0]) == expected


@given(wide)
@example(HALF)
@example(-HALF)
def test_sat_clips_symmetrically(x):
    assert int(grid.sat(np.int64(x))) == min(max(x, -(2**23 - 1)), 2**23 - 1)


@given(st.integers(-(2**25), 2**25))
@example(HALF)
@example(-HALF)
@example(HALF + 1)
@example(-HALF - 1)
def test_wrap24_wraps_once(x):
    expected = x - FULL if x > HALF else x + FULL if x <= -HALF else x
    assert int(grid.wrap24(np.int64(x))) == expected


def test_wrap24_keeps_its_odd_end():
    # Lava's comparison is not symmetric: +2^23 stays where two's complement would wrap it.
    assert grid.wrap24(np.array([HALF, -HALF])).tolist() == [HALF, HALF]


@given(st.integers(1, 4096))
def test_decay_codes_invert(code):
    factor = grid.decay_factor(code)
    assert Fraction(float(factor)) == 1 - Fraction(code, 4096)
    assert grid.decay_code(factor) == code


@given(st.floats(0.0, 1.0, exclude_max=True))
@example(0.9999999)
@example(1 - 2.5 / 4096)
def test_decay_code_rounds_half_to_even(factor):
    exact = round(4096 * Fraction(1.0 - factor))
    assert int(grid.decay_code(factor)) == min(max(exact, 1), 4096)


@given(st.floats(-(2.0**50), 2.0**50))
@example(0.5)
@example(2.5)
@example(-1.5)
def test_round_int_rounds_half_to_even(x):
    assert int(grid.round_int(x)) == round(Fraction(x))


@given(
    hnp.arrays(np.float64, (3, 4), elements=st.floats(-3, 3)),
    hnp.arrays(np.float64, (3, 1), elements=st.floats(2**-10, 1)),
)
def test_even_weights_are_the_nearest_on_the_grid(weight, unit):
    found = grid.even_weights(weight, unit)
    evens = np.arange(-256, 255, 2)
    for row in range(3):
        for column in range(4):
            ratio = weight[row, column] / unit[row, 0]
            nearest = min(abs(int(even) - ratio) for even in evens)
            assert found[row, column] in evens
            assert abs(found[row, column] - ratio) == pytest.approx(nearest, abs=1e-9)


def test_even_weights_takes_a_unit_per_layer_or_neuron():
    weight = np.array([[0.1, -0.2], [0.1, -0.2]])
    assert grid.even_weights(weight, 0.1 / 10).tolist() == [[10, -20]] * 2
    assert grid.even_weights(weight, [[0.1 / 10], [0.1 / 20]]).tolist() == [[10, -20], [20, -40]]


def loihi_weight(value, sign, bits):
    """One weight as Loihi stores it, in plain Python."""
    mixed = sign == "mixed"
    drop = 8 - bits + mixed
    if sign == "inhibitory":
        return -loihi_weight(-value, "excitatory", bits)
    low, high = (-256, 255) if mixed else (0, 255)
    return min(max(value, low), high) // (1 << drop) * (1 << drop)


@given(
    hnp.arrays(np.int64, (3, 4), elements=st.integers(-400, 400)),
    st.sampled_from([lambda w: w, np.abs, lambda w: -np.abs(w)]),
    st.integers(1, 8),
)
def test_hardware_weights_one_by_one(weight, signed, bits):
    weight = signed(weight)
    sign = "excitatory" if weight.min() >= 0 else "inhibitory" if weight.max() <= 0 else "mixed"
    expected = [[loihi_weight(int(v), sign, bits) for v in row] for row in weight]
    assert grid.hardware_weights(weight, bits).tolist() == expected


@pytest.mark.needs_data("golden")
def test_hardware_weights_of_lava(data_dir):
    recorded = np.load(data_dir / "golden" / "dense.npz")
    for case in range(36):
        weight = recorded[f"dense/{case}/weights"]
        bits = int(recorded[f"dense/{case}/num_weight_bits"])
        expected = recorded[f"dense/{case}/effective_weights"]
        assert np.array_equal(grid.hardware_weights(weight, bits), expected), case
