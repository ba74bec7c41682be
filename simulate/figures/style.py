"""How the figures look: colours that colour-blind readers tell apart, text as text, no globals.

Figures are drawn on a transparent background in the colours below. ``report/svg.py`` replaces each
by a variable of the page's style, so that one drawing works in the light and the dark theme.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#d55e00",
    "#cc79a7",
    "#56b4e9",
)
"""Okabe and Ito's colours (jfly.uni-koeln.de/color), without yellow and black."""

SERIES = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
MARKERS = ("o", "s", "^", "D", "v", "P")
INK, FAINT, GRID = "#1c2127", "#5f6b76", "#d9dee4"

_PREFIXES = (
    (1e6, "M"),
    (1e3, "k"),
    (1.0, ""),
    (1e-3, "m"),
    (1e-6, "µ"),
    (1e-9, "n"),
    (1e-12, "p"),
    (1e-15, "f"),
)

NARROW, WIDE = 6.0, 9.6
"""Widths in inches: half a page and a full page."""

SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    # Without the salt, two runs differ in their bytes.
    "svg.hashsalt": "srnn",
    # Class names come from a file: a dollar sign in them does not start a formula.
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 10.0,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "image.composite_image": False,
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw or save in this style; matplotlib's settings are restored afterwards."""
    import matplotlib as mpl

    with mpl.rc_context(SETTINGS):
        yield


def new_figure(
    rows: int = 1, *, width: float = NARROW, height: float = 3.2, ratios: tuple[float, ...] = ()
) -> tuple[Figure, list[Axes]]:
    """Return a figure with an Agg canvas and its axes, stacked with a common x axis."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    grid = {"height_ratios": ratios} if ratios else {}
    axes = figure.subplots(rows, 1, sharex=True, squeeze=False, gridspec_kw=grid)
    return figure, list(axes[:, 0])


def si_label(value: float, unit: str) -> str:
    """Write a number with the prefix that fits: ``3.2 µJ``."""
    if value == 0:
        return f"0 {unit}"
    for scale, prefix in _PREFIXES:
        if abs(value) >= 0.9995 * scale:
            return f"{value / scale:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"


def log_axis(axes: Axes, unit: str) -> None:
    """Make x logarithmic, its ticks powers of 10 with prefixes instead of formulas."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(numticks=12))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: si_label(value, unit)))
    axes.xaxis.set_minor_formatter(NullFormatter())


def colour(index: int) -> str:
    """Return the colour of the series with that number; colours repeat after six."""
    return SERIES[index % len(SERIES)]


def short(name: str, length: int = 24) -> str:
    """Return a name that fits next to an axis: without control characters, the middle left out."""
    clean = "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name
    )
    if len(clean) <= length:
        return clean
    half = (length - 1) // 2
    return f"{clean[:half]}…{clean[-half:]}"
