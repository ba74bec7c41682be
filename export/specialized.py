"""Python functions with other values under their global names, to be compiled for one purpose."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any


def specialized(function: Callable[..., Any], name: str, **names: Any) -> Any:
    """Return a function of another name that finds these values under global names.

    Compiled code is found by its name, among all that a process has loaded: functions that differ
    must not share one.
    """
    made = FunctionType(
        function.__code__,
        {**function.__globals__, **names},
        name,
        function.__defaults__,
        function.__closure__,
    )
    made.__qualname__ = name
    return made
