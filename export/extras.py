"""Packages that only some commands need, and the command that installs them here."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from importlib.metadata import Distribution, distribution
from pathlib import Path

EXTRAS = {
    "torch": "train",
    "tensorboard": "train",
    "filelock": "train",
    "sklearn": "digits",
    "matplotlib": "report",
    "jinja2": "report",
    "nir": "nir",
    "triton": "cuda",
}
"""Modules that are not always installed, by the extra of ``pyproject.toml`` that has them."""


def needs(module: str) -> str:
    """Return a line that names a missing module of ``EXTRAS`` and what installs it."""
    return f"needs {module}, which is not installed here; run: {how_to_install(EXTRAS[module])}"


def how_to_install(extra: str) -> str:
    """Return the command that installs an extra: of the clone srnn runs from, else its packages.

    No index has srnn, so that ``pip install 'srnn[...]'`` would find nothing.
    """
    clone = _clone()
    if clone is not None:
        return pip_install("-e", f"{clone}[{extra}]")
    return pip_install(*requirements(distribution("srnn"), extra))


def lava_install(version: str) -> str:
    """Return the command that installs lava-nc, whose own pins end at Python 3.10."""
    if sys.version_info < (3, 11):
        return pip_install(f"lava-nc=={version}")
    alone = ("--no-deps", "--ignore-requires-python", f"lava-nc=={version}")
    return f"{pip_install('networkx', 'asteval')} && {pip_install(*alone)}"


def requirements(found: Distribution, extra: str) -> list[str]:
    """Return what an extra adds, such as ``matplotlib>=3.9``, without its markers."""
    parts = [line.partition(";") for line in found.requires or []]
    mine = (f'extra == "{extra}"', f"extra == '{extra}'")
    return [need.strip() for need, _, marker in parts if any(one in marker for one in mine)]


def pip_install(*words: str) -> str:
    """Return a ``pip install`` that reaches the environment that runs now, activated or not."""
    pip = shutil.which("pip")
    here = os.path.dirname(sys.executable)
    same = pip is not None and os.path.dirname(pip) == here
    start = ["pip"] if same else [sys.executable, "-m", "pip"]
    return shlex.join([*start, "install", *words])


def _clone() -> Path | None:
    """Return the clone that this code runs from, None where it was installed from a wheel."""
    folder = Path(__file__).resolve().parents[1]
    return folder if (folder / "pyproject.toml").is_file() else None
