"""Networks printed as C: time of a step here, beside the simulator, and instructions on cores.

    python benchmarks/c_target.py [--networks ecg,digits] [--repeats 5] [--cores] [--json]

The bundled samples of the networks in zoo/, one at a time, on one thread, medians over turns. C is
compiled with ``-O3``; its time is that of the steps alone, without encoding and output. The
simulator's is of ``simulate.run`` on one sample, and of ``StreamingSimulator.step``. ``--cores``
runs them on every emulated core too, which counts instructions and is no time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine
from srnn.deploy.c.cores import CORES
from srnn.deploy.c.mcu import McuTarget
from srnn.deploy.c.options import COptions
from srnn.deploy.c.project import project
from srnn.deploy.c.runner import printed_program
from srnn.deploy.c.toolchain import host_compiler
from srnn.export.network import Network
from srnn.export.netx import read_net, read_samples
from srnn.simulate.simulator import run
from srnn.simulate.streaming import StreamingSimulator

ZOO = Path(__file__).parent.parent / "zoo"
NETWORKS = ("ecg", "digits", "spoken-digits")

_TIMED = """
#include "srnn_net.h"
#include <stdio.h>
#include <time.h>
static srnn_net_state s;
static srnn_net_input inputs[STEPS * SRNN_NET_INPUTS];
int main(void)
{
    FILE *file = fopen("inputs.bin", "rb");
    clock_t began;
    long turn, step, sum = 0;
    if (file == NULL || fread(inputs, sizeof inputs, 1, file) != 1) {
        return 2;
    }
    began = clock();
    for (turn = 0; turn < TURNS; turn++) {
        srnn_net_reset(&s);
        for (step = 0; step < STEPS; step++) {
            sum += srnn_net_step(&s, inputs + step * SRNN_NET_INPUTS);
        }
    }
    printf("%.9f %ld\\n", (double)(clock() - began) / CLOCKS_PER_SEC / TURNS / STEPS, sum);
    return 0;
}
"""
TURNS = 50


def c_step(network: Network, sample: np.ndarray, repeats: int) -> float:
    """Return the median of the seconds of a step as C."""
    program = printed_program(network, "net")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, text in project(program).items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(str(text))
        kind = {"int8_t": np.int8, "int16_t": np.int16, "int32_t": np.int32}[program.input_type]
        sample.astype(kind).tofile(folder / "inputs.bin")
        (folder / "timed.c").write_text(_TIMED)
        flags = ["-O3", f"-DSTEPS={len(sample)}", f"-DTURNS={TURNS}"]
        command = [*(host_compiler() or ["cc"]), *flags, "-o", "timed", "timed.c", "srnn_net.c"]
        subprocess.run([*command, "-lm"], cwd=folder, check=True)
        found = [
            subprocess.run(["./timed"], cwd=folder, check=True, capture_output=True, text=True)
            for _ in range(repeats)
        ]
    return statistics.median(float(done.stdout.split()[0]) for done in found)


def simulator_steps(network: Network, sample: np.ndarray, repeats: int) -> tuple[float, float]:
    """Return the medians of the seconds of a step: in a run of the sample, and in a stream."""
    stream = StreamingSimulator(network)
    batch, single = [], []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        run(network, sample[None], record="output", threads=1)
        batch.append(time.perf_counter() - began)
        stream.reset()
        began = time.perf_counter()
        for row in sample:
            stream.step(row)
        single.append(time.perf_counter() - began)
    # The first turn compiles or loads.
    return tuple(statistics.median(times[1:]) / len(sample) for times in (batch, single))


def measured(name: str, repeats: int, cores: bool) -> dict[str, Any]:
    """Return a network's times, and its footprint on every core where asked."""
    network, samples = read_net(ZOO / f"{name}.net"), read_samples(ZOO / f"{name}.net")
    assert samples is not None
    sample = samples.inputs[0, : samples.lengths[0]]
    batch, single = simulator_steps(network, sample, repeats)
    found = {
        "network": name, "steps": len(sample), "c_s": c_step(network, sample, repeats),
        "run_s": batch, "stream_s": single,
    }  # fmt: skip
    if cores:
        found["cores"] = {
            core: McuTarget(COptions(name, board=core))
            .run_measured(network, samples.inputs, samples.lengths)[1]
            .as_dict()
            for core in CORES
        }
    return found


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="time of a step as C and in the simulator")
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cores", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = [measured(name, options.repeats, options.cores) for name in options.networks.split(",")]
    if options.json:
        print(json.dumps({"machine": machine(), "networks": rows}))
        return
    print(machine())
    print("us a step      C    run, 1 sample    stream")
    for row in rows:
        times = [f"{row[key] * 1e6:10.2f}" for key in ("c_s", "run_s", "stream_s")]
        print(f"{row['network']:14}", *times)
        for core, found in row.get("cores", {}).items():
            sizes = [found[key] for key in ("weights", "parameters", "code", "ram")]
            counts = [round(found[f"instructions_{key}"]) for key in ("mean", "worst")]
            print(f"  {core:14}", *sizes, *counts)


if __name__ == "__main__":
    main()
