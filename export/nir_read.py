"""NIR files: their nodes, built by the ``nir`` library one by one, with nested graphs flattened.

Node by node, so that one error can name every node that does not fit; ``nir.read`` stops at the
first. The HDF5 below is read as defensively as in ``netx_hdf5.py``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .errors import InputError
from .netx_hdf5 import read_contents
from .plain import shown
from .reading.files import located

_REFUSED_BY_NIR = (AssertionError, AttributeError, IndexError, KeyError, TypeError, ValueError)
"""Errors of the classes of ``nir`` for missing, unexpected or misshapen entries."""

_CONNECTIONS = ("Affine", "Linear", "Scale", "Flatten", "Delay")
NUMERIC = frozenset({"Input", "Output", *_CONNECTIONS, "LIF", "CubaLIF", "LI", "CubaLI"})
"""Supported nodes, all of whose entries are numbers."""


@dataclass(frozen=True)
class Offence:
    """A node that an srnn network cannot represent, its type, and the reason."""

    node: str
    kind: str
    reason: str

    def __str__(self) -> str:
        return f"{self.node} ({self.kind}): {self.reason}"


def refuse(offences: list[Offence], what: str = "srnn cannot represent this graph") -> None:
    """Raise one InputError that names every offence, if there is any."""
    if offences:
        raise InputError(f"{what}: " + "; ".join(map(str, dict.fromkeys(offences))))


@dataclass
class NodeGraph:
    """The nodes of a file, without nested graphs.

    ``nodes``: ``nir`` nodes by name, those of a nested graph ``g`` as ``g.name``. ``inner``: names
    of the inputs and outputs of nested graphs, which pass on their input. ``edges``: pairs of
    names. ``metadata``: of the outermost graph. ``offences``: nodes that could not be built.
    """

    nodes: dict[str, Any] = field(default_factory=dict)
    inner: set[str] = field(default_factory=set)
    edges: list[tuple[str, str]] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    offences: list[Offence] = field(default_factory=list)


def read_graph(path: str | os.PathLike[str]) -> NodeGraph:
    """Read a file of NIR.

    Raises
    ------
    InputError
        Not an HDF5 file, truncated, damaged, or without a graph.
    """
    contents = read_contents(path, ("node",), lists_of_text=True)
    with located(path):
        tree = _tree(contents.values, contents.groups).get("node")
        if not isinstance(tree, dict) or not isinstance(tree.get("nodes"), dict):
            raise InputError("not a NIR graph: there is no group /node/nodes")
        graph = NodeGraph()
        metadata = tree.get("metadata")
        graph.metadata = metadata if isinstance(metadata, dict) else {}
        _open(tree, "", graph)
        graph.edges = list(dict.fromkeys(graph.edges))
        return graph


def _tree(values: Mapping[str, Any], groups: set[str]) -> dict[str, Any]:
    """Return values by path as nested dictionaries; scalars as NumPy scalars, as in h5py."""
    root: dict[str, Any] = {}
    for path in sorted(groups):
        _parent(root, f"{path}/")
    for path, value in values.items():
        scalar = isinstance(value, np.ndarray) and value.shape == ()
        _parent(root, path)[path.rsplit("/", 1)[1]] = value[()] if scalar else value
    return root


def _parent(root: dict[str, Any], path: str) -> dict[str, Any]:
    for part in path.split("/")[1:-1]:
        root = root.setdefault(part, {})
    return root


def _open(tree: dict[str, Any], prefix: str, graph: NodeGraph) -> tuple[list[str], list[str]]:
    """Add a graph's nodes and edges; return the names of its inputs and outputs."""
    import nir

    ends: dict[str, tuple[list[str], list[str]]] = {}
    inputs, outputs = [], []
    for name, entry in tree["nodes"].items():
        full = prefix + name
        said = entry.get("type") if isinstance(entry, dict) else None
        kind = said if isinstance(said, str) else None
        if kind == "NIRGraph" and isinstance(entry.get("nodes"), dict):
            ends[name] = _open(entry, f"{full}.", graph)
            if [len(found) for found in ends[name]] != [1, 1]:
                graph.offences.append(
                    Offence(full, "NIRGraph", "a nested graph needs one Input and one Output")
                )
            continue
        ends[name] = ([full], [full])
        node = _build(full, kind, entry, graph)
        if node is None:
            continue
        if full in graph.nodes:
            graph.offences.append(Offence(full, str(kind), "two nodes have this name"))
        graph.nodes[full] = node
        for found, of_kind in ((inputs, nir.Input), (outputs, nir.Output)):
            if isinstance(node, of_kind):
                found.append(full)
                if prefix:
                    graph.inner.add(full)
    for source, target in _edges(tree.get("edges"), prefix):
        unknown = [name for name in (source, target) if name not in ends]
        if unknown:
            graph.offences.append(
                Offence(prefix + unknown[0], "edge", f"{source} to {target}: there is no such node")
            )
            continue
        graph.edges.extend((a, b) for a in ends[source][1] for b in ends[target][0])
    return inputs, outputs


def _build(name: str, kind: str | None, entry: Any, graph: NodeGraph) -> Any:
    import nir

    if kind is None:
        graph.offences.append(Offence(name, "?", "has no type"))
        return None
    try:
        nir.ir.str2NIRNode(kind)
    except AssertionError:
        graph.offences.append(
            Offence(name, " ".join(kind.split())[:40], f"nir {nir.__version__} knows no such node")
        )
        return None
    texts = [key for key, value in entry.items() if key != "type" and not _fits(key, value)]
    if kind in NUMERIC and texts:
        graph.offences.append(Offence(name, kind, f"{', '.join(sorted(texts))} are no numbers"))
        return None
    try:
        return nir.dict2NIRNode(dict(entry))
    except _REFUSED_BY_NIR as error:
        graph.offences.append(
            Offence(name, kind, f"nir refuses it: {shown(str(error) or type(error).__name__)}")
        )
        return None


def _fits(key: str, value: Any) -> bool:
    if key == "metadata":
        return isinstance(value, dict)
    return isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biuf"


def _edges(edges: Any, prefix: str) -> list[tuple[str, str]]:
    where = f"/node{''.join(f'/nodes/{part}' for part in prefix.split('.')[:-1])}/edges"
    if isinstance(edges, np.ndarray) and edges.size == 0:
        return []
    if not isinstance(edges, np.ndarray) or edges.dtype != object or edges.shape[1:] != (2,):
        raise InputError(f"{where}: not a list of pairs of names")
    return [(str(source), str(target)) for source, target in edges]
