"""NIR in ``srnn-export``: its arguments, and writing a NIR file."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path

from .calibration import message_bits, read_calibration
from .checkpoint import FloatModel, read_model
from .console import EXIT_OK, Output
from .errors import InputError
from .float_run import with_answers
from .reading.files import located

SUFFIX = ".nir"
READING = ("reset", "synapse", "settled_bias", "decay")
"""Arguments that control how a NIR file is read."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for NIR and for models without samples."""
    parser.add_argument(
        "--calibrate",
        type=Path,
        metavar="FILE",
        help="samples for a model that holds none: .npz with inputs, integers (sample, time, "
        "channel), and optionally lengths and targets; or a model.pt",
    )
    nir = parser.add_argument_group("NIR (docs/NIR.md)")
    nir.add_argument(
        "--dt", type=float, metavar="SECONDS", help="per step, if the file or model does not say"
    )
    nir.add_argument(
        "--reset",
        choices=("zero", "subtract"),
        help="for neurons that do not say it: to v_reset at the spike (default, as NIR "
        "defines it), or subtract the threshold one step later (what snnTorch does but does not "
        "write)",
    )
    nir.add_argument(
        "--synapse",
        choices=("euler", "jump"),
        help="how inputs enter the current of a CubaLIF: dt / tau_syn w_in S (default, NIR's "
        "definition) or w_in S (Norse's LIFCell)",
    )
    nir.add_argument(
        "--decay",
        choices=("euler", "exp"),
        help="decay factors of neurons: 1 - dt/tau (default; snnTorch, Norse, SpikingJelly) or "
        "exp(-dt/tau) (sinabs, Rockpool)",
    )
    nir.add_argument(
        "--settled-bias",
        action="store_true",
        help="give a bias that passes the filter of a CubaLIF its final value from the start",
    )


def read_any(arguments: argparse.Namespace, output: Output) -> FloatModel:
    """Return the model to quantize, with samples, from a ``model.pt`` or a NIR file."""
    path: Path = arguments.model
    if path.suffix == SUFFIX:
        from .nir_import import import_nir

        model = import_nir(
            path,
            arguments.dt,
            arguments.reset or "zero",
            arguments.synapse or "euler",
            arguments.settled_bias,
            arguments.decay,
            remark=lambda text: output.note(f"{path}: {text}"),
        )
    else:
        _only_for_nir(arguments, (*READING, "dt"))
        model = read_model(path)
    if arguments.calibrate is None:
        return model
    samples = read_calibration(arguments.calibrate, model.config.input_size)
    needed = message_bits(samples["inputs"])
    stated = model.task.get("message_bits", 0)
    if stated < needed and path.suffix == SUFFIX and not model.recipe:
        model = replace(model, task={**model.task, "message_bits": needed})
    with located(arguments.calibrate):
        return replace(model, samples=with_answers(model, samples))


def missing_samples(path: Path) -> str:
    """Return the message that a model has no calibration samples, and how to give them."""
    fix = "give --calibrate FILE, an .npz with inputs, integers (sample, time, channel)"
    if path.suffix != SUFFIX:
        fix += "; or train with bundle_samples above 0"
    return f"{path}: holds no sample inputs to calibrate on; {fix}"


def write(arguments: argparse.Namespace, target: Path, output: Output) -> int:
    """Write a ``model.pt`` as NIR."""
    from .nir_write import to_nir, write_nir

    if arguments.model.suffix == SUFFIX:
        raise InputError(f"--output: {target}: the model already is a NIR file")
    _only_for_nir(arguments, READING)
    for name in ("scale", "one_exponent", "weight_bits", "max_accuracy_loss", "calibrate"):
        if getattr(arguments, name):
            raise InputError(
                f"--{name.replace('_', '-')}: applies to integers; NIR holds the float model"
            )
    model = read_model(arguments.model)
    with located(arguments.model):
        graph, written = to_nir(model, arguments.dt)
    output.table(
        f"NIR graph, dt {written.dt:g} s",
        ("node", "type"),
        [(n, k) for n, k in written.nodes.items()],
    )
    for remark in written.remarks:
        output.line(remark)
    if arguments.dry_run:
        output.line("dry run: nothing was written")
    else:
        write_nir(target, graph)
        output.line(f"Wrote {target}. Any reader of NIR takes it; dt is in its metadata")
    output.result({"written": None if arguments.dry_run else str(target), **asdict(written)})
    return EXIT_OK


def _only_for_nir(arguments: argparse.Namespace, names: tuple[str, ...]) -> None:
    for name in names:
        if getattr(arguments, name):
            raise InputError(f"--{name.replace('_', '-')}: is for reading a {SUFFIX} file")
