"""What a run does when training goes wrong: one line for the user; the last checkpoint stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import numpy as np

from ..export.errors import InputError
from .batches import Feed, Indices
from .faults import (
    NO_INTEGERS,
    DivergedError,
    Fault,
    find_fault,
    first_fault,
    parameter_fault,
    refused_fault,
)
from .network import SRNN
from .parallel import Processes
from .recipe import TrainingConfig
from .run import CHECKPOINT, MODEL, RunState

VALIDATION_BATCH = 256
"""Samples that are searched at a time for where a validation loss went wrong."""


@dataclass(frozen=True)
class Watch:
    """Turns what is found in a process's share into the one message that all processes end with.

    Every method that raises does so in all processes at the same place, since its decision depends
    on a sum over them or on the weights, which all of them hold.

    Parameters
    ----------
    model, training, processes, folder
        As in ``fit``.
    """

    model: SRNN
    training: TrainingConfig
    processes: Processes
    folder: Path

    @contextmanager
    def batch(self, state: RunState, samples: Indices) -> Iterator[None]:
        """Check the training of batch ``state.batch``, of these samples of the split.

        Raises
        ------
        DivergedError
            As ``train_batch`` does, with the epoch, the batch and the sample's number.
        """
        try:
            yield
        except DivergedError as error:
            where = f"epoch {state.epoch + 1}, batch {state.batch + 1}"
            self._stop(str(error), where, _numbered(error.fault, samples), "training")

    @contextmanager
    def integers(self, state: RunState, *, initial: bool) -> Iterator[None]:
        """Check a use of the integer network; ``initial``: before the first step of training.

        Raises
        ------
        DivergedError
            Weights that training changed have no integers.
        InputError
            The initial ones have none.
        """
        try:
            yield
        except (FloatingPointError, InputError) as error:
            if initial or self.model.grid is None:
                raise
            known = error if isinstance(error, InputError) else None
            fault = refused_fault(self.model, self.training, known)
            self._stop(NO_INTEGERS, f"epoch {state.epoch + 1}", fault, "training")

    def weights(self, state: RunState) -> None:
        """Check the weights before they are evaluated and kept.

        Raises
        ------
        DivergedError
            A weight is not finite.
        """
        fault = parameter_fault(self.model, self.training)
        if fault is not None:
            self._stop("a weight is not finite", f"epoch {state.epoch + 1}", fault, "training")

    def validation(self, feed: Feed, loss: float, state: RunState) -> NoReturn:
        """Find where a validation loss that is not finite began.

        Raises
        ------
        DivergedError
            Always.
        """
        found = None
        start, stop = self.processes.part(len(feed))
        for first in range(start, stop, VALIDATION_BATCH):
            samples = np.arange(first, min(first + VALIDATION_BATCH, stop))
            batch = feed.batch(samples)
            fault = find_fault(self.model, batch.inputs, batch.lengths, None, self.training)
            fault = _numbered(fault, samples)
            found = fault if found is None or fault is None else first_fault((found, fault))
        where = f"epoch {state.epoch + 1}"
        self._stop(f"the validation loss became {loss}", where, found, "validation")

    def _stop(self, symptom: str, where: str, fault: Fault | None, split: str) -> NoReturn:
        faults = [one for one in self.processes.gather(fault) if one is not None]
        words = [f"training: {symptom} in {where}"]
        first = first_fault(faults) if faults else None
        if first is not None:
            words += [first.describe(self.model.config, split), first.hint]
        words.append(self._kept())
        raise DivergedError("; ".join(words), first) from None

    def _kept(self) -> str:
        """Say how to continue; a resumed run would repeat the same step."""
        if not (self.folder / CHECKPOINT).is_file():
            return "there was no checkpoint yet"
        kept = f"the last checkpoint in {self.folder} is unchanged"
        if (self.folder / MODEL).is_file():
            kept += f"; to train its best model with other settings: --start {self.folder / MODEL}"
        return kept


def _numbered(fault: Fault | None, samples: Indices) -> Fault | None:
    """Return a fault with the sample's number in the split instead of the batch."""
    if fault is None or fault.sample is None:
        return fault
    return replace(fault, sample=int(samples[fault.sample]))
