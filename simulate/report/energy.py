"""The sections on energy, on the cost of a pilot, and on how soon the answer is available."""

from __future__ import annotations

from collections.abc import Sequence

from ..baselines import Baseline
from ..energy import EnergyModels, Range
from ..estimates import EnergyReport, Estimate, energy_report
from ..figures.energy import energy_bars, energy_bars_series
from ..figures.latency import (
    decision_delays,
    decision_delays_series,
    early_exit,
    early_exit_series,
)
from ..latency import (
    DecisionLatency,
    confident_exits,
    decision_latency,
    early_exit_curve,
    running_answers,
)
from ..pilot import ESTIMATED, MEASURED, PilotOption, PilotReport
from .document import Column, Item, Section, Table, Text
from .drawing import drawing
from .evidence import Evidence
from .values import Value, shown

CHIP, PAPER = "loihi1", "cmos-45nm"
"""The models of the summary: the chip of the integer format, and the paper's accounting."""

LSTM = "LSTM"
"""Beginning of the name of the option that the summary compares with."""


def estimate_energy(
    evidence: Evidence,
    models: EnergyModels | None = None,
    baselines: Sequence[Baseline] = (),
) -> EnergyReport | None:
    """Return the estimates for a network and its dense alternatives; None where no step ran."""
    if evidence.activity.steps == 0:
        return None
    accuracy = evidence.metrics.get("accuracy")
    return energy_report(
        evidence.network,
        evidence.activity,
        accuracy=accuracy,
        baselines=baselines,
        models=models,
    )


def find(energy: EnergyReport, model: str, option: str | None = None) -> Estimate | None:
    """Return an estimate of the first option, or of one whose name begins so; None without."""
    for one in energy.estimates:
        name = one.option.name
        if one.model.name == model and name.startswith(option or energy.options[0].name):
            return one
    return None


def energy_section(energy: EnergyReport) -> Section:
    """Return the section on energy: estimates by model, what the models mean, and references."""
    items: list[Item] = [
        Text(
            "energy-estimated",
            "The bars and the table show estimates: counted "
            "operations times published constants. Nothing was measured on a chip. Each model "
            "leaves out different things (memory, leakage, the host): compare within a model, not "
            "between models.",
            "warning",
        )
    ]
    if any(one.per_inference.value > 0 for one in energy.estimates):
        items.append(
            drawing(
                "energy-bars",
                "Estimated energy per inference, by energy model",
                "Bars on a logarithmic scale: the network and dense networks of its shape, one "
                "group per energy model.",
                energy_bars,
                energy_bars_series,
                energy,
                caption="Blue: counted operations of this run. Orange: by the paper's formula, at "
                "the measured firing rates. Logarithmic scale. Whiskers: the uncertainty of "
                "the constants, without what a model excludes.",
                wide=True,
            )
        )
    items += [estimates_table(energy), models_table(energy), constants_table(energy)]
    if energy.references:
        items.append(references_table(energy))
    return Section("energy", "Energy", tuple(items))


def estimates_table(energy: EnergyReport) -> Table:
    """Return joules of every option by every model, and how many times the first option's."""
    rows = []
    for one in energy.estimates:
        correct = one.per_correct_answer
        rows.append(
            (
                one.model.name,
                one.option.name,
                one.option.basis,
                one.option.accuracy,
                one.per_step.value,
                *_values(one.per_inference),
                None if correct is None else correct.value,
                energy.ratio(one.model.name, one.option.name),
            )
        )
    return Table(
        "energy-estimates",
        "Estimates",
        (
            Column("model", "energy model"),
            Column("option", "network"),
            Column("basis", "operations"),
            Column("accuracy", "accuracy", "percent"),
            Column("per-step", "per step", "si", "J"),
            Column("per-inference", "per inference", "si", "J"),
            Column("low", "low", "si", "J"),
            Column("high", "high", "si", "J"),
            Column("per-correct", "per correct", "si", "J"),
            Column("times", "ratio", "number"),
        ),
        tuple(rows),
        "Estimated. Operations: counted in this run, or by the paper's formula from sizes and "
        "firing rates. Per correct (answer): joules of all answers, divided by the correct ones; "
        "only where the accuracy is known. Ratio: to this network's energy. The accuracy of a "
        "trained baseline is what its training recorded on the same split.",
    )


def models_table(energy: EnergyReport) -> Table:
    """Return what each model includes and excludes."""
    return Table(
        "energy-models",
        "Energy models",
        (
            Column("model", "model"),
            Column("title", "title"),
            Column("technology", "technology"),
            Column("includes", "includes"),
            Column("excludes", "excludes"),
            Column("verified", "constants verified"),
        ),
        tuple(
            (one.name, one.title, one.technology, one.includes, one.excludes, one.verified)
            for one in energy.models
        ),
    )


def constants_table(energy: EnergyReport) -> Table:
    """Return every constant with its source."""
    rows = [
        (model.name, kind.replace("_", " "), *_values(cost.range), cost.source, cost.verified)
        for model in energy.models
        for kind, cost in model.joules.items()
    ]
    return Table(
        "energy-constants",
        "Constants of the energy models",
        (
            Column("model", "model"),
            Column("operation", "operation"),
            Column("value", "value", "si", "J"),
            Column("low", "low", "si", "J"),
            Column("high", "high", "si", "J"),
            Column("source", "source"),
            Column("verified", "verified"),
        ),
        tuple(rows),
        "Verified: read in the source itself.",
    )


def references_table(energy: EnergyReport) -> Table:
    """Return what others measured on whole systems."""
    rows = [
        (one.title, *_values(one.range), one.accuracy, one.task, one.conditions, one.source)
        for one in energy.references
    ]
    return Table(
        "energy-references",
        "Measured by others, on other tasks",
        (
            Column("system", "system"),
            Column("per-inference", "per inference", "si", "J"),
            Column("low", "low", "si", "J"),
            Column("high", "high", "si", "J"),
            Column("accuracy", "accuracy", "percent"),
            Column("task", "task"),
            Column("conditions", "conditions"),
            Column("source", "source"),
        ),
        tuple(rows),
        "Measured, with their conditions: reference points for an estimate.",
    )


def pilot_section(report: PilotReport) -> Section:
    """Return what a pilot needs per year by each option, estimates and measurements separately."""
    pilot = report.pilot
    battery = pilot.battery_watt_hours
    text = (
        f"{pilot.sensors:,} sensors, {pilot.inferences_per_day:,.0f} inferences per day each, "
        f"{pilot.hours_per_day:g} hours per day, "
        f"{pilot.electricity_price:g} {pilot.currency} per kWh"
        + ("" if battery is None else f", a battery of {battery:g} Wh each")
        + "."
    )
    items: list[Item] = [Text("pilot-settings", text)]
    for kind, title in (
        (ESTIMATED, "Estimated, by energy model"),
        (MEASURED, "Measured, from the pilot's file"),
    ):
        options = report.of_kind(kind)
        if options:
            items.append(_pilot_table(kind, title, options, pilot.currency))
    return Section("pilot", "Cost of a pilot", tuple(items))


def _pilot_table(kind: str, title: str, options: Sequence[PilotOption], currency: str) -> Table:
    rows = [
        (
            one.name,
            one.model,
            one.accuracy,
            one.joules_per_inference.value,
            *_values(one.mean_watts),
            *((None,) * 3 if one.battery_days is None else _values(one.battery_days)),
            *_values(one.kilowatt_hours_per_year),
            *_values(one.cost_per_year),
            one.idle_included,
        )
        for one in options
    ]
    return Table(
        f"pilot-{kind}",
        title,
        (
            Column("option", "network"),
            Column("model", "energy model" if kind == ESTIMATED else "source"),
            Column("accuracy", "accuracy", "percent"),
            Column("joules", "per inference", "si", "J"),
            *_ranged("watts", "mean power", "si", "W"),
            *_ranged("battery", "battery", "number", "days"),
            *_ranged("energy", "energy per year", "number", "kWh"),
            *_ranged("cost", "cost a year", "number", currency),
            Column("idle", "idle power included"),
        ),
        tuple(rows),
        "Power and battery of one sensor; energy and cost of all of them. "
        + ("Estimated." if kind == ESTIMATED else "The source says who measured."),
    )


def _ranged(name: str, title: str, form: str, unit: str) -> tuple[Column, ...]:
    return (
        Column(name, title, form, unit),
        Column(f"{name}-low", "low", form, unit),
        Column(f"{name}-high", "high", form, unit),
    )


def _values(quantity: Range) -> tuple[float, float, float]:
    return quantity.value, quantity.low, quantity.high


def latency_of(evidence: Evidence) -> DecisionLatency | None:
    """Return the decision latency of answers at every step; None without labels or changes."""
    if not evidence.network.readout.per_step or evidence.scores is None:
        return None
    targets = evidence.data.targets
    assert targets is not None
    found = decision_latency(evidence.predictions, targets, evidence.lengths, evidence.data.valid)
    return found if found.steps is not None else None


def latency_section(evidence: Evidence, energy: EnergyReport | None) -> Section | None:
    """Return how soon the answer is available; None where that is unknown."""
    if evidence.network.readout.per_step:
        latency = latency_of(evidence)
        return None if latency is None else _decision_section(evidence, latency)
    targets = evidence.data.targets
    if evidence.scores is None or targets is None or evidence.lengths.min() < 1:
        return None
    return _exit_section(evidence, energy)


def _decision_section(evidence: Evidence, latency: DecisionLatency) -> Section:
    rows = []
    groups = [("all", latency)]
    groups += [(evidence.classes[label], one) for label, one in latency.by_label().items()]
    for name, one in groups:
        spread = one.steps
        rows.append(
            (
                name,
                one.changes,
                one.missed / one.changes,
                *(
                    (None,) * 3
                    if spread is None
                    else (spread.median, spread.mean, spread.percentile_95)
                ),
            )
        )
    return Section(
        "latency",
        "Decision latency",
        (
            drawing(
                "decision-delays",
                "From a change of label to the correct answer",
                "Share of changes of label that are recognised within a number of steps.",
                decision_delays,
                decision_delays_series,
                latency,
                caption=f"Correct for {latency.hold} steps in a row, or to the end of a shorter "
                "stretch. Step time: "
                + (
                    "not known, the file gives no dt."
                    if evidence.network.dt is None
                    else f"{shown(evidence.network.dt, 'si', 's')}."
                ),
            ),
            Table(
                "decision-latency",
                "By new label",
                (
                    Column("label", "label"),
                    Column("changes", "changes", "integer"),
                    Column("missed", "missed", "percent"),
                    Column("median", "median", "number", "steps"),
                    Column("mean", "mean", "number", "steps"),
                    Column("percentile-95", "95 %", "number", "steps"),
                ),
                tuple(rows),
                "Missed: no correct and stable answer before the next change; they are not in the "
                "delays.",
                half=True,
            ),
        ),
    )


def _exit_section(evidence: Evidence, energy: EnergyReport | None) -> Section:
    targets = evidence.data.targets
    assert targets is not None
    answers = running_answers(evidence.network, evidence.outputs, evidence.lengths)
    curve, exits = early_exit_curve(answers, targets), confident_exits(answers, targets)
    own = None if energy is None else find(energy, CHIP)
    rows: list[tuple[Value, ...]] = [
        (
            one.confidence,
            one.accuracy,
            one.mean_steps,
            one.stopped_early,
            *((None,) * 3 if own is None else _values(one.joules(own.per_step))),
        )
        for one in exits
    ]
    return Section(
        "latency",
        "Early exit",
        (
            drawing(
                "early-exit",
                "Accuracy over the steps seen",
                "Accuracy rises with the number of steps that the network has seen.",
                early_exit,
                early_exit_series,
                curve,
                exits,
                caption="Line: all samples cut off at that step. Dots: every sample stops "
                "when the answer is confident, over the mean number of steps.",
                wide=True,
            ),
            Table(
                "confident-exits",
                "Stopped when confident",
                (
                    Column("confidence", "confidence", "number"),
                    Column("accuracy", "accuracy", "percent"),
                    Column("steps", "mean steps until then", "number", "steps"),
                    Column("early", "stopped early", "percent"),
                    Column("joules", f"energy, {CHIP}", "si", "J"),
                    Column("joules-low", "low", "si", "J"),
                    Column("joules-high", "high", "si", "J"),
                ),
                tuple(rows),
                "Energy until the answer, estimated by the model in the column title.",
            ),
        ),
    )
