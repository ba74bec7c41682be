"""A matplotlib figure as inline SVG of a page: sharp, small, and in the page's own colours."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from ..figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_VARIABLES = {
    style.INK: "--ink",
    style.FAINT: "--faint",
    style.GRID: "--grid",
    style.BLUE: "--blue",
    style.ORANGE: "--orange",
    style.GREEN: "--green",
    style.VERMILLION: "--vermillion",
    style.PURPLE: "--purple",
    style.SKY: "--sky",
}
_COLOUR = re.compile("|".join(_VARIABLES), re.IGNORECASE)
_STYLE = re.compile(r'style="([^"]*)"')
_TAG = re.compile(r"<[^>]*>")
_IDENTIFIER = re.compile(r' id="([^"]+)"')
_USE = re.compile(r'(url\(#|href="#)([^)"]+)')
_HEAD = re.compile(r"<svg\b[^>]*>", re.DOTALL)
_VIEW = re.compile(r'viewBox="([^"]+)"')
_NUMBER = re.compile(r"-?\d+\.\d{3,}")


def inline_svg(figure: Figure, prefix: str, alt: str) -> str:
    """Return the figure as one ``<svg>`` element for an HTML page.

    Parameters
    ----------
    figure
        Drawn in the colours of ``figures/style.py``, which become variables of the page.
    prefix
        Prefix of all identifiers, so that the figures of a page do not share any.
    alt
        Description for readers who cannot see it.
    """
    buffer = io.StringIO()
    with style.styled():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    view = _VIEW.search(text)
    start = _HEAD.search(text)
    assert view
    assert start
    body = text[start.end() : text.rindex("</svg>")]
    # Comments, metadata, and a style sheet that would apply to the whole page.
    body = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<style[^>]*>.*?</style>", "", body, flags=re.DOTALL)
    body = _TAG.sub(lambda found: _tag(found[0], prefix), body)
    body = re.sub(r"<defs>\s*</defs>|\n\s*", "", body)
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', body))
    body = _IDENTIFIER.sub(lambda found: found[0] if found[1] in used else "", body)
    return (
        f'<svg viewBox="{view[1]}" role="img" aria-label="{_attribute(alt)}" '
        f'xmlns:xlink="http://www.w3.org/1999/xlink">{body}</svg>'
    )


def _tag(tag: str, prefix: str) -> str:
    tag = _IDENTIFIER.sub(lambda found: f' id="{prefix}-{found[1]}"', tag)
    tag = _USE.sub(lambda found: f"{found[1]}{prefix}-{found[2]}", tag)
    tag = _STYLE.sub(lambda found: f'style="{_themed(found[1])}"', tag)
    if tag.startswith("<path") or tag.startswith("<use"):
        tag = _NUMBER.sub(lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), tag)
    return tag


def _themed(text: str) -> str:
    return _COLOUR.sub(lambda found: f"var({_VARIABLES[found[0].lower()]})", text)


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
