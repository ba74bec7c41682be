"""Hand-written NIR graphs, for the tests of the reader."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from srnn.export.errors import InputError
from srnn.export.nir_import import import_nir

DT = 1e-3


def lif(n: int, tau: float = 20e-3, **changes: Any) -> Any:
    values = {"tau": tau, "r": 1.0, "v_leak": 0.0, "v_threshold": 0.5, "v_reset": 0.0, **changes}
    metadata = values.pop("metadata", {})
    return nir.LIF(**{k: np.full(n, v) for k, v in values.items()}, metadata=metadata)


def cuba(n: int, **changes: Any) -> Any:
    values = {
        "tau_syn": 5e-3, "tau_mem": 20e-3, "r": 1.0, "v_leak": 0.0, "v_threshold": 0.5,
        "v_reset": 0.0, "w_in": 1.0, **changes,
    }  # fmt: skip
    return nir.CubaLIF(**{k: np.full(n, v) for k, v in values.items()})


def li(n: int) -> Any:
    return nir.LI(np.full(n, 10e-3), np.ones(n), np.zeros(n))


def matrix(n: int, m: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, m))


def write(
    folder: Path, nodes: dict[str, Any], edges: list[tuple[str, str]] | None = None, **metadata: Any
) -> Path:
    """A graph; without edges a chain of its nodes in order."""
    names = list(nodes)
    graph = nir.NIRGraph(
        nodes, edges or list(pairwise(names)), metadata=metadata,
        type_check=False,
    )  # fmt: skip
    nir.write(folder / "graph.nir", graph)
    return folder / "graph.nir"


def ends(n: int, m: int) -> dict[str, Any]:
    return {"in": nir.Input([n]), "out": nir.Output([m])}


def chain(n: int, *between: Any, m: int) -> dict[str, Any]:
    found = {"in": nir.Input([n])}
    found |= {f"n{index}": node for index, node in enumerate(between)}
    return {**found, "out": nir.Output([m])}


def offences(path: Path, **how: Any) -> str:
    with pytest.raises(InputError) as raised:
        import_nir(path, **{"dt": DT, **how})
    line = str(raised.value)
    assert "\n" not in line
    return line.removeprefix(f"{path}: ")
