"""Run by torchrun from ``test_parallel.py``: compares several processes with a single one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from srnn.export.errors import InputError
from srnn.tasks import Task
from srnn.train.batches import make_feed
from srnn.train.evaluate import evaluate
from srnn.train.network import SRNN
from srnn.train.parallel import ALONE, Processes, joined, leave
from srnn.train.recipe import TrainingConfig
from srnn.train.step import Measured, train_batch
from torch import Tensor
from train_helpers import recipe, task

CASES: list[dict[str, Any]] = [
    {"readout": readout, "ragged": ragged, "truncate": truncate, "samples": samples, "clip": clip}
    for readout in ("membrane", "mean_softmax", "spike_count", "last_membrane")
    for ragged in (False, True)
    for truncate, samples, clip in ((0, 7, 0.0), (5, 7, 0.05), (0, 1, 0.05), (5, 8, 0.0))
]
"""An odd batch, one smaller than the number of processes, truncated ones, clipped ones."""


def model_for(case: dict[str, Any], data: Task) -> SRNN:
    torch.manual_seed(0)
    config = recipe(case["readout"]).model.resolve(3, 3, data.skip_steps)
    return SRNN(config, "events" if case["samples"] == 8 else "loop")


def gradients(case: dict[str, Any], processes: Processes) -> tuple[list[Tensor], Measured]:
    """Train on a batch; return the clipped gradient of every optimizer step, and what was measured.

    Plain gradient descent: Adam would turn a rounding error of a gradient near 0 into a full step.
    """
    data = task(per_step=case["readout"] == "membrane", ragged=case["ragged"], skip_steps=2)
    model = model_for(case, data)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    seen: list[Tensor] = []

    def keep(*_: object) -> None:
        seen.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))

    optimizer.register_step_pre_hook(keep)
    share = processes.share(np.arange(case["samples"]) * 2)
    batch = make_feed(data.train, model=model).batch(share.indices)
    training = TrainingConfig(
        truncate_steps=case["truncate"], clip_gradient=case["clip"], labelled_only=True
    )
    own = train_batch(model, optimizer, batch, training, processes=processes, weight=share.weight)
    return seen, Measured(*processes.sum(own))


def compare(case: dict[str, Any], processes: Processes) -> dict[str, Any]:
    alone, measured_alone = gradients(case, ALONE)
    shared, measured = gradients(case, processes)
    pairs = list(zip(alone, shared, strict=True))
    everywhere = processes.gather([g.tolist() for g in shared])
    return {
        **case,
        "steps": len(pairs),
        "norm": max(float(a.norm()) for a in alone),
        "difference": max(float((a - b).norm() / a.norm()) for a, b in pairs),
        "same_bits": all(other == everywhere[0] for other in everywhere),
        "alone": measured_alone.means(),
        "shared": measured.means(),
    }


def evaluation(processes: Processes, samples: int) -> dict[str, Any]:
    data = task(ragged=True)
    model = model_for({"readout": "mean_softmax", "samples": 0}, data)
    split = data.train.take(np.arange(samples))
    one, other = (evaluate(model, data, split, 4, processes=p) for p in (ALONE, processes))
    return {
        "same": one.metrics == other.metrics and one.layer_rates == other.layer_rates,
        "predictions": (one.predictions == other.predictions).all().item(),
        "loss": [one.loss, other.loss],
    }


def fail_on(rank: int, processes: Processes) -> None:
    if processes.rank == rank:
        raise InputError(f"process {rank} has no data")


def agreement(processes: Processes) -> dict[str, Any]:
    """Errors of one process that reach all, and values that come from the first."""
    said = []
    for rank in range(processes.size):
        for how in (processes.together, processes.in_turn, processes.from_first):
            try:
                how(lambda rank=rank: fail_on(rank, processes))
                said.append("nothing")
            except InputError as error:
                said.append(str(error))
    linear = torch.nn.Linear(2, 1)
    torch.nn.init.constant_(linear.weight, float(processes.rank))
    processes.same_parameters(linear)
    return {
        "said": said,
        "turns": processes.in_turn(lambda: processes.rank),
        "from_first": processes.from_first(lambda: f"of {processes.rank}"),
        "any": [processes.any(processes.rank == 1), processes.any(False)],
        "sum": processes.sum([processes.rank + 1.0, 2.0**40 + 1]),
        "weight": linear.weight.flatten().tolist(),
    }


def main() -> None:
    torch.set_num_threads(1)
    with joined("cpu") as processes:
        result = {
            "cases": [compare(case, processes) for case in CASES],
            "evaluation": [evaluation(processes, samples) for samples in (24, 9, 1)],
            "agreement": agreement(processes),
            "ranks": processes.gather(processes.rank),
        }
        told = processes.gather(processes.speaks_for_the_others())
        path = Path(sys.argv[1]) / f"{processes.rank}.json"
        path.write_text(json.dumps({**result, "told": told}), encoding="utf-8")


if __name__ == "__main__":
    main()
    leave(0)
