"""The summary: the basis for a decision, in a sentence and a few numbers."""

from __future__ import annotations

from ..estimates import EnergyReport
from ..measures import measure_network
from ..pilot import ESTIMATED, PilotOption, PilotReport
from .document import Fact, Facts, Item, Section, Text
from .energy import CHIP, LSTM, PAPER, find, latency_of
from .evidence import Evidence
from .values import shown


def summary(
    evidence: Evidence, energy: EnergyReport | None, pilot: PilotReport | None = None
) -> Section:
    """Return the key figures."""
    facts = [
        *_accuracy_facts(evidence),
        *([] if energy is None else _energy_facts(energy)),
        *([] if pilot is None else _pilot_facts(pilot)),
        *_latency_facts(evidence),
        *_operation_facts(evidence),
    ]
    items: list[Item] = [
        Text("verdict", " ".join(_sentences(evidence, energy)), "lead"),
        Facts("facts", "Key figures", tuple(facts)),
    ]
    if evidence.different:
        text = f"{evidence.different:,} outputs differ from those in the file."
        items.append(Text("summary-wrong", text, "warning"))
    return Section("summary", "Summary", tuple(items))


def _sentences(evidence: Evidence, energy: EnergyReport | None) -> list[str]:
    said = []
    what = "steps" if evidence.network.readout.per_step else "samples"
    accuracy = evidence.metrics.get("accuracy")
    if accuracy is not None:
        said.append(f"The network is correct for {accuracy:.1%} of the {what}.")
    else:
        said.append("The data has no labels, so no accuracy can be given.")
    if energy is None:
        return said
    own = find(energy, CHIP)
    if own is not None:
        joules = own.per_inference
        said.append(
            f"An inference of {own.option.steps:,.0f} steps costs an estimated "
            f"{shown(joules.value, 'si', 'J')} (range {shown(joules.low, 'si', 'J')} to "
            f"{shown(joules.high, 'si', 'J')}) by the energy model {CHIP}; what it leaves out "
            "is in the section Energy."
        )
    times = _times_lstm(energy)
    if times is not None:
        said.append(
            f"An LSTM of the same shape would cost {times:.3g} times as much by the paper's own "
            f"accounting ({PAPER}, estimated)."
        )
    latency = latency_of(evidence)
    if latency is not None and latency.steps is not None:
        share = 1 - latency.missed / latency.changes
        said.append(
            f"{share:.0%} of the changes of label are recognised, half of them within "
            f"{_time(latency.steps.median, evidence.network.dt)}."
        )
    return said


def _time(steps: float, dt: float | None) -> str:
    text = f"{steps:g} step{'' if steps == 1 else 's'}"
    return text if dt is None else f"{text} ({shown(steps * dt, 'si', 's')})"


def _times_lstm(energy: EnergyReport) -> float | None:
    found = find(energy, PAPER, LSTM)
    return None if found is None else energy.ratio(PAPER, found.option.name)


def _accuracy_facts(evidence: Evidence) -> list[Fact]:
    spread = {
        name: f", ± {100 * error:.1f} points (standard error)"
        for name, error in evidence.errors.items()
    }
    names = {"accuracy": "Accuracy", "accuracy_labelled": "Accuracy, labelled steps"}
    return [
        Fact(
            names.get(name, name.replace("_", " ")),
            value,
            format="percent",
            note=shown(evidence.data.count, "integer", "samples") + spread.get(name, ""),
        )
        for name, value in evidence.metrics.items()
    ]


def _energy_facts(energy: EnergyReport) -> list[Fact]:
    facts = []
    own = find(energy, CHIP)
    if own is not None:
        joules = own.per_inference
        facts.append(
            Fact(
                "Energy per inference",
                joules.value,
                "J",
                "si",
                f"{own.model.title}; {shown(joules.low, 'si', 'J')} to "
                f"{shown(joules.high, 'si', 'J')}",
                estimated=True,
            )
        )
        correct = own.per_correct_answer
        if correct is not None:
            note = f"{own.model.name}; energy of all answers divided by the correct ones"
            facts.append(
                Fact("Energy per correct answer", correct.value, "J", "si", note, estimated=True)
            )
    times = _times_lstm(energy)
    if times is not None:
        facts.append(
            Fact(
                "LSTM of the same shape",
                times,
                "times",
                "number",
                f"the energy of this network, by {PAPER} (the paper's accounting)",
                estimated=True,
            )
        )
    return facts


def _pilot_facts(report: PilotReport) -> list[Fact]:
    own = _own(report)
    if own is None:
        return []
    note = f"{own.model}; " + ("idle power included" if own.idle_included else "no idle power")
    facts = [Fact("Mean power per sensor", own.mean_watts.value, "W", "si", note, estimated=True)]
    if own.battery_days is not None:
        facts.append(
            Fact("Battery life", own.battery_days.value, "days", "number", note, estimated=True)
        )
    facts.append(
        Fact(
            "Electricity per year",
            own.cost_per_year.value,
            report.pilot.currency,
            "number",
            f"all {report.pilot.sensors:,} sensors; {note}",
            estimated=True,
        )
    )
    return facts


def _own(report: PilotReport) -> PilotOption | None:
    options = [one for one in report.of_kind(ESTIMATED) if one.model == CHIP]
    return options[0] if options else None


def _latency_facts(evidence: Evidence) -> list[Fact]:
    latency = latency_of(evidence)
    if latency is None or latency.steps is None:
        return []
    dt = evidence.network.dt
    return [
        Fact(
            "Decision latency, median",
            latency.steps.median if dt is None else latency.steps.median * dt,
            "steps" if dt is None else "s",
            "number" if dt is None else "si",
            f"95 % within {_time(latency.steps.percentile_95, dt)}; "
            f"{latency.missed / latency.changes:.1%} of {latency.changes:,} changes missed",
        )
    ]


def _operation_facts(evidence: Evidence) -> list[Fact]:
    activity, facts = evidence.activity, []
    step = activity.per_step()
    effective = step["Effective_ACs"] + step["Effective_MACs"]
    if effective:
        facts.append(
            Fact(
                "Operations per step",
                effective,
                format="integer",
                note=f"{step['Dense'] / effective:.1f} times fewer than the {step['Dense']:,.0f} "
                "for every weight at every step",
            )
        )
    measures = measure_network(evidence.network)
    note = f"{measures.parameters:,} parameters in the integer format"
    facts.append(Fact("Footprint", measures.footprint, "B", "si", note))
    return facts
