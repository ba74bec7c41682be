"""Peak memory of a training step of the published S-MNIST network, 8-64r-256r-256-10.

All layers are adaptive, the readout counts spikes, 784 steps. Every row runs in a fresh process,
which takes two steps, so that what the first leaves behind for the second counts too. Run:

    python benchmarks/memory.py [--engines events,loop] [--batches 64,256] [--json]

"resident" is the largest resident set of the process, "before" what it held with torch, network and
batch in place, before the first step. The loop keeps about twenty float32 per step and neuron: its
larger batches need more memory than many machines have, and run only if requested.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from machine import machine

INPUTS, HIDDEN, CLASSES, STEPS = 8, ((64, True), (256, True), (256, False)), 10, 784
NEURONS = sum(size for size, _ in HIDDEN) + CLASSES
DEFAULT = {"events": (64, 256), "loop": (16,)}


def peak_bytes() -> int:
    """Return the largest resident set of this process so far, in bytes."""
    # ru_maxrss also counts what the process was before it became this program.
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def measure(engine: str, batch: int, steps: int) -> dict[str, Any]:
    """Take two training steps and return the memory that they needed."""
    import torch
    from srnn.export.config import LayerConfig, ModelConfig
    from srnn.train.network import SRNN
    from srnn.train.readout import loss_and_scores

    layers = [LayerConfig("alif", size, recurrent=rec) for size, rec in HIDDEN]
    config = ModelConfig(INPUTS, (*layers, LayerConfig("alif", CLASSES)), "spike_count")
    torch.manual_seed(0)
    model = SRNN(config, engine)
    optimizer = torch.optim.Adam(model.parameters())
    inputs, targets = torch.rand(batch, steps, INPUTS), torch.randint(CLASSES, (batch,))
    before = peak_bytes()
    for _ in range(2):
        optimizer.zero_grad()
        output = model(inputs, spikes=False)
        loss_and_scores("spike_count", output.output, targets)[0].backward()
        # Detached at once: a count that keeps its graph would keep the whole step.
        counts = [layer.detach() for layer in output.counts if layer is not None]
        rates = [float(layer.mean()) / steps for layer in counts]
        del output
        optimizer.step()
    peak = peak_bytes()
    return {
        "engine": engine,
        "batch": batch,
        "steps": steps,
        "resident_bytes": peak,
        "before_bytes": before,
        "bytes_per_step_and_neuron": (peak - before) / (batch * steps * NEURONS),
        "firing_rates": rates,
    }


def in_a_fresh_process(engine: str, batch: int, steps: int) -> dict[str, Any]:
    """Run ``measure`` in a process of its own."""
    command = [sys.executable, __file__, "--one", engine, str(batch), "--steps", str(steps)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or [f"exit code {result.returncode}"])[-1]
        return {"engine": engine, "batch": batch, "steps": steps, "failed": reason}
    return json.loads(result.stdout)


def main() -> None:
    """Measure every engine and batch, and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--engines", default=",".join(DEFAULT))
    parser.add_argument("--batches", help="by default 64 and 256 for the engine, 16 for the loop")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", nargs=2, metavar=("ENGINE", "BATCH"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one[0], int(arguments.one[1]), arguments.steps)))
        return
    about, rows = machine(), []
    if not arguments.json:
        print("\n".join(f"{key:10} {value}" for key, value in about.items()))
        print(f"8-64r-256r-256-10, {arguments.steps} steps, forward, backward and Adam, twice")
        print("engine   batch  resident, GB  before, GB  bytes per step and neuron  firing rates")
    for engine in arguments.engines.split(","):
        given = arguments.batches
        batches = [int(b) for b in given.split(",")] if given else DEFAULT[engine]
        for batch in batches:
            row = in_a_fresh_process(engine, batch, arguments.steps)
            rows.append(row)
            if arguments.json:
                continue
            if "failed" in row:
                print(f"{engine:8}{batch:6}   {row['failed']}")
                continue
            rates = ", ".join(f"{rate:.3f}" for rate in row["firing_rates"])
            print(
                f"{engine:8}{batch:6}{row['resident_bytes'] / 1e9:15.2f}"
                f"{row['before_bytes'] / 1e9:13.2f}{row['bytes_per_step_and_neuron']:26.1f}"
                f"   {rates}",
                flush=True,
            )
    if arguments.json:
        json.dump({"machine": about, "rows": rows}, sys.stdout, indent=2)
        print()


if __name__ == "__main__":
    main()
