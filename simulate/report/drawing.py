"""From a figure function to an item of a report."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..figures.series import Series
from .document import Drawing
from .svg import inline_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def drawing(
    name: str,
    title: str,
    alt: str,
    draw: Callable[..., Figure],
    series: Callable[..., tuple[Series, ...]],
    *arguments: Any,
    caption: str = "",
    wide: bool = False,
    own: tuple[Any, ...] | None = None,
) -> Drawing:
    """Draw a figure and keep its series with it.

    Parameters
    ----------
    name, title, alt, caption, wide
        As ``Drawing`` has them.
    draw, series
        A figure function and its ``_series`` function.
    arguments
        What both take.
    own
        What ``series`` takes, where it differs.
    """
    figure = draw(*arguments)
    values = series(*(arguments if own is None else own))
    return Drawing(name, title, alt, values, inline_svg(figure, name, alt), caption, wide)
