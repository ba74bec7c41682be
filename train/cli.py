"""``srnn-train``: arguments and printing."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ..export.checkpoint import read_model, write_model
from ..export.compiling import clock
from ..export.console import (
    EXIT_FAULT,
    EXIT_NO,
    EXIT_OK,
    EXIT_STOPPED,
    Output,
    make_parser,
    run_parsed,
)
from ..export.errors import InputError
from ..export.filekind import MODEL, check_kind
from ..export.terminal import say
from .recipe import Recipe, make_recipe, read_plain, recipe_names
from .settings import override

if TYPE_CHECKING:
    from .parallel import Processes
    from .run_folder import RunFolder

EXAMPLE = """\
  srnn-train --list                         the recipes there are
  srnn-train digits --show > my.toml        one of them with all settings, to be changed
  srnn-train digits                         the embedded recipe, into runs/digits
  srnn-train ecg --data DIR --epochs 5      any setting of the recipe can be given
  srnn-train my.toml --layers.0.size 128 --out runs/wide
  srnn-train ecg --quantize --start runs/ecg/model.pt --out runs/ecg-chip --epochs 50
  srnn-train --resume runs/ecg              continue after Ctrl-C, to the same bits

settings: every field of the recipe's tables, for example --epochs, --batch-size, --learning-rate,
--seed, --threads, --device, --readout, --layers.0.neuron, --task.options.window

several processes (gloo on cpu, nccl on cuda, one GPU each):
  torchrun --nproc-per-node 2 -m srnn.train ecg
(with --start: torchrun ... -m -- srnn.train ..., since torchrun has options of that beginning)
share every batch of the recipe's size, with the gradient that one process has on the whole batch.
The first one writes the run's folder. Each has its part of the cores, or --threads. If a process
is killed, all end, and --resume continues from the last checkpoint, on any number of processes:
with the same number to the same bits, with another equal but for the order of float sums."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = make_parser(
        "srnn-train",
        "Train an adaptive spiking recurrent network from a recipe.",
        EXAMPLE,
        "training diverged",
    )
    parser.add_argument("recipe", nargs="?", help=f"{', '.join(recipe_names())}, or a TOML file")
    parser.add_argument("--out", type=Path, help="folder of the run (default runs/RECIPE)")
    parser.add_argument(
        "--data", type=Path, help="folder of the data (default SRNN_DATA, the cache)"
    )
    parser.add_argument("--download", action="store_true", help="fetch missing data into the cache")
    parser.add_argument("--resume", nargs="?", const=True, metavar="RUN", help="continue a run")
    parser.add_argument(
        "--overwrite", action="store_true", help="start again in a folder with a run"
    )
    parser.add_argument(
        "--quantize",
        action="store_true",
        help="train on the chip's integers: what is reported is what the chip gives",
    )
    parser.add_argument(
        "--start", type=Path, metavar="MODEL", help="model.pt whose weights are the initial ones"
    )
    parser.add_argument(
        "--no-test",
        action="store_true",
        help="do not read the test split, for runs that are compared by validation",
    )
    parser.add_argument(
        "--show",
        action="store_true",
        help="print the recipe as TOML, every setting with its meaning, and stop",
    )
    parser.add_argument("--list", action="store_true", help="print the recipes there are and stop")
    words, settings = _split(sys.argv[1:] if argv is None else argv)
    arguments = parser.parse_args(words)
    lost: list[str] = []
    with _quiet_beside_the_first():
        code = run_parsed(parser, lambda a, output: _train(a, settings, output, lost), arguments)
    for line in lost:
        say(sys.stderr, f"{parser.prog}: {line}")
    return code


@contextmanager
def _quiet_beside_the_first() -> Iterator[None]:
    """Let the first of torchrun's processes print, and the first of each machine its mistakes."""
    rank, local_rank = (int(os.environ.get(name, "0")) for name in ("RANK", "LOCAL_RANK"))
    with Path(os.devnull).open("w", encoding="utf-8") as nothing, ExitStack() as stack:
        if rank > 0:
            stack.enter_context(redirect_stdout(nothing))
        if local_rank > 0:
            stack.enter_context(redirect_stderr(nothing))
        yield


OWN_OPTIONS = {
    "--help", "--version", "--json", "--debug", "--neurons", "--out", "--data", "--download",
    "--resume", "--overwrite", "--show", "--list", "--quantize", "--start", "--no-test",
}  # fmt: skip
"""The command's own options; every other ``--name VALUE`` is a setting of the recipe."""


Settings: TypeAlias = list[tuple[str, "str | None"]]
"""Settings of the recipe in the order in which they were given; None for a missing value."""


def _split(
    argv: Sequence[str],
) -> tuple[list[str], Settings]:
    # Settings are taken out first: argparse would give their values to the recipe's place.
    own: list[str] = []
    settings: Settings = []
    words = list(argv)
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if not name.startswith("--") or name == "--" or name in OWN_OPTIONS:
            own.append(word)
            continue
        if equals:
            settings.append((name[2:], value))
        else:
            missing = not words or words[0].startswith("--")
            settings.append((name[2:], None if missing else words.pop(0)))
    return own, settings


def _recipe(arguments: argparse.Namespace, settings: Settings) -> tuple[Recipe, str, bool]:
    from ..tasks.registry import TASKS, check_options, task_options

    resume = arguments.resume is not None
    if isinstance(arguments.resume, str):
        arguments.out = Path(arguments.resume)
    if arguments.recipe is None:
        if not resume or arguments.out is None:
            # A misspelled option is the likelier mistake.
            override({}, settings, OWN_OPTIONS)
            raise InputError(
                f"name a recipe ({', '.join(recipe_names())}), a TOML file, or --resume RUN"
            )
        from .run import read_run

        if arguments.out.is_file():
            raise InputError(f"--resume: {arguments.out}: is a file; name the folder of a run")
        plain = _without_none(read_run(arguments.out)["recipe"])
        name = arguments.out.name
    else:
        plain = read_plain(arguments.recipe)
        name = Path(arguments.recipe).stem
    if arguments.quantize:
        settings = [*settings, ("training.quantize", "true")]
    where = arguments.recipe or str(arguments.out)
    task = plain.get("task")
    task_name = task.get("name") if isinstance(task, dict) else None
    known = task_options(task_name) if task_name in TASKS else {}
    options = [*sorted(OWN_OPTIONS), *(f"--task.options.{name}" for name in known)]
    recipe = make_recipe(override(plain, settings, options), where)
    check_options(recipe.task.name, recipe.task.options)
    if arguments.start is not None:
        check_kind(arguments.start, MODEL)
    return recipe, name, resume


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    return [_without_none(v) for v in value] if isinstance(value, (list, tuple)) else value


def _train(
    arguments: argparse.Namespace,
    settings: Settings,
    output: Output,
    lost: list[str],
) -> int:
    if arguments.list:
        return _list(output)
    # torch takes seconds to import: mistakes in a recipe are told before.
    recipe, name, resume = _recipe(arguments, settings)
    if arguments.show:
        return _show(recipe, output)
    from .run_folder import check_folder

    folder = arguments.out or Path("runs") / name
    check_folder(folder)
    from .faults import DivergedError
    from .parallel import ProcessLostError, joined
    from .run_folder import holding
    from .stopping import Stopped, outliving_the_terminal

    with joined(recipe.training.device) as processes:
        try:
            with ExitStack() as stack:
                held = processes.together(
                    lambda: stack.enter_context(holding(folder, writes=processes.first))
                )
                return _run(arguments, _Run(recipe, name, held, resume), output, processes)
        except KeyboardInterrupt as stop:
            how = f"stopped; {_kept(folder)}"
            if isinstance(stop, Stopped):
                how = f"stopped and saved; continue with: srnn-train --resume {folder}"
            with outliving_the_terminal():
                output.note(f"srnn-train: {how}")
            return EXIT_STOPPED
        except DivergedError as error:
            output.note(f"srnn-train: {error}")
            return EXIT_NO
        except ProcessLostError:
            if processes.speaks_for_the_others():
                lost.append(
                    f"another process of this run ended or is out of reach; {_kept(folder)}"
                )
            return EXIT_FAULT


def _kept(folder: Path) -> str:
    """Say how to continue a run that ended without saving."""
    from .run import CHECKPOINT

    if (folder / CHECKPOINT).exists():
        return f"its last checkpoint is kept; continue with --resume {folder}"
    return "it had no checkpoint yet"


class _Run(NamedTuple):
    recipe: Recipe
    name: str
    held: RunFolder
    resume: bool


def _run(arguments: argparse.Namespace, run: _Run, output: Output, processes: Processes) -> int:
    from .. import tasks
    from .evaluate import evaluate
    from .loop import fit
    from .run import CHECKPOINT, MODEL
    from .save import float_model
    from .stopping import outliving_the_terminal

    recipe, name, held, resume = run
    folder = held.path

    def check_empty() -> None:
        if (folder / CHECKPOINT).exists() and not resume and not arguments.overwrite:
            raise InputError(
                f"{folder}: holds a run; continue it with --resume, start again with --overwrite, "
                "or choose another --out"
            )

    processes.from_first(check_empty)
    device = processes.device(recipe.training.device)
    _set_threads(recipe, processes)
    processes.together(lambda: _check_device(device))
    task = processes.in_turn(
        lambda: tasks.load(
            recipe.task.name, arguments.data, dict(recipe.task.options), download=arguments.download
        )
    )
    output.line(
        f"{name}: task {task.name}, {len(task.train)} training, {len(task.validation)} validation, "
        f"{len(task.test)} test sequences of {task.train.inputs.shape[1]} steps, "
        f"{task.input_size} channels, {len(task.classes)} classes"
    )
    if processes.size > 1:
        output.line(f"{name}: {processes.size} processes share every batch")
    started = clock()
    display = _Display(output, recipe.training.epochs)
    with display if processes.first else nullcontext():
        model, state = fit(
            recipe, task, folder, resume,
            on_batch=outliving_the_terminal()(display.on_batch),
            on_epoch=outliving_the_terminal()(display.on_epoch), processes=processes,
            start=None if arguments.start is None else read_model(arguments.start),
        )  # fmt: skip
    splits = {"validation": task.validation} | ({} if arguments.no_test else {"test": task.test})
    results = {
        part: evaluate(model, task, split, device=device, processes=processes)
        for part, split in splits.items()
    }
    metrics: dict[str, Any] = {part: result.metrics for part, result in results.items()}
    for part, result in results.items():
        metrics[f"{part}_firing_rate"] = result.firing_rate
        metrics[f"{part}_layer_rates"] = list(result.layer_rates)
    metrics |= {"best_epoch": state.best_epoch + 1, "epochs": state.epoch}
    if processes.first:
        held.check()
        write_model(folder / MODEL, float_model(model, task, recipe, metrics))
    seconds = clock() - started
    output.table(
        f"{name}: epoch {state.best_epoch + 1} of {state.epoch} was best on validation",
        (
            "split",
            *(key.replace("_", " ") for key in results["validation"].metrics),
            "firing rate",
        ),
        [(part, *result.metrics.values(), result.firing_rate) for part, result in results.items()],
    )
    after = f"srnn-export {folder / MODEL}"
    if recipe.model.baseline != "none":
        # A dense network has no integers; it is what a spiking one is compared with.
        after = f"srnn-simulate NETWORK --energy --baseline {folder / MODEL}"
    output.line(f"{seconds:.0f} s. Wrote {folder / MODEL}. Next: {after}")
    output.result({"model": str(folder / MODEL), "seconds": seconds, **metrics})
    return EXIT_OK


def _show(recipe: Recipe, output: Output) -> int:
    from .show import as_toml, complete

    if not output.as_json:
        # Past the console, which would break lines where the terminal ends.
        say(sys.stdout, *as_toml(recipe).removesuffix("\n").split("\n"))
    output.result(_without_none(complete(recipe)))
    return EXIT_OK


def _list(output: Output) -> int:
    from .show import listed

    rows = listed()
    columns = ("recipe", "layers", "data")
    widths = {name: max(len(row[name]) for row in rows) for name in columns}
    for row in rows:
        cells = [row[name].ljust(widths[name]) for name in columns]
        output.line("  ".join([*cells, row["description"]]))
    output.line("srnn-train RECIPE --show prints all settings of one; docs/TASKS.md tells of data")
    output.result({"recipes": rows})
    return EXIT_OK


def _set_threads(recipe: Recipe, processes: Processes) -> None:
    import torch

    from .engine import set_threads

    # torchrun tells every process to use one thread, whatever the machine has.
    choice = torch.get_num_threads() if processes.size == 1 else processes.threads()
    training = recipe.training
    threads = training.threads or choice
    spiking = recipe.model.baseline in {"none", "relu"}
    on_engine = training.engine == "events" and training.device == "cpu" and spiking
    # Where the engine does the work, torch's own threads would only spin on its cores.
    torch.set_num_threads(1 if on_engine else threads)
    set_threads(threads)


def _check_device(device: str) -> None:
    import torch

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"training.device: {device!r} is not usable here ({str(error).splitlines()[0]})"
        ) from None


class _Display:
    """A progress bar on a terminal, a line per epoch elsewhere."""

    def __init__(self, output: Output, epochs: int) -> None:
        self._output, self._epochs = output, epochs
        self._progress = output.progress()
        self._bar = self._progress.add_task("training", total=None)

    def __enter__(self) -> _Display:
        self._progress.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._progress.__exit__(*error)

    def on_batch(self, row: dict[str, float]) -> None:
        self._progress.update(
            self._bar,
            total=self._epochs * row["batches"],
            completed=row["epoch"] * row["batches"] + row["batch"],
            description=(
                f"epoch {row['epoch'] + 1:.0f}/{self._epochs} loss {row['loss']:.3f} "
                f"accuracy {row['accuracy']:.3f} rate {row['firing_rate']:.3f}"
            ),
        )

    def on_epoch(self, row: dict[str, float]) -> None:
        text = (
            f"epoch {row['epoch']:>3}  loss {row['train_loss']:.4f}  "
            f"accuracy {row['train_accuracy']:.4f}  "
            f"validation {row['validation_accuracy']:.4f}  "
            f"rate {row['validation_firing_rate']:.4f}  {row['seconds']:.1f} s"
        )
        if self._output.as_json or self._progress.disable or not sys.stdout.isatty():
            self._output.line(text)
        else:
            # Above the bar, which rich redraws below it; two writers on a terminal would collide.
            self._progress.console.print(text, markup=False, highlight=False)
