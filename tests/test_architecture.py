"""Who imports whom, what an import costs, and that every stage knows every neuron."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from paths import ROOT
from srnn.deploy.lava.choice import CHOICES
from srnn.export.checkpoint import FLOAT_NEURONS, LayerConfig
from srnn.export.integer_neurons import INTEGER_NEURONS, FloatLayer
from srnn.export.network import NEURONS as INTEGER_RECORDS
from srnn.simulate.plan import PROGRAMS
from srnn.simulate.reference import STEPS
from srnn.train.neurons import NEURONS as TRAINED

PACKAGES = ("train", "export", "simulate", "deploy", "tasks")

ALLOWED = {
    "deploy": {"simulate": "*", "export": "*", "tasks": {"cli", "inputs"}},
    "simulate": {
        "export": "*",
        "tasks": {"evaluate", "cli", "inputs", "cli_report", "cli_stream", "evidence"},
    },
    # The commands alone hand the simulator down, so that nothing below them looks upwards.
    "train": {"export": "*", "tasks": "*", "simulate": {"cli"}},
    "export": {"simulate": {"cli"}},
    "tasks": {"export": "*"},
}
"""Package to package: "*", or the files that may."""

FLOOR = {"plain", "errors", "suggest", "meanings", "files", "extras"}
"""What ``tasks`` may use of ``export``: records, the error, hints, files; none needs NumPy."""


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield absolute dotted names that a file imports, and whether at module level.

    Imports for type checkers alone do not run, and are left out.
    """
    package = ("srnn", *path.relative_to(ROOT).with_suffix("").parts[:-1])

    def visit(node: ast.AST, top: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from ((name.name, top) for name in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = package[: len(package) - child.level + 1] if child.level else ()
                stem = ".".join((*base, *([child.module] if child.module else [])))
                yield from ((f"{stem}.{name.name}", top) for name in child.names)
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            else:
                function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
                yield from visit(child, top and not function)

    yield from visit(ast.parse(path.read_text(encoding="utf-8")), True)


def test_imports_are_seen() -> None:
    path = ROOT / "export" / "cli.py"
    found = dict(imports(path))
    assert found["srnn.simulate.simulator.run"] is False
    assert found["srnn.export.checkpoint.FloatModel"] is True
    assert dict(imports(ROOT / "train" / "cli.py"))["srnn.tasks"] is False
    assert all(files(package) for package in PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_in_one_direction(package: str) -> None:
    wrong = []
    for path in files(package):
        for name, _ in imports(path):
            parts = name.split(".")
            if parts[0] != "srnn" or len(parts) < 2 or parts[1] == package:
                continue
            who = ALLOWED[package].get(parts[1], ())
            if who != "*" and path.stem not in who:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
            if package == "tasks" and parts[2] not in FLOOR:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}; only {FLOOR} of export")
    assert wrong == []


@pytest.mark.parametrize("package", [p for p in PACKAGES if p != "train"])
def test_torch_is_imported_in_train_alone(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in files(package)
        for name, top in imports(path)
        if top and name.split(".")[0] in {"torch", "tensorboard"}
    ]
    assert wrong == []


def test_where_torch_is_imported_at_all() -> None:
    inside = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        if package != "train"
        for path in files(package)
        for name, _ in imports(path)
        if name.split(".")[0] == "torch"
    }
    assert inside == {"export/checkpoint.py"}


@pytest.mark.parametrize(
    "module",
    [
        "srnn.deploy",
        "srnn.deploy.cli",
        "srnn.simulate.simulator",
        "srnn.simulate.cli",
        "srnn.export.network",
        "srnn.export.cli",
        "srnn.tasks",
        "srnn.train",
    ],
)
def test_imports_are_light(module: str) -> None:
    code = (
        "import json, sys, time\n"
        "start = time.process_time()\n"
        f"import {module}\n"
        "spent = time.process_time() - start\n"
        "heavy = [m for m in ('torch', 'lava', 'sklearn') if m in sys.modules]\n"
        "print(json.dumps([spent, heavy]))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    spent, heavy = json.loads(result.stdout)
    assert heavy == []
    assert spent < 2.0


NO_INTEGER_FORM = {"alif_relu": "graded activations do not exist on a chip"}
"""Float neurons without an integer form, and why."""

NOT_TRAINED = {"ATRLIF": "Lava's own neuron; it comes from files that lava-dl wrote"}
"""Integer neurons that no float neuron becomes, and why."""


def test_every_float_neuron_has_its_stages() -> None:
    assert set(TRAINED) == set(FLOAT_NEURONS)
    assert set(INTEGER_NEURONS) | set(NO_INTEGER_FORM) == set(FLOAT_NEURONS)
    assert not set(INTEGER_NEURONS) & set(NO_INTEGER_FORM)


def test_every_integer_neuron_has_its_stages() -> None:
    records = set(INTEGER_RECORDS.values())
    assert set(STEPS) == records
    assert set(PROGRAMS) == records
    assert set(CHOICES) == records


def test_every_integer_neuron_is_trained_or_says_why_not() -> None:
    made = set()
    for name in INTEGER_NEURONS:
        ones = {parameter: np.ones(1) for parameter in FLOAT_NEURONS[name]}
        layer = FloatLayer("0", LayerConfig(name, 1), np.ones((1, 1)), None, np.zeros(1), ones)
        made.add(INTEGER_NEURONS[name](layer, np.full(1, 0.01), False).record.TYPE)
    assert made | set(NOT_TRAINED) == set(INTEGER_RECORDS)
    assert not made & set(NOT_TRAINED)
