"""The error of a run that a target did not finish."""

from __future__ import annotations


class RunError(RuntimeError):
    """A run on a target died, hung or was refused; commands print this and exit with 70."""
