"""What tests need beside the package: data, extras that ``make setup`` installs, other programs.

Four markers, one rule: without it a test is skipped, and with ``CI=true`` it fails.
"""

from __future__ import annotations

import ast
import os
import shutil
from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from paths import ROOT

Need = tuple[str, str]
"""A marker and the name it is given."""


@cache
def data_root() -> Path:
    """Return the folder of real data: ``SRNN_DATA`` at the start, default ``../shared/data``."""
    return Path(os.environ.get("SRNN_DATA", ROOT.parent / "shared" / "data"))


def modules(*names: str, how: str) -> Callable[[], str]:
    """Return a check whether these can be imported; ``how`` tells where they come from."""

    def check() -> str:
        missing = ", ".join(name for name in names if find_spec(name) is None)
        return missing and f"no {missing} ({how})"

    return check


def lava_dl() -> str:
    try:
        return "" if version("lava-dl") == "0.6.0" else "lava-dl is not 0.6.0"
    except PackageNotFoundError:
        return "no lava-dl (.ci/run installs it on Python 3.10, in an environment of its own)"


def lava_nc() -> str:
    if find_spec("lava") is None:
        return "no lava (make setup installs lava-nc)"
    from srnn.deploy.lava import compat

    able, reason = compat.available()
    return "" if able else reason


def programs(*names: str, how: str) -> Callable[[], str]:
    """Return a check whether these are on the PATH; ``how`` tells where they come from."""

    def check() -> str:
        missing = ", ".join(name for name in names if shutil.which(name) is None)
        return missing and f"no {missing} on the PATH ({how})"

    return check


def chromium() -> str:
    """Return the browser's path, or nothing."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or ""


CHECKS: dict[str, dict[str, Callable[[], str]]] = {
    "lava": {"": lava_nc},
    "extra": {
        "train": modules("torch", "tensorboard", "sklearn", "filelock", how="extra train"),
        "report": modules("matplotlib", "jinja2", how="extra report"),
        "nir": modules("nir", how="extra nir"),
        "nir-frameworks": modules("nirtorch", "snntorch", "norse", "sinabs", how="make setup"),
        "neurobench": modules("torch", "neurobench", "snntorch", "tqdm", how="make setup"),
    },
    "needs": {
        "triton": modules("triton", how="extra cuda"),
        "lightning": modules("lightning", how="pip install lightning"),
        "chromium": lambda: "" if chromium() else "no chromium on the PATH",
        "lava-dl": lava_dl,
        "gcc": programs("gcc", how="apt install gcc"),
        "g++": programs("g++", how="apt install g++"),
        "arm": programs("arm-none-eabi-gcc", "qemu-system-arm", how="docs/MICROCONTROLLERS.md"),
        "riscv": programs(
            "riscv64-unknown-elf-gcc", "qemu-system-riscv32", how="docs/MICROCONTROLLERS.md"
        ),
        "clang": programs("clang", how="apt install clang"),
        "wasm": programs("clang", "wasm-ld", "node", how="apt install clang lld nodejs"),
        "cppcheck": programs("cppcheck", how="apt install cppcheck"),
        "docs": modules("mkdocs", "mkdocstrings", "nbclient", "ipykernel", how="extra docs"),
    },
}
"""By marker and name: why it is not there, empty if it is."""

FOLDERS: dict[str, Need] = {"train": ("extra", "train")}
"""Folders of tests of which every file imports something; its tests need no marker."""


@cache
def obstacle(need: Need) -> str:
    """Return why a need is not met, empty if it is.

    Raises
    ------
    KeyError
        No such need.
    """
    marker, name = need
    if marker != "needs_data":
        return CHECKS[marker][name]()
    root = data_root()
    return "" if (root / name).exists() else f"no {name} in SRNN_DATA ({root})"


def obstacles(needs: Iterable[Need]) -> str:
    """Return one line on all needs that are not met, empty if all are."""
    return "; ".join(filter(None, map(obstacle, dict.fromkeys(needs))))


def needs_of_file(path: Path) -> list[Need]:
    """Return what the whole file needs, by its ``pytestmark`` and folder, without importing it."""
    found = [need for folder, need in FOLDERS.items() if (ROOT / "tests" / folder) in path.parents]
    text = path.read_text(encoding="utf-8")
    if "\npytestmark = " not in text:
        return found
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets) == "pytestmark":
            found += _marks(statement.value)
    return found


def _marks(expression: ast.expr) -> Iterable[Need]:
    for node in ast.walk(expression):
        if isinstance(node, ast.Attribute) and node.attr == "lava":
            yield "lava", ""
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        marker = node.func.attr
        if marker in {*CHECKS, "needs_data"}:
            yield from ((marker, ast.literal_eval(given)) for given in node.args)
