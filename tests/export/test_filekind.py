"""Every kind of file is told from its content, and named with the command that takes it."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from paths import ROOT
from srnn.export import filekind
from srnn.export.errors import InputError
from srnn.export.filekind import FileKind, check_kind, kind_of, refusal
from srnn.simulate.pilot_example import example_text

ZOO = ROOT / "zoo"
RECIPES = ROOT / "train" / "recipes"
KINDS = {value for value in vars(filekind).values() if isinstance(value, FileKind)}


def written(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def hdf5(path: Path, *entries: str, form: str | None = None) -> Path:
    with h5py.File(path, "w") as file:
        for entry in entries:
            if entry.endswith("/"):
                file.create_group(entry)
            else:
                file[entry] = np.zeros(2)
        if form:
            file.attrs["format"] = np.bytes_(form)
    return path


def arrays(path: Path) -> Path:
    np.savez(path, inputs=np.zeros((1, 2, 3)))
    return path


def saved(path: Path, value: Any, **options: Any) -> Path:
    import torch

    torch.save(value, path, **options)
    return path


def some(name: str, folder: Path) -> Path:
    """Write, or find, a file of a kind."""
    makers = {
        "model": lambda: ZOO / "ecg.pt",
        "net": lambda: ZOO / "ecg.net",
        "lava-dl": lambda: hdf5(folder / "a.net", "layer/"),
        "nir": lambda: hdf5(folder / "a.nir", "node/", "version"),
        "trace": lambda: hdf5(folder / "a.h5", "layer/", "output", form="srnn-trace"),
        "hdf5 arrays": lambda: hdf5(folder / "a.h5", "inputs"),
        "npz": lambda: arrays(folder / "a.npz"),
        "npy": lambda: written(folder / "a.npy", b"\x93NUMPY\x01\x00"),
        "csv": lambda: written(folder / "a.csv", "1,2\n"),
        "recipe": lambda: RECIPES / "ecg.toml",
        "pilot": lambda: written(folder / "p.toml", example_text()),
        "energy": lambda: ROOT / "simulate" / "energy.toml",
        "boards": lambda: ROOT / "deploy" / "boards.toml",
        "folder": lambda: folder,
    }
    return makers[name]()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("model", filekind.MODEL),
        ("net", filekind.NETWORK),
        ("lava-dl", filekind.NETWORK),
        ("nir", filekind.NIR),
        ("trace", filekind.TRACE),
        ("hdf5 arrays", filekind.ARRAYS),
        ("npz", filekind.ARRAYS),
        ("npy", filekind.ARRAYS),
        ("csv", filekind.TABLE),
        ("recipe", filekind.RECIPE),
        ("pilot", filekind.PILOT),
        ("energy", filekind.ENERGY_MODELS),
        ("boards", filekind.BOARDS),
        ("folder", filekind.FOLDER),
    ],
)
def test_kinds(name: str, kind: FileKind, tmp_path: Path) -> None:
    path = some(name, tmp_path)
    assert kind_of(path) == kind
    check_kind(path, kind)
    for other in KINDS - {kind}:
        line = refusal(path, other)
        assert line is not None
        assert line.startswith(f"{path}: is {kind.what}, not {other.what}; ")
        assert "{" not in line


@pytest.mark.extra("train")
@pytest.mark.parametrize("legacy", [False, True])
def test_what_torch_saves(tmp_path: Path, legacy: bool) -> None:
    import torch

    options = {"_use_new_zipfile_serialization": not legacy}
    state = OrderedDict(weight=torch.zeros(2), bias=torch.zeros(2, dtype=torch.float64))
    file = tmp_path / "a.pt"
    assert kind_of(saved(file, state, **options)) == filekind.WEIGHTS
    assert kind_of(saved(file, {"epoch": 3, "state_dict": state}, **options)) == filekind.WEIGHTS
    line = refusal(saved(file, torch.nn.Linear(2, 2), **options), filekind.MODEL)
    assert line is not None
    assert "is a pickled Python object (torch.nn.modules.linear.Linear)" in line
    assert "srnn.train.from_foreign_weights" in line
    run = {"format": "srnn-run", "model": state}
    assert kind_of(saved(file, run, **options)) == filekind.RUN
    assert kind_of(saved(file, {"loss": 3.0}, **options)) is None


class Mine:
    """A class of someone's program."""


def test_plain_pickles_are_not_unpickled(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "made"),)

    for protocol in (2, 4):
        path = written(tmp_path / "a.pkl", pickle.dumps(Evil(), protocol))
        kind = kind_of(path)
        assert kind is not None
        assert kind.what.startswith("a pickled Python object (")
        assert ".mkdir" in kind.what
    assert not (tmp_path / "made").exists()


def test_damaged_and_unknown_files_have_no_kind(tmp_path: Path) -> None:
    whole = (ZOO / "digits.pt").read_bytes()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("readme", "x")
    for name, content in (
        ("a.pt", whole[:1000]),
        ("a.net", (ZOO / "digits.net").read_bytes()[:300]),
        ("a.toml", "[task\n"),
        ("b.toml", b"\xff\xfe"),
        ("c.toml", "x = 1\n"),
        ("a.csv", ""),
        ("a.zip", archive.getvalue()),
        ("a.pkl", b"\x80\x02garbage"),
        ("a.txt", "words"),
        ("empty", b""),
    ):
        assert kind_of(written(tmp_path / name, content)) is None, name
    assert kind_of(tmp_path / "nothing") is None
    with pytest.raises(InputError, match="nothing: no such file"):
        check_kind(tmp_path / "nothing", filekind.MODEL)


def test_a_pipe_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.toml")
    assert kind_of(tmp_path / "a.toml") is None


def test_a_folder_of_a_run_leads_to_its_file(tmp_path: Path) -> None:
    written(tmp_path / "checkpoint.pt", "")
    line = refusal(tmp_path, filekind.RECIPE)
    assert line is not None
    assert line.endswith(f"; srnn-train --resume {tmp_path} continues the run in it")
    written(tmp_path / "model.pt", "")
    line = refusal(tmp_path, filekind.MODEL)
    assert line is not None
    assert line.endswith(f"; did you mean {tmp_path / 'model.pt'}?")
