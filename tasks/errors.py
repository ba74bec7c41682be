"""The error that a user is meant to read when data cannot be had or used."""

from __future__ import annotations


class DataError(ValueError):
    """Data is missing, damaged or of another form; commands print it as one line and exit with 2."""
