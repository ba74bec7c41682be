"""The adapters between the computer and the chip, by their names and ports in public code."""

from __future__ import annotations

from typing import Any

import standin_board
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess


class _Adapter(AbstractProcess):
    def __init__(self, *, shape: tuple[int, ...], num_message_bits: int = 0) -> None:
        super().__init__(shape=shape, num_message_bits=num_message_bits)
        self.inp, self.out = InPort(shape=shape), OutPort(shape=shape)

    def create_runtime(
        self, run_cfg: Any = None, _executable: Any = None, compile_config: Any = None
    ) -> None:
        assert compile_config is None
        standin_board.Board(self, run_cfg)


class PyToNxAdapter(_Adapter):
    """From the computer to the chip."""


class NxToPyAdapter(_Adapter):
    """From the chip to the computer."""
