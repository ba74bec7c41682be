"""The error that a user is meant to read when data cannot be had or used."""

from __future__ import annotations

from ..export.errors import InputError


class DataError(InputError):
    """Data is missing, damaged or of another form: an ``InputError``, exit code 2."""
