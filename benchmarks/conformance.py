"""Run all conformance tests and write ``docs/CONFORMANCE.md`` from their counts.

Each Python given runs what its environment has: lava-nc, lava-dl or neither. ``.ci/run`` makes
the default environments. About 5 minutes on two cores. Run:

    python benchmarks/conformance.py [--pythons .venv/bin/python ...] [--page docs/CONFORMANCE.md]
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests" / "conformance"
PYTHONS = (".venv/bin/python", ".venv310/bin/python", ".venv-lava-dl/bin/python")
INTRODUCTION = """\
# Conformance

<!-- no block of this page is run: tests/conformance/test_quirks.py runs each -->

Made by `python benchmarks/conformance.py`; not written by hand. Random networks and networks that
`srnn-train` trained are run by two implementations each; all spikes, all states and the output of
every step are compared. `reference` is `simulate/reference.py`, the equations of
[FIXED_POINT.md](FIXED_POINT.md) in NumPy; `kernels` is the simulator; `Lava` is Lava's CPU runtime
under `srnn-deploy`, with unmodified lava-nc on Python 3.10; `stock lava-dl` is an unmodified
lava-dl 0.6.0, which loads our `.net` file in `lava.lib.dl.netx.hdf5.Network` and runs it under
`Loihi2SimCfg(select_tag="fixed_pt")`. lava-dl's code is unmodified; the torch next to it is newer
than lava-dl requires; netx imports torch but does not compute with it. No chip was involved.
A neuron-step is
one neuron in one step; a value is one state or spike in one neuron-step. Networks that may leave 32
bits are refused and not counted.

The networks: up to three layers (and a convolution below them) of every neuron model, recurrent
and feed-forward, parameters and biases per neuron or shared, at the ends of their ranges too,
weights of both signs or one, weight exponents -8 to 7, delays per synapse or neuron up to 62,
spikes or graded inputs, one to three samples of different lengths. `tests/conformance/` has the
code; a difference that is found is kept, shrunk, as a file in `tests/conformance/found/`.
"""


def record(python: str, folder: Path) -> dict[str, Any]:
    """Run the conformance tests with a Python and return what they counted.

    Raises
    ------
    SystemExit
        A test failed.
    """
    file = folder / f"{len(list(folder.iterdir()))}.json"
    print(f"{python}:", flush=True)
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-rs", str(TESTS)],
        cwd=ROOT,
        env=os.environ | {"SRNN_CONFORMANCE_RECORD": str(file)},
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.returncode)
    return json.loads(file.read_text(encoding="utf-8"))


def table(records: Sequence[dict[str, Any]]) -> str:
    """Return the counts as a Markdown table, a row for each pair and environment."""
    lines = [
        "| compared | networks | samples | neuron-steps | values | spikes | mismatches | with |",
        "|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    for found in records:
        versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
        for pair, count in found["counts"].items():
            numbers = " | ".join(f"{value:,}" for value in count.values())
            lines.append(f"| {pair} | {numbers} | {versions} |")
    return "\n".join(lines)


def quirks() -> str:
    """Return a section for each example, its text from the example's docstring."""
    sections = []
    for path in sorted((TESTS / "quirks").glob("*.py")):
        source = path.read_text(encoding="utf-8")
        title, _, text = (ast.get_docstring(ast.parse(source)) or "").partition("\n\n")
        code = source.split('"""\n', 1)[1].strip()
        sections.append(f"### {title}\n\n{text}\n\n```python\n{code}\n```\n")
    return "\n".join(sections)


def page(records: Sequence[dict[str, Any]]) -> str:
    """Return the whole page."""
    return (
        f"{INTRODUCTION}\n## What was compared\n\n{table(records)}\n\n"
        "## Unexpected behaviour of Lava and lava-dl\n\n"
        "Each example runs and is run by the tests; its assertions hold with lava-nc 0.10.0 and "
        f"lava-dl 0.6.0.\n\n{quirks()}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pythons", nargs="+", default=[str(ROOT / each) for each in PYTHONS])
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "CONFORMANCE.md")
    options = parser.parse_args(arguments)
    missing = [python for python in options.pythons if not Path(python).exists()]
    if missing:
        parser.error(f"no {', '.join(missing)}; .ci/run makes them, or give --pythons")
    with tempfile.TemporaryDirectory() as folder:
        records = [record(python, Path(folder)) for python in options.pythons]
    options.page.write_text(page(records), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
