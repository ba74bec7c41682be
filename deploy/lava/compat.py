"""Which Lava is installed, and the patches that newer Pythons and NumPys need.

lava-nc 0.10.0 is the last release and asks for Python 3.10. On 3.11 and later it fails while
``lava.magma.compiler.var_model`` is imported: eight dataclass fields there have a mutable default,
``ByteEncoder()``, which Python 3.11 refuses. The file is LGPL and is not copied; its defaults
become ``default_factory`` while it is imported. Its ports that reshape what they carry, which
convolutions need, call ``np.reshape`` with a name that NumPy 2.4 has removed. Nothing else needs a
patch.
"""

from __future__ import annotations

import dataclasses
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from ...export.extras import lava_install, pip_install

PROVEN_VERSION = "0.10.0"
PATCHED_MODULE = "lava.magma.compiler.var_model"
PORTS_MODULE = "lava.magma.core.process.ports.ports"

_NEEDED = ("numpy", "scipy", "networkx", "asteval")


def lava_version() -> str | None:
    """Return the version of the installed lava-nc, or None; Lava is not imported."""
    try:
        return version("lava-nc")
    except PackageNotFoundError:
        return None


def available() -> tuple[bool, str]:
    """Return whether Lava can run here, and why or why not, without importing it."""
    if sys.platform == "win32":
        return False, "Lava's runtime needs fork, which Windows does not have"
    found = lava_version()
    if found is None:
        return False, f"lava-nc is not installed ({lava_install(PROVEN_VERSION)})"
    if found != PROVEN_VERSION:
        return False, f"lava-nc {found} is installed, srnn runs {PROVEN_VERSION}"
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        return (
            False,
            f"lava-nc {found} lacks {', '.join(missing)} ({pip_install(*missing)})",
        )
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    how = "patched at import" if needs_patch() else "unmodified"
    return True, f"lava-nc {found} on Python {python}, {how}"


def needs_patch() -> bool:
    """Whether the installed Lava is the release that this Python cannot import as it is."""
    return sys.version_info >= (3, 11) and lava_version() == PROVEN_VERSION


def prepare() -> None:
    """Make ``import lava...`` work: import the module that needs the patch, with it in place.

    Does nothing if no patch is needed or that module is already imported.
    """
    if not needs_patch() or PATCHED_MODULE in sys.modules:
        return
    with mutable_defaults_as_factories(PATCHED_MODULE):
        importlib.import_module(PATCHED_MODULE)
    _mend_reshape(importlib.import_module(PORTS_MODULE).ReshapePort)


def _mend_reshape(port: Any) -> None:
    port.get_transform_func_fwd = lambda self: partial(_reshaped, shape=self.shape)
    port.get_transform_func_bwd = lambda self: partial(_reshaped, shape=self.old_shape)


def _reshaped(data: Any, shape: tuple[int, ...]) -> Any:
    return data.reshape(shape)


@contextmanager
def mutable_defaults_as_factories(module: str) -> Iterator[None]:
    """Let dataclasses of ``module`` have defaults that are instances of dataclasses.

    Inside the block each such default becomes ``field(default_factory=type(default))``; classes of
    other modules are not changed. ``dataclasses.dataclass`` is restored at the end.
    """
    original = dataclasses.dataclass

    def with_factories(cls: type) -> type:
        for name in vars(cls).get("__annotations__", {}):
            default = vars(cls).get(name)
            if dataclasses.is_dataclass(default) and not isinstance(default, type):
                setattr(cls, name, dataclasses.field(default_factory=type(default)))
        return cls

    def dataclass(cls: type | None = None, /, **options: Any) -> type | Callable[[type], type]:
        def decorate(decorated: type) -> type:
            if decorated.__module__ == module:
                decorated = with_factories(decorated)
            return original(**options)(decorated)

        return decorate if cls is None else decorate(cls)

    dataclasses.dataclass = dataclass  # type: ignore[assignment]
    try:
        yield
    finally:
        dataclasses.dataclass = original
