"""Runs that return what the target measured as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy.typing as npt

from ..export.network import Network
from ..export.trace import Trace
from ..simulate.measurement import Measurement

if TYPE_CHECKING:
    from .c.footprint import Footprint


@dataclass(frozen=True, eq=False)
class MeasuredRun:
    """A trace, and what was measured, or None where nothing was.

    ``footprint``: what the network takes on an emulated microcontroller.
    """

    trace: Trace
    measurement: Measurement | None
    footprint: Footprint | None = None


@runtime_checkable
class MeasuringBackend(Protocol):
    """A ``Backend`` that measures as well."""

    def run_measured(
        self, network: Network, inputs: npt.ArrayLike, lengths: npt.ArrayLike | None = None
    ) -> MeasuredRun:
        """Run as ``Backend.run`` does, and measure."""
        ...
