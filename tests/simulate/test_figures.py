"""The figures: they draw what was measured, and leave matplotlib's settings unchanged."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from paths import ROOT
from report_pages import network_of, samples_of
from srnn.export.config import Init
from srnn.export.errors import InputError
from srnn.export.grid import decay_code
from srnn.neurons.real import TAU_MAX, TAU_MIN
from srnn.simulate import figures, run_with_activity
from srnn.simulate.figures.activity import rate_histogram_series
from srnn.simulate.figures.confusion_matrix import confusion_series
from srnn.simulate.figures.pareto_front import Candidate, front
from srnn.simulate.figures.rasters import input_raster_series, raster_series
from srnn.simulate.figures.state_traces import states_series, telling_neurons
from srnn.simulate.figures.style import si_label, styled
from srnn.simulate.figures.time_constant_bars import (
    expected_counts,
    time_constant,
    time_constants_series,
)
from srnn.simulate.figures.timelines import timeline_series
from srnn.simulate.report.svg import inline_svg

pytestmark = pytest.mark.extra("report")

NETWORK = network_of()
SAMPLES = samples_of(NETWORK)
TRACE, ACTIVITY = run_with_activity(NETWORK, SAMPLES.inputs, SAMPLES.lengths)


def test_states_are_the_real_values_of_the_trace() -> None:
    layer, recorded = NETWORK.layers[0], TRACE.layers[0]
    chosen = telling_neurons(TRACE, 0, 0)
    assert recorded.spikes is not None
    counts = recorded.spikes[0].sum(axis=0)
    assert counts[chosen[0]] == counts.max() > 0
    assert all(counts[neuron] > 0 for neuron in chosen)
    for one, neuron in zip(states_series(NETWORK, TRACE), chosen, strict=True):
        scale = layer.state_scale[neuron]
        v, d = (recorded.states[name][0, :, neuron].astype(np.int64) for name in "vd")
        spikes = recorded.spikes[0, :, neuron]
        threshold = one.array("threshold") / scale
        assert one.array("membrane") == pytest.approx(v * scale, rel=1e-4)
        # The specification's own condition, at every step.
        record = layer.neuron
        exact = record.v_threshold[neuron] + (d >> record.b_exp[neuron])  # type: ignore[attr-defined]
        assert threshold == pytest.approx(exact, rel=1e-4)
        assert np.array_equal(spikes, v > exact)
        assert one.values("spike times") == tuple(np.flatnonzero(spikes).tolist())
        above = one.array("adaptation") / scale
        rest = record.v_threshold[neuron]  # type: ignore[attr-defined]
        assert above == pytest.approx(exact - rest, rel=1e-4)
    (only,) = states_series(NETWORK, TRACE, neurons=[3], steps=(10, 14))
    assert only.values("step") == (10, 11, 12, 13)


def test_rasters_and_timelines_hold_what_ran() -> None:
    (spikes,) = raster_series(TRACE, 0, 2)
    recorded = TRACE.layers[0].spikes
    assert recorded is not None
    again = np.zeros((14, 25), np.uint8)
    for neuron, times in enumerate(spikes.values("spike times")):
        again[list(times), neuron] = 1
    assert np.array_equal(again, recorded[2, :14])
    (events,) = input_raster_series(SAMPLES.inputs[0])
    again = np.zeros(SAMPLES.inputs[0].shape, np.int32)
    again[list(events.values("step")), list(events.values("channel"))] = events.values("value")
    assert np.array_equal(again, SAMPLES.inputs[0])
    answers, labels = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, 0])
    valid = np.array([True, True, True, True, False])
    made = {
        s.name: s for s in timeline_series(np.zeros((5, 1), int), answers, labels, "abc", valid)
    }
    assert made["answer"].values("first step") == (0, 2, 4)
    assert made["answer"].values("last step") == (1, 3, 4)
    assert made["label"].values("class") == (0, 1)
    assert made["label"].values("last step") == (0, 3)
    assert made["wrong answers"].values("step") == (1,)


def test_histograms_count_every_neuron() -> None:
    rates, mean = rate_histogram_series(ACTIVITY, 0)
    assert sum(rates.values("neurons")) == 25
    assert mean.values("firing rate")[0] == pytest.approx(ACTIVITY.layers[0].firing_rate, rel=1e-5)
    (shares,) = confusion_series([[3, 1], [0, 0]], ["a", "b"])
    assert shares.values("share of the label") == ((0.75, 0.25), (0.0, 0.0))
    codes = np.array([1, 40, 900, 4096])
    (learned,) = time_constants_series(time_constant(codes))
    assert sum(learned.values("neurons")) == 4


@settings(max_examples=50)
@given(st.floats(TAU_MIN, 2000.0))
def test_time_constants_come_back_from_their_codes(tau: float) -> None:
    code = decay_code(np.exp(-1.0 / tau))
    low, high = time_constant(code + 0.5), time_constant(np.maximum(code - 0.5, 0.1))
    assert low * (1 - 1e-9) <= tau <= high * (1 + 1e-9)


INITS = [
    Init("constant", mean=20.0),
    Init("normal", mean=20.0, std=5.0),
    Init("normal", mean=1.0, std=5.0),
    Init("normal", mean=7.0, std=0.0),
    Init("uniform", low=3.0, high=30.0),
    Init("log_uniform", low=3.0, high=200.0),
    Init("log_uniform", low=5.0, high=5.0),
    Init("log_uniform", low=1.0, high=1e6),
]


@pytest.mark.parametrize(
    "initial", INITS, ids=lambda init: f"{init.kind}-{init.mean:g}-{init.high:g}"
)
def test_initial_counts_are_those_of_many_draws(initial: Init) -> None:
    rng, draws = np.random.default_rng(5), 200_000
    drawn = {
        "constant": lambda: np.full(draws, initial.mean),
        "normal": lambda: rng.normal(initial.mean, initial.std, draws),
        "uniform": lambda: rng.uniform(initial.low, initial.high, draws),
        "log_uniform": lambda: np.exp(
            rng.uniform(np.log(initial.low), np.log(initial.high), draws)
        ),
    }[initial.kind]()
    edges = np.geomspace(TAU_MIN / 1.05, TAU_MAX * 1.05, 30)
    counts = np.histogram(np.clip(drawn, TAU_MIN, TAU_MAX), edges)[0] / draws
    expected = expected_counts(initial, edges, 1)
    assert expected.sum() == pytest.approx(1.0)
    assert expected == pytest.approx(counts, abs=0.006)


def test_the_front_holds_who_nobody_beats() -> None:
    made = [
        Candidate("dear", 0.9, 9.0),
        Candidate("best", 0.95, 5.0),
        Candidate("cheap", 0.5, 1.0),
        Candidate("same", 0.5, 1.0),
        Candidate("worse", 0.4, 2.0),
    ]
    assert [made[index].name for index in front(made)] == ["cheap", "best"]
    with pytest.raises(InputError, match="outside"):
        Candidate("none", 1.2, 1.0)


def test_drawing_leaves_no_trace_and_gives_equal_bytes() -> None:
    before = dict(mpl.rcParams)
    texts = []
    for _ in range(2):
        figure = figures.raster(TRACE, 0, 0)
        assert isinstance(figure, Figure)
        texts.append(inline_svg(figure, "a", 'x "<&'))
    assert texts[0] == texts[1]
    assert 'aria-label="x &quot;&lt;&amp;"' in texts[0]
    assert "<text" in texts[0]
    assert "var(--ink)" in texts[0]
    assert "#1c2127" not in texts[0]
    assert dict(mpl.rcParams) == before


def test_names_are_no_formulas() -> None:
    buffer = io.StringIO()
    with styled():
        figures.confusion(np.eye(2, dtype=int), ["$\\bad{", "a\x00b"]).savefig(buffer, format="svg")
    assert "$\\bad{" in buffer.getvalue()
    assert "\x00" not in buffer.getvalue()


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: figures.raster(TRACE, 7, 0), "layers"),
        (lambda: figures.raster(TRACE, 1, 0), "does not spike"),
        (lambda: figures.raster(TRACE, 0, 9), "samples"),
        (lambda: figures.states(NETWORK, TRACE, neurons=[99]), "neurons"),
        (lambda: figures.confusion([[1, 2]]), "classes"),
        (lambda: figures.time_constants([]), "none"),
        (lambda: figures.timeline(np.zeros((3, 1)), [0, 1]), "steps"),
        (lambda: figures.pareto([], "J"), "no network"),
        (lambda: figures.rate_histogram(ACTIVITY, 1), "does not spike"),
    ],
)
def test_what_cannot_be_drawn_is_said(call, match: str) -> None:
    with pytest.raises(InputError, match=match):
        call()


def test_prefixes() -> None:
    assert si_label(3.2e-6, "J") == "3.2 µJ"
    assert si_label(1e-3, "J") == "1 mJ"
    assert si_label(2500.0, "J") == "2.5 kJ"


@pytest.mark.slow
def test_the_script_of_the_docs_draws(tmp_path: Path) -> None:
    root = ROOT
    script = root / "docs" / "report_figures.py"
    subprocess.run(
        [sys.executable, str(script), str(root / "zoo" / "digits.net"), str(tmp_path)],
        check=True,
        capture_output=True,
    )
    drawn = {path.stem for path in tmp_path.glob("*.svg")}
    assert {"raster", "states", "energy", "time-constants"} <= drawn
