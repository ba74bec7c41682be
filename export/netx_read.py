"""From the values of a ``.net`` file with ``/srnn`` to a network; every value is checked.

``/srnn`` is authoritative; the standard part must be what the writer would write for it, so a file
that was edited in only one part is refused.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ..neurons.identity import origin, step_digest
from ..neurons.loading import find, load_installed
from ..neurons.registry import BUILT_IN
from . import grid
from .errors import InputError
from .grid import FloatArray
from .network import (
    NEURON_COUNT_MAX,
    NEURONS,
    Convolution,
    CubaLIF,
    Layer,
    Network,
    Neuron,
    Readout,
    Synapses,
)
from .netx_standard import standard_part
from .netx_stock import form_obstacles, stock_lava_dl_obstacles
from .netx_values import (
    Contents,
    Value,
    in_range,
    index_text,
    integer,
    layer_indices,
    shown,
    whole,
)
from .netx_write import FORMAT, FORMAT_VERSION
from .reading.files import located
from .reading.text import json_value
from .samples import Samples, check_samples
from .suggest import unknown

T = TypeVar("T")

LAYER_TYPES = ("dense", "dense_rec", "conv")
_SAMPLES = ("inputs", "lengths", "output", "targets", "valid")


def check_version(attributes: dict[str, Value]) -> None:
    """Check the attributes of ``/srnn``: format and format version.

    Raises
    ------
    InputError
        Another format, or a version that this srnn does not read.
    """
    name = attributes.get("format")
    if not isinstance(name, str) or name != FORMAT:
        raise InputError(f"/srnn attribute format: {shown(name)}, needs {FORMAT!r}")
    version = attributes.get("format_version")
    if (
        version is None or isinstance(version, str)
        or version.dtype.kind not in "iu" or version.shape != ()
    ):  # fmt: skip
        raise InputError(f"/srnn attribute format_version: {shown(version)}, needs an integer")
    if int(version) > FORMAT_VERSION:
        raise InputError(
            f"format version {int(version)}, this srnn reads {FORMAT_VERSION}; update srnn"
        )
    if int(version) < 1:
        raise InputError(f"format version {int(version)}, the first is 1")


def network_of(contents: Contents) -> Network:
    """Build the network, check both parts of the file against each other, refuse unknown entries.

    Raises
    ------
    InputError
        Names the dataset, the value and the limit.
    """
    indices = layer_indices(contents, "/srnn/layer", first=1)
    groups = _groups(contents)
    if len(groups) != len(indices):
        raise InputError(
            f"/layer: describes {len(groups)} layers of neurons, /srnn/layer {len(indices)}"
        )
    layers = tuple(
        _layer(contents, base, index) for base, index in zip(groups, indices, strict=True)
    )
    dt = _positive(contents, "/srnn/dt", zero_allowed=True)
    readout = _readout(_json(contents, "/srnn/readout", dict))
    network = Network(
        layers,
        readout,
        message_bits=integer(contents, "/srnn/message_bits", 0, grid.MESSAGE_BITS_MAX),
        input_scale=_positive(contents, "/srnn/input_scale"),
        dt=dt if dt else None,
        task=_json(contents, "/srnn/task", dict),
        provenance=_json(contents, "/srnn/provenance", dict),
    )
    contents.refuse_unasked("/srnn")
    _check_standard_part(contents, network)
    return network


def samples_of(contents: Contents, network: Network) -> Samples | None:
    """Return the samples of a file, or None if it has none."""
    base = "/srnn/samples"
    if base not in contents.groups:
        if base in contents.values:
            raise InputError(f"{base}: is a dataset, needs a group")
        return None
    superfluous = sorted(set(contents.names(base)) - set(_SAMPLES))
    if superfluous:
        raise InputError(f"{base}/{superfluous[0]}: unknown to this format; remove it")
    with located(base):
        inputs, lengths, output = (
            contents.numbers(f"{base}/{name}", dtype)
            for name, dtype in (("inputs", np.int32), ("lengths", np.int64), ("output", np.int32))
        )
        targets = valid = None
        if f"{base}/targets" in contents.values:
            targets = contents.numbers(f"{base}/targets", np.int64)
        if f"{base}/valid" in contents.values:
            path = f"{base}/valid"
            valid = in_range(contents.numbers(path, np.uint8), path, 0, 1).astype(np.bool_)
        samples = Samples(inputs, lengths, targets, valid, output)
        check_samples(network, samples)
    return samples


def _groups(contents: Contents) -> list[str]:
    """Return the groups of ``/layer`` that hold a layer of neurons, in order."""
    found = []
    for index in layer_indices(contents, "/layer", first=0):
        base = f"/layer/{index}"
        kind = contents.text(f"{base}/type")
        if kind in LAYER_TYPES or (kind == "input" and f"{base}/neuron" in contents.groups):
            found.append(base)
        elif kind not in {"input", "flatten"}:
            needed = ", ".join(("input", "flatten", *LAYER_TYPES))
            raise InputError(f"{base}/type: {kind!r}, needs one of {needed}")
    return found


def _layer(contents: Contents, base: str, index: int) -> Layer:
    own = f"/srnn/layer/{index}"
    kind = contents.text(f"{base}/type")
    recurrent = None
    if f"{base}/weight_rec" in contents.values or kind == "dense_rec":
        recurrent = _synapses(contents, base, own, "_rec")
    connection = _convolution(contents, base, own, kind) if kind in {"conv", "input"} else None
    connection = connection or _synapses(contents, base, own, "")
    neuron = _neuron(contents, f"{own}/neuron", connection.n_out)
    name = _json(contents, f"{own}/name", str)
    scale = _finite(contents, f"{own}/state_scale", (neuron.size,))
    with located(own):
        return Layer(name, connection, neuron, recurrent, scale)


def _weights(
    contents: Contents, base: str, own: str, suffix: str, needs: str
) -> tuple[npt.NDArray[np.int64], int]:
    """Return weights and their exponent; in files for stock lava-dl the weights include it."""
    path = f"{base}/weight{suffix}"
    values = contents.numbers(path, np.float32)
    if values.ndim != len(needs.split(", ")):
        raise InputError(f"{path}: shape {values.shape}, needs {needs}")
    low, high = grid.WEIGHT_MIN, grid.WEIGHT_MAX_ONE_SIGN
    kept = whole(values, path, low, high)
    low, high = grid.WEIGHT_EXP_MIN, grid.WEIGHT_EXP_MAX
    exponent = integer(contents, f"{own}/weight_exp{suffix}", low, high)
    if contents.text(f"{base}/neuron/type") == CubaLIF.TYPE:
        if exponent > 0 and (kept % (1 << exponent)).any():
            raise InputError(f"{path}: {own}/weight_exp{suffix} {exponent} does not divide it")
        kept = kept >> exponent if exponent > 0 else kept << -exponent
    return kept, exponent


def _convolution(contents: Contents, base: str, own: str, kind: str) -> Convolution:
    path = f"{own}/shape_in"
    shape: Any = contents.numbers(path, np.int64)
    delay = _delay(contents, f"{own}/delay")
    with located(base):
        if kind == "input":
            weight, exponent = _weights(contents, base, own, "", "(weight)")
            if shape.shape != (3,) or not 1 <= shape[0] <= NEURON_COUNT_MAX:
                raise InputError(f"{path}: {shape.tolist()} is not (channels, rows, columns)")
            channels = int(shape[0])
            kernel = np.broadcast_to(weight[:1, None, None, None], (channels, 1, 1, 1))
            return Convolution(kernel, shape, groups=channels, weight_exp=exponent, delay=delay)
        needs = "(channels out, channels in, rows, columns)"
        kernel, exponent = _weights(contents, base, own, "", needs)
        pairs: dict[str, Any] = {
            name: contents.numbers(f"{base}/{name}", np.int64)
            for name in ("stride", "padding", "dilation")
        }
        groups = contents.numbers(f"{base}/groups", np.int64)
        if groups.shape != ():
            raise InputError(f"{base}/groups: shape {groups.shape}, needs a scalar")
        return Convolution(
            kernel, shape, **pairs, groups=int(groups), weight_exp=exponent, delay=delay
        )


def _delay(contents: Contents, path: str) -> npt.NDArray[Any] | None:
    delay = in_range(contents.numbers(path, np.int32), path, 0, grid.DELAY_MAX)
    if delay.shape == () and delay:
        raise InputError(f"{path}: {delay} as a scalar, which can only be 0 for no delays")
    return delay if delay.shape else None


def _synapses(contents: Contents, base: str, own: str, suffix: str) -> Synapses:
    weight, exponent = _weights(contents, base, own, suffix, "(neurons, sources)")
    path = f"{own}/delay{suffix}"
    delay = _delay(contents, path)
    if delay is not None and delay.shape != weight.shape:
        raise InputError(f"{path}: shape {delay.shape}, needs {weight.shape}, or 0 for no delays")
    with located(own):
        return Synapses(weight, exponent, delay)


def _neuron(contents: Contents, base: str, size: int) -> Neuron:
    record, parameters = _record(contents, base), {}
    for parameter in record.PARAMETERS:
        path = f"{base}/{parameter.key}"
        values = contents.numbers(path, np.int32)
        if values.shape != (size,):
            raise InputError(f"{path}: shape {values.shape}, needs ({size},)")
        parameters[parameter.name] = in_range(values, path, parameter.low, parameter.high)
    with located(base):
        return record(size, **parameters)


def _record(contents: Contents, base: str) -> type[Neuron]:
    """Return the neuron that a file names, which computes what it did when the file was made."""
    kind = contents.text(f"{base}/type")
    record = find(kind)
    digest, made_of = None, ""
    if f"{base}_digest" in contents.values or record not in {None, *BUILT_IN}:
        digest = contents.text(f"{base}_digest")
        made_of = _origin(_json(contents, f"{base}_origin", dict))
    if record is None:
        raise InputError("; ".join((_missing(f"{base}/type", kind, made_of), *load_installed())))
    if digest is not None and digest != step_digest(record):
        raise InputError(
            f"{base}_digest: the file was made with another version of neuron {kind} (step "
            f"{digest[:12]}{made_of}), here it is {step_digest(record)[:12]}"
            f"{_origin(origin(record))}; give that version, or export the network again"
        )
    return record


def _origin(stored: dict[str, Any]) -> str:
    """Return where a neuron came from as text: of a file its name, or a distribution."""
    name = stored.get("file", stored.get("distribution"))
    return f", of {name[:80]}" if isinstance(name, str) else ""


def _missing(where: str, kind: str, made_of: str) -> str:
    if not made_of:
        return f"{unknown('neuron', kind, NEURONS, where)}; --neurons FILE gives one of your own"
    return (
        f"{where}: neuron {shown(kind)}{made_of}, is not srnn's own; give its file by --neurons "
        "FILE (in Python srnn.neurons.load), or install its distribution"
    )


def _check_standard_part(contents: Contents, network: Network) -> None:
    stock = not stock_lava_dl_obstacles(network)
    if not stock and not form_obstacles(network):
        # Written so before spikes that a bias makes early were known to differ in lava-dl.
        stock = any(contents.text(f"{b}/neuron/type") == CubaLIF.TYPE for b in _groups(contents))
    expected = standard_part(network, stock)
    for path, wanted in expected.items():
        _check_agrees(path, contents.value(path), wanted)
    contents.refuse_unasked("/layer")


def _check_agrees(path: str, found: Value, wanted: Value) -> None:
    if not isinstance(wanted, str) and wanted.dtype.kind == "S":
        wanted = wanted.item().decode("ascii")
    ours = "the network that /srnn describes"
    if isinstance(found, str) or isinstance(wanted, str):
        if not (isinstance(found, str) and isinstance(wanted, str) and found == wanted):
            raise InputError(f"{path}: {shown(found)} does not agree with {ours} ({shown(wanted)})")
        return
    if found.dtype != wanted.dtype or found.shape != wanted.shape:
        raise InputError(f"{path}: {shown(found)} does not agree with {ours} ({shown(wanted)})")
    differs = np.argwhere(found != wanted)
    if len(differs):
        at = tuple(differs[0].tolist())
        raise InputError(
            f"{path}{index_text(at)}: {found[at]} does not agree with {ours} ({wanted[at]}); "
            "the file was edited in only one part"
        )


def _readout(values: dict[str, Any]) -> Readout:
    path = "/srnn/readout"
    if set(values) - {"populations"} != {"kind", "skip_steps", "classes"}:
        raise InputError(
            f"{path}: entries {', '.join(sorted(values)) or 'none'}, needs kind, skip_steps and "
            "classes"
        )
    kind, skip, classes = values["kind"], values["skip_steps"], values["classes"]
    if not isinstance(kind, str):
        raise InputError(f"{path}: kind {kind!r} is not a string")
    if not isinstance(skip, int) or isinstance(skip, bool):
        raise InputError(f"{path}: skip_steps {skip!r} is not an integer")
    if not isinstance(classes, list) or not all(isinstance(c, str) for c in classes):
        raise InputError(f"{path}: classes is not a list of strings")
    populations = values.get("populations", 0)
    if not isinstance(populations, int) or isinstance(populations, bool):
        raise InputError(f"{path}: populations {populations!r} is not an integer")
    with located(path):
        return Readout(kind, skip, tuple(classes), populations)


def _json(contents: Contents, path: str, kind: type[T]) -> T:
    return json_value(contents.text(path), path, kind)


def _finite(contents: Contents, path: str, shape: tuple[int, ...]) -> FloatArray:
    values = contents.numbers(path, np.float64)
    if values.shape != shape:
        raise InputError(f"{path}: shape {values.shape}, needs {shape or 'a scalar'}")
    bad = np.argwhere(~(np.isfinite(values)))
    if len(bad):
        at = tuple(bad[0].tolist())
        raise InputError(f"{path}{index_text(at)}: {values[at]} is not a finite number")
    return values


def _positive(contents: Contents, path: str, zero_allowed: bool = False) -> float:
    value = float(_finite(contents, path, ()))
    if value < 0 or (value == 0 and not zero_allowed):
        raise InputError(f"{path}: {value} is not {'0 or more' if zero_allowed else 'above 0'}")
    return value
