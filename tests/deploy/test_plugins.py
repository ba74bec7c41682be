"""Targets of other distributions: found by entry point, run end to end, harmless when broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from deploy_networks import adaptive, cuba, integrator, spikes, stack, threshold_refractory
from paths import ROOT, SUPPORT
from srnn.deploy import plugins
from srnn.deploy.backends import BACKENDS, RunOptions, pick, refused_plugins, targets
from srnn.deploy.check import check
from srnn.deploy.cli import main
from srnn.export.errors import InputError

EXAMPLE = SUPPORT / "example_backend"
ZOO = ROOT / "zoo"
WORKING = "from srnn_example_backend import ExampleBackend\n"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example distribution, built and installed by pip into a folder of its own."""
    target = tmp_path_factory.mktemp("installed")
    source = tmp_path_factory.mktemp("source") / "example"
    source.mkdir()
    for file in EXAMPLE.iterdir():
        # A build writes next to the sources, and the repository must not change.
        if file.is_file():
            (source / file.name).write_bytes(file.read_bytes())
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--no-deps"]
    done = subprocess.run(
        [*pip, "--no-index", "--no-build-isolation", "--target", str(target), str(source)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return target


def deploy(*arguments: str, path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "srnn.deploy", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "PYTHONPATH": str(path)},
    )


def test_the_example_runs_a_trained_network_to_the_same_bits(installed: Path) -> None:
    model = str(ZOO / "digits.net")
    done = deploy(model, "--target", "example-chip", "--samples", "2", "--json", path=installed)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["target"], found["expected_from"]) == ("example-chip", "simulator")
    assert found["match"] is True
    # Spikes, d and v of 256 neurons and v of 10, 64 steps of 2 samples.
    assert found["compared"] == 2 * 64 * (3 * 256 + 10)
    assert found["layers"][0]["spikes"] > 100
    assert found["reason"] == (
        "example-chip of srnn-example-backend 0.3, as asked: NumPy emulates the chip"
    )


def test_the_example_is_listed_and_not_imported(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(installed))
    assert targets() == ("auto", *BACKENDS, "example-chip")
    assert "srnn_example_backend" not in sys.modules


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    monkeypatch.delitem(sys.modules, "srnn_example_backend", raising=False)


def declare(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    *names: str,
    distribution: str = "acme",
) -> None:
    """Put a distribution with entry points on the path, as an installer leaves it."""
    module = f"{distribution}_backend"
    information = folder / distribution / f"{distribution}-1.2.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Name: {distribution}\nVersion: 1.2\n")
    lines = [f"{name} = {module}:make" for name in names]
    (information / "entry_points.txt").write_text("\n".join(["[srnn.backends]", *lines, ""]))
    (folder / distribution / f"{module}.py").write_text(code)
    monkeypatch.syspath_prepend(str(folder / distribution))
    monkeypatch.delitem(sys.modules, module, raising=False)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import no_such_module", r"loading .*ModuleNotFoundError: No module named 'no_such_mod"),
        ("x = (", r"loading acme_backend:make: SyntaxError"),
        ("other = 1", r"loading .*AttributeError: .*make"),
        ("def make(options):\n    raise OSError('no\\ndriver')", r"calling .*OSError: no driver"),
        ("def make():\n    pass", r"calling acme_backend:make: TypeError"),
        (
            "def make(options):\n    return 7",
            r"returns a int that lacks name, available, describe, r",
        ),
        (
            WORKING + "def make(options):\n    return ExampleBackend(options)",
            r"its backend calls itself 'example-chip'",
        ),
        (
            WORKING + "class B(ExampleBackend):\n"
            "    def available(self):\n        return 1 // 0\n"
            "def make(options):\n    return B(options, 'acme-chip')",
            r"available: ZeroDivisionError",
        ),
    ],
)
@pytest.mark.usefixtures("example")
def test_a_broken_plugin_is_one_line_with_its_distribution(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    code: str,
    why: str,
) -> None:
    declare(tmp_path, monkeypatch, code, "acme-chip")
    message = rf"target acme-chip: the plug-in of acme 1\.2 is broken: .*{why}.*; fix or uninstall"
    with pytest.raises(InputError, match=message):
        pick("acme-chip")
    # It does not affect the others, and the command reports it in one line.
    assert targets() == ("auto", *BACKENDS, "acme-chip")
    assert pick("simulator").backend.name == "simulator"
    model = str(ZOO / "digits.net")
    assert main([model, "--target", "simulator", "--samples", "1", "--steps", "3"]) == 0
    capsys.readouterr()
    assert main([model, "--target", "acme-chip"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("srnn-deploy: target acme-chip: the plug-in of acme 1.2 is broken")


def test_names_of_srnn_are_refused_by_name_and_keep_their_meaning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    declare(tmp_path, monkeypatch, "raise OSError", "simulator", "auto")
    line = "target {} of acme 1.2 is refused: srnn has a target of that name"
    assert refused_plugins() == (line.format("auto"), line.format("simulator"))
    assert targets() == ("auto", *BACKENDS)
    arguments = ["--target", "simulator", "--samples", "1", "--steps", "3"]
    assert main([str(ZOO / "digits.net"), *arguments]) == 0
    err = capsys.readouterr().err
    assert err.splitlines() == [f"srnn-deploy: {line.format(n)}" for n in ("auto", "simulator")]


def test_two_distributions_of_one_name_get_it_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(tmp_path, monkeypatch, "", "chip")
    declare(tmp_path, monkeypatch, "", "chip", distribution="bolt")
    assert refused_plugins() == (
        "target chip is refused: acme 1.2 and bolt 1.2 both claim that name",
    )
    with pytest.raises(InputError, match=r"unknown target 'chip' \(known: auto, "):
        pick("chip")


@pytest.mark.usefixtures("example")
def test_the_example_refuses_all_it_cannot_run_at_once() -> None:
    import srnn_example_backend

    rng = np.random.default_rng(4)
    network = stack(
        rng, 4, [cuba(rng, 5), adaptive(rng, 4), threshold_refractory(rng, 3)], delays=3
    )
    with pytest.raises(InputError) as refused:
        check(network, srnn_example_backend.make(RunOptions()), spikes(rng, 1, 9, 4))
    message = str(refused.value)
    assert "layer l0: CUBA is not a neuron model of this chip" in message
    assert "layer l2: ATRLIF is not a neuron model" in message
    assert "layer l1: delays, this chip has none" in message


@pytest.mark.usefixtures("example")
def test_the_example_runs_samples_of_any_length_and_reports_progress() -> None:
    import srnn_example_backend

    rng = np.random.default_rng(5)
    network = stack(rng, 4, [adaptive(rng, 6), adaptive(rng, 5), integrator(rng, 3)], exp=-1)
    seen: list[tuple[int, int]] = []
    options = RunOptions(progress=lambda *where: seen.append(where))
    lengths = np.array([30, 0, 12])
    checked = check(network, srnn_example_backend.make(options), spikes(rng, 3, 30, 4), lengths)
    assert checked.mismatches == 0
    assert checked.compared == 42 * (18 + 15 + 3)
    assert seen == [(1, 0), (2, 0), (3, 0)]


def test_the_page_shows_the_example() -> None:
    page = (ROOT / "docs" / "BACKENDS.md").read_text(encoding="utf-8")
    declared = (EXAMPLE / "pyproject.toml").read_text(encoding="utf-8")
    assert declared[declared.index("[project.entry") :].split("\n\n")[0] in page
    assert plugins.GROUP in page
