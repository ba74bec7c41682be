"""The answer of a readout so far: what ``export/readout.py`` returns for the steps seen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..export.network import Network
from ..export.readout import class_output, softmax

BUFFERED = 64
"""Outputs that are buffered before they are added to a sum over time, so that a step is cheap."""


class RunningAnswer:
    """Class scores after each step of a stream.

    A step writes its output to ``outputs[row]``, int32 (``BUFFERED``, n_out), and then
    calls ``advance``.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._sums = network.readout.kind in {"mean_softmax", "spike_count"}
        self.outputs = np.zeros((BUFFERED, network.output_size), np.int32)
        self.restore(0, np.zeros(network.class_count), self.outputs[0])

    def restore(
        self, steps: int, total: npt.NDArray[np.float64], last: npt.NDArray[np.int32]
    ) -> None:
        """Continue after ``steps`` steps with sum ``total`` and last output ``last``."""
        self.row = self._folded = 0
        self._steps = steps
        self._total = np.array(total, np.float64)
        self._last = last.astype(np.int32)

    @property
    def counted(self) -> int:
        """Steps in the sum of a readout over time: all but its first ``skip_steps``."""
        return max(self._steps - self._network.readout.skip_steps, 0) if self._sums else 0

    @property
    def total(self) -> npt.NDArray[np.float64]:
        """Sum over the counted steps, float64 (classes,); zeros for a readout that sums nothing."""
        self._fold()
        return self._total.copy()

    def advance(self) -> npt.NDArray[np.int32]:
        """Count the output in the current row, and return it."""
        self._last = self.outputs[self.row].copy()
        self._steps += 1
        self.row += 1
        if self.row == BUFFERED:
            self._fold()
            self.row = self._folded = 0
        return self._last

    def scores(self) -> npt.NDArray[np.float64] | None:
        """Return the class scores after the last step, float64 (classes,).

        They are those that ``export.readout.scores`` returns for the steps so far. None before the
        first step, and for a readout over time before it has counted one.
        """
        if self._steps == 0:
            return None
        if not self._sums:
            return class_output(self._network, self._last[None, None])[0, 0]
        if self.counted == 0:
            return None
        self._fold()
        mean = self._network.readout.kind == "mean_softmax"
        return self._total / self.counted if mean else self._total.copy()

    def _fold(self) -> None:
        """Add the buffered outputs one after the other, in the order of a sum over time."""
        first = self._steps - self.row + self._folded
        start = self._folded + max(self._network.readout.skip_steps - first, 0)
        self._folded = self.row
        if not self._sums or start >= self.row:
            return
        values = class_output(self._network, self.outputs[None, start : self.row])
        if self._network.readout.kind == "mean_softmax":
            values = softmax(values)
        self._total = np.concatenate((self._total[None], values[0])).sum(axis=0)
