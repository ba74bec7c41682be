"""How long a whole epoch of the recipe ``ecg`` takes: training, validation and checkpoint.

The times of the first table are those of ``fit`` itself, with nothing switched off. The second
splits one epoch, every part run by itself (medians of five) with the best weights of that run. The
published style of loop and the plain PyTorch loop train on a few batches of the same epoch, with
the same weights, for comparison. Run:

    python benchmarks/epoch.py [--data DIR] [--epochs 8] [--threads 2] [--batches 2] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from machine import machine
from peers.ours import published
from srnn import tasks
from srnn.export.checkpoint import write_model
from srnn.tasks import Task
from srnn.train.batches import Batch, Feed, epoch_order, make_batch, make_feed
from srnn.train.engine import set_threads
from srnn.train.evaluate import batch_loss, evaluate, spike_counts
from srnn.train.loop import fit, make_optimizer
from srnn.train.network import SRNN, Outputs
from srnn.train.readout import predictions
from srnn.train.recipe import Recipe, make_recipe, read_plain
from srnn.train.run import Checkpoints, RunState
from srnn.train.save import float_model

Times = dict[str, float]


def epochs(recipe: Recipe, task: Task, folder: Path) -> tuple[SRNN, RunState, list[float]]:
    """Train, and return the seconds between the ends of two epochs."""
    ends = [time.perf_counter()]
    model, state = fit(recipe, task, folder, on_epoch=lambda _: ends.append(time.perf_counter()))
    return model, state, [end - start for start, end in pairwise(ends)]


def batches_of(feed: Feed, recipe: Recipe) -> list[Any]:
    """Return the indices of an epoch's batches."""
    order, size = epoch_order(len(feed), recipe.training.seed, 0), recipe.training.batch_size
    return [order[first : first + size] for first in range(0, len(order), size)]


class Clock:
    """Adds up the time of parts by name."""

    def __init__(self) -> None:
        self.seconds: Times = {}

    def __call__(self, name: str, work: Callable[[], Any]) -> Any:
        """Do work and add its time to a part."""
        start = time.perf_counter()
        result = work()
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
        return result


def parts(model: SRNN, task: Task, recipe: Recipe, state: RunState, folder: Path) -> Times:
    """Return the seconds of an epoch's parts, each as ``fit`` runs it."""
    training, clock = recipe.training, Clock()
    optimizer = make_optimizer(model, replace(training, learning_rate=1e-9))
    feed = make_feed(task.train, task.input_scale, model=model)
    held_out = make_feed(task.validation, task.input_scale, model=model)

    def step() -> None:
        torch.nn.utils.clip_grad_norm_(model.parameters(), training.clip_gradient).item()
        optimizer.step()

    def measure(outputs: Outputs, batch: Batch, scores: torch.Tensor) -> None:
        float((predictions(scores.detach(), outputs.output.detach()) == batch.targets).sum())
        spike_counts(model, outputs, batch)

    for chosen in batches_of(feed, recipe):
        batch = clock("gather a batch", lambda: feed.batch(chosen))  # noqa: B023
        optimizer.zero_grad(set_to_none=True)
        outputs = clock("forward", lambda: model(batch.inputs, batch.lengths, spikes=False))  # noqa: B023
        scored = clock("loss", lambda: batch_loss(model, outputs, batch))  # noqa: B023
        clock("backward, with the loss's", scored.loss.backward)
        clock("clip and optimizer", step)
        clock("measure", lambda: measure(outputs, batch, scored.scores))  # noqa: B023
    clock("validation", lambda: evaluate(model, task, task.validation, feed=held_out))
    saver = Checkpoints(folder, recipe, model, optimizer)
    clock("checkpoint", lambda: saver.save(state))
    clock(
        "model.pt, if it is the best so far",
        lambda: write_model(folder / "model.pt", float_model(model, task, recipe)),
    )
    return clock.seconds


def by_loops(model: SRNN, task: Task, recipe: Recipe, count: int) -> Times:
    """Return the seconds that training an epoch would take by other loops, from a few batches."""
    plain = SRNN(model.config, "loop")
    plain.load_weights(model.weights())
    ways: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "published": lambda inputs: published(plain, inputs)[0],
        "loop": lambda inputs: plain(inputs).output,
    }
    feed = Feed(task.train)
    every = batches_of(feed, recipe)
    found = {}
    for way, output in ways.items():
        times = []
        for chosen in every[:count]:
            start = time.perf_counter()
            batch = make_batch(task.train, chosen, task.input_scale)
            assert isinstance(batch.inputs, torch.Tensor)
            plain.zero_grad(set_to_none=True)
            outputs = Outputs(output(batch.inputs), (), ())
            batch_loss(plain, outputs, batch).loss.backward()
            times.append(time.perf_counter() - start)
        found[way] = statistics.median(times) * len(every)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batches", type=int, default=2, help="of the other loops")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    task = tasks.load("ecg", arguments.data, {})
    recipe = make_recipe(read_plain("ecg"))
    recipe = replace(recipe, training=replace(recipe.training, epochs=arguments.epochs))
    # As in srnn-train: torch's own threads would spin on the engine's cores.
    torch.set_num_threads(1)
    set_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        warm = replace(recipe, training=replace(recipe.training, epochs=1))
        epochs(warm, task, Path(folder) / "warm")
        model, state, seconds = epochs(recipe, task, Path(folder) / "run")
        # The first run includes one-time costs; the medians are of the others.
        turns = [parts(model, task, recipe, state, Path(folder)) for _ in range(6)][1:]
        split = {name: statistics.median(turn[name] for turn in turns) for name in turns[0]}
    torch.set_num_threads(arguments.threads)
    others = by_loops(model, task, recipe, arguments.batches)
    about = machine() | {"threads": str(arguments.threads)}
    rates = [row["train_firing_rate"] for row in state.history]
    if arguments.json:
        result = {
            "machine": about,
            "sequences": len(task.train),
            "validation_sequences": len(task.validation),
            "epoch_s": seconds,
            "firing_rates": rates,
            "parts_s": split,
            "training_by_other_loops_s": others,
        }
        json.dump(result, sys.stdout, indent=2)
        print()
        return
    print("\n".join(f"{key:10} {value}" for key, value in about.items()))
    print(
        f"ecg: {len(task.train)} training and {len(task.validation)} validation sequences of "
        f"{task.train.steps} steps, batches of {recipe.training.batch_size}"
    )
    print("\nepoch   firing rate   s, whole epoch: training, validation, files")
    for number, (rate, spent) in enumerate(zip(rates, seconds, strict=True), 1):
        print(f"{number:5}{rate:14.3f}{spent:10.3f}")
    print(f"median {statistics.median(seconds):.3f} s, longest {max(seconds):.3f} s")
    print(f"\npart of an epoch at firing rate {rates[state.best_epoch]:.3f}            s   share")
    for name, spent in split.items():
        print(f"  {name:44}{spent:8.4f}{spent / sum(split.values()):8.1%}")
    training = sum(list(split.values())[:6])
    print(f"\ntraining alone, with the same weights: {training:.3f} s")
    for way, spent in others.items():
        print(f"  {way:12}{spent:8.1f} s{spent / training:8.1f} times as long")


if __name__ == "__main__":
    main()
