"""What kind of file a user has given, by its content, so that a wrong one is named.

Nothing is unpickled, and torch is not needed: the pickle of a ``.pt`` file is read as a list of
operations, none of which is carried out. A file that is damaged or of no known kind has no kind;
what reads it finds the words.
"""

from __future__ import annotations

import os
import pickletools
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO
from zipfile import BadZipFile

from .errors import InputError
from .reading.archives import zip_members
from .reading.text import read_toml_file


@dataclass(frozen=True)
class FileKind:
    """A kind of file: what it is, and what takes it; ``{path}`` and ``{folder}`` are filled in.

    ``usual``: the name that such a file has in the folder of a run, if it has one.
    """

    what: str
    use: str
    usual: str | None = None


MODEL = FileKind(
    "a trained model", "srnn-export {path} makes a network of integers from it", "model.pt"
)
NETWORK = FileKind(
    "a network of integers", "srnn-simulate {path} or srnn-deploy {path} runs it", "model.net"
)
RUN = FileKind("the checkpoint of a run", "srnn-train --resume {folder} continues it")
NIR = FileKind("a NIR graph", "srnn-export {path} makes a network of integers from it (FILE.nir)")
WEIGHTS = FileKind(
    "a state_dict, weights without a network",
    "srnn.train.from_foreign_weights makes a model of them in Python",
)
PICKLED = FileKind(
    "a pickled Python object",
    "load it where its code is, and give its state_dict() to srnn.train.from_foreign_weights",
)
TRACE = FileKind("a trace of a simulation", "srnn.simulate.tracefile.read_trace reads it")
ARRAYS = FileKind("a file of arrays", "srnn-simulate NETWORK --input {path} runs them")
TABLE = FileKind(
    "a table of samples",
    "srnn-train arrays --task.options.train {path} trains on it, srnn-simulate NETWORK --input "
    "{path} runs rows of integers, srnn-simulate NETWORK --stream reads rows of a sensor",
)
RECIPE = FileKind("a recipe", "srnn-train {path} trains it")
PILOT = FileKind("a pilot", "srnn-simulate NETWORK --pilot {path} estimates it")
ENERGY_MODELS = FileKind(
    "a file of energy models", "srnn-simulate NETWORK --energy --energy-models {path} takes it"
)
BOARDS = FileKind("a file of boards", "srnn-deploy NETWORK --dry-run --board {path} takes it")
FOLDER = FileKind("a folder", "name a file in it")

_BY_TABLE = {
    "task": RECIPE,
    "inferences_per_day": PILOT,
    "models": ENERGY_MODELS,
    "references": ENERGY_MODELS,
    "boards": BOARDS,
    "chips": BOARDS,
}
_BY_FORMAT = {"srnn-model": MODEL, "srnn-run": RUN}
_OTHER_ENDINGS = {
    **dict.fromkeys((".pt", ".pth"), "a float model of torch"),
    ".nir": "a NIR graph, which srnn-export MODEL -o FILE.nir writes",
    **dict.fromkeys((".npz", ".npy"), "NumPy arrays"),
    **dict.fromkeys((".csv", ".tsv", ".ts"), "a table"),
    **dict.fromkeys((".txt", ".md", ".log"), "a text"),
    **dict.fromkeys((".json", ".jsonl", ".toml", ".yaml", ".yml"), "text with fields"),
    **dict.fromkeys((".html", ".htm"), "a page"),
    **dict.fromkeys((".py", ".onnx", ".pkl", ".zip", ".gz"), "another format"),
}
"""Endings under which nobody looks for a network of integers."""
_HDF5, _ZIP, _PICKLE, _NUMPY = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04", b"\x80", b"\x93NUMPY"
_TABLES = {".csv", ".tsv", ".ts"}
_OF_TENSORS = {"collections", "torch", "torch._utils", "torch.serialization", "torch.storage"}
_PICKLE_BYTES = 1 << 20
"""How much of a pickle is read."""
_PICKLES = 4
"""A file of an old torch is several pickles one after the other; the fourth is the object."""
_UNREADABLE = (
    InputError, OSError, EOFError, LookupError, ValueError, RuntimeError, OverflowError,
    MemoryError, BadZipFile, zlib.error,
)  # fmt: skip


def check_kind(path: str | os.PathLike[str], *wanted: FileKind) -> None:
    """Refuse a file that is known to be of another kind than one of those wanted.

    Raises
    ------
    InputError
        It is, with what the file is and which command takes it; or there is no such file.
    """
    if not Path(path).exists():
        raise InputError(f"{path}: no such file")
    line = refusal(path, *wanted)
    if line:
        raise InputError(line)


def refusal(path: str | os.PathLike[str], *wanted: FileKind) -> str | None:
    """Return what ``check_kind`` says; None of a file that may be of a kind that is wanted."""
    kind = kind_of(path)
    if kind is None or kind in wanted:
        return None
    path = Path(path)
    use = kind.use
    if kind == FOLDER:
        held = [path / k.usual for k in wanted if k.usual and (path / k.usual).is_file()]
        if held:
            use = f"did you mean {held[0]}?"
        elif (path / "checkpoint.pt").is_file():
            use = f"srnn-train --resume {path} continues the run in it"
    use = use.replace("{path}", str(path)).replace("{folder}", str(path.parent))
    return f"{path}: is {kind.what}, not {wanted[0].what}; {use}"


def check_target(option: str, path: str | os.PathLike[str], *replaceable: FileKind) -> None:
    """Refuse to write over a file that is known to be of another kind than those replaceable.

    Raises
    ------
    InputError
        Such a file is there, perhaps the very input: ``option`` names where it was given.
    """
    kind = kind_of(path)
    if kind is not None and kind not in replaceable:
        raise InputError(f"{option}: {path} is {kind.what}; name another file")


def check_network_name(path: str | os.PathLike[str], option: str = "") -> None:
    """Refuse to give a network of integers a name that says it is a file of another kind.

    Raises
    ------
    InputError
        Such a name; ``option`` says where it was given.
    """
    ending = Path(path).suffix.lower()
    what = _OTHER_ENDINGS.get(ending)
    if what is None:
        return
    raise InputError(
        f"{option}{': ' if option else ''}{path}: {ending} is the ending of {what}; name the "
        f"network of integers {Path(path).with_suffix('.net').name}"
    )


def kind_of(path: str | os.PathLike[str]) -> FileKind | None:
    """Return what a file is, None where that cannot be told or there is no file."""
    path = Path(path)
    try:
        if path.is_dir():
            return FOLDER
        if not path.is_file():
            # A pipe can be read once.
            return None
        with path.open("rb") as file:
            return _kind(path, file)
    except _UNREADABLE:
        return None


def _kind(path: Path, file: IO[bytes]) -> FileKind | None:
    head = file.read(len(_HDF5))
    file.seek(0)
    if head.startswith(_HDF5):
        return _hdf5(path)
    if head.startswith(_NUMPY):
        return ARRAYS
    if head.startswith(_ZIP):
        return _zip(file)
    if head.startswith(_PICKLE):
        return _pickle(file.read(_PICKLE_BYTES))
    if path.suffix.lower() == ".toml":
        tables = read_toml_file(path)
        return next((kind for name, kind in _BY_TABLE.items() if name in tables), None)
    return TABLE if path.suffix.lower() in _TABLES and head else None


def _hdf5(path: Path) -> FileKind | None:
    from .netx_hdf5 import root_entries

    groups, datasets, form = root_entries(path)
    if form == "srnn-trace":
        return TRACE
    if groups & {"srnn", "layer"}:
        return NETWORK
    if "node" in groups:
        return NIR
    # Of a network that has lost its groups the reader says what is missing.
    return ARRAYS if datasets and not groups and path.suffix != ".net" else None


def _zip(file: IO[bytes]) -> FileKind | None:
    with zip_members(file, "zip") as (archive, names):
        if any(name.endswith(".npy") for name in names):
            return ARRAYS
        pickles = [name for name in names if name.endswith("data.pkl")]
        if not pickles:
            return None
        with archive.open(pickles[0]) as content:
            return _pickle(content.read(_PICKLE_BYTES))


def _pickle(content: bytes) -> FileKind | None:
    tensors = False
    for name in _names(content):
        if name in _BY_FORMAT:
            return _BY_FORMAT[name]
        module, found, _ = name.partition(" ")
        if not found:
            continue
        if module not in _OF_TENSORS:
            dotted = " ".join(name.split()).replace(" ", ".")[:80]
            return FileKind(f"{PICKLED.what} ({dotted})", PICKLED.use)
        tensors = True
    return WEIGHTS if tensors else None


def _names(content: bytes) -> Iterator[str]:
    """Yield texts without spaces, and what is imported as ``module name``, in order of a pickle."""
    stream, texts = BytesIO(content), ["", ""]
    for _ in range(_PICKLES):
        try:
            for operation, argument, _ in pickletools.genops(stream):
                if operation.name == "GLOBAL":
                    yield str(argument)
                elif operation.name == "STACK_GLOBAL":
                    yield " ".join(texts)
                elif isinstance(argument, str):
                    texts = [texts[1], argument]
                    yield argument.replace(" ", "")
        except (ValueError, LookupError):
            # Cut off, or at its end.
            return
