"""The section on the origin of the results: files, versions, commit, seeds, recipe."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .document import Column, Section, Table
from .evidence import Evidence

PACKAGES = ("srnn", "numpy", "scipy", "numba", "h5py", "matplotlib")


def created() -> str:
    """Return the time in UTC, ISO 8601; SOURCE_DATE_EPOCH sets it, for reproducible files."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    seconds = float(given) if given.isdigit() else time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def commit() -> str | None:
    """Return the commit of the checkout that this package runs from, None outside a checkout."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists() or not (root / "pyproject.toml").exists():
        return None
    try:
        head, changes = (
            subprocess.run(
                ["git", "-C", str(root), *words],
                capture_output=True,
                text=True,
                timeout=10,
                check=True,
            ).stdout.strip()
            for words in (("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{head}, with changes" if changes else head


def origin(evidences: tuple[Evidence, ...], command: str) -> Section:
    """Return the section; ``command`` is the line that made the report."""
    code = (Column("item", "item"), Column("value", "value", "code"))
    here = [
        ("made", created()),
        ("command", command),
        ("commit of srnn", commit()),
        ("python", platform.python_version()),
        *((name, _version(name)) for name in PACKAGES),
        ("machine", f"{platform.machine()}, {os.cpu_count()} processors, {platform.system()}"),
    ]
    items = [Table("provenance", "This report", code, tuple(here))]
    for index, evidence in enumerate(evidences):
        more = f"-{index}" if len(evidences) > 1 else ""
        items.append(
            Table(
                f"network-file{more}",
                f"The network {evidence.path.name}",
                code,
                tuple(_file(evidence)),
            )
        )
        recipe = evidence.network.provenance.get("recipe")
        if isinstance(recipe, Mapping):
            rows = tuple((name, in_words(value)) for name, value in flat(recipe))
            columns = (Column("setting", "setting"), Column("value", "value", "code"))
            items.append(Table(f"recipe{more}", f"Recipe of {evidence.path.name}", columns, rows))
    return Section("provenance-section", "Provenance", tuple(items))


def _file(evidence: Evidence) -> Iterator[tuple[str, str | None]]:
    network, stored = evidence.network, evidence.network.provenance
    yield "file", evidence.path.name
    yield "sha256", evidence.sha256
    yield "data", evidence.data.source
    model = stored.get("model")
    if isinstance(model, Mapping):
        yield "exported from", in_words(model.get("file"))
        yield "its sha256", in_words(model.get("sha256"))
    for name in ("trained_on_grid", "quantization", "versions"):
        value = stored.get(name)
        for key, entry in flat(value) if isinstance(value, Mapping) else [("", value)]:
            yield f"{name} {key}".strip().replace("_", " "), in_words(entry)
    recipe = stored.get("recipe")
    for where, table in (("training", recipe), ("task", {"task": network.task})):
        for key, entry in flat(table) if isinstance(table, Mapping) else ():
            if key.split(".")[-1] == "seed":
                yield f"seed of {where}", in_words(entry)
    encoder = network.task.get("encoder")
    if encoder:
        yield "encoder", in_words(encoder)


def flat(value: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the entries of nested tables and lists with dotted names."""
    entries: Any = None
    if isinstance(value, Mapping):
        entries = value.items()
    elif isinstance(value, list) and any(isinstance(entry, (Mapping, list)) for entry in value):
        entries = enumerate(value)
    if entries is None:
        yield where, value
        return
    for key, entry in entries:
        yield from flat(entry, f"{where}.{key}" if where else str(key))


def in_words(value: Any) -> str | None:
    """Write a setting, shortened if it is long."""
    if value is None:
        return None
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= 300 else f"{text[:297]}..."


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
