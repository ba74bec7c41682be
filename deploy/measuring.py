"""Runs that return what the target measured as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy.typing as npt

from ..export.network import Network
from ..export.trace import Trace
from ..simulate.measurement import Measurement


@dataclass(frozen=True, eq=False)
class MeasuredRun:
    """A trace, and what was measured, or None where nothing was."""

    trace: Trace
    measurement: Measurement | None


@runtime_checkable
class MeasuringBackend(Protocol):
    """A ``Backend`` that measures as well."""

    def run_measured(
        self, network: Network, inputs: npt.ArrayLike, lengths: npt.ArrayLike | None = None
    ) -> MeasuredRun:
        """Run as ``Backend.run`` does, and measure."""
        ...
