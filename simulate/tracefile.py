"""Trace files: spikes, chosen states and outputs of a run, as HDF5, written batch by batch.

::

    /                       format "srnn-trace", format_version 1, network_sha256
    /layer/<i>              name, neuron (type as in a .net file)
    /layer/<i>/spikes       uint8 (N, T, n), 0 or 1; absent where the layer does not spike
    /layer/<i>/states/<s>   int32 (N, T, n), value at the end of each step
    /output                 int32 (N, T, n_out), as Trace.output
    /lengths                int64 (N,), steps of each sample; beyond them everything is zero

Arrays are compressed with gzip, which every HDF5 library reads; spikes take a few bits each.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from ..export.errors import InputError
from ..export.files import replacing
from ..export.network import Network
from ..export.reading.hdf5 import Hdf5File, opened
from ..export.suggest import check_known
from ..export.trace import LayerTrace, Trace
from .trace_storage import TraceStorage

FORMAT = np.bytes_("srnn-trace")
FORMAT_VERSION = 1

_CHUNK_BYTES = 1 << 16
_COMPRESSION = {"compression": "gzip", "compression_opts": 1, "shuffle": True}


class TraceWriter:
    """Appends traces of equal sequence length to an open file; ``writing_trace`` makes one."""

    def __init__(
        self, file: h5py.File, storage: TraceStorage, network: Network, states: Sequence[str]
    ) -> None:
        self._file, self._storage = file, storage
        self._states = tuple(states)
        for index, layer in enumerate(network.layers):
            group = file.create_group(f"layer/{index}")
            group.attrs["name"] = np.bytes_(layer.name.encode())
            group.attrs["neuron"] = np.bytes_(layer.neuron.TYPE)

    def append(self, trace: Trace) -> None:
        """Append a batch to those already written.

        Raises
        ------
        OSError
            The disk is full; with the name of the file.
        """
        self._extend("lengths", trace.lengths)
        self._extend("output", trace.output)
        for index, layer in enumerate(trace.layers):
            if layer.spikes is not None:
                self._extend(f"layer/{index}/spikes", layer.spikes)
            for name in self._states:
                if name in layer.states:
                    self._extend(f"layer/{index}/states/{name}", layer.states[name])

    def _extend(self, path: str, values: npt.NDArray[Any]) -> None:
        self._storage.check()
        if path not in self._file:
            row = max(1, values.nbytes // max(1, len(values)))
            # Readers refuse many small chunks, which take more memory than what they hold.
            chunk = (max(1, _CHUNK_BYTES // row), *values.shape[1:])
            self._file.create_dataset(
                path,
                data=values,
                maxshape=(None, *values.shape[1:]),
                chunks=chunk,
                **(_COMPRESSION if values.ndim > 1 else {}),
            )
            return
        dataset = self._file[path]
        assert isinstance(dataset, h5py.Dataset)
        if dataset.shape[1:] != values.shape[1:]:
            raise ValueError(f"{path}: batch of {values.shape[1:]} after {dataset.shape[1:]}")
        before = dataset.shape[0]
        dataset.resize(before + values.shape[0], axis=0)
        dataset[before:] = values


@contextmanager
def writing_trace(
    path: str | os.PathLike[str],
    network: Network,
    states: Sequence[str] = (),
    network_sha256: str = "",
) -> Iterator[TraceWriter]:
    """Yield a writer; the file appears when the block succeeds.

    Parameters
    ----------
    path
        The file to write.
    network
        The network that runs.
    states
        Names of the states to keep, of every layer that has them; traces must record them.
    network_sha256
        Digest of the ``.net`` file, so that a trace names what it belongs to.

    Raises
    ------
    InputError
        A state that no layer has.
    OSError
        The file cannot be written; nothing stays behind.
    """
    known = sorted({name for layer in network.layers for name in layer.neuron.STATES})
    for name in states:
        check_known("state", name, known, "--trace-states")
    with replacing(path) as temporary, TraceStorage(temporary, path) as storage:
        with h5py.File(storage, "w") as file:
            file.attrs["format"], file.attrs["format_version"] = FORMAT, FORMAT_VERSION
            if network_sha256:
                file.attrs["network_sha256"] = np.bytes_(network_sha256)
            yield TraceWriter(file, storage, network, states)
        storage.check()


def read_trace(path: str | os.PathLike[str]) -> Trace:
    """Read a trace file whole.

    Raises
    ------
    InputError
        Not a trace file, truncated, of a newer version, or with entries missing or of wrong shapes.
    """
    with opened(path, "a complete trace file") as file:
        return _read(file)


def _read(file: Hdf5File) -> Trace:
    attributes = file.attributes("/")
    if attributes.get("format") != FORMAT:
        raise InputError("not a trace file of srnn-simulate")
    version = int(attributes["format_version"])
    if version > FORMAT_VERSION:
        raise InputError(
            f"trace format {version}, this version reads up to {FORMAT_VERSION}; update srnn"
        )
    lengths = _array(file, "lengths", np.int64, 1)
    output = _array(file, "output", np.int32, 3)
    layers = file.groups("/layer")
    if "layer" not in file.groups() or set(layers) != {str(i) for i in range(len(layers))}:
        raise InputError("layers are not numbered from 0")
    traces = []
    for index in range(len(layers)):
        path = f"layer/{index}"
        spikes = f"{path}/spikes"
        states = file.datasets(f"{path}/states")
        traces.append(
            LayerTrace(
                _array(file, spikes, np.uint8, 3) if file.entry(spikes) is not None else None,
                {name: _array(file, f"{path}/states/{name}", np.int32, 3) for name in states},
            )
        )
    arrays = [output]
    for layer in traces:
        arrays += [*layer.states.values(), *([] if layer.spikes is None else [layer.spikes])]
    for array in arrays:
        if array.shape[:2] != (len(lengths), output.shape[1]):
            raise InputError(
                f"an array of {array.shape} among {len(lengths)} samples of {output.shape[1]} steps"
            )
    if lengths.size and (lengths.min() < 0 or lengths.max() > output.shape[1]):
        raise InputError(f"lengths {lengths.min()}..{lengths.max()} outside 0..{output.shape[1]}")
    return Trace(tuple(traces), output, lengths)


def _array(file: Hdf5File, path: str, dtype: type[np.integer[Any]], axes: int) -> npt.NDArray[Any]:
    dataset = file.dataset(path, axes)
    if dataset is None or dataset.dtype != dtype:
        raise InputError(f"{path}: needs {np.dtype(dtype).name} with {axes} axes")
    return np.asarray(file.read(dataset, path))
