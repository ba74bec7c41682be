"""What ``srnn-simulate --energy`` and ``--pilot`` print and return."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..export.checkpoint import read_model
from ..export.console import Output
from ..export.errors import InputError
from ..export.network import Network
from ..export.terminal import put
from ..export.trace import Trace
from .activity import Activity
from .baselines import read_baselines
from .energy import Range, read_energy_models
from .estimates import EnergyReport, energy_report
from .latency import (
    RunningAnswers,
    confident_exits,
    decision_latency,
    early_exit_curve,
    running_answers,
)
from .measures import measure_network
from .pilot import (
    MEASURED,
    PilotOption,
    PilotReport,
    check_idle_models,
    pilot_report,
    read_pilot,
)
from .pilot_example import example_text

UNITS = ((1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"), (1e-12, "p"))
"""Prefixes of units, the largest first."""

CURVE_POINTS = 10
"""Points of an early-exit curve that are printed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--energy``, ``--energy-models``, ``--baseline`` and ``--pilot``."""
    group = parser.add_argument_group("energy (estimated from what the run counted)")
    group.add_argument(
        "--energy",
        action="store_true",
        help="estimate energy by every model, next to LSTM, GRU and RNN of the same shape; print "
        "how soon the network answers correctly",
    )
    group.add_argument(
        "--energy-models",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="TOML file with your own energy models, in addition to the bundled ones; repeatable",
    )
    group.add_argument(
        "--baseline",
        type=Path,
        action="append",
        default=[],
        metavar="model.pt",
        help="a trained dense network of the same task (srnn-train RECIPE --model.baseline lstm) "
        "to compare with, with its accuracy (needs torch); repeatable",
    )
    group.add_argument(
        "--pilot",
        type=Path,
        metavar="FILE",
        help="TOML file of an installation: print its power, battery life, yearly energy and cost",
    )
    group.add_argument(
        "--pilot-example",
        action=_PilotExample,
        nargs=0,
        help="print a pilot's file with all its settings and stop",
    )


class _PilotExample(argparse.Action):
    """Prints a pilot's file and stops, as ``--version`` does: no network is needed."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        put(sys.stdout, example_text())
        parser.exit()


def wanted(arguments: argparse.Namespace) -> bool:
    """Whether any of the options asks for energy."""
    return bool(
        arguments.energy or arguments.energy_models or arguments.baseline or arguments.pilot
    )


def check_arguments(arguments: argparse.Namespace) -> None:
    """Read the files that are given, so that a mistake in them is reported before the run.

    Raises
    ------
    InputError
        As ``read_energy_models``, ``read_pilot`` and ``read_model``.
    """
    if wanted(arguments):
        read_energy_models(arguments.energy_models)
    for path in arguments.baseline:
        read_model(path)
    if arguments.pilot is not None:
        models = read_energy_models(arguments.energy_models).models
        check_idle_models(read_pilot(arguments.pilot), models)


def energy_results(
    arguments: argparse.Namespace,
    network: Network,
    activity: Activity,
    metrics: dict[str, float],
    output: Output,
    *,
    split: str | None = None,
) -> dict[str, Any]:
    """Print the requested energy tables, and return what goes into the JSON.

    ``split``: of the task's data, None where the network ran on something else.
    """
    if not wanted(arguments):
        return {}
    if activity.steps == 0:
        raise InputError("--energy: no step was run, so nothing can be estimated")
    models = read_energy_models(arguments.energy_models)
    report = energy_report(
        network,
        activity,
        accuracy=metrics.get("accuracy"),
        baselines=read_baselines(arguments.baseline, network, split),
        models=models,
    )
    measures = measure_network(network)
    print_energy(output, report)
    rate = measures.execution_rate
    output.line(
        f"Footprint {measures.footprint:,} bytes, Connection Sparsity "
        f"{measures.connection_sparsity:.4f}, Model Execution Rate "
        + ("unknown (the file names no dt)" if rate is None else f"{rate:,.4g} Hz")
    )
    found: dict[str, Any] = {"energy": report.as_dict(), "measures": measures.as_dict()}
    if arguments.pilot is not None:
        pilot = pilot_report(read_pilot(arguments.pilot), report)
        print_pilot(output, pilot)
        found["pilot"] = pilot.as_dict()
    return found


def print_energy(output: Output, report: EnergyReport) -> None:
    """Print estimates, then what the models are, then what others measured."""
    output.table(
        "energy, estimated",
        (
            "model",
            "network",
            "accuracy",
            "per step",
            "per inference",
            "range",
            "times",
            "per correct answer",
        ),
        [
            (
                one.model.name,
                one.option.name,
                one.option.accuracy,
                joules(one.per_step.value),
                joules(one.per_inference.value),
                _span(one.per_inference),
                _times(report.ratio(one.model.name, one.option.name)),
                None if one.per_correct_answer is None else joules(one.per_correct_answer.value),
            )
            for one in report.estimates
        ],
    )
    output.line(
        "range: per inference, from the models' constants; times: as a multiple of the first;\n"
        "per correct answer: energy of all answers by the correct ones, if the accuracy is known"
    )
    for model in report.models:
        checked = "" if model.verified else " Constants from secondary sources, not verified."
        output.line(
            f"{model.name}: {model.title}. Includes {model.includes}. Leaves out {model.excludes}."
            f"{checked}"
        )
    output.line("measured by others, on other tasks and networks (no estimates):")
    for one in report.references:
        known = "" if one.accuracy is None else f", accuracy {one.accuracy:.3f}"
        output.line(
            f"{one.title}: {joules(one.joules_per_inference)} per inference{known}. {one.task}; "
            f"{one.conditions}. {one.source}{'' if one.verified else ' (not verified)'}"
        )


def print_pilot(output: Output, report: PilotReport) -> None:
    """Print a pilot's estimated options, and the measured ones separately."""
    pilot = report.pilot
    for kind in ("estimated", MEASURED):
        options = report.of_kind(kind)
        if options:
            output.table(
                f"pilot, {kind}: {pilot.sensors:,} sensors, "
                f"{pilot.inferences_per_day:,.0f} inferences per day each",
                (
                    "network",
                    "source" if kind == MEASURED else "model",
                    "accuracy",
                    "mean power of a sensor",
                    "battery, days",
                    "kWh per year",
                    f"{pilot.currency} per year",
                    "idle power",
                ),
                [_pilot_row(option) for option in options],
            )
    if any(not option.idle_included for option in report.options):
        output.line(
            "idle power not given: a machine that is switched on draws it all day, often more than "
            "all inferences; [idle_watts] in the pilot's file adds it"
        )


def _pilot_row(option: PilotOption) -> tuple[Any, ...]:
    return (
        option.name,
        option.model,
        option.accuracy,
        _shown(option.mean_watts, "W"),
        None if option.battery_days is None else _numbers(option.battery_days),
        _numbers(option.kilowatt_hours_per_year),
        _numbers(option.cost_per_year),
        "included" if option.idle_included else "not given",
    )


def joules(value: float, unit: str = "J") -> str:
    """Write joules with the prefix that fits."""
    scale, prefix = next(((s, p) for s, p in UNITS if abs(value) >= s), UNITS[-1])
    return f"{value / scale:.3g} {prefix}{unit}" if value else f"0 {unit}"


def _times(ratio: float | None) -> str | None:
    return None if ratio is None else f"{ratio:.3g}"


def _span(found: Range) -> str:
    if found.low == found.high:
        return "-"
    return f"{joules(found.low)} to {joules(found.high)}"


def _shown(found: Range, unit: str) -> str:
    if found.low == found.high:
        return joules(found.value, unit)
    low, high = joules(found.low, unit), joules(found.high, unit)
    return f"{joules(found.value, unit)} ({low} to {high})"


def _numbers(found: Range) -> str:
    if found.low == found.high:
        return f"{found.value:.3g}"
    return f"{found.value:.3g} ({found.low:.3g} to {found.high:.3g})"


class AnswersSoFar:
    """Collects the answers that a network would give after each step, batch by batch."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._parts: list[RunningAnswers] = []

    def add(self, trace: Trace) -> None:
        """Take a batch's trace."""
        self._parts.append(running_answers(self._network, trace.output, trace.lengths))

    def joined(self) -> RunningAnswers:
        """Return the answers of all batches."""
        parts = self._parts
        return RunningAnswers(
            np.concatenate([part.predictions for part in parts]),
            np.concatenate([part.confidences for part in parts]),
            np.concatenate([part.lengths for part in parts]),
            parts[0].first,
        )


def answers_wanted(arguments: argparse.Namespace, network: Network) -> AnswersSoFar | None:
    """Return what collects answers for an early-exit curve, if wanted and possible."""
    once = not network.readout.per_step
    return AnswersSoFar(network) if wanted(arguments) and once else None


def time_to_answer(
    network: Network,
    predictions: npt.NDArray[np.int64],
    labels: tuple[Any, Any, Any],
    answers: AnswersSoFar | None,
    energy: dict[str, Any],
    *,
    output: Output,
) -> dict[str, Any]:
    """Print and return how soon the network answers correctly.

    ``labels``: targets, lengths and labelled steps (or None) of the split; ``answers``: those so
    far of a network that answers once per sample, else None; ``energy``: an ``EnergyReport`` as
    plain values.
    """
    targets, lengths, valid = labels
    if answers is None:
        latency = decision_latency(predictions, targets, lengths, valid)
        rows: Iterable[tuple[str, Any]] = [("all", latency), *_named(network, latency)]
        output.table(
            "decision latency: steps from a change of label to the first correct answer that lasts "
            f"{latency.hold} steps",
            ("new label", "changes", "missed", "median", "95th percentile"),
            [
                (
                    name,
                    one.changes,
                    one.missed,
                    None if one.steps is None else one.steps.median,
                    None if one.steps is None else one.steps.percentile_95,
                )
                for name, one in rows
            ],
        )
        return {"decision_latency": {"dt": network.dt, **latency.as_dict()}}
    joined = answers.joined()
    curve = early_exit_curve(joined, targets)
    exits = confident_exits(joined, targets)
    shown = np.unique(np.linspace(0, len(curve.steps) - 1, CURVE_POINTS).astype(int))
    output.table(
        "accuracy over the number of steps seen",
        ("steps", "accuracy"),
        [(int(curve.steps[i]), float(curve.accuracy[i])) for i in shown],
    )
    estimates = [one for one in energy["estimates"] if one["basis"] == "counted"]
    per_step = {one["model"]: Range(**one["joules_per_step"]) for one in estimates}
    first = next(iter(per_step))
    output.table(
        f"stopping at a given confidence; energy until then estimated by {first}",
        ("confidence", "accuracy", "mean steps", "stopped early", "energy"),
        [
            (
                one.confidence,
                one.accuracy,
                one.mean_steps,
                one.stopped_early,
                joules(one.joules(per_step[first]).value),
            )
            for one in exits
        ],
    )
    return {
        "early_exit": {
            "curve": curve.as_dict(),
            "confident": [
                {
                    **one.as_dict(),
                    "estimated_joules": {
                        model: one.joules(step).as_dict() for model, step in per_step.items()
                    },
                }
                for one in exits
            ],
        }
    }


def _named(network: Network, latency: Any) -> list[tuple[str, Any]]:
    names = network.readout.classes
    return [
        (names[label] if label < len(names) else str(label), one)
        for label, one in latency.by_label().items()
    ]
