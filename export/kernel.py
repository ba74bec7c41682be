"""Functions compiled by numba: kept on disk where a folder can be written, made ready in the open.

numba alone compiles at the first call, in silence and within whatever is being timed, gives up at
import where it finds no folder to write, and where a kept file is damaged.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import event
from numba.core.caching import FunctionCache, IndexDataCacheFile

from .compiling import compiling, say_once, stoppable, untimed

_DIGEST_BYTES = 16


class Kernel:
    """A compiled function of one signature.

    Parameters
    ----------
    function
        What is compiled. It holds no lock while it runs.
    name
        What it is called for people who wait for it.
    types
        numba's types of its arguments.

    Attributes
    ----------
    call
        The compiled function, to be called after ``ready``.
    is_ready
        Whether a call of it neither compiles nor reads a file.
    """

    def __init__(self, function: Callable[..., Any], name: str, types: Sequence[Any]) -> None:
        self.name = name
        self.types = tuple(types)
        self.call: Any = njit(nogil=True)(function)
        self.is_ready = False
        self._cache: _Cache | None = None
        # A RuntimeError is numba's way to say that no folder can be written.
        with suppress(RuntimeError, OSError):
            # What numba's enable_caching does, with another cache.
            self._cache = self.call._cache = _Cache(function)

    @property
    def kept(self) -> bool:
        """Whether its code is kept for other processes."""
        return self._cache is not None

    @property
    def address(self) -> int:
        """Address of the compiled function, after ``ready``, for calls from compiled code."""
        (made,) = self.call.overloads.values()
        return made.library.get_pointer_to_function(made.fndesc.llvm_cfunc_wrapper_name)

    def load(self) -> bool:
        """Make it ready from what is kept; return whether that was there."""
        if self._cache is not None and self._cache.holds(self.types, self.call.targetctx):
            self.compile()
        return self.is_ready

    def compile(self) -> None:
        """Make it ready; a call with arrays of other types is an error from then on."""
        self.call.compile(self.types)
        self.call.disable_compile()
        self.is_ready = True


def ready(*kernels: Kernel) -> None:
    """Load kernels or compile them, and say so: to be called before the first call of each.

    Called again it costs next to nothing. It may be called in any thread, and takes the main one to
    be stopped by Ctrl-C.
    """
    if all(kernel.is_ready for kernel in kernels):
        return
    with untimed():
        # Layers of one kind have one kernel.
        kernels = tuple(dict.fromkeys(kernels))
        missing = [kernel for kernel in kernels if not (kernel.is_ready or kernel.load())]
        if not missing:
            return
        kept = all(kernel.kept for kernel in missing)
        with (
            compiling([kernel.name for kernel in missing], kept=kept) as begin,
            stoppable() as check,
            event.install_listener("numba:run_pass", _Passes(check)),
        ):
            for kernel in missing:
                begin(kernel.name)
                kernel.compile()


class _Passes(event.Listener):
    """Calls a check before each of the compiler's thousands of steps."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check

    def on_start(self, event: Any) -> None:  # noqa: ARG002
        self._check()

    def on_end(self, event: Any) -> None:
        pass


class _Cache(FunctionCache):
    """numba's cache of a function; what cannot be read or written is as if it were not there."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file = _Files(
            self.cache_path, self._impl.filename_base, self._impl.locator.get_source_stamp()
        )
        self._ahead: Any = None

    def holds(self, types: tuple[Any, ...], context: Any) -> bool:
        """Load what is kept, for the next ``load_overload`` to return."""
        self._ahead = self.load_overload(types, context)
        return self._ahead is not None

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        found, self._ahead = self._ahead, None
        if found is not None:
            return found
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # noqa: BLE001
            # Not there, damaged, or of something else: it is compiled again.
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError as error:
            say_once(
                "unwritable",
                f"compiled kernels are not kept, {self.cache_path}: {error.strerror or error}; set "
                "NUMBA_CACHE_DIR to a folder that can be written",
            )


class _Files(IndexDataCacheFile):
    """numba's two files of a function, with a digest: damaged code would run."""

    def _dump(self, obj: Any) -> bytes:
        data = super()._dump(obj)
        return data + _digest(data)

    def _load_index(self) -> dict[Any, str]:
        try:
            with Path(self._index_path).open("rb") as file:
                version, data = pickle.load(file), file.read()
            stamp, overloads = pickle.loads(_checked(data))
        except Exception:  # noqa: BLE001
            # Not there yet, damaged, or of another version; a new one takes its place.
            return {}
        return overloads if (version, stamp) == (self._version, self._source_stamp) else {}

    def _load_data(self, name: str) -> Any:
        return pickle.loads(_checked(Path(self._data_path(name)).read_bytes()))


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=_DIGEST_BYTES).digest()


def _checked(data: bytes) -> bytes:
    data, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if _digest(data) != digest:
        raise ValueError("damaged")
    return data
