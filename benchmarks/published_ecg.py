"""The published ECG networks in integers: accuracy on the whole test set, no retraining.

The weights are those of Yin, Corradi and Bohte (2020 and 2021), loaded into an ``SRNN`` by
``from_foreign_weights`` and quantized in each of the possible ways. Run, with SRNN_DATA a folder
that holds ``checkpoints`` and ``qtdb_ecg``:

    SRNN_DATA=DIR python benchmarks/published_ecg.py
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import machine
from srnn import tasks
from srnn.export import LayerConfig, ModelConfig, Network, Quantization, Trace
from srnn.export.quantize import quantize
from srnn.simulate import run
from srnn.simulate.evaluate import evaluate as evaluate_integers
from srnn.train import SRNN, float_model, from_foreign_weights
from srnn.train.evaluate import evaluate

MAPPING = {
    "layers.0.weight": "i2h.weight",
    "layers.0.weight_rec": "h2h.weight",
    "layers.0.bias": ("i2h.bias", "h2h.bias"),
    "layers.1.weight": "h2o.weight",
    "layers.1.bias": "h2o.bias",
    "layers.1.tau_adp": "tau_adp_o",
}
MEMBRANES = {"layers.0.tau_mem": "tau_m_h", "layers.1.tau_mem": "tau_m_o"}
NETWORKS = {
    "2020": ("ecg_2020_0.853.pth", 0.01, MAPPING),
    "2021": ("ecg_2021_0.859.pth", 0.1, MAPPING | MEMBRANES),
}
"""File, threshold b0 and mapping; the 2020 file holds no membrane time constants: 20 steps."""


def published(year: str, folder: Path) -> SRNN:
    """Return the published network with a zero initial state."""
    file, threshold, mapping = NETWORKS[year]
    weights = torch.load(folder / file, map_location="cpu", weights_only=True)
    config = ModelConfig(
        input_size=4,
        layers=(
            LayerConfig("lif", 36, recurrent=True, threshold=threshold),
            LayerConfig("alif", 6, threshold=threshold, initial_adaptation=0.01),
        ),
        readout="membrane",
        skip_steps=10,
    )
    return from_foreign_weights(config, weights, mapping)


def states(network: Network, inputs: Any, lengths: Any) -> Trace:
    """Run with every state recorded, for calibration."""
    return run(network, inputs, lengths, record="states")


def main() -> None:
    """Print one row per network and kind of quantization."""
    root = Path(os.environ["SRNN_DATA"])
    task = tasks.load("ecg", root)
    print("\n".join(f"{key:10} {value}" for key, value in machine().items()))
    print("network  weights                                   accuracy  labelled steps")
    for year in NETWORKS:
        model = published(year, root / "checkpoints")
        rows = [("float", evaluate(model, task, task.test).metrics)]
        file = float_model(model, task)
        for scale in ("neuron", "layer"):
            for exponents in (True, False):
                options = Quantization(scale, exponents)
                inputs = np.asarray(file.samples["inputs"])
                network, _ = quantize(file, options, states, inputs)
                name = f"integer, unit per {scale}{', two exponents' if exponents else ''}"
                metrics = evaluate_integers(network, task.test, skip_steps=10).metrics
                rows.append((name, metrics))
        for name, metrics in rows:
            print(
                f"{year:8} {name:40} {metrics['accuracy']:.4f}  {metrics['accuracy_labelled']:.4f}"
            )


if __name__ == "__main__":
    main()
