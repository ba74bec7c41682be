"""Boards and their limits: the records behind ``boards.toml`` and the files of users.

A limit whose value is not public is None and is not checked; every limit carries its source.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib import resources
from typing import Any

from ..export.errors import InputError
from ..export.filekind import BOARDS, check_kind
from ..export.network import NEURONS
from ..export.plain import build, shown
from ..export.reading.text import read_toml, read_toml_file
from ..export.suggest import check_known, unknown
from ..neurons.loading import find

_PACKAGE = __name__.rpartition(".")[0]

VALUE_MAX = 1 << 48
WIDTH_MAX = 64


@dataclass(frozen=True)
class Limit:
    """One limit: its ``value``, or None where it is not known; its source; whether it is verified.

    Raises
    ------
    InputError
        A value outside 0..2^48.
    """

    value: int | None = None
    source: str = ""
    verified: bool = False

    def __post_init__(self) -> None:
        if self.value is not None and not 0 <= self.value <= VALUE_MAX:
            raise InputError(f"value {self.value} is outside 0..{VALUE_MAX}")


@dataclass(frozen=True)
class Limits:
    """The limits of a chip, of a core of it, and of a neuron or synapse on it.

    ``output_axons_per_core`` counts one axon for every neuron and core that it reaches. A decay
    profile is a set of decays that neurons share, a threshold profile a set of thresholds and
    threshold steps. ``bias_bits`` is the mantissa with its sign, next to an exponent of 0 to 7.
    ``graded_payload_bits`` counts the sign; 0 stands for spikes without a value.

    Raises
    ------
    InputError
        A limit of 0 other than the graded payload.
    """

    cores_per_chip: Limit = field(default_factory=Limit)
    neurons_per_core: Limit = field(default_factory=Limit)
    synapse_bits_per_core: Limit = field(default_factory=Limit)
    input_axons_per_core: Limit = field(default_factory=Limit)
    output_axons_per_core: Limit = field(default_factory=Limit)
    decay_profiles_per_core: Limit = field(default_factory=Limit)
    threshold_profiles_per_core: Limit = field(default_factory=Limit)
    fan_in: Limit = field(default_factory=Limit)
    fan_out: Limit = field(default_factory=Limit)
    weight_bits: Limit = field(default_factory=Limit)
    state_bits: Limit = field(default_factory=Limit)
    decay_bits: Limit = field(default_factory=Limit)
    threshold_bits: Limit = field(default_factory=Limit)
    bias_bits: Limit = field(default_factory=Limit)
    delay_bits: Limit = field(default_factory=Limit)
    graded_payload_bits: Limit = field(default_factory=Limit)

    def __post_init__(self) -> None:
        for name, limit in self.items():
            if limit.value == 0 and name != "graded_payload_bits":
                raise InputError(f"{name}.value: 0 is below 1; leave out a value that is not known")

    def items(self) -> list[tuple[str, Limit]]:
        """Return the limits by name, in the order of this record."""
        return [(entry.name, getattr(self, entry.name)) for entry in fields(self)]


LABELS = {
    "cores": "cores",
    "cores_per_chip": "cores per chip",
    "neurons_per_core": "neurons",
    "synapse_bits_per_core": "synapse bits",
    "input_axons_per_core": "input axons",
    "output_axons_per_core": "output axons",
    "decay_profiles_per_core": "decay profiles",
    "threshold_profiles_per_core": "threshold profiles",
    "fan_in": "fan-in",
    "fan_out": "fan-out",
    "weight_bits": "weight bits",
    "state_bits": "state bits",
    "decay_bits": "decay bits",
    "threshold_bits": "threshold bits",
    "bias_bits": "bias bits",
    "delay_bits": "delay bits",
    "graded_payload_bits": "graded payload bits",
    "neuron_model": "neuron model",
}
"""Names in tables and messages."""

PER_CORE = tuple(name for name in LABELS if name.endswith("_per_core"))
"""The resources of a core; the keys of ``Placement.used``."""


@dataclass(frozen=True)
class SynapseFormat:
    """How synapses lie in a core's memory: entries of words, one list of entries an input axon.

    An entry holds up to ``entry_synapses`` synapses behind a header; a synapse is a weight, a delay
    where the matrix has any, and in the sparse format an index. Widths are the bits that exist.

    Raises
    ------
    InputError
        A number below 1 or widths that do not ascend.
    """

    word_bits: int = 64
    entry_synapses: int = 64
    entry_header_bits: int = 10
    weight_widths: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 8)
    index_widths: tuple[int, ...] = (6, 7, 8, 9, 10, 11, 12)
    source: str = ""
    verified: bool = False

    def __post_init__(self) -> None:
        for name, low, high in (
            ("word_bits", 1, 1 << 16),
            ("entry_synapses", 1, 1 << 16),
            ("entry_header_bits", 0, 1 << 16),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"{name}: {value} is outside {low}..{high}")
        for name in ("weight_widths", "index_widths"):
            widths = getattr(self, name)
            ascending = list(widths) == sorted(set(widths))
            if not (widths and ascending and widths[0] >= 1 and widths[-1] <= WIDTH_MAX):
                raise InputError(
                    f"{name}: {list(widths)} must be ascending numbers of bits, 1 to {WIDTH_MAX}"
                )


@dataclass(frozen=True)
class Chip:
    """A kind of chip: its limits, the neuron types built into it, and whether it has microcode.

    Raises
    ------
    InputError
        A native neuron that is not a neuron type of a ``.net`` file, or no limit of cores.
    """

    title: str
    limits: Limits
    native_neurons: tuple[str, ...] = ()
    microcode: bool = False
    synapse_format: SynapseFormat = field(default_factory=SynapseFormat)

    def __post_init__(self) -> None:
        for index, name in enumerate(self.native_neurons):
            if find(name) is None:
                raise InputError(unknown("neuron", name, NEURONS, f"native_neurons.{index}"))
        for name in ("cores_per_chip", "neurons_per_core"):
            if getattr(self.limits, name).value is None:
                raise InputError(f"limits.{name}: has no value, which placement needs; give one")


@dataclass(frozen=True)
class _BoardEntry:
    title: str
    chip: str
    chips: Limit

    def __post_init__(self) -> None:
        if not self.chips.value:
            raise InputError("chips.value: a board has at least 1 chip")


@dataclass(frozen=True)
class Board:
    """A board: so many chips of one kind. ``name`` is the one that ``--target`` takes."""

    name: str
    title: str
    chip: Chip
    chips: Limit

    @property
    def cores_per_chip(self) -> int:
        """Cores of one chip."""
        cores = self.chip.limits.cores_per_chip.value
        assert cores is not None
        return cores

    @property
    def cores(self) -> int:
        """Cores of all chips."""
        assert self.chips.value is not None
        return self.chips.value * self.cores_per_chip

    def limit(self, name: str) -> Limit:
        """Return a limit by its name in ``Limits``."""
        return getattr(self.chip.limits, name)


@dataclass(frozen=True)
class Boards:
    """Boards by name, chips by name, and short names of boards (``loihi1``)."""

    boards: dict[str, Board]
    chips: dict[str, Chip]
    targets: dict[str, str]

    def names(self) -> list[str]:
        """Return every name that ``find`` takes."""
        return [*self.targets, *self.boards]

    def find(self, name: str) -> Board:
        """Return the board of that name or short name.

        Raises
        ------
        InputError
            There is none; with a suggestion.
        """
        known = self.targets.get(name, name)
        if known not in self.boards:
            raise InputError(unknown("board", name, self.names()))
        return self.boards[known]


def read_boards(path: str | os.PathLike[str] | None = None) -> Boards:
    """Read the bundled boards, or a file of a user's boards.

    A user's board may name a chip of its own file or a bundled one; in its own file its chips come
    first.

    Raises
    ------
    InputError
        Not a TOML file, or a setting that is unknown, missing, of another type or out of range; the
        message names the file and the setting.
    """
    file = resources.files(_PACKAGE).joinpath("boards.toml")
    bundled = _parse(read_toml(file.read_text("utf-8"), "boards.toml"), "boards.toml", {})
    if path is None:
        return bundled
    check_kind(path, BOARDS)
    return _parse(read_toml_file(path), os.fspath(path), bundled.chips)


def _parse(values: dict[str, Any], where: str, chips: Mapping[str, Chip]) -> Boards:
    try:
        return _boards(values, chips)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _boards(values: dict[str, Any], chips: Mapping[str, Chip]) -> Boards:
    known = ("boards", "chips", "targets")
    for name in values:
        check_known("table", name, known)
    own = {
        name: build(Chip, entry, f"chips.{name}") for name, entry in _table(values, "chips").items()
    }
    chips = {**chips, **own}
    boards = {}
    for name, entry in _table(values, "boards").items():
        where = f"boards.{name}"
        read = build(_BoardEntry, entry, where)
        check_known("chip", read.chip, chips, f"{where}.chip")
        boards[name] = Board(name, read.title, chips[read.chip], read.chips)
    if not boards:
        raise InputError("boards: the file describes no board")
    targets = _table(values, "targets")
    for name, board in targets.items():
        if not isinstance(board, str) or board not in boards:
            raise InputError(unknown("board", board, boards, f"targets.{name}"))
    return Boards(boards, chips, targets)


def _table(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    entry = values.get(name, {})
    if not isinstance(entry, Mapping):
        raise InputError(f"{name}: {shown(entry)} is not a table")
    return dict(entry)
