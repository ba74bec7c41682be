"""Neurons from elsewhere: a user's own file, and installed distributions.

Code runs only where the user asked for it: a file that he names, and what he has installed, by the
entry points of the group ``srnn.neurons``. A model file runs none. Installed neurons are imported
when a name is looked up that nothing else has, so that networks of srnn's own neurons pay nothing.
"""

from __future__ import annotations

import inspect
import os
import sys
import traceback
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from .errors import InputError
from .identity import DISTRIBUTIONS, named
from .neuron import Neuron
from .real import FloatNeuron
from .registry import FLOAT_NEURONS, NEURONS, register, register_float

T = TypeVar("T", bound=type)

GROUP = "srnn.neurons"
"""The group of entry points."""

_KINDS: tuple[tuple[type, dict[str, Any], Callable[[Any], object]], ...] = (
    (Neuron, NEURONS, register),
    (FloatNeuron, FLOAT_NEURONS, register_float),
)
"""What a file may define: the base class, the registry, and what adds to it."""

_NONE = "defines no neuron, a class with the base Neuron or FloatNeuron"

_LOADED: dict[str, tuple[bytes, tuple[type, ...]]] = {}
"""Content and neurons of each file that is loaded, by its module's name."""


def load(path: str | os.PathLike[str]) -> tuple[type, ...]:
    """Run a Python file and register the neurons that it defines: what ``--neurons`` does.

    These are its classes with the base ``Neuron`` or ``FloatNeuron``, except those whose name
    begins with ``_``. A file that is loaded again is run only if it has changed; its neurons
    replace the earlier ones.

    Returns
    -------
    tuple of type
        The neurons, in the order of the file.

    Raises
    ------
    InputError
        No such file, not Python, an error while it runs, no neuron in it, or one that ``register``
        refuses; with the line of the file. Nothing of the file is registered then.
    OSError
        The file cannot be read.
    """
    if not Path(path).exists():
        raise InputError(f"{path}: no such file")
    if Path(path).is_dir() or Path(path).suffix != ".py":
        raise InputError(f"{path}: is not a Python file (.py)")
    file = Path(path).resolve()
    content = file.read_bytes()
    # The same in every process, so that what is pickled in one is found in another.
    stem = file.stem.replace(".", "_")
    name = f"srnn_neurons_{stem}_{zlib.crc32(os.fsencode(file)):08x}"
    if name in _LOADED and _LOADED[name][0] == content:
        return _LOADED[name][1]
    with _all_or_nothing(name):
        for _, table, _ in _KINDS:
            for key in [key for key, one in table.items() if one.__module__ == name]:
                del table[key]
        records = _defined(_run(file, name, content))
        if not records:
            raise InputError(f"{path}: {_NONE}")
        for record in records:
            try:
                _add(record)
            except InputError as error:
                raise _located(file, _line(record), str(error)) from error
    _LOADED[name] = content, records
    return records


def find(name: str, table: dict[str, T] = NEURONS) -> T | None:
    """Return the neuron of a name, also one of an installed distribution, else None.

    ``table``: the registry, ``NEURONS`` or ``FLOAT_NEURONS``.
    """
    if name not in table:
        load_installed()
    return table.get(name)


@cache
def load_installed() -> tuple[str, ...]:
    """Register the neurons of installed distributions, once in a process.

    An entry point's value is a module, a neuron, or a function that returns one or several. Its
    name is free.

    Returns
    -------
    tuple of str
        One line for each entry point that is broken, naming the distribution; it adds nothing, and
        the others are not affected.
    """
    from importlib.metadata import entry_points

    # A distribution may be on the path twice, for example installed and as a source folder.
    found = {(named(entry.dist), entry.value): entry for entry in entry_points(group=GROUP)}
    broken = []
    for (distribution, value), entry in sorted(found.items()):
        try:
            with _all_or_nothing():
                for record in _given(entry.load()):
                    _add(record)
                    DISTRIBUTIONS[record] = distribution
        # A plug-in may raise anything.
        except (Exception, SystemExit) as error:  # noqa: BLE001
            broken.append(
                f"the neurons of {distribution} are broken: loading {value}: {_said(error)}; fix "
                "or uninstall it"
            )
    return tuple(broken)


def _run(file: Path, name: str, content: bytes) -> ModuleType:
    """Run a file as a module, without Python's cache, which would not see a quick edit."""
    spec = spec_from_file_location(name, file)
    assert spec is not None
    module = sys.modules[name] = module_from_spec(spec)
    try:
        code = compile(content, file, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise _located(file, line, f"is not Python: {getattr(error, 'msg', error)}") from error
    try:
        exec(code, vars(module))
    # A user's own code may raise anything.
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == str(file)]
        raise _located(file, lines[-1] if lines else None, _said(error)) from error
    return module


def _defined(module: ModuleType) -> tuple[type, ...]:
    """Return the neurons that a module defines, or a module inside of it."""
    return tuple(
        dict.fromkeys(
            one
            for one in vars(module).values()
            if isinstance(one, type)
            and issubclass(one, tuple(base for base, _, _ in _KINDS))
            and f"{one.__module__}.".startswith(f"{module.__name__}.")
            and not one.__name__.startswith("_")
        )
    )


def _given(value: Any) -> Iterable[Any]:
    if isinstance(value, ModuleType):
        records = _defined(value)
        if not records:
            raise InputError(_NONE)
        return records
    if callable(value) and not isinstance(value, type):
        value = value()
    return value if isinstance(value, (list, tuple)) else (value,)


def _add(record: Any) -> None:
    for base, _, add in _KINDS:
        if isinstance(record, type) and issubclass(record, base):
            add(record)
            return
    raise InputError(f"{record!r} is not a class with the base Neuron or FloatNeuron")


@contextmanager
def _all_or_nothing(module: str = "") -> Iterator[None]:
    """Take back what was registered, and a module, where an error ends it."""
    before = [(table, dict(table)) for _, table, _ in _KINDS]
    there = sys.modules.get(module)
    try:
        yield
    except BaseException:
        for table, entries in before:
            table.clear()
            table.update(entries)
        sys.modules.pop(module, None)
        if there is not None:
            sys.modules[module] = there
        raise


def _said(error: BaseException) -> str:
    """Return an error as one line; srnn's own name no class."""
    text = " ".join(str(error).split())
    return text if isinstance(error, InputError) else f"{type(error).__name__}: {text}"


def _line(record: type) -> int | None:
    try:
        return inspect.getsourcelines(record)[1]
    except (OSError, TypeError):
        return None


def _located(file: Path, line: int | None, text: str) -> InputError:
    where = f"{file}, line {line}" if line else f"{file}"
    # What is wrong with a step is said with the step's own line.
    return InputError(text if text.startswith(f"{file}") else f"{where}: {text}")
