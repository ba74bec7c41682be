"""Targets of other distributions, found by the entry points of the group ``srnn.backends``.

Finding them reads the metadata of installed distributions and imports nothing; a plug-in is
imported when it is asked for, and a broken one does not affect the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from ..export.errors import InputError
from ..neurons.identity import named

GROUP = "srnn.backends"
"""The group of entry points."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Plugin:
    """An entry point: its name is the target's, its value a callable that makes the backend."""

    entry: EntryPoint

    @property
    def name(self) -> str:
        """The target's name."""
        return self.entry.name

    @property
    def distribution(self) -> str:
        """The distribution that declares it, with its version."""
        return named(self.entry.dist)

    def make(self, options: Any, protocol: type[Answer]) -> Answer:
        """Import the plug-in and make its backend from run options.

        Raises
        ------
        InputError
            It cannot be imported or called, returns something that lacks a member of ``protocol``,
            or a backend of another name; the message names the distribution.
        """
        factory = self.asked(f"loading {self.entry.value}", self.entry.load)
        backend = self.asked(f"calling {self.entry.value}", lambda: factory(options))
        if not isinstance(backend, protocol):
            members = ("name", "available", "describe", "run")
            missing = ", ".join(name for name in members if not hasattr(backend, name))
            raise self._broken(
                f"{self.entry.value} returns a {type(backend).__name__} that lacks {missing}"
            )
        if getattr(backend, "name", None) != self.name:
            raise self._broken(f"its backend calls itself {getattr(backend, 'name', None)!r}")
        return backend

    def asked(self, what: str, question: Callable[[], Answer]) -> Answer:
        """Return the answer of a plug-in's code, or raise InputError naming the distribution."""
        try:
            return question()
        except InputError:
            raise
        except Exception as error:
            raise self._broken(f"{what}: {type(error).__name__}: {error}") from error

    def _broken(self, why: str) -> InputError:
        line = " ".join(why.split())
        return InputError(
            f"target {self.name}: the plug-in of {self.distribution} is broken: {line}; fix or "
            "uninstall it"
        )


@dataclass(frozen=True)
class Found:
    """The plug-ins by name, sorted, and one line for each that is refused."""

    plugins: dict[str, Plugin]
    refused: tuple[str, ...]


def find(taken: tuple[str, ...]) -> Found:
    """Return what is installed; ``taken`` are names that a plug-in may not have.

    Where two distributions claim the same name, neither gets it.
    """
    claims: dict[str, dict[str, Plugin]] = {}
    for entry in entry_points(group=GROUP):
        plugin = Plugin(entry)
        # A distribution may be on the path twice, for example installed and as a source folder.
        claims.setdefault(plugin.name, {}).setdefault(plugin.distribution, plugin)
    plugins, refused = {}, []
    for name, claimed in sorted(claims.items()):
        owners = " and ".join(sorted(claimed))
        if name in taken:
            refused.append(f"target {name} of {owners} is refused: srnn has a target of that name")
        elif len(claimed) > 1:
            refused.append(f"target {name} is refused: {owners} both claim that name")
        else:
            (plugins[name],) = claimed.values()
    return Found(plugins, tuple(refused))
