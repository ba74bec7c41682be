"""What a pilot installation needs per year: power, battery life, energy and its price.

A pilot is a small TOML file; ``srnn-simulate --pilot-example`` prints one.

Idle power is left out of an estimate unless it is given here. Measured and estimated options are
marked and never share a table.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..export.errors import InputError
from ..export.filekind import PILOT, check_kind
from ..export.plain import build
from ..export.reading.text import read_toml_file
from ..export.suggest import check_known
from .energy import Cost, Range
from .estimates import EnergyReport, Estimate

DAY_SECONDS = 86_400.0
DAYS_A_YEAR = 365.0
KILOWATT_HOUR = 3.6e6
ESTIMATED, MEASURED = "estimated", "measured"


@dataclass(frozen=True)
class Measurement:
    """An option that the user measured; joules on top of the idle power.

    Parameters
    ----------
    name
        What was measured.
    joules_per_inference
        Joules per inference, beyond the idle power.
    source
        Who measured it, with what and when.
    idle_watts
        Idle power of one sensor's machine while it is on, in watts.
    accuracy
        Accuracy, 0 to 1; leave it out where it is not known.

    Raises
    ------
    InputError
        No name or source, negative numbers, an accuracy outside 0..1.
    """

    name: str
    joules_per_inference: float
    source: str
    idle_watts: float = 0.0
    accuracy: float | None = None

    def __post_init__(self) -> None:
        for name in ("name", "source"):
            if not getattr(self, name).strip():
                raise InputError(f"{name}: is empty")
        for name in ("joules_per_inference", "idle_watts"):
            if getattr(self, name) < 0:
                raise InputError(f"{name}: {getattr(self, name)} is negative")
        if self.accuracy is not None and not 0 <= self.accuracy <= 1:
            raise InputError(f"accuracy: {self.accuracy} is outside 0..1")


@dataclass(frozen=True)
class Pilot:
    """An installation.

    Parameters
    ----------
    inferences_per_day
        Inferences per day of one sensor.
    sensors
        Number of sensors.
    hours_per_day
        Hours per day that a sensor's machine is switched on.
    electricity_price
        Price of a kWh.
    currency
        Currency of that price.
    battery_watt_hours
        Battery of one sensor in watt-hours; leave it out where there is none.
    idle_watts
        Idle power of one sensor's machine while it is on, by energy model.
    measured
        What you measured yourself; one such table per measurement.

    Raises
    ------
    InputError
        Numbers out of range.
    """

    inferences_per_day: float
    sensors: int = 1
    hours_per_day: float = 24.0
    electricity_price: float = 0.0
    currency: str = "EUR"
    battery_watt_hours: float | None = None
    idle_watts: dict[str, Cost] = field(default_factory=dict)
    measured: tuple[Measurement, ...] = ()

    def __post_init__(self) -> None:
        if self.inferences_per_day <= 0:
            raise InputError(f"inferences_per_day: {self.inferences_per_day} is not positive")
        if self.sensors < 1:
            raise InputError(f"sensors: {self.sensors} is below 1")
        if not 0 < self.hours_per_day <= 24:
            raise InputError(f"hours_per_day: {self.hours_per_day} is outside 0..24")
        if self.electricity_price < 0:
            raise InputError(f"electricity_price: {self.electricity_price} is negative")
        if self.battery_watt_hours is not None and self.battery_watt_hours <= 0:
            raise InputError(f"battery_watt_hours: {self.battery_watt_hours} is not positive")

    def as_dict(self) -> dict[str, Any]:
        """Return the settings."""
        return asdict(self)


@dataclass(frozen=True)
class PilotOption:
    """What one option needs.

    ``kind``: ``estimated`` or ``measured``; ``model``: the energy model of an estimate, the source
    of a measurement. ``mean_watts`` of one sensor over the whole day; ``battery_days`` of one
    sensor, None without a battery or where nothing is drawn; ``kilowatt_hours_per_year``,
    ``cost_per_year`` of all sensors; ``idle_included``: whether idle power is part of it.
    """

    kind: str
    name: str
    model: str
    accuracy: float | None
    joules_per_inference: Range
    mean_watts: Range
    battery_days: Range | None
    kilowatt_hours_per_year: Range
    cost_per_year: Range
    idle_included: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers by name, ranges as value, low and high."""
        return asdict(self)


@dataclass(frozen=True)
class PilotReport:
    """A pilot and what each option needs, estimated ones first."""

    pilot: Pilot
    options: tuple[PilotOption, ...]

    def of_kind(self, kind: str) -> tuple[PilotOption, ...]:
        """Return the options that are ``estimated`` or ``measured``."""
        return tuple(option for option in self.options if option.kind == kind)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values, estimates and measurements apart."""
        return {
            "pilot": self.pilot.as_dict(),
            ESTIMATED: [option.as_dict() for option in self.of_kind(ESTIMATED)],
            MEASURED: [option.as_dict() for option in self.of_kind(MEASURED)],
        }


def read_pilot(path: str | os.PathLike[str]) -> Pilot:
    """Read a pilot's TOML file.

    Raises
    ------
    InputError
        Not a TOML file, a setting that is unknown, missing, of another type or out of range; the
        message names the file and the setting.
    """
    where = os.fspath(path)
    check_kind(path, PILOT)
    values = read_toml_file(path)
    idle = values.get("idle_watts", {})
    try:
        if not isinstance(idle, Mapping):
            raise InputError("idle_watts: is not a table of energy models")
        costs = {name: build(Cost, cost, f"idle_watts.{name}") for name, cost in idle.items()}
        return build(Pilot, {**values, "idle_watts": costs})
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def check_idle_models(pilot: Pilot, models: Iterable[str]) -> None:
    """Refuse idle power of a model that is not among those of an estimate.

    Raises
    ------
    InputError
        It is not; with a suggestion.
    """
    known = list(models)
    for name in pilot.idle_watts:
        check_known("energy model", name, known, "idle_watts")


def pilot_report(pilot: Pilot, energy: EnergyReport) -> PilotReport:
    """Work out a pilot for every estimate of a report, and for what the user measured.

    For a network that the report lists by its counts and by the paper's formula, the counts are
    used.

    Raises
    ------
    InputError
        Idle power of a model that the report does not use.
    """
    check_idle_models(pilot, [model.name for model in energy.models])
    estimated = [_estimated(pilot, one) for one in energy.estimates if not one.option.counted_too]
    return PilotReport(pilot, (*estimated, *(_measured(pilot, one) for one in pilot.measured)))


def _estimated(pilot: Pilot, estimate: Estimate) -> PilotOption:
    idle = pilot.idle_watts.get(estimate.model.name)
    return _option(
        pilot,
        ESTIMATED,
        (estimate.option.name, estimate.model.name),
        estimate.option.accuracy,
        joules=estimate.per_inference,
        idle=None if idle is None else idle.range,
    )


def _measured(pilot: Pilot, measurement: Measurement) -> PilotOption:
    joules, idle = measurement.joules_per_inference, measurement.idle_watts
    return _option(
        pilot,
        MEASURED,
        (measurement.name, measurement.source),
        measurement.accuracy,
        joules=Range(joules, joules, joules),
        idle=Range(idle, idle, idle),
    )


def _option(
    pilot: Pilot,
    kind: str,
    named: tuple[str, str],
    accuracy: float | None,
    *,
    joules: Range,
    idle: Range | None,
) -> PilotOption:
    watts = joules * (pilot.inferences_per_day / DAY_SECONDS)
    if idle is not None:
        watts += idle * (pilot.hours_per_day / 24.0)
    yearly = watts * (DAY_SECONDS * DAYS_A_YEAR * pilot.sensors / KILOWATT_HOUR)
    battery = pilot.battery_watt_hours
    return PilotOption(
        kind,
        *named,
        accuracy,
        joules,
        watts,
        None if battery is None else watts.inverse(battery / 24.0),
        yearly,
        yearly * pilot.electricity_price,
        idle is not None,
    )
