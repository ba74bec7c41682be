"""The run directory: what the parent and the Lava worker exchange, as files.

::

    job.pickle             the files of neurons that are not srnn's, by module; then network,
                           inputs (batch, time, channel), lengths (batch,)
    layer-0.v.npy ...      int32 (batch, time, n), zero where nothing ran; spikes uint8
    progress.npy           int64: samples done, Lava steps done of the current sample
    failure.txt            the first traceback of any process of the run
    log.txt                what the worker and Lava print
"""

from __future__ import annotations

import math
import os
import pickle
import sys
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...export.errors import InputError
from ...export.files import naming
from ...export.network import Network


@dataclass(frozen=True, eq=False)
class Job:
    """What to run: int32 inputs (batch, time, channel) and int64 lengths (batch,)."""

    network: Network
    inputs: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int64]


@dataclass(frozen=True)
class RunDirectory:
    """A run directory. It is private to one run and one user, mode 0700."""

    path: Path

    @property
    def log(self) -> Path:
        """The file for the worker's standard output and error."""
        return self.path / "log.txt"

    def write(self, job: Job) -> None:
        """Write the job, and empty records for all that will be computed.

        Raises
        ------
        OSError
            There is no room for them; with the name of a file.
        InputError
            A neuron that the worker cannot import.
        """
        # Both ends run the same code on the same machine, and nobody else can write here.
        content = pickle.dumps(_files_of_neurons(job.network)) + pickle.dumps(job)
        with naming(self.path / "job.pickle", None, len(content)):
            (self.path / "job.pickle").write_bytes(content)
        np.save(self.path / "progress.npy", np.zeros(2, dtype=np.int64))
        batch, steps, _ = job.inputs.shape
        for index, layer in enumerate(job.network.layers):
            shape = (batch, steps, layer.size)
            for name in layer.neuron.STATES:
                self._make_record(index, name, np.int32, shape)
            if layer.neuron.SPIKING:
                self._make_record(index, "spikes", np.uint8, shape)

    def read(self) -> Job:
        """Read the job."""
        with (self.path / "job.pickle").open("rb") as content:
            for name, file in pickle.load(content).items():
                if name not in sys.modules:
                    _import(name, file)
            return pickle.load(content)

    def _record_path(self, layer: int, quantity: str) -> Path:
        return self.path / f"layer-{layer}.{quantity}.npy"

    def _make_record(
        self, layer: int, quantity: str, dtype: npt.DTypeLike, shape: tuple[int, int, int]
    ) -> None:
        path = self._record_path(layer, quantity)
        if 0 in shape:
            np.save(path, np.zeros(shape, dtype=dtype))
        else:
            with naming(path, None, math.prod(shape) * np.dtype(dtype).itemsize):
                np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape).flush()
                _reserve(path)

    def record(self, layer: int, quantity: str) -> npt.NDArray[Any]:
        """Map a record (batch, time, n) for writing; all processes see what is written."""
        return np.load(self._record_path(layer, quantity), mmap_mode="r+")

    def recorded(self, layer: int, quantity: str) -> npt.NDArray[Any]:
        """Read a record (batch, time, n) into memory."""
        return np.load(self._record_path(layer, quantity))

    def progress(self) -> npt.NDArray[np.int64]:
        """Map (samples done, Lava steps done of the current sample)."""
        return np.load(self.path / "progress.npy", mmap_mode="r+")

    def report_failure(self, text: str) -> None:
        """Keep the first failure of the run; later ones are consequences of it."""
        draft = self.path / f"failure.{os.getpid()}"
        draft.write_text(text, encoding="utf-8")
        try:
            os.link(draft, self.path / "failure.txt")
        except FileExistsError:
            return
        finally:
            # The draft is the same file as the link; a second report must not write into it.
            draft.unlink()

    def failure(self) -> str | None:
        """Return the first failure's text, or None."""
        path = self.path / "failure.txt"
        return path.read_text(encoding="utf-8") if path.exists() else None


def _files_of_neurons(network: Network) -> dict[str, str]:
    """Return the modules of a network's neurons that are not srnn's, with their files."""
    found = {}
    for record in {type(layer.neuron) for layer in network.layers}:
        name = record.__module__
        if name.partition(".")[0] == __name__.partition(".")[0]:
            continue
        file = getattr(sys.modules.get(name), "__file__", None)
        if file is None or name == "__main__" or "<locals>" in record.__qualname__:
            raise InputError(
                f"neuron {record.TYPE}: Lava runs in a process of its own, which cannot import "
                f"{name}.{record.__qualname__}; define it at the top level of a file of its own"
            )
        found[name] = os.path.abspath(file)
    return found


def _import(name: str, file: str) -> None:
    spec = spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])


def _reserve(path: Path) -> None:
    """Take the room of a file now: where it runs out later, SIGBUS ends the process that writes."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
