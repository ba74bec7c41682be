"""A report as one HTML file that needs no network: styles, script and drawings are inside."""

from __future__ import annotations

from importlib.resources import files

from .document import Item, Report
from .values import Value, clean, shown


def to_html(report: Report) -> str:
    """Return the page.

    Every text is escaped, since class and file names come from files; a policy in the head forbids
    the page to fetch anything.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    folder = files(__package__ or "") / "page"
    environment = Environment(
        loader=FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(shown=shown, clean=clean, raw=_raw)
    return environment.get_template("report.html").render(
        report=report,
        kind=_kind,
        style=Markup((folder / "report.css").read_text(encoding="utf-8")),
        script=Markup((folder / "report.js").read_text(encoding="utf-8")),
        drawing=lambda item: Markup(item.svg),
    )


def _kind(item: Item) -> str:
    return item.KIND


def _raw(value: Value) -> str:
    """Write a value as JSON, for the attribute that sorting reads."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return clean(value) if isinstance(value, str) else repr(value)
