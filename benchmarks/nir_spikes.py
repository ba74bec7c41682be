"""Spikes of snnTorch's and Norse's networks against ours, imported through NIR.

Each network is written by its framework as a NIR file and run there in single precision; ours is
the float model of the import in double precision. Run (after ``make setup``, under a minute):

    python benchmarks/nir_spikes.py [--samples 16] [--steps 500] [--json]
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from srnn.export.float_run import run_float
from srnn.export.nir_import import import_nir
from torch import nn

# The networks are those of the tests.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))
theirs: Any = importlib.import_module("nir_frameworks")

Spikes = np.ndarray
Made = tuple[Callable[[np.ndarray], Spikes], dict[str, Any]]


def snntorch(path: Path, kind: str, recurrent: bool, **settings: Any) -> Made:
    """Write a network of snnTorch; return how to run it and how to read it."""
    net = theirs.SnnTorchNet(kind, recurrent, **settings)
    theirs.write_snntorch(path, net)
    reading = {"dt": 1e-4, "reset": settings["reset_mechanism"]}
    return (lambda inputs: np.concatenate(net.run(inputs), axis=2)), reading


def norse(path: Path, cell: str, bias: bool, **reading: Any) -> Made:
    """Write two layers of Norse's; the second layer's spikes are compared."""
    layers = []
    for inputs, size in ((theirs.CHANNELS, theirs.HIDDEN), (theirs.HIDDEN, theirs.OUT)):
        layers += [nn.Linear(inputs, size, bias=bias), getattr(theirs, cell)(size)]
    net = theirs.norse.SequentialState(*layers)
    theirs.write_norse(path, net, 1.0)
    return (lambda inputs: theirs.run_norse(net, inputs).astype(bool)), {"dt": 1e-3, **reading}


def norse_recurrent(path: Path, bias: bool) -> Made:
    """Write a recurrent layer of Norse's nodes, run by Norse's reader."""
    theirs.norse_recurrent(path, bias)
    net = theirs.read_by_norse(path)
    return (lambda inputs: theirs.run_norse(net, inputs).astype(bool)), {"dt": 1e-3}


SUBTRACT = {"reset_mechanism": "subtract"}
ZERO = {"reset_mechanism": "zero", "reset_delay": False}
DELAYED = {"reset_mechanism": "zero", "reset_delay": True}
CASES: dict[str, Callable[[Path], Made]] = {
    "snnTorch Leaky, subtract": lambda p: snntorch(p, "Leaky", False, **SUBTRACT),
    "snnTorch RLeaky, subtract": lambda p: snntorch(p, "Leaky", True, **SUBTRACT),
    "snnTorch Leaky, zero": lambda p: snntorch(p, "Leaky", False, **DELAYED),
    "snnTorch RLeaky, zero, no delay": lambda p: snntorch(p, "Leaky", True, **ZERO),
    "snnTorch RLeaky, zero, delayed": lambda p: snntorch(p, "Leaky", True, **DELAYED),
    "snnTorch Synaptic, zero, no delay": lambda p: snntorch(
        p, "Synaptic", False, bias=False, **ZERO
    ),
    "snnTorch Synaptic, zero, delayed": lambda p: snntorch(
        p, "Synaptic", False, bias=False, **DELAYED
    ),
    "Norse LIFBoxCell": lambda p: norse(p, "norse_box", True),
    "Norse LIFCell, jump": lambda p: norse(p, "norse_cell", False, synapse="jump"),
    "Norse LIFCell, euler": lambda p: norse(p, "norse_cell", False),
    "Norse, recurrent": lambda p: norse_recurrent(p, False),
    "Norse, recurrent with bias": lambda p: norse_recurrent(p, True),
}


def compare(make: Callable[[Path], Made], inputs: np.ndarray) -> dict[str, int]:
    """Return spikes of theirs and ours, and in how many neuron-steps they differ."""
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.nir"
        run, reading = make(path)
        model = import_nir(path, **reading)
    their = run(inputs)
    found = [sent for sent in run_float(model, inputs).spikes if sent is not None]
    ours = np.concatenate(found, axis=2)[..., -their.shape[2] :]
    return {
        "neuron_steps": their.size,
        "theirs": int(their.sum()),
        "ours": int(ours.sum()),
        "differ": int((ours != their).sum()),
    }


def main() -> None:
    """Print a table, or JSON."""
    # The layers are small, and a second thread costs more than it gains.
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    shape = (arguments.samples, arguments.steps, theirs.CHANNELS)
    inputs = (np.random.default_rng(0).random(shape) < 0.3).astype(np.int32)
    found = {name: compare(make, inputs) for name, make in CASES.items()}
    if arguments.json:
        print(json.dumps(found))
        return
    print("| network | neuron-steps | spikes there | spikes here | differ |\n|---|---|---|---|---|")
    for name, counts in found.items():
        print(f"| {name} | " + " | ".join(f"{count:,}" for count in counts.values()) + " |")


if __name__ == "__main__":
    main()
