"""How values are written for people; the raw ones are in JSON and CSV."""

from __future__ import annotations

import math
import re

Value = str | bool | int | float | None

FORMATS = ("text", "code", "integer", "number", "percent", "points", "si")
"""``percent`` takes shares 0 to 1, ``points`` percentage points, ``si`` gets a prefix."""

_PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
_CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)


def clean(text: str) -> str:
    """Return a text without control characters and marks that change its direction."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def shown(value: Value, form: str = "text", unit: str = "") -> str:
    """Write a value, followed by its unit if it has one; a dash stands for None."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return clean(value)
    if form == "si":
        return _with_prefix(value, unit)
    text = {
        "percent": f"{100 * value:.2f} %",
        "points": f"{value:+.2f} points",
        "integer": f"{value:,.0f}",
    }.get(form, f"{value:,}" if isinstance(value, int) else _number(value))
    if text == "1":
        unit = unit.removesuffix("s")
    return f"{text} {unit}".rstrip()


def _number(value: float) -> str:
    if value == 0 or 1e-3 <= abs(value) < 1e12:
        digits = 4 if value == 0 else max(3 - math.floor(math.log10(abs(value))), 0)
        text = f"{value:,.{digits}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value:.3e}"


def _with_prefix(value: float, unit: str) -> str:
    if value == 0:
        return f"0 {unit}".rstrip()
    power = min(max(3 * math.floor(math.log10(abs(value)) / 3), -15), 12)
    scaled = value / 10.0**power
    if abs(scaled) >= 999.5 and power < 12:
        power += 3
        scaled = value / 10.0**power
    return f"{scaled:.3g}".replace("e+03", "000") + f" {_PREFIXES[power]}{unit}"
