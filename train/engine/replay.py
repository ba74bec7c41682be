"""A backward pass over states that were computed elsewhere."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


class Replay(Protocol):
    """A layer's run that replaces the engine's forward pass; n neurons padded to ``width``."""

    def keep(self, kept: Floats, low: int, high: int) -> None:
        """Fill blocks ``low`` to ``high`` of ``kept`` (blocks, time, planes, samples, width).

        The first plane is the membrane minus its threshold (of ``li`` the membrane), the second b
        of ``alif`` or i of ``cuba_lif``; padding does not fire.
        """
        ...

    def membranes(self) -> Floats:
        """Return the membranes (batch, time, n)."""
        ...

    def spikes(self) -> Floats | None:
        """Return the spikes (batch, time, n), None if the layer has none."""
        ...

    def counts(self) -> Floats | None:
        """Return the spikes (batch, n) within each sample's length, None if the layer has none."""
        ...

    def final(self) -> list[Floats]:
        """Return v, the second state and s after the last step, each (batch, n)."""
        ...
