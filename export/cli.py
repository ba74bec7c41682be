"""``srnn-export``: arguments and printing; ``api.py`` does the work."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import cli_nir
from .api import ExportReport, export_model
from .cli_inspect import inspect
from .console import EXIT_NO, EXIT_OK, Output, make_parser, run_command
from .errors import InputError, counted
from .filekind import ARRAYS, MODEL, NETWORK, NIR, check_kind, check_network_name, check_target
from .grid import WEIGHT_BITS_MAX, WEIGHT_BITS_MIN
from .quantize import SCALES, Quantization

EXAMPLE = """\
  srnn-export runs/digits/model.pt                      writes runs/digits/model.net
  srnn-export model.pt -o ecg.net --max-accuracy-loss 1.0
  srnn-export model.pt --dry-run --json                 check only, for a script
  srnn-export --inspect any.net                         what a file holds, and what can load it
  srnn-export model.nir -o model.net --calibrate inputs.npz    a network of snnTorch, Norse, ...
  srnn-export model.pt -o model.nir                     for other tools, what NIR can say"""

FOR_EXPORT = (
    "output", "scale", "one_exponent", "weight_bits", "max_accuracy_loss", "dry_run", "calibrate",
    "dt", *cli_nir.READING,
)  # fmt: skip
"""Arguments that have no meaning with ``--inspect``."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = make_parser(
        "srnn-export",
        "Quantize a trained model to chip integers, check it against the float model, and write a\n"
        "NetX-style HDF5 description.",
        EXAMPLE,
        "the accuracy loss is above its limit, nothing is written",
    )
    parser.add_argument(
        "model",
        type=Path,
        help="model.pt of srnn-train, or a .nir file; with --inspect a .net file",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        help="file to write, .net or .nir (default: the model's name with .net)",
    )
    parser.add_argument(
        "--scale",
        choices=SCALES,
        help="one weight unit per neuron (default) or one per layer",
    )
    parser.add_argument(
        "--one-exponent",
        action="store_true",
        help="input and recurrent weights of a layer share one unit (always so for CUBA networks)",
    )
    parser.add_argument(
        "--weight-bits",
        type=int,
        metavar="N",
        help=f"bits of a weight, {WEIGHT_BITS_MIN} to {WEIGHT_BITS_MAX}, the default",
    )
    parser.add_argument(
        "--max-accuracy-loss",
        type=float,
        metavar="POINTS",
        help="fail when the integers lose more percentage points than this",
    )
    parser.add_argument("--dry-run", action="store_true", help="do everything but write")
    parser.add_argument(
        "--inspect",
        action="store_true",
        help="print what a .net file holds, of srnn or of lava-dl, and whether stock lava-dl can "
        "load it; nothing is written",
    )
    cli_nir.add_arguments(parser)
    return run_command(parser, _export, argv)


def _export(arguments: argparse.Namespace, output: Output) -> int:
    if arguments.inspect:
        given = [name for name in FOR_EXPORT if getattr(arguments, name)]
        if given:
            option = f"--{given[0].replace('_', '-')}"
            raise InputError(f"{option}: is for exporting a model; --inspect takes a file alone")
        return inspect(arguments.model, output)
    target = arguments.output or arguments.model.with_suffix(".net")
    _check_files(arguments, target)
    if target.suffix == cli_nir.SUFFIX:
        return cli_nir.write(arguments, target, output)
    limit = arguments.max_accuracy_loss
    if limit is not None and not math.isfinite(limit):
        raise InputError(f"--max-accuracy-loss: {limit} is not a number of percentage points")
    model = cli_nir.read_any(arguments, output)
    if "inputs" not in model.samples:
        raise InputError(cli_nir.missing_samples(arguments.model))
    report = export_model(
        model, None if arguments.dry_run else target, arguments.model, _options(arguments), limit
    )
    _print(output, report)
    lost = report.accuracy_loss
    failed = limit is not None and (lost is None or lost > limit)
    if failed:
        reason = "samples have no targets" if lost is None else f"{lost:.2f} points lost"
        output.note(f"srnn-export: {reason}, limit {limit:g}; nothing was written")
    elif report.written is None:
        output.line("dry run: nothing was written")
    else:
        output.line(f"Wrote {target}. Next: srnn-simulate {target}")
    output.result(report.plain())
    return EXIT_NO if failed else EXIT_OK


def _check_files(arguments: argparse.Namespace, target: Path) -> None:
    check_kind(arguments.model, NIR if arguments.model.suffix == cli_nir.SUFFIX else MODEL)
    if arguments.calibrate is not None:
        check_kind(arguments.calibrate, ARRAYS, MODEL)
    if not (target.exists() and target.samefile(arguments.model)):
        if target.suffix != cli_nir.SUFFIX:
            check_network_name(target, "--output")
        check_target("--output", target, NIR if target.suffix == cli_nir.SUFFIX else NETWORK)


def _options(arguments: argparse.Namespace) -> Quantization | None:
    """Return the scheme that was asked for; None leaves it to the model."""
    given = (arguments.scale, arguments.weight_bits, arguments.one_exponent or None)
    if all(value is None for value in given):
        return None
    return Quantization(
        scale=arguments.scale or SCALES[0],
        exponents=not arguments.one_exponent,
        weight_bits=WEIGHT_BITS_MAX if arguments.weight_bits is None else arguments.weight_bits,
    )


def _print(output: Output, report: ExportReport) -> None:
    layers, parity = report.layers, report.parity
    output.table(
        "integer network",
        (
            "layer",
            "neuron",
            "shape",
            "parameters",
            "weights",
            "weight error",
            "recurrent",
            "decay error",
            "headroom",
            "bytes",
        ),
        [
            (
                layer.name,
                layer.neuron,
                f"{layer.inputs}-{layer.size}{'r' if layer.recurrent else ''}",
                layer.parameters,
                f"{layer.weight_range[0]}..{layer.weight_range[1]}",
                layer.weight_error,
                layer.recurrent_error,
                layer.decay_error,
                " ".join(f"{name} {share:.1%}" for name, share in layer.headroom.items()),
                layer.size_bytes,
            )
            for layer in layers
        ],
    )
    output.line(
        "weight error, of input and of recurrent weights: largest, in units of its neuron's"
    )
    output.line(
        "largest weight of that matrix; headroom: largest |state| / 2^23 on the calibration"
    )
    output.line("samples, by state")
    for layer in layers:
        if layer.doublings:
            output.line(
                f"layer {layer.name}: the weight unit of {layer.doubled_neurons} neurons was "
                f"doubled up to {layer.doublings} times to keep their states in range"
            )
    for remark in report.remarks:
        output.line(remark)
    rows: list[tuple[Any, ...]] = []
    if parity.float_accuracy is not None and parity.integer_accuracy is not None:
        rows.append(("accuracy", parity.float_accuracy, parity.integer_accuracy, None))
    rows.append(
        (
            "answers",
            parity.answers,
            parity.answers,
            1 - parity.changed_predictions / max(parity.answers, 1),
        )
    )
    rows.extend(
        (f"spikes, layer {name}", parity.float_spikes[name], parity.integer_spikes[name], share)
        for name, share in parity.equal_spikes.items()
    )
    output.table(
        f"float model and integer network on {counted(parity.samples, 'sample')}",
        ("", "float", "integer", "equal"),
        rows,
    )
    output.line(
        f"{parity.changed_predictions:,} of {parity.answers:,} answers changed; equal spikes: "
        "those that both have, of those that either has"
    )
