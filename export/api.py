"""``srnn.export.export``: what the command ``srnn-export`` does, as a function.

The only file of this package that imports the simulator, to pass it to the others.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from .calibration import given_samples, message_bits
from .checkpoint import FloatModel, ModelConfig, read_model
from .errors import InputError, counted, shown
from .filekind import check_network_name
from .float_run import with_answers
from .freeze import Quantization
from .netx import write_net
from .quantize import LayerReport, dead_neurons, lost_weights, quantize
from .ranges import KEY, calibration_of
from .reading.files import located
from .samples import Samples
from .verify import Parity, compare_with_float

if TYPE_CHECKING:
    from .network import Network
    from .trace import Trace

BUNDLED_SAMPLES = 8


class Trained(Protocol):
    """A model in memory, such as ``srnn.train.SRNN``."""

    config: ModelConfig

    def float_model(self, samples: dict[str, npt.NDArray[Any]], task: dict[str, Any]) -> FloatModel:
        """Return what a ``model.pt`` holds, with the model's answers to the samples."""
        ...


class Described(Protocol):
    """A task, such as ``srnn.tasks.Task``."""

    def description(self) -> dict[str, Any]:
        """Return what travels in a file, plain values."""
        ...


@dataclass(frozen=True, eq=False)
class ExportReport:
    """What became of a float model, as ``srnn-export`` prints it.

    ``written``: the file, None where nothing was written. ``layers``: by layer, errors of weights
    and decays, headroom, sizes. ``parity``: accuracies, changed answers and equal spikes on the
    samples. ``remarks``: what else a reader should know. ``network``: the integers themselves.
    """

    written: Path | None
    layers: tuple[LayerReport, ...]
    parity: Parity
    remarks: tuple[str, ...]
    network: Network = field(repr=False)

    def __post_init__(self) -> None:
        names = [layer.name for layer in self.layers]
        if names != [layer.name for layer in self.network.layers]:
            raise InputError(f"report: layers {names} are not those of the network")

    @property
    def accuracy_loss(self) -> float | None:
        """Accuracy lost, in percentage points; None where the samples have no targets."""
        return self.parity.accuracy_loss

    def plain(self) -> dict[str, Any]:
        """Return plain values, those of ``srnn-export --json``."""
        return {
            "written": None if self.written is None else str(self.written),
            "accuracy_loss": self.accuracy_loss,
            "layers": [asdict(layer) for layer in self.layers],
            "parity": asdict(self.parity),
        }

    def __str__(self) -> str:
        parity = self.parity
        lines = [
            f"{'not written' if self.written is None else self.written}: "
            f"{parity.changed_predictions:,} of {parity.answers:,} answers changed in "
            f"{counted(parity.samples, 'sample')}"
        ]
        if parity.float_accuracy is not None and parity.integer_accuracy is not None:
            lines.append(
                f"accuracy {parity.float_accuracy:.4f} float, {parity.integer_accuracy:.4f} integer"
            )
        for layer in self.layers:
            used = ", ".join(f"{name} {share:.1%}" for name, share in layer.headroom.items())
            equal = parity.equal_spikes.get(layer.name)
            spikes = "" if equal is None else f", {equal:.1%} of spikes equal"
            lines.append(
                f"layer {layer.name}, {layer.size} {layer.neuron}: weight error "
                f"{layer.weight_error:.4f}, range used {used}{spikes}"
            )
        return "\n".join([*lines, *self.remarks])


def export(
    model: FloatModel | Trained | str | os.PathLike[str],
    samples: Any = None,
    path: str | os.PathLike[str] | None = None,
    *,
    task: Described | Mapping[str, Any] | None = None,
    options: Quantization | None = None,
    max_accuracy_loss: float | None = None,
) -> ExportReport:
    """Quantize a trained model to chip integers, check them, and write a ``.net`` file.

    Parameters
    ----------
    model
        An ``SRNN``, a ``model.pt`` by its path, or what ``read_model`` gave.
    samples
        On which ranges are chosen and float and integer answers are compared, some tens of them:
        integer inputs (sample, time, channel), arrays or tensors; a pair of inputs and targets; a
        table with ``inputs`` and if wanted ``targets`` (sample,) or (sample, time), ``lengths``
        (sample,) and ``valid`` (sample, time); a ``Split`` of ``srnn.tasks``; or a file as
        ``srnn-export --calibrate`` takes it. None: those that the ``model.pt`` holds.
    path
        The file to write; None writes nothing.
    task
        Of a model in memory: what its inputs and classes mean, a ``Task`` or the entries
        ``message_bits``, ``input_scale`` (the model reads inputs times this), ``dt`` in seconds,
        ``classes`` and others of ``Task.description``. None: inputs in units of 1.
    options
        The scheme; None: the one that the model was trained with, or the default.
    max_accuracy_loss
        Percentage points; where more are lost, nothing is written and ``written`` is None.

    Raises
    ------
    InputError
        A model without an integer form, samples that do not fit it, or no samples; a ``path`` with
        the ending of another kind of file.
    """
    if isinstance(model, (str, os.PathLike)):
        source = Path(model)
        read = _with_samples(read_model(source), samples, task)
        return export_model(read, path, source, options, max_accuracy_loss)
    if isinstance(model, FloatModel):
        read = _with_samples(model, samples, task)
        return export_model(read, path, None, options, max_accuracy_loss)
    if not hasattr(model, "float_model"):
        raise InputError(
            f"export: a {type(model).__name__}, needs an SRNN, a FloatModel or the path of a "
            "model.pt"
        )
    if samples is None:
        raise InputError("export: give samples, integer inputs (sample, time, channel)")
    found = given_samples(samples, model.config.input_size)
    described = _described(task, model.config, found["inputs"])
    read = model.float_model(found, described)
    return export_model(read, path, None, options, max_accuracy_loss)


def export_model(
    model: FloatModel,
    path: str | os.PathLike[str] | None,
    source: Path | None = None,
    options: Quantization | None = None,
    max_accuracy_loss: float | None = None,
) -> ExportReport:
    """Quantize, check and write a model that holds samples; parameters as of ``export``.

    ``source``: the file that the model came from, for the record in the new one.
    """
    from ..simulate.simulator import run

    if options is not None and not isinstance(options, Quantization):
        raise InputError(f"options: a {type(options).__name__}, needs a Quantization")
    if max_accuracy_loss is not None and not math.isfinite(max_accuracy_loss):
        raise InputError(f"max_accuracy_loss: {max_accuracy_loss} is not a number of points")
    target = None if path is None else Path(path)
    if target is not None and source is not None and target.exists() and target.samefile(source):
        raise InputError(f"{target}: is the model itself; name another file")
    if target is not None:
        check_network_name(target)
    if "inputs" not in model.samples:
        raise InputError(f"{source or 'export'}: the model holds no samples; give some")

    def simulate(network: Network, inputs: Any, lengths: Any) -> Trace:
        return run(network, inputs, lengths, record="states")

    inputs, lengths = model.samples["inputs"], model.samples.get("lengths")
    with nullcontext() if source is None else located(source):
        network, layers = quantize(model, options, simulate, inputs, lengths)
    origin = "samples in memory"
    if source is not None:
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
        network.provenance["model"] = {"file": source.name, "sha256": digest}
        origin = f"samples in {source.name}"
    trace = simulate(network, inputs, lengths)
    network.provenance[KEY] = calibration_of(network, trace, origin).plain()
    parity = compare_with_float(model, network, trace)
    requantized = [
        "the model was trained on the grid, but these options make other integers than its "
        "training computed; leave them out to keep those"
    ] * bool(options is not None and model.quantization)
    lost = parity.accuracy_loss
    if max_accuracy_loss is not None and (lost is None or lost > max_accuracy_loss):
        target = None
    if target is not None:
        write_net(target, network, bundle(model, trace))
    return ExportReport(
        target,
        tuple(layers),
        parity,
        (*requantized, *lost_weights(layers), *dead_neurons(trace)),
        network,
    )


def bundle(model: FloatModel, trace: Trace, count: int = BUNDLED_SAMPLES) -> Samples:
    """Return the first calibration samples with the integers that every later stage must find."""
    samples = model.samples
    return Samples(
        inputs=samples["inputs"][:count].astype(np.int32),
        lengths=trace.lengths[:count],
        targets=samples["targets"][:count] if "targets" in samples else None,
        valid=samples["valid"][:count] if "valid" in samples else None,
        output=trace.output[:count],
    )


def _with_samples(model: FloatModel, samples: Any, task: object) -> FloatModel:
    if task is not None:
        raise InputError("task: a model.pt has its own")
    if samples is None:
        return model
    found = given_samples(samples, model.config.input_size)
    return replace(model, samples=with_answers(model, found))


def _described(
    task: Described | Mapping[str, Any] | None, config: ModelConfig, inputs: npt.NDArray[np.int32]
) -> dict[str, Any]:
    given = {} if task is None else task
    if not isinstance(given, Mapping) and not hasattr(given, "description"):
        raise InputError(f"task: {shown(given)}, needs a Task or a table of its entries")
    table = dict(given) if isinstance(given, Mapping) else given.description()
    return {
        "message_bits": message_bits(inputs),
        "input_scale": 1.0,
        "skip_steps": config.skip_steps,
        "per_step": config.readout == "membrane",
        "input_size": config.input_size,
    } | table
