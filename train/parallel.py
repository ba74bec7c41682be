"""One training run on several processes, as ``torchrun`` starts them.

Every process holds the whole network and the whole task, and takes its share of every batch; the
recipe's batch is the joined one. Gradients are summed explicitly, in one all-reduce of one flat
vector after each backward pass, and not by ``DistributedDataParallel``: the mean over counted steps
needs shares weighted by their number of terms, which is known only with the loss; a truncated
sequence takes several optimizer steps per batch over one carried state; and the backward pass of
the engine is one autograd node, so there is nothing to overlap. The flat sum also does not depend
on the order in which gradients become ready.

Decisions that must be the same in all processes are made from sums that all of them hold: a stop
that any of them received, the validation score, a loss that is not finite. The first process writes
the files.

gloo carries tensors on the CPU and all control messages; nccl carries tensors on CUDA.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed.distributed_c10d import Store
from torch.distributed.rendezvous import rendezvous

from ..export.errors import InputError

T = TypeVar("T")

TIMEOUT = timedelta(minutes=30)
"""How long a process waits for the others before the run fails."""


class ProcessLostError(RuntimeError):
    """Another process of the run ended; what is on disk is the last checkpoint."""


@dataclass(frozen=True)
class Share:
    """A process's share of a batch.

    ``indices`` of its samples. ``weight`` 1; 0 if there are fewer samples than processes: such a
    process runs the batch's first sample, to take part in every all-reduce, and contributes
    nothing.
    """

    indices: npt.NDArray[np.int64]
    weight: int = 1


@dataclass(frozen=True)
class Processes:
    """The processes of a run, seen from one of them; by default a single one.

    Parameters
    ----------
    rank, size
        This process's number from 0, and the number of processes.
    local_rank, local_size
        The same within this machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    store: Store | None = field(default=None, repr=False, compare=False)

    @property
    def first(self) -> bool:
        """Whether this process writes the files and prints."""
        return self.rank == 0

    def device(self, name: str) -> str:
        """Return this process's device; ``cuda`` gives each process of the machine its own.

        Raises
        ------
        InputError
            Several processes with a device type that they cannot share a batch on.
        """
        if self.size == 1:
            return name
        if name not in {"cpu", "cuda"}:
            raise InputError(
                f"training.device: {name!r} with {self.size} processes; several processes run on "
                "cpu or on cuda, one device each"
            )
        return f"cuda:{self.local_rank}" if name == "cuda" else name

    def threads(self) -> int:
        """Return this process's share of the available processors."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return max(1, (cores or 1) // self.local_size)

    def share(self, indices: npt.NDArray[np.int64]) -> Share:
        """Return this process's share of a batch: every ``size``-th sample."""
        own = indices[self.rank :: self.size]
        return Share(own) if len(own) else Share(indices[:1], 0)

    def part(self, count: int) -> tuple[int, int]:
        """Return the range that this process takes of ``count`` samples in order; may be empty."""
        return count * self.rank // self.size, count * (self.rank + 1) // self.size

    def sum(self, values: Sequence[float]) -> list[float]:
        """Return sums over all processes, in float64, the same bits in each of them."""
        if self.size == 1:
            return list(values)
        joined = torch.tensor(values, dtype=torch.float64)
        self._meet(lambda: dist.all_reduce(joined))
        return joined.tolist()

    def any(self, said: bool) -> bool:
        """Return whether it is true in any process."""
        return self.sum([float(said)])[0] > 0

    def join_gradients(
        self, parameters: Sequence[nn.Parameter], loss: Tensor, terms: float
    ) -> Tensor:
        """Turn gradients of a share's mean loss into those of the joined batch; return its loss.

        ``terms``: the number of terms of this share's mean, its weight in the joined mean. With one
        process nothing is done.
        """
        if self.size == 1:
            return loss
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([*(g.flatten() for g in gradients), loss.detach().reshape(1)]) * terms
        flat = torch.cat((flat, flat.new_tensor([terms])))
        self._meet(lambda: dist.all_reduce(flat))
        flat = flat[:-1] / flat[-1].clamp(min=1)
        parts = flat.split([*(g.numel() for g in gradients), 1])
        for gradient, part in zip(gradients, parts[:-1], strict=True):
            gradient.copy_(part.view_as(gradient))
        return parts[-1][0]

    def gather(self, value: T) -> list[T]:
        """Return every process's value, by rank."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        self._meet(lambda: dist.all_gather_object(values, value))
        return values

    def together(self, work: Callable[[], T]) -> T:
        """Do work in every process; if it fails in one, it fails in all, with the same message.

        Raises
        ------
        InputError
            The error of the first process that has one.
        """
        error, result = None, None
        try:
            result = work()
        except InputError as raised:
            if self.size == 1:
                raise
            error = str(raised)
        errors = [text for text in self.gather(error) if text is not None]
        if errors:
            raise InputError(errors[0]) from None
        return result  # type: ignore[return-value]

    def in_turn(self, work: Callable[[], T]) -> T:
        """Do work in each machine's first process, which may fill a cache, then in the others."""
        early = self.local_rank == 0
        result = self.together(lambda: work() if early else None)
        late = self.together(lambda: None if early else work())
        return result if early else late  # type: ignore[return-value]

    def from_first(self, work: Callable[[], T]) -> T:
        """Do work in the first process, and return its result in all of them."""
        result = self.together(lambda: work() if self.first else None)
        if self.size == 1:
            return result  # type: ignore[return-value]
        values = [result]
        self._meet(lambda: dist.broadcast_object_list(values, src=0))
        return values[0]  # type: ignore[return-value]

    def same_parameters(self, model: nn.Module) -> None:
        """Give every process the first one's parameters."""
        if self.size > 1:
            for parameter in model.parameters():
                self._meet(lambda data=parameter.data: dist.broadcast(data, src=0))

    def speaks_for_the_others(self) -> bool:
        """Return True in the first process that asks, so that a lost process is reported once."""
        with suppress(RuntimeError):
            return self.store is None or self.store.add("srnn/told", 1) == 1
        return True

    @staticmethod
    def _meet(collective: Callable[[], object]) -> None:
        try:
            collective()
        except RuntimeError as error:
            raise ProcessLostError(str(error).splitlines()[0]) from error


ALONE = Processes()


def launched() -> bool:
    """Return whether ``torchrun`` or a similar launcher started this process among several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ


def leave(code: int) -> NoReturn:
    """End a process that was one of several, after all its files were written.

    Threads of torch's gloo may still run when Python exits, and the process then sometimes aborts
    ("terminate called without an active exception") although all work is done.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """Join the processes that ``torchrun`` started, while the context lasts.

    Raises
    ------
    InputError
        torch is built without what the device needs, or the processes cannot connect.
    """
    if not launched():
        yield ALONE
        return
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    local_rank = int(os.environ.get("LOCAL_RANK", rank))
    local_size = int(os.environ.get("LOCAL_WORLD_SIZE", size))
    on_cuda = device.startswith("cuda")
    if not dist.is_available() or (on_cuda and not dist.is_nccl_available()):
        raise InputError("torchrun: this torch is built without torch.distributed")
    if on_cuda:
        torch.cuda.set_device(local_rank)
    try:
        store, rank, size = next(rendezvous("env://", timeout=TIMEOUT))
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if on_cuda else "gloo",
            store=store, rank=rank, world_size=size, timeout=TIMEOUT,
        )  # fmt: skip
    except (RuntimeError, ValueError) as error:
        raise InputError(f"torchrun: no process group: {str(error).splitlines()[0]}") from None
    lost = False
    try:
        yield Processes(rank, size, local_rank, local_size, store)
    except ProcessLostError:
        lost = True
        raise
    finally:
        # Destroying the group would wait for a process that is lost.
        if not lost:
            dist.destroy_process_group()
