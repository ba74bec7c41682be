"""Who imports whom, what an import costs, and that every stage knows every neuron."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from paths import ROOT
from second_reading import STEPS as SECOND_READING
from srnn.export.checkpoint import FLOAT_NEURONS
from srnn.export.network import NEURONS as INTEGER_RECORDS
from srnn.simulate.programs import always_narrow

pytestmark = pytest.mark.extra("train")

PACKAGES = ("neurons", "train", "export", "simulate", "deploy", "tasks")

ALLOWED = {
    "neurons": {},
    "deploy": {"neurons": "*", "simulate": "*", "export": "*", "tasks": {"cli", "inputs"}},
    "simulate": {
        "neurons": "*",
        "export": "*",
        "tasks": {"evaluate", "cli", "inputs", "cli_report", "cli_stream", "evidence"},
    },
    # Only these pass the simulator on as an argument, so nothing below them imports it.
    "train": {"neurons": "*", "export": "*", "tasks": "*", "simulate": {"loop"}},
    "export": {"neurons": "*", "simulate": {"api"}},
    "tasks": {"export": "*"},
}
"""Package to package: "*", or the files that may."""

FLOOR = {"plain", "errors", "suggest", "meanings", "files", "extras", "reading"}
"""What ``tasks`` may use of ``export``: records, the error, hints, the gate; none needs torch."""


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
    path = ROOT / "export" / "api.py"
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
    assert inside == {"export/checkpoint.py", "export/reading/torch_file.py"}


LIGHT = {
    "srnn": "",
    "srnn.neurons": "",
    "srnn.neurons.registry": "numpy",
    "srnn.deploy": "",
    "srnn.deploy.cli": "numpy",
    "srnn.simulate": "",
    "srnn.simulate.figures": "",
    "srnn.simulate.simulator": "llvmlite numba numpy scipy",
    "srnn.simulate.cli": "h5py numpy rich",
    "srnn.export": "",
    "srnn.export.network": "numpy",
    "srnn.export.cli": "h5py numpy rich",
    "srnn.tasks": "numpy",
    "srnn.train": "",
    "srnn.train.cli": "numpy rich",
}
"""Modules and the packages of others, beside lazy_loader, that importing them may import."""


@pytest.mark.parametrize("module", LIGHT)
def test_imports_are_light(module: str) -> None:
    code = (
        "import json, sys\n"
        "before = set(sys.modules)\n"
        f"import {module}\n"
        "found = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(json.dumps(sorted(found)))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    found = set(json.loads(result.stdout)) & set(packages_distributions())
    if "numba" in found:
        # Taken where another package has brought them.
        found -= {"yaml", "colorama"}
    assert found <= {"srnn", "lazy_loader", *LIGHT[module].split()}


@pytest.mark.parametrize("package", ["simulate", "deploy"])
def test_no_question_is_asked_of_a_neurons_kind(package: str) -> None:
    """A neuron says what is to be known of it; no stage but its own file knows it by name."""
    records = {record.__name__ for record in INTEGER_RECORDS.values()}
    wrong = []
    for path in files(package):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = isinstance(node, ast.Name) and node.id in records
            typed = isinstance(node, ast.Constant) and node.value in INTEGER_RECORDS
            if named or typed:
                wrong.append(f"{path.relative_to(ROOT)}, line {node.lineno}")
    assert wrong == []


NOT_TRAINED = {"ATRLIF": "Lava's own neuron; it comes from files that lava-dl wrote"}
"""Integer neurons that no float neuron becomes, and why."""


def test_every_float_neuron_has_an_integer_form_or_says_why_not() -> None:
    for neuron in FLOAT_NEURONS.values():
        assert (neuron.RECORD is None) == bool(neuron.WHY_NOT)


def test_every_integer_neuron_has_its_stages() -> None:
    records = set(INTEGER_RECORDS.values())
    assert set(SECOND_READING) == set(INTEGER_RECORDS)
    assert [record.TYPE for record in records if not always_narrow(record)] == ["SRNN_ADLIF"]


def test_every_integer_neuron_is_trained_or_says_why_not() -> None:
    made = {neuron.RECORD.TYPE for neuron in FLOAT_NEURONS.values() if neuron.RECORD}
    assert made | set(NOT_TRAINED) == set(INTEGER_RECORDS)
    assert not made & set(NOT_TRAINED)


OPENERS = {
    "h5py": {"File"}, "zipfile": {"ZipFile"}, "gzip": {"open", "decompress"}, "wave": {"open"},
    "tarfile": {"open"}, "torch": {"load"}, "pickle": {"load", "loads"}, "json": {"load", "loads"},
    "np": {"load", "loadtxt", "genfromtxt", "fromfile", "memmap"}, "numpy": {"load"},
    "tomllib": {"load", "loads"}, "csv": set(), "scipy.io": {"loadmat"},
}  # fmt: skip
"""What opens or parses a file of some kind, by module."""

INSIDE = {
    "export/kernel.py": "its own cache of compiled kernels, checked",
    "export/netx_hdf5.py": "writes",
    "export/netx_write.py": "text that it has just made",
    "simulate/tracefile.py": "writes",
    "deploy/c/runner.py": "a file that its own program has just written",
    "deploy/lava/rundir.py": "files of its own child",
    "deploy/loihi2/job.py": "files of its own job",
}
"""Files that may, and why: none of what they open comes from outside."""


def test_files_from_outside_come_through_the_gate() -> None:
    found = {}
    for path in (p for package in PACKAGES for p in files(package)):
        name = str(path.relative_to(ROOT))
        if name.startswith("export/reading/"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                called = (ast.unparse(node.func.value), node.func.attr)
                if called[1] in OPENERS.get(called[0], ()):
                    found.setdefault(name, set()).add(".".join(called))
    assert {name: calls for name, calls in found.items() if name not in INSIDE} == {}
    assert set(INSIDE) <= set(found), "what opens nothing any more needs no exception"
