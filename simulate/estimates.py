"""Estimated energy of a network and of the dense networks that could replace it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..export.errors import InputError
from ..export.network import Network
from .activity import Activity
from .baselines import Baseline
from .energy import EnergyModel, EnergyModels, Range, Reference, read_energy_models
from .operations import (
    FormulaLayer,
    Operations,
    counted_operations,
    formula_of,
    formula_operations,
    same_shape,
)

COUNTED, FORMULA = "counted", "formula"
"""Where operations come from: a run's events, or sizes and firing rates."""


@dataclass(frozen=True)
class Option:
    """A network that could do the task: its operations per step and where they come from.

    ``steps``: steps per inference, a mean over samples; ``answers``: answers per inference,
    ``steps`` where every step is labelled, else 1; ``accuracy``: share of correct answers, or None.
    ``spiking``: whether an event-driven chip can run it; ``counted_too``: whether the same network
    is also listed by its counts, so that this formula only shows the paper's estimate.

    Raises
    ------
    InputError
        Steps, answers or accuracy out of range.
    """

    name: str
    operations: Operations
    basis: str
    steps: float
    answers: float = 1.0
    accuracy: float | None = None
    spiking: bool = True
    counted_too: bool = False

    def __post_init__(self) -> None:
        if self.steps <= 0 or self.answers <= 0:
            raise InputError(f"{self.name}: {self.steps} steps, {self.answers} answers; needs more")
        if self.accuracy is not None and not 0 <= self.accuracy <= 1:
            raise InputError(f"{self.name}: accuracy {self.accuracy} is outside 0..1")

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers by name."""
        return {
            "name": self.name,
            "basis": self.basis,
            "steps_per_inference": self.steps,
            "answers_per_inference": self.answers,
            "accuracy": self.accuracy,
            "operations_per_step": self.operations.as_dict(),
        }


@dataclass(frozen=True)
class Estimate:
    """The energy of an option by a model, in joules; estimated, never measured.

    ``parts``: joules per step by kind of operation. ``per_correct_answer``: None without accuracy.
    """

    model: EnergyModel
    option: Option
    parts: dict[str, Range]
    per_step: Range

    @property
    def per_inference(self) -> Range:
        """Joules of all steps of a sample."""
        return self.per_step * self.option.steps

    @property
    def per_answer(self) -> Range:
        """Joules per answer: per inference, or per step where every step is labelled."""
        return self.per_inference / self.option.answers

    @property
    def per_correct_answer(self) -> Range | None:
        """Joules of all answers divided by the correct ones; None if that is 0 or unknown."""
        accuracy = self.option.accuracy
        return self.per_answer / accuracy if accuracy else None

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers by name; ``kind`` says that they are estimated."""
        correct = self.per_correct_answer
        return {
            "kind": "estimated",
            "model": self.model.name,
            "option": self.option.name,
            "basis": self.option.basis,
            "accuracy": self.option.accuracy,
            "joules_per_step": self.per_step.as_dict(),
            "joules_per_inference": self.per_inference.as_dict(),
            "joules_per_correct_answer": None if correct is None else correct.as_dict(),
            "parts_joules_per_step": {k: part.as_dict() for k, part in self.parts.items()},
        }


@dataclass(frozen=True)
class EnergyReport:
    """Estimates of every option by every model, and references that others measured."""

    options: tuple[Option, ...]
    models: tuple[EnergyModel, ...]
    estimates: tuple[Estimate, ...]
    references: tuple[Reference, ...] = field(default=())

    def find(self, model: str, option: str) -> Estimate:
        """Return one estimate.

        Raises
        ------
        KeyError
            There is none.
        """
        for estimate in self.estimates:
            if (estimate.model.name, estimate.option.name) == (model, option):
                return estimate
        raise KeyError((model, option))

    def ratio(self, model: str, option: str) -> float | None:
        """Return the energy per inference of an option as a multiple of the first one's.

        None where the first one has no estimate by that model, or costs nothing.
        """
        first = self.options[0].name
        if not any((e.model.name, e.option.name) == (model, first) for e in self.estimates):
            return None
        own = self.find(model, first).per_inference.value
        return self.find(model, option).per_inference.value / own if own else None

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "options": [option.as_dict() for option in self.options],
            "models": [model.as_dict() for model in self.models],
            "estimates": [
                {**e.as_dict(), "times_first_option": self.ratio(e.model.name, e.option.name)}
                for e in self.estimates
            ],
            "measured_references": [reference.as_dict() for reference in self.references],
        }


def estimate(model: EnergyModel, option: Option) -> Estimate:
    """Estimate an option by a model."""
    parts = model.parts(option.operations)
    return Estimate(model, option, parts, model.joules_of(option.operations))


def network_options(
    network: Network,
    activity: Activity,
    *,
    accuracy: float | None = None,
    baselines: Sequence[Baseline] = (),
    name: str = "SRNN",
) -> tuple[Option, ...]:
    """Return the options to compare for a network that ran.

    First the network by what it counted, then by the paper's formula at its measured rates, then
    LSTM, GRU and RNN of the same shape by formula, then the trained baselines. A baseline of the
    same shape replaces the option by formula alone.

    Parameters
    ----------
    network, activity
        The network, and what a run of it counted.
    accuracy
        Its share of correct answers.
    baselines
        Trained dense networks of the task, with the accuracy that training recorded.
    name
        What to call it.

    Raises
    ------
    InputError
        Nothing ran.
    """
    steps = activity.steps / max(activity.samples, 1)
    answers = steps if network.readout.per_step else 1.0
    layers = formula_of(activity)
    own = Option(name, counted_operations(activity), COUNTED, steps, answers, accuracy)
    options = [
        own,
        replace(
            own,
            name=f"{name} by formula",
            operations=formula_operations(layers),
            basis=FORMULA,
            counted_too=True,
        ),
    ]
    if any(layer.recurrent for layer in layers):
        trained = {one.layers for one in baselines}
        for kind in ("lstm", "gru", "rnn"):
            shape = same_shape(layers, kind)
            if shape not in trained:
                untrained = replace(own, accuracy=None)
                options.append(_dense(f"{kind.upper()}, same shape", shape, untrained))
    for one in baselines:
        options.append(_dense(one.name, one.layers, replace(own, accuracy=one.accuracy)))
    return tuple(options)


def _dense(name: str, layers: tuple[FormulaLayer, ...], own: Option) -> Option:
    operations = formula_operations(layers)
    return replace(own, name=name, operations=operations, basis=FORMULA, spiking=False)


def compare_energy(options: Sequence[Option], models: EnergyModels | None = None) -> EnergyReport:
    """Estimate every option by every model that can run it; the bundled models when None.

    An event-driven chip takes no dense network; the paper's formula for spiking networks is used
    only with models of plain arithmetic, since elsewhere a count says more.

    Raises
    ------
    InputError
        No option.
    """
    if not options:
        raise InputError("options: none to compare")
    known = read_energy_models() if models is None else models
    used = tuple(known.models.values())
    estimates = tuple(
        estimate(model, option) for model in used for option in options if _suits(model, option)
    )
    return EnergyReport(tuple(options), used, estimates, known.references)


def _suits(model: EnergyModel, option: Option) -> bool:
    if not option.spiking:
        return model.runs != "events"
    return not option.counted_too or model.runs == "any"


def energy_report(
    network: Network,
    activity: Activity,
    *,
    accuracy: float | None = None,
    baselines: Sequence[Baseline] = (),
    models: EnergyModels | None = None,
) -> EnergyReport:
    """Estimate a network that ran, and the dense ones of its shape; see ``network_options``."""
    options = network_options(network, activity, accuracy=accuracy, baselines=baselines)
    return compare_energy(options, models)
