"""Every reader of files from outside: inputs that it accepts, how they change, how it reads.

Left out: MATLAB files, which are read only where their SHA-256 is known.
"""

from __future__ import annotations

import gzip
import io
import re
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import fuzz_mutations as mutations
import h5py
import heidelberg_files
import lava_dl_files
import numpy as np
import report_pages
from export_networks import convolution_network, random_network, random_samples, stock_network
from paths import ROOT
from spoken_files import wav

Read = Callable[[Path], object]


@dataclass(frozen=True)
class Reader:
    """``seeds(folder)`` writes accepted inputs and returns them; ``read`` takes a changed one."""

    name: str
    suffix: str
    seeds: Callable[[Path], list[bytes]]
    change: mutations.Mutation
    read: Callable[[], Read]


def _net_seeds(folder: Path) -> list[bytes]:
    from srnn.export.netx import write_net

    found = []
    rng = np.random.default_rng(0)
    networks = [random_network(seed) for seed in range(6)] + [
        stock_network(),
        convolution_network(),
    ]
    for index, network in enumerate(networks):
        path = folder / f"{index}.net"
        write_net(path, network, random_samples(rng, network) if index % 2 else None)
        found.append(path.read_bytes())
    return found


def _read_net() -> Read:
    from srnn.export.netx import read_net, read_samples
    from srnn.simulate.simulator import run

    def read(path: Path) -> None:
        network = read_net(path)
        read_samples(path)
        if sum(layer.size for layer in network.layers) * network.input_size < 1 << 16:
            run(network, np.ones((1, 3, network.input_size), np.int32))

    return read


def _inspect() -> Read:
    from srnn.export.inspection import inspect_file

    return inspect_file


def _lava_dl_seeds(folder: Path) -> list[bytes]:
    found = []
    for name, write in (("a", lava_dl_files.write_file), ("b", lava_dl_files.write_conv)):
        path = folder / f"{name}.net"
        write(path)
        found.append(path.read_bytes())
    return found


def _nir_seeds(folder: Path) -> list[bytes]:
    import nir
    import nir_graphs as graphs

    chains = (
        graphs.chain(3, nir.Affine(graphs.matrix(4, 3), np.zeros(4)), graphs.lif(4), m=4),
        graphs.chain(3, nir.Linear(graphs.matrix(4, 3)), graphs.cuba(4), m=4),
    )
    return [graphs.write(folder, nodes, dt=1e-3).read_bytes() for nodes in chains]


def _read_nir() -> Read:
    from srnn.export.nir_import import import_nir

    return import_nir


def _model_seeds(folder: Path) -> list[bytes]:
    import export_models
    from srnn.export.checkpoint import LayerConfig, write_model

    path = folder / "model.pt"
    found = []
    for kind in ("alif", "lif", "cuba_lif"):
        write_model(path, export_models.float_model(LayerConfig(kind, 5), LayerConfig("li", 3)))
        found.append(path.read_bytes())
    return found


def _read_model() -> Read:
    from srnn.export.checkpoint import read_model

    return read_model


def _checkpoint_seeds(_folder: Path) -> list[bytes]:
    import torch

    found = []
    for old in (False, True):
        buffer = io.BytesIO()
        content = {
            "epoch": 3,
            "model": {"w": torch.arange(12.0).reshape(3, 4)},
            "list": [1, "a", None],
        }
        torch.save(content, buffer, _use_new_zipfile_serialization=not old)
        found.append(buffer.getvalue())
    return found


def _read_torch() -> Read:
    from srnn.export.reading.torch_file import read_torch

    return read_torch


def _torch_change(rng: Any, content: bytes, others: Any) -> bytes:
    zipped = content[:2] == b"PK"
    return (mutations.archive(mutations.any_bytes) if zipped else mutations.any_bytes)(
        rng, content, others
    )


@cache
def _network() -> Any:
    return report_pages.network_of()


def _array_seeds(write: Callable[[Path, np.ndarray], object], suffix: str) -> Any:
    def seeds(folder: Path) -> list[bytes]:
        path = folder / f"a{suffix}"
        found = []
        for shape in ((7, 12), (2, 5, 12)):
            write(path, np.ones(shape, np.int32))
            found.append(path.read_bytes())
        return found

    return seeds


def _write_h5(path: Path, inputs: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("inputs", data=inputs, compression="gzip")
        if inputs.ndim == 3:
            file["lengths"] = np.full(len(inputs), inputs.shape[1])


def _read_inputs() -> Read:
    from srnn.simulate.inputs import read_inputs

    return lambda path: read_inputs(path, _network())


def _trace_seeds(folder: Path) -> list[bytes]:
    from srnn.simulate.simulator import run
    from srnn.simulate.tracefile import writing_trace

    network = _network()
    samples = report_pages.samples_of(network)
    path = folder / "t.h5"
    with writing_trace(path, network, ("v",)) as writer:
        writer.append(run(network, samples.inputs, samples.lengths))
    return [path.read_bytes()]


def _read_trace() -> Read:
    from srnn.simulate.tracefile import read_trace

    return read_trace


def _recordings_npz(folder: Path) -> list[bytes]:
    path = folder / "r.npz"
    rng = np.random.default_rng(0)
    contents: tuple[dict[str, Any], ...] = (
        {"inputs": rng.normal(size=(4, 6, 2)), "labels": np.array([0, 1, 0, 1])},
        {"inputs": rng.normal(size=(4, 6, 2)), "labels": np.array(["a", "b", "a", "c"])},
        {"inputs": rng.normal(size=(3, 5, 1)), "labels": np.ones((3, 5), int)},
        {"inputs": rng.normal(size=(3, 5, 1)), "labels": np.arange(3), "lengths": np.arange(3) + 2},
        {"inputs": rng.normal(size=(9, 2)), "labels": np.arange(2), "offsets": np.array([0, 4, 9])},
    )
    found = []
    for index, content in enumerate(contents):
        (np.savez if index % 2 else np.savez_compressed)(path, **content)
        found.append(path.read_bytes())
    return found


def _recordings_h5(folder: Path) -> list[bytes]:
    path = folder / "r.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("inputs", data=np.ones((4, 6, 2)), compression="gzip", shuffle=True)
        file["labels"] = np.array([b"a", b"b", b"a", b"c"])
    return [path.read_bytes()]


def _texts(*texts: str) -> Callable[[Path], list[bytes]]:
    return lambda _folder: [text.encode() for text in texts]


def _read_recordings() -> Read:
    from srnn.tasks.readers import read_recordings

    return read_recordings


def _spike_seeds(folder: Path) -> list[bytes]:
    rng = np.random.default_rng(0)
    sequences = [heidelberg_files.spikes(rng, label, 4) for label in range(4)]
    path = heidelberg_files.write_file(
        folder / "s.h5", sequences, np.arange(4), np.arange(4), [b"a", b"b", b"c", b"d"]
    )
    return [path.read_bytes()]


def _read_spikes() -> Read:
    from srnn.tasks.heidelberg import ShdOptions, read_spikes

    return lambda path: read_spikes(path, ShdOptions(), 4)


def _toml_seeds(*folders: str) -> Callable[[Path], list[bytes]]:
    def seeds(_folder: Path) -> list[bytes]:
        return [path.read_bytes() for name in folders for path in sorted(ROOT.glob(name))]

    return seeds


def _read_recipe() -> Read:
    from srnn.train.recipe import make_recipe, read_plain

    return lambda path: make_recipe(read_plain(str(path)))


def _read_boards() -> Read:
    from srnn.deploy.boards import read_boards

    return read_boards


def _read_energy() -> Read:
    from srnn.simulate.energy import read_energy_models

    return lambda path: read_energy_models([path])


def _pilot_seeds(_folder: Path) -> list[bytes]:
    from srnn.simulate.pilot_example import example_text

    return [example_text().encode()]


def _read_pilot() -> Read:
    from srnn.simulate.pilot import read_pilot

    return read_pilot


def _report_seeds(folder: Path) -> list[bytes]:
    from srnn.simulate.cli import main

    path = report_pages.write_network(folder / "m.net")
    with redirect_stdout(io.StringIO()):
        main([str(path), "--json", "--report", str(folder / "r.html")])
    return [(folder / "r.json").read_bytes()]


def _read_report() -> Read:
    from srnn.simulate.report.records import read_report

    return read_report


def _placement_seeds(folder: Path) -> list[bytes]:
    from srnn.deploy.cli import main
    from srnn.export.netx import write_net

    path = folder / "m.net"
    write_net(path, _network())
    printed = io.StringIO()
    with redirect_stdout(printed):
        main([str(path), "--dry-run", "--target", "loihi2", "--json"])
    return [printed.getvalue().encode()]


def _read_placement() -> Read:
    from srnn.simulate.report.placement import read_placement

    return lambda path: read_placement(path, _network())


def _read_stream() -> Read:
    from srnn.simulate.sample_lines import sample_lines

    def read(path: Path) -> None:
        with path.open("rb") as file:
            for _ in sample_lines(file, path.name, 3):
                pass

    return read


def _state_seeds(folder: Path) -> list[bytes]:
    from srnn.simulate.streaming import StreamingSimulator

    simulator = StreamingSimulator(_network())
    found = []
    for steps in (0, 3):
        for _ in range(steps):
            simulator.step(np.ones(12, np.int32))
        simulator.save(folder / "s")
        found.append((folder / "s").read_bytes())
    return found


def _read_state() -> Read:
    from srnn.simulate.streaming import StreamingSimulator

    return lambda path: StreamingSimulator(_network()).restore(path)


def _read_wav() -> Read:
    from srnn.export.reading.archives import read_wav

    return lambda path: read_wav(path.read_bytes(), path.name)


def _wav_seeds(_folder: Path) -> list[bytes]:
    ramp = np.arange(-200, 200, dtype=np.int16)
    return [wav(ramp), wav(ramp, 16000, 2)]


def _idx_seeds(_folder: Path) -> list[bytes]:
    head = bytes((0, 0, 8, 3)) + b"".join(size.to_bytes(4, "big") for size in (3, 4, 4))
    return [gzip.compress(head + bytes(48))]


def _read_idx() -> Read:
    from srnn.export.reading.archives import gunzip
    from srnn.tasks.mnist import read_idx

    return lambda path: read_idx(gunzip(path.read_bytes(), path.name), path.name)


def _tar_seeds(_folder: Path) -> list[bytes]:
    import tarfile

    found = []
    for mode in ("w:gz",):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode=mode) as made:
            for index in range(3):
                member = tarfile.TarInfo(f"recordings/{index}_a_{index}.wav")
                body = wav(np.arange(50, dtype=np.int16))
                member.size = len(body)
                made.addfile(member, io.BytesIO(body))
        found.append(buffer.getvalue())
    return found


def _read_tar() -> Read:
    from srnn.export.reading.archives import tar_files

    def read(path: Path) -> None:
        tar_files(path.read_bytes(), re.compile(r"recordings/(.*)"), path.name)

    return read


_INPUTS = "\n".join(["0,1,0,1,0,1,0,1,0,1,0,1"] * 4)
_CSV = ("sample,x,y,label\n0,1,2,a\n0,3,4,a\n1,5,6,b\n", "sample,x,label\n0,1,1\n0,2,1\n1,3,0\n")
_TS = (
    "@problemName A\n@timeStamps false\n@univariate true\n@classLabel true a b\n@data\n"
    "1,2,3:a\n4,5,6:b\n",
    "@problemName A\n@univariate false\n@dimensions 2\n@classLabel true 0 1\n@data\n"
    "1,2:3,4:0\n5,6:7,8:1\n",
)
_STREAM = (
    "0 1 2\n3 4 5\n",
    "a,b,c\n0,1,2\n\n# x\n3,4,5\n",
    '[0, 1, 2]\n{"a": 1, "b": 2, "c": 3}\n',
    "1\t2\t3\n",
)
_tables = _toml_seeds("simulate/*.toml")
_npz = mutations.archive(mutations.header)


def _save_npz(path: Path, inputs: np.ndarray) -> None:
    np.savez_compressed(path, inputs=inputs)


READERS = (
    Reader("net", ".net", _net_seeds, mutations.hdf5, _read_net),
    Reader("net, inspected", ".net", _net_seeds, mutations.hdf5, _inspect),
    Reader("net of lava-dl", ".net", _lava_dl_seeds, mutations.hdf5, _read_net),
    Reader("nir", ".nir", _nir_seeds, mutations.hdf5, _read_nir),
    Reader("model", ".pt", _model_seeds, _torch_change, _read_model),
    Reader("checkpoint", ".pt", _checkpoint_seeds, _torch_change, _read_torch),
    Reader("inputs npy", ".npy", _array_seeds(np.save, ".npy"), mutations.header, _read_inputs),
    Reader("inputs npz", ".npz", _array_seeds(_save_npz, ".npz"), _npz, _read_inputs),
    Reader("inputs h5", ".h5", _array_seeds(_write_h5, ".h5"), mutations.hdf5, _read_inputs),
    Reader("inputs csv", ".csv", _texts(_INPUTS), mutations.tokens, _read_inputs),
    Reader("trace", ".h5", _trace_seeds, mutations.hdf5, _read_trace),
    Reader("data npz", ".npz", _recordings_npz, _npz, _read_recordings),
    Reader("data h5", ".h5", _recordings_h5, mutations.hdf5, _read_recordings),
    Reader("data csv", ".csv", _texts(*_CSV), mutations.tokens, _read_recordings),
    Reader("data ts", ".ts", _texts(*_TS), mutations.tokens, _read_recordings),
    Reader("spikes of SHD", ".h5", _spike_seeds, mutations.hdf5, _read_spikes),
    Reader("recipe", ".toml", _toml_seeds("train/recipes/*.toml"), mutations.tokens, _read_recipe),
    Reader("boards", ".toml", _toml_seeds("deploy/*.toml"), mutations.tokens, _read_boards),
    Reader("energy models", ".toml", _tables, mutations.tokens, _read_energy),
    Reader("pilot", ".toml", _pilot_seeds, mutations.tokens, _read_pilot),
    Reader("report", ".json", _report_seeds, mutations.tokens, _read_report),
    Reader("placement", ".json", _placement_seeds, mutations.tokens, _read_placement),
    Reader("stream lines", ".txt", _texts(*_STREAM), mutations.tokens, _read_stream),
    Reader("stream state", ".bin", _state_seeds, mutations.any_bytes, _read_state),
    Reader("wav", ".wav", _wav_seeds, mutations.any_bytes, _read_wav),
    Reader("idx, gzipped", ".gz", _idx_seeds, mutations.gzipped(mutations.any_bytes), _read_idx),
    Reader("tar", ".gz", _tar_seeds, mutations.gzipped(mutations.any_bytes), _read_tar),
)


def reader_of(name: str) -> Reader:
    """Return the reader of a name."""
    return next(reader for reader in READERS if reader.name == name)


@cache
def seeds_of(name: str) -> tuple[bytes, ...]:
    """Return the inputs that a reader's tries begin from."""
    with tempfile.TemporaryDirectory() as folder:
        return tuple(reader_of(name).seeds(Path(folder)))
