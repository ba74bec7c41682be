"""``srnn-simulate --pilot-example``: a pilot's TOML file, every setting with its meaning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from ..export.meanings import in_brief, meanings
from ..export.toml_text import key, settings
from .energy import Cost
from .pilot import Measurement, Pilot

EXAMPLE = Pilot(
    inferences_per_day=86_400.0,
    sensors=200,
    hours_per_day=24.0,
    electricity_price=0.3,
    currency="EUR",
    battery_watt_hours=10.0,
    idle_watts={"loihi1": Cost(0.03, 0.01, 0.1, "estimate of the board's maker")},
    measured=(
        Measurement(
            name="LSTM on the controller",
            joules_per_inference=0.004,
            source="our power analyser, 2026-11-20",
            idle_watts=0.002,
            accuracy=0.91,
        ),
    ),
)
"""The installation of the example; its numbers stand for those of a user."""


def example_text() -> str:
    """Return a file that ``read_pilot`` takes; its pilot is ``EXAMPLE``."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    known = meanings(Pilot)
    yield "# A pilot of srnn-simulate NETWORK --pilot FILE; the numbers are an example."
    yield from settings(Pilot, asdict(EXAMPLE))
    for name, cost in EXAMPLE.idle_watts.items():
        yield f"\n# {in_brief(known['idle_watts'])}"
        yield f"[idle_watts.{key(name)}]"
        yield from settings(Cost, asdict(cost))
    for measurement in EXAMPLE.measured:
        yield f"\n# {in_brief(known['measured'])}"
        yield "[[measured]]"
        yield from settings(Measurement, asdict(measurement))
