"""The watchdog's clock for tests: how long a worker takes to start must not matter."""

from __future__ import annotations

import time
from collections.abc import Callable


class WatchdogClock:
    """What the runner uses of ``time``; its clock stands still until ``begun`` is true."""

    def __init__(self, begun: Callable[[], bool]) -> None:
        self.begun = begun
        self.start: float | None = None

    def monotonic(self) -> float:
        """Return seconds since it was first seen begun; 0 before."""
        if self.start is None and self.begun():
            self.start = time.monotonic()
        return 0.0 if self.start is None else time.monotonic() - self.start

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


PATIENCE = 300.0
"""Seconds after which a test gives up waiting: a ceiling, not an expectation."""


def wait_until(true: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Return as soon as it is true.

    Raises
    ------
    TimeoutError
        It did not become so.
    """
    deadline = time.monotonic() + patience
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not true after {patience:g} s")
        time.sleep(0.05)
