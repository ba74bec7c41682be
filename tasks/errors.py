"""The error message for a user when data cannot be found or used."""

from __future__ import annotations

from ..export.errors import InputError


class DataError(InputError):
    """Data is missing, damaged or malformed: an ``InputError``, exit code 2."""
