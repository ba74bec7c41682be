"""The state probe, as lava-optimization's solver uses it."""

from __future__ import annotations

from typing import Any

import numpy as np
import standin_board
from lava.magma.core.callback_fx import NxSdkCallbackFx


class StateProbe(NxSdkCallbackFx):
    """A series of one variable, neuron by neuron."""

    def __init__(self, var: Any) -> None:
        self._var, self._rows, self._done = var, [], False

    def pre_run_callback(self, board: Any = None, _vars: Any = None) -> None:
        assert self._var.process in board.processes
        assert not self._rows, "a probe serves one run"

    def record(self, board: Any) -> None:
        self._rows.append(board.values[self._var.process][self._var.name].copy())

    def post_run_callback(self, board: Any = None, _vars: Any = None) -> None:
        assert len(self._rows) == board.steps
        standin_board.note("probed", variable=self._var.name)
        self._done = True

    @property
    def time_series(self) -> np.ndarray:
        assert self._done
        return np.array(self._rows).T.ravel()
