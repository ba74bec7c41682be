"""How a run reports its progress."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with (samples done, steps done of the current sample)."""
