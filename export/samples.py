"""Sample inputs with the integer outputs that every stage must give for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InputError
from .network import Network, check_inputs


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples of a task and the answers of the integer network.

    ``inputs`` int32 (N, T, C): spikes or graded integers. ``lengths`` int64 (N,): steps of each
    sample, 0..T. ``targets`` int64 (N,), one class per sample, or (N, T), one per step, or None.
    ``valid`` bool (N, T): the steps whose target counts, or None if all count. ``output`` int32
    (N, T, n_out): as ``Trace.output``.

    Raises
    ------
    InputError
        Wrong shapes, values that are not whole or exceed their type, a length beyond T.
    """

    inputs: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64] | None
    valid: npt.NDArray[np.bool_] | None
    output: npt.NDArray[np.int32]

    def __post_init__(self) -> None:
        inputs = _integers("inputs", self.inputs, np.int32)
        if inputs.ndim != 3 or 0 in inputs.shape:
            raise InputError(f"samples: inputs {inputs.shape}, needs (sample, time, channel)")
        count, steps, _ = inputs.shape
        lengths = _integers("lengths", self.lengths, np.int64)
        if lengths.shape != (count,):
            raise InputError(f"samples: lengths {lengths.shape}, needs ({count},)")
        if lengths.min() < 0 or lengths.max() > steps:
            bad = int(np.flatnonzero((lengths < 0) | (lengths > steps))[0])
            raise InputError(f"samples: lengths[{bad}] is {lengths[bad]}, outside 0..{steps}")
        output = _integers("output", self.output, np.int32)
        if output.ndim != 3 or output.shape[:2] != (count, steps) or output.shape[2] == 0:
            raise InputError(f"samples: output {output.shape}, needs ({count}, {steps}, outputs)")
        object.__setattr__(self, "inputs", inputs)
        object.__setattr__(self, "lengths", lengths)
        object.__setattr__(self, "output", output)
        if self.targets is not None:
            targets = _integers("targets", self.targets, np.int64)
            if targets.shape not in {(count,), (count, steps)}:
                raise InputError(
                    f"samples: targets {targets.shape}, needs ({count},) or ({count}, {steps})"
                )
            object.__setattr__(self, "targets", targets)
        if self.valid is not None:
            valid = np.asarray(self.valid)
            if valid.dtype != np.bool_ or valid.shape != (count, steps):
                raise InputError(
                    f"samples: valid {valid.dtype} {valid.shape}, needs bool ({count}, {steps})"
                )
            object.__setattr__(self, "valid", _frozen(valid, np.bool_))

    @property
    def count(self) -> int:
        """Number of samples."""
        return int(self.inputs.shape[0])


def check_samples(network: Network, samples: Samples) -> None:
    """Check that samples belong to a network: channels, input range, number and range of outputs.

    Raises
    ------
    InputError
        They do not belong to it.
    """
    try:
        check_inputs(network, samples.inputs)
    except InputError as error:
        raise InputError(f"samples: {error}") from None
    if samples.output.shape[2] != network.output_size:
        raise InputError(
            f"samples: {samples.output.shape[2]} outputs, the network has {network.output_size}"
        )
    if network.readout.reads_spikes and not np.isin(samples.output, (0, 1)).all():
        raise InputError(
            f"samples: output {int(samples.output.min())}..{int(samples.output.max())}, but the "
            "readout counts spikes, 0 or 1 per step"
        )


def _frozen(array: npt.NDArray[Any], dtype: type[np.generic]) -> npt.NDArray[Any]:
    copied = np.array(array, dtype=dtype, order="C")
    copied.flags.writeable = False
    return copied


def _integers(name: str, value: npt.ArrayLike, dtype: type[np.signedinteger]) -> npt.NDArray[Any]:
    array = np.asarray(value)
    if array.dtype.kind not in "iu":
        raise InputError(f"samples: {name} holds {array.dtype}, needs integers")
    limits = np.iinfo(dtype)
    if array.size and (int(array.min()) < limits.min or int(array.max()) > limits.max):
        raise InputError(f"samples: {name} holds values beyond {dtype.__name__}")
    return _frozen(array, dtype)
