"""Networks compared: the paper's ratios from worked numbers, and a run with its baselines."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from paths import ROOT
from simulate_networks import S_MNIST, random_inputs, random_network
from srnn.export.console import plain
from srnn.export.errors import InputError
from srnn.export.network import Readout
from srnn.export.netx import read_net, read_samples
from srnn.simulate.baselines import Baseline
from srnn.simulate.estimates import Option, compare_energy, energy_report
from srnn.simulate.operations import FormulaLayer, formula_of, formula_operations, same_shape
from srnn.simulate.simulator import run_with_activity


def options(layers: tuple[FormulaLayer, ...], steps: int) -> list[Option]:
    own = Option("SRNN", formula_operations(layers), "formula", steps)
    return [
        own,
        *(
            Option(kind, formula_operations(same_shape(layers, kind)), "formula", steps)
            for kind in ("lstm", "gru", "rnn")
        ),
    ]


def ecg(hidden: str) -> tuple[FormulaLayer, ...]:
    return (
        FormulaLayer(hidden, 4, 36, True, input_rate=0.079, rate=0.344),
        FormulaLayer("alif", 36, 6, input_rate=0.344, rate=0.004),
    )


@pytest.mark.parametrize(
    ("layers", "steps", "joules", "times"),
    [
        (S_MNIST, 784, (21.54e-9, 16.9e-6), (90, 33)),
        (ecg("alif"), 1300, (1.080e-9, 1.40e-6), (28, 7.5)),
        (ecg("lif"), 1300, (0.738e-9, 0.96e-6), (41, 11)),
    ],
)
def test_the_papers_ratios(
    layers: tuple[FormulaLayer, ...],
    steps: int,
    joules: tuple[float, float],
    times: tuple[float, float],
) -> None:
    report = compare_energy(options(layers, steps))
    own = report.find("cmos-45nm", "SRNN")
    assert own.per_step.value == pytest.approx(joules[0], rel=1e-3)
    assert own.per_inference.value == pytest.approx(joules[1], rel=5e-3)
    assert report.ratio("cmos-45nm", "lstm") == pytest.approx(times[0], rel=0.01)
    assert report.ratio("cmos-45nm", "rnn") == pytest.approx(times[1], rel=0.01)
    assert own.per_correct_answer is None


def test_synapses_on_loihi_1_by_hand() -> None:
    # 9.60 and 0.69 million synaptic operations at 23.6 pJ.
    for layers, steps, microjoules in ((S_MNIST, 784, 227), (ecg("lif"), 1300, 16.3)):
        found = compare_energy(options(layers, steps)).find("loihi1", "SRNN")
        synapses = found.parts["synaptic_acs"].value * steps
        assert synapses == pytest.approx(microjoules * 1e-6, rel=5e-3)


def test_a_chip_for_events_takes_no_dense_network() -> None:
    network = random_network(3, ["SRNN_ALIF", "SRNN_LI"], [20, 3], 9)
    network = replace(network, readout=Readout("mean_softmax"))
    _, activity = run_with_activity(network, random_inputs(5, network, 3, 25))
    shape = same_shape(formula_of(activity), "gru")
    trained = Baseline("GRU, trained, 9-20-3", shape, 0.75)
    report = energy_report(network, activity, accuracy=0.5, baselines=[trained])
    on_loihi = [e.option.name for e in report.estimates if e.model.name == "loihi1"]
    assert on_loihi == ["SRNN"]
    own, gru = report.find("gpu", "SRNN"), report.find("gpu", trained.name)
    on_plain = [e.option.name for e in report.estimates if e.model.name == "cmos-45nm"]
    assert on_plain[:2] == ["SRNN", "SRNN by formula"]
    assert own.per_correct_answer is not None
    assert own.per_correct_answer.value == pytest.approx(2 * own.per_inference.value)
    assert own.per_inference.value == pytest.approx(25 * own.per_step.value)
    assert gru.option.accuracy == 0.75
    assert report.find("gpu", "LSTM, same shape").per_correct_answer is None
    with pytest.raises(KeyError):
        report.find("loihi1", trained.name)
    with pytest.raises(KeyError):
        # The trained one has this shape: it replaces the formula without an accuracy.
        report.find("gpu", "GRU, same shape")
    written = plain(report.as_dict())
    assert json.loads(json.dumps(written)) == written
    assert all(row["model"] and row["kind"] == "estimated" for row in written["estimates"])
    assert written["measured_references"]


def test_options_that_are_none() -> None:
    operations = formula_operations(S_MNIST)
    with pytest.raises(InputError, match="accuracy 85"):
        Option("x", operations, "formula", 1, accuracy=85)
    with pytest.raises(InputError, match="0 steps"):
        Option("x", operations, "formula", 0)
    with pytest.raises(InputError, match="none to compare"):
        compare_energy([])


def test_the_ecg_network_of_the_zoo_is_an_order_below_its_lstm() -> None:
    network, samples = read_net(ROOT / "zoo/ecg.net"), read_samples(ROOT / "zoo/ecg.net")
    assert samples is not None
    _, activity = run_with_activity(network, samples.inputs, samples.lengths)
    report = energy_report(network, activity, accuracy=0.868)
    assert 20 < report.ratio("cmos-45nm", "LSTM, same shape") < 200
    own = report.find("cmos-45nm", "SRNN")
    # A label per step: an answer is a step.
    assert own.per_answer.value == pytest.approx(own.per_step.value)
    by_formula = report.find("cmos-45nm", "SRNN by formula")
    assert own.per_step.value == pytest.approx(by_formula.per_step.value, rel=0.05)
