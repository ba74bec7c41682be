"""How a run says how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with (samples done, steps done of the sample in work)."""
