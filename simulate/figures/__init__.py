"""The figures of a report, each a function from measured data to a matplotlib figure.

Each figure has a second function, named like it with the suffix ``_series``, which returns the
numbers that the figure draws. matplotlib (the extra ``report``) is imported when a figure
is drawn; ``docs/report_figures.py`` shows the use.
"""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
