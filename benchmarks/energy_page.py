"""The text of ``docs/ENERGY.md`` from what ``energy.py`` ran and timed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from energy_times import Timed
from result_tables import markdown
from srnn.export import Network
from srnn.simulate.activity import Activity
from srnn.simulate.cli_energy import joules
from srnn.simulate.energy import EnergyModels, Range, read_energy_models
from srnn.simulate.estimates import (
    COUNTED,
    FORMULA,
    EnergyReport,
    Option,
    compare_energy,
    network_options,
)
from srnn.simulate.latency import ConfidentExit, DecisionLatency, EarlyExitCurve
from srnn.simulate.operations import (
    FormulaLayer,
    Operations,
    formula_of,
    formula_operations,
    same_shape,
)
from srnn.simulate.pilot import Pilot, PilotOption, pilot_report

PAPER = "cmos-45nm"
KINDS = ("lstm", "gru", "rnn")

PUBLISHED_S_MNIST = (
    FormulaLayer("alif", 8, 64, True, rate=0.1218),
    FormulaLayer("alif", 64, 256, True, input_rate=0.1218, rate=0.0736),
    FormulaLayer("alif", 256, 256, input_rate=0.0736, rate=0.0415),
    FormulaLayer("alif", 256, 10, input_rate=0.0415, rate=0.3188),
)
"""The published S-MNIST network, 8-64r-256r-256-10, at the firing rates of its checkpoint on the
10 000 test images; 8 analog inputs."""
S_MNIST_STEPS = 784

EXAMPLE = Pilot(
    inferences_per_day=17_280, sensors=100, electricity_price=0.30, battery_watt_hours=10.0
)
"""The pilot of the page: an inference every 5 seconds, a battery of three AA cells."""

HEAD = """\
# Energy and time

Written by `python benchmarks/energy.py` on {processor}, commit {commit}, {date}.

Three kinds of numbers, never in one column:

- **estimated**: operations times the constants of a named model (`simulate/energy.toml`).
  Operations are *counted* in a run, or follow by *formula* from sizes and firing rates.
- **measured here**: wall time, and energy where this machine allows reading it.
- **measured by others**: whole systems, on other tasks.

An estimate is as good as its constants and leaves out what its model leaves out, which for a small
network is most of what a real system draws: idle power, memory, the host. Read ratios within one
model, and no absolute number without its model. `srnn-simulate model.net --energy` prints the same
tables for any network, `--energy-models FILE` adds models of your own, `--pilot FILE` what an
installation would need.
"""


@dataclass(frozen=True, eq=False)
class Ran:
    """A network on its test data: counts, accuracy, and how soon it answered correctly."""

    name: str
    network: Network
    activity: Activity
    accuracy: float
    samples: int
    latency: DecisionLatency | None = None
    curve: EarlyExitCurve | None = None
    exits: tuple[ConfidentExit, ...] = ()


@dataclass(frozen=True, eq=False)
class Measured:
    """The contents of the page; ``missing``: why energy counters could not be read, by kind."""

    machine: Mapping[str, str]
    networks: tuple[Ran, ...]
    times: tuple[Timed, ...]
    missing: Mapping[str, str]
    records: Mapping[tuple[str, int], Any]


def page(measured: Measured) -> str:
    """Write the page."""
    models, about = read_energy_models(), measured.machine
    parts = [
        HEAD.format(processor=about["processor"], commit=about["commit"], date=about["date"][:10]),
        models_part(models),
        ratio_part(measured, models),
        *(network_part(ran, models) for ran in measured.networks),
        baselines_part(measured, models),
        times_part(measured),
        *(latency_part(ran, models) for ran in measured.networks),
        pilot_part(measured.networks[-1], models),
        references_part(models),
    ]
    return "\n".join(parts)


def models_part(models: EnergyModels) -> str:
    """Write what the models count, with every constant and its source."""
    lines = ["## The models\n"]
    for model in models.models.values():
        lines.append(
            f"**{model.name}**: {model.title} ({model.technology}). Includes {model.includes}. "
            f"Leaves out {model.excludes}.\n"
        )
        rows = [
            [
                kind,
                joules(cost.value),
                _span(cost.range),
                cost.source,
                "yes" if cost.verified else "no",
            ]
            for kind, cost in model.joules.items()
        ]
        lines.append(markdown(("operation", "energy", "range", "source", "verified"), rows))
    lines.append(
        "Not verified: the number was taken from the secondary source named, or is an assumption "
        "as stated; "
        "primary source not checked.\n"
    )
    return "\n".join(lines)


def ratio_part(measured: Measured, models: EnergyModels) -> str:
    """Reproduce the papers' ratio, and explain what it consists of."""
    published = measured.networks[0]
    hidden, output = formula_of(published.activity)
    cases = [
        ("S-MNIST, published network", PUBLISHED_S_MNIST, S_MNIST_STEPS, 0.981),
        ("ECG, published network", (hidden, output), 1300, published.accuracy),
        (
            "ECG, all neurons charged as ALIF",
            (_charged(hidden, "alif"), output),
            1300,
            published.accuracy,
        ),
    ]
    rows, makeup = [], []
    model = models.find(PAPER)
    for title, layers, steps, accuracy in cases:
        operations = formula_operations(layers)
        own = model.joules_of(operations).value
        times = [
            f"{model.joules_of(formula_operations(same_shape(layers, kind))).value / own:.1f}"
            for kind in KINDS
        ]
        rows.append([title, joules(own), joules(own * steps), f"{100 * accuracy:.1f} %", *times])
        found = model.parts(operations)
        makeup.append([title, *(f"{100 * found[kind].value / own:.0f} %" for kind in found)])
    smnist = formula_operations(PUBLISHED_S_MNIST)
    dense = formula_operations(same_shape(PUBLISHED_S_MNIST, "lstm"))
    ops = dense.synaptic_macs / (smnist.synaptic_acs + smnist.synaptic_macs)
    rates = ", ".join(f"{layer.rate:.3f}" for layer in (hidden, output))
    columns = (
        "network",
        "per step",
        "per inference",
        "accuracy",
        *(f"x {k.upper()}" for k in KINDS),
    )
    return (
        "## The papers' ratio\n\n"
        "Yin, Corradi and Bohte claim energy advantages of over 100 times (2020) and of one to "
        "three orders of magnitude (2021) over classical recurrent networks, for arithmetic in 45 "
        f"nm CMOS. With their formulas, model `{PAPER}`, estimated; the last columns give "
        "the energy of a dense network of the same shape as a multiple:\n\n"
        + markdown(columns, rows)
        + "\nFiring rates of ECG are measured here, with the published weights as integers on "
        f"{published.samples} test sequences: {rates} (hidden, output); inputs "
        f"{published.activity.input_rate or 0:.3f}. Its hidden neurons do not adapt, so the "
        "formula for LIF applies; charged as ALIF it costs half as much again. Those of S-MNIST "
        "are from an earlier measurement of the published checkpoint, which is not available "
        "here.\n\n"
        "Composition of the energy of the spiking network:\n\n"
        + markdown(("network", *model.joules), makeup)
        + "\nWhere the ratio comes from, for S-MNIST and the LSTM: "
        f"{4.6 / 0.9:.1f} times because an addition replaces a multiply-accumulate; "
        f"{ops:.0f} times because there are fewer operations: 4 times by the LSTM's gates, "
        "the rest by sparsity: neurons fire at 4 to 12 % of the steps. Products of neuron states, "
        "which cost energy at every step whether a neuron fires or not, reduce the gain. The "
        "ratio holds for this accounting: it charges no weight fetch, and a chip's constants give "
        "another one (below). So one to nearly two orders of magnitude are reproduced; over 100 "
        "times is not, for any network here.\n"
    )


def _charged(layer: FormulaLayer, kind: str) -> FormulaLayer:
    return FormulaLayer(
        kind, layer.inputs, layer.size, layer.recurrent, False, layer.input_rate, layer.rate
    )


def network_part(ran: Ran, models: EnergyModels) -> str:
    """Write a network's counts and estimates next to dense networks of its shape."""
    report = compare_energy(
        network_options(ran.network, ran.activity, accuracy=ran.accuracy), models
    )
    step = ran.activity.per_step()
    counts = ", ".join(f"{name} {value:,.1f}" for name, value in step.items())
    return (
        f"## {ran.name} and dense networks of its shape\n\n"
        f"{ran.samples} test samples, accuracy {100 * ran.accuracy:.2f} %. Counted per step: "
        f"{counts}; Activation Sparsity {ran.activity.activation_sparsity:.3f}. Estimated:\n\n"
        + estimates_table(report)
        + "\n`per correct answer`: energy of all answers divided by the correct ones"
        + (", with one answer per step.\n" if ran.network.readout.per_step else ".\n")
    )


def estimates_table(report: EnergyReport) -> str:
    """Write a row for every estimate."""
    rows = []
    for one in report.estimates:
        correct, times = one.per_correct_answer, report.ratio(one.model.name, one.option.name)
        accuracy = one.option.accuracy
        rows.append(
            [
                one.model.name,
                one.option.name,
                one.option.basis,
                "" if accuracy is None else f"{100 * accuracy:.1f} %",
                joules(one.per_step.value),
                joules(one.per_inference.value),
                _span(one.per_inference),
                "" if correct is None else joules(correct.value),
                "" if times is None else f"{times:.3g}",
            ]
        )
    columns = (
        "model", "network", "operations", "accuracy", "per step", "per inference", "range",
        "per correct answer", "times the first",
    )  # fmt: skip
    return markdown(columns, rows)


def baselines_part(measured: Measured, models: EnergyModels) -> str:
    """Write recorded networks next to trained baselines, by their recorded accuracies."""
    parts = [
        "## Trained baselines\n\n"
        "The short comparisons of [RESULTS.md](RESULTS.md): the same task, hidden size, loop and "
        "number of epochs, one seed. The spiking network from its recorded counts, the dense "
        "ones by formula. Estimated.\n"
    ]
    for task in ("ecg", "digits"):
        options = recorded_options(measured.records, task)
        if options:
            parts.append(estimates_table(compare_energy(options, models)))
    return "\n".join(parts)


def recorded_options(records: Mapping[tuple[str, int], Any], task: str) -> list[Option]:
    """Return the recorded spiking network of a task and its baselines, the spiking one first."""
    spiking = records.get((f"base-{task}-spikes", 0))
    if spiking is None:
        return []
    test = spiking["integers"]["test"]
    steps = test["steps_a_sample"]
    answers = steps if "accuracy_labelled" in test else 1.0
    inputs, hidden, outputs = (int(part.rstrip("r")) for part in spiking["network"].split("-"))
    step = test["per_step"]
    operations = Operations(
        synaptic_acs=step["Effective_ACs"],
        synaptic_macs=step["Effective_MACs"],
        dense_operations=step["Dense"],
        neuron_acs=2 * step["spikes"],
        neuron_macs=3 * hidden + outputs,
        neuron_updates=step["neuron_updates"],
        adaptation_updates=hidden,
        # A spike reaches its own layer and the readout; messages from the host are not recorded.
        messages=2 * step["spikes"],
    )
    name = f"SRNN {spiking['network']}, {task}"
    found = [Option(name, operations, COUNTED, steps, answers, test["accuracy"])]
    for kind in KINDS:
        record = records.get((f"base-{task}-{kind}", 0))
        if record is None:
            continue
        layers = (
            FormulaLayer(kind, inputs, hidden, True),
            FormulaLayer("linear", hidden, outputs),
        )
        found.append(
            Option(
                f"{kind.upper()} {record['network']}, {task}",
                formula_operations(layers),
                FORMULA,
                steps,
                answers,
                record["trained"]["test"]["accuracy"],
                spiking=False,
            )
        )
    return found


def times_part(measured: Measured) -> str:
    """Write what was measured on this machine."""
    meters = sorted({name for row in measured.times for name in row.joules})
    rows = [
        [
            row.name,
            row.mode,
            f"{1e6 * row.seconds:.3g}",
            *(joules(row.joules[name]) if name in row.joules else "" for name in meters),
        ]
        for row in measured.times
    ]
    columns = ("network", "mode", "us per step", *(f"{name}, per step" for name in meters))
    why = "".join(f" {kind}: {reason}." for kind, reason in measured.missing.items())
    said = f"What could not be read:{why}" if why else ""
    if not meters:
        said = f"**Energy could not be read on this machine**, so there are no joules here.{why}"
    return (
        "## Measured here: time on a processor\n\n"
        f"{measured.machine['processor']}, one thread, load {measured.machine['load']}. The "
        "network of `zoo/ecg` (4-128r-6) on ECG test data, and dense networks of the same sizes "
        "with random weights, whose time does not depend on them. Medians per step of one sample. "
        "*Step by step*: one call per step, with the state carried over.\n\n"
        + markdown(columns, rows)
        + f"\n{said}\n"
    )


def latency_part(ran: Ran, models: EnergyModels) -> str:
    """Write how soon a network answers correctly."""
    if ran.latency is not None:
        names = ran.network.readout.classes
        rows = []
        for label, one in ((None, ran.latency), *ran.latency.by_label().items()):
            spread = one.steps
            shown = "all" if label is None else names[label] if names else str(label)
            found = ["", ""] if spread is None else [
                f"{spread.median:.0f}", f"{spread.percentile_95:.0f}"
            ]  # fmt: skip
            rows.append([shown, str(one.changes), str(one.missed), *found])
        return (
            f"## Decision latency: {ran.name}\n\n"
            "Steps from a change of the label to the first correct answer that lasts "
            f"{ran.latency.hold} steps; missed where none came before the next change.\n\n"
            + markdown(("new label", "changes", "missed", "median", "95th percentile"), rows)
        )
    assert ran.curve is not None
    report = compare_energy(network_options(ran.network, ran.activity), models)
    step = report.find(PAPER, report.options[0].name).per_step
    points = ran.curve.steps[[*range(7, len(ran.curve.steps), 8)]] - ran.curve.steps[0]
    curve = [[str(ran.curve.steps[i]), f"{100 * ran.curve.accuracy[i]:.1f} %"] for i in points]
    exits = [
        [
            f"{one.confidence:.2f}",
            f"{100 * one.accuracy:.1f} %",
            f"{one.mean_steps:.1f}",
            joules(one.joules(step).value),
        ]
        for one in ran.exits
    ]
    return (
        f"## Early exit: {ran.name}\n\n"
        + markdown(("steps seen", "accuracy"), curve)
        + f"\nStopping as soon as the mean softmax of the best class is high enough; energy until "
        f"then estimated by `{PAPER}`, at the mean energy per step:\n\n"
        + markdown(("confidence", "accuracy", "mean steps", "energy until the answer"), exits)
    )


def pilot_part(ran: Ran, models: EnergyModels) -> str:
    """Write an example of a pilot."""
    energy = compare_energy(
        network_options(ran.network, ran.activity, accuracy=ran.accuracy), models
    )
    rows = [_pilot_row(one) for one in pilot_report(EXAMPLE, energy).of_kind("estimated")]
    assert EXAMPLE.battery_watt_hours is not None
    return (
        f"## A pilot, estimated: {ran.name}\n\n"
        f"{EXAMPLE.sensors} sensors, {EXAMPLE.inferences_per_day:,.0f} inferences per day each, "
        f"{EXAMPLE.electricity_price:.2f} {EXAMPLE.currency} per kWh, a battery of "
        f"{EXAMPLE.battery_watt_hours:.0f} Wh each. Idle power is not part of it, since no source "
        "here gives it; on a real machine it determines the battery life (`[idle_watts]` in the "
        "pilot's file adds it).\n\n"
        + markdown(
            (
                "model",
                "network",
                "mean power per sensor",
                "battery, days",
                "kWh per year, all sensors",
            ),
            rows,
        )
    )


def _pilot_row(option: PilotOption) -> list[str]:
    watts = option.mean_watts
    spread = "" if watts.low == watts.high else (
        f" ({joules(watts.low, 'W')} to {joules(watts.high, 'W')})"
    )  # fmt: skip
    assert option.battery_days is not None
    return [
        option.model,
        option.name,
        joules(watts.value, "W") + spread,
        f"{option.battery_days.value:,.3g}",
        f"{option.kilowatt_hours_per_year.value:.3g}",
    ]


def references_part(models: EnergyModels) -> str:
    """Write what others measured."""
    rows = [
        [
            one.title,
            joules(one.joules_per_inference),
            _span(one.range),
            one.task,
            one.conditions,
            one.source,
            "yes" if one.verified else "no",
        ]
        for one in models.references
    ]
    columns = ("system", "per inference", "range", "task", "conditions", "source", "verified")
    return "## Measured by others\n\n" + markdown(columns, rows)


def _span(found: Range) -> str:
    if found.low == found.high:
        return ""
    return f"{joules(found.low)} to {joules(found.high)}"
