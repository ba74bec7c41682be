"""Train, export and simulate the networks of ``results.toml``, and write ``docs/RESULTS.md``.

    SRNN_DATA=DIR python benchmarks/results.py record ecg digits     runs whose names begin like
    this python benchmarks/results.py list                                what is recorded, what is
    not python benchmarks/results.py table                               docs/RESULTS.md from
    records

Recording uses the users' commands: ``srnn-train``, ``srnn-export`` and
``srnn-simulate`` with ``--json``. A seed that is recorded is not run again; one that was cut off
continues from its checkpoint. Networks that differ only in their export are trained once.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from machine import machine
from result_plan import HERE, PLAN, ResultPlan, Run, read_plan
from result_tables import read_records, write_results
from srnn.export.checkpoint import FloatModel, read_model
from srnn.export.errors import InputError
from srnn.export.files import replace_file
from srnn.export.operations import step_operations

BIN = Path(sys.executable).parent


def train(
    plan: ResultPlan, run: Run, seed: int, runs: Path, threads: int
) -> tuple[Path, dict[str, Any]]:
    """Train one seed, unless its folder holds it; return the folder and what training printed."""
    first = None if run.start is None else plan.named(run.start)
    settings = [*run.train, "--seed", str(seed)]
    of = settings if first is None else [settings, *first.train]
    key = hashlib.sha256(json.dumps(of).encode()).hexdigest()[:12]
    folder = runs / f"{run.name}-{seed}-{key}"
    # Runs that share a training share its folder, under the name of the one that came first.
    folder = next(iter(sorted(runs.glob(f"*-{key}"))), folder)
    trained = _read(folder / "trained.json")
    if trained is None:
        words = [*settings, "--threads", str(threads), "--out", str(folder)]
        if first is not None:
            start, _ = train(plan, first, seed, runs, threads)
            words += ["--start", str(start / "model.pt")]
        if not run.test:
            words.append("--no-test")
        if (folder / "checkpoint.pt").exists():
            words.append("--resume")
        trained = command("srnn-train", *words) | {"machine": machine()}
        replace_file(folder / "trained.json", json.dumps(trained).encode())
    return folder, trained


def record(plan: ResultPlan, run: Run, seed: int, runs: Path, threads: int) -> dict[str, Any]:
    """Train, export and simulate one seed, and return its record."""
    folder, trained = train(plan, run, seed, runs, threads)
    model = folder / "model.pt"
    described = read_model(model)
    found: dict[str, Any] = {
        "name": run.name,
        "seed": seed,
        "train": run.train,
        "start": run.start,
        "export": run.export,
        "threads": threads,
        "machine": trained["machine"],
        "seconds": trained["seconds"],
        "epochs": trained["epochs"],
        "best_epoch": trained["best_epoch"],
        "task": described.task["name"],
        "on_grid": bool(described.recipe["training"]["quantize"]),
        "network": shape(described),
        "parameters": sum(int(w.size) for w in described.weights.values()),
        "trained": {k: trained[k] for k in ("validation", "test") if k in trained},
    }
    splits = ("validation", "test") if run.test else ("validation",)
    if described.recipe["model"]["baseline"] != "none":
        operations = step_operations(described.config)
        found["operations"] = {
            "Effective_MACs": sum(o.macs + o.products for o in operations),
            "activations": sum(o.activations for o in operations),
        }
        return found
    net = folder / f"{run.name}.net"
    found["exported"] = command("srnn-export", str(model), "-o", str(net), *run.export)["parity"]
    found["bytes"] = net.stat().st_size
    for split in splits:
        simulated = command(
            "srnn-simulate", str(net), "--task", described.task["name"], "--split", split,
            "--threads", str(threads),
        )  # fmt: skip
        activity = simulated["activity"]
        spiking = [layer for layer in activity["layers"] if layer["spikes"] is not None]
        updates = sum(layer["neuron_updates"] for layer in spiking)
        found.setdefault("integers", {})[split] = {
            **{k: v for k, v in simulated.items() if k.startswith("accuracy")},
            "per_step": activity["per_step"],
            "steps_a_sample": activity["steps"] / activity["samples"],
            "firing_rate": sum(layer["spikes"] for layer in spiking) / updates,
        }
    return found


def shape(model: FloatModel) -> str:
    """Write a network in the usual notation: ``4-36r-6``, inputs first, r for recurrent layers."""
    layers = [
        f"{layer.size}{'r' if layer.recurrent else ''}{'b' if layer.bidirectional else ''}"
        for layer in model.config.layers
    ]
    return "-".join([str(model.config.input_size), *layers])


def command(name: str, *words: str) -> dict[str, Any]:
    """Run a command with ``--json`` and return what it printed; its errors end this program."""
    with subprocess.Popen(
        [str(BIN / name), *words, "--json"], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            printed, _ = process.communicate()
        except KeyboardInterrupt:
            # Ctrl-C goes to the command as well, which saves its checkpoint.
            process.wait()
            raise
    if process.returncode != 0:
        raise InputError(f"{name} {' '.join(words)}: exit code {process.returncode}")
    return json.loads(printed)


def _read(file: Path) -> dict[str, Any] | None:
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def record_all(arguments: argparse.Namespace) -> None:
    """Record what the plan asks for and no file holds yet."""
    plan = read_plan(arguments.plan)
    for run in plan.runs(tuple(arguments.names)):
        for seed in run.seeds:
            file = run.record(seed, arguments.records)
            if file.exists() and not arguments.again:
                continue
            print(f"{run.name}, seed {seed}: srnn-train {' '.join(run.train)}", flush=True)
            found = record(plan, run, seed, arguments.runs, arguments.threads)
            replace_file(file, (json.dumps(found, indent=1) + "\n").encode())
            print(f"  {summary(found)}", flush=True)


def summary(found: dict[str, Any]) -> str:
    """Write one line on a record."""
    splits = found.get("integers", found["trained"])
    accuracies = ", ".join(f"{split} {values['accuracy']:.4f}" for split, values in splits.items())
    return f"{accuracies} in {found['seconds']:.0f} s"


def list_all(arguments: argparse.Namespace) -> None:
    """Print each run's seeds with what they gave."""
    records = read_records(arguments.records)
    for run in read_plan(arguments.plan).runs(tuple(arguments.names)):
        for seed in run.seeds:
            found = records.get((run.name, seed))
            print(f"{run.name}, seed {seed}: {summary(found) if found else 'not recorded'}")


def table(arguments: argparse.Namespace) -> None:
    """Write the document and its figures."""
    write_results(read_plan(arguments.plan), read_records(arguments.records), arguments.output)
    print(f"Wrote {arguments.output}")


def main() -> int:
    """Record, list or write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("record", "list", "table"))
    parser.add_argument("names", nargs="*", help="runs, by the beginning of their names")
    parser.add_argument("--plan", type=Path, default=PLAN)
    parser.add_argument("--records", type=Path, default=HERE / "records")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/results"), help="folder of the runs"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--again", action="store_true", help="also run what is already recorded")
    parser.add_argument("--output", type=Path, default=HERE.parent / "docs" / "RESULTS.md")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        {"record": record_all, "list": list_all, "table": table}[arguments.what](arguments)
    except InputError as error:
        print(f"results.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("results.py: stopped; the same command continues", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
