"""The integer network: plain records of integers, checked when made.

This is the ground floor of the project. A ``Network`` is what ``model.net`` holds and what the
simulator, the Lava processes and a chip compute, by the equations of docs/FIXED_POINT.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from . import grid
from .errors import InputError, index_list
from .grid import FloatArray, IntArray

NEURON_COUNT_MAX = 1 << 24


@dataclass(frozen=True)
class Parameter:
    """One integer parameter of a neuron record, stored per neuron.

    ``name`` is the record's field, ``key`` the dataset in a ``.net`` file; ``low`` and ``high``
    are inclusive; ``default`` None means that the parameter must be given.
    """

    name: str
    key: str
    low: int
    high: int
    unit: str
    default: int | None = None


_STATE = (-grid.STATE_MAX, grid.STATE_MAX)


def _decay(name: str, key: str, low: int = 0) -> Parameter:
    return Parameter(name, key, low, grid.DECAY_ONE, "1/4096 of the state a step")


def _state(name: str, key: str, default: int | None = 0) -> Parameter:
    return Parameter(name, key, *_STATE, "state", default)


def _whole(value: npt.ArrayLike, where: str) -> IntArray:
    array = np.asarray(value)
    if array.dtype == np.bool_ or not np.issubdtype(array.dtype, np.number):
        raise InputError(f"{where}: holds {array.dtype}, needs integers")
    with np.errstate(invalid="ignore"):
        whole = np.nan_to_num(np.real(array)).astype(np.int64)
    if not np.array_equal(array, whole):
        raise InputError(f"{where}: holds values that are not whole numbers; quantize it first")
    return whole


def _frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    array = np.array(array, order="C")
    array.flags.writeable = False
    return array


def _in_range(values: IntArray, low: int, high: int, where: str) -> None:
    bad = np.flatnonzero((values < low) | (values > high))
    if bad.size:
        worst = int(values.reshape(-1)[bad[0]])
        at = (
            f" at neuron {index_list(bad.tolist())}" if values.ndim == 1 and values.size > 1 else ""
        )
        raise InputError(f"{where}: {worst}{at} is outside {low}..{high}")


@dataclass(frozen=True, eq=False)
class Neuron:
    """A population of ``size`` neurons that run one neuron program.

    Every parameter is an int64 array (size,); a scalar stands for all neurons.

    Raises
    ------
    InputError
        A parameter has another length, is not whole, or leaves its range.
    """

    size: int

    TYPE: ClassVar[str] = ""
    """The neuron's name in a ``.net`` file."""
    PARAMETERS: ClassVar[tuple[Parameter, ...]] = ()
    STATES: ClassVar[tuple[str, ...]] = ()
    """Names of the states, as a trace records them after each step."""
    SPIKING: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 1 <= self.size <= NEURON_COUNT_MAX:
            raise InputError(f"{self.TYPE}: size {self.size} is outside 1..{NEURON_COUNT_MAX}")
        for parameter in self.PARAMETERS:
            where = f"{self.TYPE} neuron, {parameter.key}"
            values = _whole(getattr(self, parameter.name), where)
            if values.shape not in {(), (1,), (self.size,)}:
                raise InputError(f"{where}: shape {values.shape}, needs a scalar or ({self.size},)")
            values = np.broadcast_to(values.reshape(-1), (self.size,))
            _in_range(values, parameter.low, parameter.high, where)
            object.__setattr__(self, parameter.name, _frozen(values))


@dataclass(frozen=True, eq=False)
class CubaLIF(Neuron):
    """Loihi's current-based LIF with hard reset, exactly Lava's ``PyLifModelBitAcc``.

    ::

        u = wrap24(rtz(u (4096 - i_decay), 12) + (a << 6))
        v = sat(rtz(v (4096 - v_decay), 12) + u + bias)
        s = v > (v_threshold << 6);   v = 0 where s

    ``v_threshold`` is a mantissa, ``bias`` is in state units.
    """

    i_decay: IntArray
    v_decay: IntArray
    v_threshold: IntArray
    bias: IntArray = 0  # type: ignore[assignment]
    u_init: IntArray = 0  # type: ignore[assignment]
    v_init: IntArray = 0  # type: ignore[assignment]

    TYPE: ClassVar[str] = "CUBA"
    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (
        _decay("i_decay", "iDecay"),
        _decay("v_decay", "vDecay"),
        Parameter("v_threshold", "vThMant", 0, grid.THRESHOLD_MANTISSA_NEVER, "64 states"),
        _state("bias", "bias"),
        _state("u_init", "uInit"),
        _state("v_init", "vInit"),
    )
    STATES: ClassVar[tuple[str, ...]] = ("u", "v")


@dataclass(frozen=True, eq=False)
class AdaptiveLIF(Neuron):
    """The paper's neuron: adaptive threshold, soft reset one step late by the new threshold.

    ::

        d = sat(rtz(d (4096 - b_decay), 12) + (b_step where s_prev))
        B = v_threshold + (d >> b_exp)
        v = sat(rtz(v (4096 - v_decay), 12) + (a << 6) + bias - (B where s_prev))
        s = v > B

    ``v_threshold``, ``b_step`` and ``bias`` are in state units; ``d`` carries ``b_exp`` extra
    fractional bits. With ``b_step = 0`` this is the LIF with constant threshold and soft reset.
    """

    v_decay: IntArray
    b_decay: IntArray
    v_threshold: IntArray
    b_step: IntArray
    b_exp: IntArray
    bias: IntArray = 0  # type: ignore[assignment]
    v_init: IntArray = 0  # type: ignore[assignment]
    d_init: IntArray = 0  # type: ignore[assignment]

    TYPE: ClassVar[str] = "SRNN_ALIF"
    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (
        _decay("v_decay", "vDecay", low=1),
        _decay("b_decay", "bDecay", low=1),
        Parameter("v_threshold", "vTh", 0, grid.STATE_MAX, "state"),
        Parameter("b_step", "bStep", 0, grid.STATE_MAX, "state / 2^bExp"),
        Parameter("b_exp", "bExp", 0, grid.ADAPTATION_EXP_MAX, "bits"),
        _state("bias", "bias"),
        _state("v_init", "vInit"),
        Parameter("d_init", "dInit", 0, grid.STATE_MAX, "state / 2^bExp", 0),
    )
    STATES: ClassVar[tuple[str, ...]] = ("d", "v")


@dataclass(frozen=True, eq=False)
class LeakyIntegrator(Neuron):
    """The leaky-integrator readout: ``v = sat(rtz(v (4096 - v_decay), 12) + (a << 6) + bias)``."""

    v_decay: IntArray
    bias: IntArray = 0  # type: ignore[assignment]
    v_init: IntArray = 0  # type: ignore[assignment]

    TYPE: ClassVar[str] = "SRNN_LI"
    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (
        _decay("v_decay", "vDecay", low=1),
        _state("bias", "bias"),
        _state("v_init", "vInit"),
    )
    STATES: ClassVar[tuple[str, ...]] = ("v",)
    SPIKING: ClassVar[bool] = False


@dataclass(frozen=True, eq=False)
class ThresholdRefractoryLIF(Neuron):
    """Lava's ``ATRLIF``: threshold and refractory variable jump at a spike; v is never reset.

    ::

        i  = wrap24(rtz(i (4096 - i_decay), 12) + (a << 6))
        v  = sat(rtz(v (4096 - v_decay), 12) + i + bias)
        th = rtz((th - th_init) (4096 - th_decay), 12) + th_init
        r  = rtz(r (4096 - r_decay), 12)
        s  = v - r >= th;   r += 2 th where s;   th += th_step where s

    ``i_decay`` counts the 1 that Lava adds (1 + 4096 delta_i); ``th_init`` is 64 theta_0 and
    ``th_step`` 64 theta_step. Nothing limits th and r upstream; states beyond 32 bits are refused.
    Source: ``PyATRLIFModelFixed`` of lava-nc 0.10.0.
    """

    i_decay: IntArray
    v_decay: IntArray
    th_decay: IntArray
    r_decay: IntArray
    th_init: IntArray
    th_step: IntArray
    bias: IntArray = 0  # type: ignore[assignment]

    TYPE: ClassVar[str] = "ATRLIF"
    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (
        Parameter("i_decay", "iDecay", 1, grid.DECAY_ONE + 1, "1/4096 of the state a step"),
        _decay("v_decay", "vDecay"),
        _decay("th_decay", "thDecay"),
        _decay("r_decay", "refDecay"),
        Parameter("th_init", "thInit", 0, grid.STATE_MAX, "state"),
        Parameter("th_step", "thStep", 0, grid.STATE_MAX, "state"),
        _state("bias", "bias"),
    )
    STATES: ClassVar[tuple[str, ...]] = ("i", "v", "th", "r")


NEURONS: dict[str, type[Neuron]] = {
    record.TYPE: record
    for record in (CubaLIF, AdaptiveLIF, LeakyIntegrator, ThresholdRefractoryLIF)
}
"""The neuron programs by their name in a file; every stage keeps a table with these keys."""


@dataclass(frozen=True, eq=False)
class Synapses:
    """Dense synapses: what ``n_in`` sources deliver to ``n_out`` neurons.

    ``a = (weight @ s)`` shifted by ``weight_exp``: the shift acts on the sum, left if positive,
    arithmetic right if negative. ``weight`` is int32 (n_out, n_in) on Loihi's 8-bit grid (see
    ``grid.hardware_weights``). ``delay`` holds 0..62 steps, one per neuron (n_out,) or per synapse
    (n_out, n_in); it is kept as (n_out, n_in), or None where all are zero.

    Raises
    ------
    InputError
        A weight off the grid, an exponent or delay out of range, or wrong shapes.
    """

    weight: npt.NDArray[np.integer[Any]]
    weight_exp: int = 0
    delay: npt.NDArray[np.integer[Any]] | None = None

    def __post_init__(self) -> None:
        weight = _whole(self.weight, "weight")
        if weight.ndim != 2 or 0 in weight.shape:
            raise InputError(f"weight: shape {weight.shape}, needs (neurons, sources)")
        kept = grid.hardware_weights(weight)
        if not np.array_equal(kept, weight):
            row, column = np.argwhere(kept != weight)[0].tolist()
            raise InputError(
                f"weight of neuron {row} from source {column}: {int(weight[row, column])} is not "
                f"on the 8-bit grid (both signs: even, {grid.WEIGHT_MIN}..{grid.WEIGHT_MAX}; "
                f"one sign: at most {grid.WEIGHT_MAX_ONE_SIGN} in magnitude)"
            )
        object.__setattr__(self, "weight", _frozen(weight.astype(np.int32)))
        low, high = grid.WEIGHT_EXP_MIN, grid.WEIGHT_EXP_MAX
        if not low <= self.weight_exp <= high:
            raise InputError(f"weight_exp: {self.weight_exp} is outside {low}..{high}")
        object.__setattr__(self, "delay", self._checked_delay(weight.shape))

    def _checked_delay(self, shape: tuple[int, ...]) -> npt.NDArray[np.int32] | None:
        if self.delay is None:
            return None
        delay = _whole(self.delay, "delay")
        if delay.shape == shape[:1]:
            delay = delay[:, None]
        if delay.ndim > 2 or delay.shape not in {(), (1,), (shape[0], 1), shape}:
            raise InputError(f"delay: shape {delay.shape}, needs ({shape[0]},) or {shape}")
        _in_range(delay, 0, grid.DELAY_MAX, "delay")
        if not delay.any():
            return None
        if self.weight_exp < 0:
            raise InputError(
                f"weight_exp: {self.weight_exp} with delays; a right shift would round "
                "each delay's sum apart, so delayed synapses need an exponent of 0 or more"
            )
        return _frozen(np.broadcast_to(delay, shape).astype(np.int32))

    @property
    def n_out(self) -> int:
        """Number of target neurons."""
        return int(self.weight.shape[0])

    @property
    def n_in(self) -> int:
        """Number of sources."""
        return int(self.weight.shape[1])


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer: synapses from below, a population of neurons, and recurrent synapses or None.

    ``state_scale`` float64 (n,): the real value of one unit of the membrane v, per neuron.
    """

    name: str
    synapses: Synapses
    neuron: Neuron
    recurrent: Synapses | None = None
    state_scale: FloatArray = 1.0 / grid.DECAY_ONE  # type: ignore[assignment]

    def __post_init__(self) -> None:
        n = self.neuron.size
        if self.synapses.n_out != n:
            raise InputError(
                f"layer {self.name}: {self.synapses.n_out} rows of weights for {n} neurons"
            )
        if self.recurrent is not None:
            if self.recurrent.weight.shape != (n, n):
                raise InputError(
                    f"layer {self.name}: recurrent weights {self.recurrent.weight.shape}, "
                    f"needs ({n}, {n})"
                )
            if not self.neuron.SPIKING:
                raise InputError(
                    f"layer {self.name}: {self.neuron.TYPE} does not spike, so it cannot have "
                    "recurrent weights"
                )
        scale = np.asarray(self.state_scale, dtype=np.float64)
        if scale.shape not in {(), (n,)}:
            raise InputError(f"layer {self.name}: state scale {scale.shape}, needs ({n},)")
        if not (np.isfinite(scale).all() and (scale > 0).all()):
            raise InputError(f"layer {self.name}: a state scale is not a positive number")
        object.__setattr__(self, "state_scale", _frozen(np.broadcast_to(scale, (n,))))

    @property
    def size(self) -> int:
        """Number of neurons."""
        return self.neuron.size


READOUTS = ("membrane", "mean_softmax", "spike_count", "last_membrane")


@dataclass(frozen=True)
class Readout:
    """How the last layer is read, on the host and in float.

    ``kind``: ``membrane``, the membrane at every step (streaming labels); ``mean_softmax``, the
    mean over time of the softmax of the membrane; ``spike_count``, the sum of spikes;
    ``last_membrane``, the membrane at the last step. ``skip_steps``: first steps that the mean, the
    count and the accuracy leave out. ``classes``: a name per output neuron, or empty.
    """

    kind: str = "membrane"
    skip_steps: int = 0
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in READOUTS:
            raise InputError(f"readout: {self.kind!r} is not one of {', '.join(READOUTS)}")
        if self.skip_steps < 0:
            raise InputError(f"readout: skip_steps {self.skip_steps} is negative")

    @property
    def reads_spikes(self) -> bool:
        """Whether the output is the last layer's spikes, not its membrane."""
        return self.kind == "spike_count"

    @property
    def per_step(self) -> bool:
        """Whether there is an answer at every step."""
        return self.kind == "membrane"


@dataclass(frozen=True, eq=False)
class Network:
    """A network of integers.

    ``message_bits`` 0: inputs are binary spikes; else inputs are graded integers of at most that
    many bits beside the sign, which multiply the weight. ``input_scale``: real value of one input
    unit. ``dt``: seconds a step, or None where a step has no duration. ``task`` (name, options,
    encoder settings) and ``provenance`` are plain JSON values.
    """

    layers: tuple[Layer, ...]
    readout: Readout = field(default_factory=Readout)
    message_bits: int = 0
    input_scale: float = 1.0
    dt: float | None = None
    task: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.layers:
            raise InputError("network: has no layers")
        if not 0 <= self.message_bits <= grid.MESSAGE_BITS_MAX:
            raise InputError(
                f"network: message_bits {self.message_bits} is outside 0..{grid.MESSAGE_BITS_MAX}"
            )
        names = [layer.name for layer in self.layers]
        if len(set(names)) != len(names):
            raise InputError(f"network: two layers share a name in {', '.join(names)}")
        for below, layer in zip(self.layers, self.layers[1:], strict=False):
            if layer.synapses.n_in != below.size:
                raise InputError(
                    f"layer {layer.name}: weights for {layer.synapses.n_in} sources, but layer "
                    f"{below.name} has {below.size} neurons"
                )
            if not below.neuron.SPIKING:
                raise InputError(
                    f"layer {below.name}: {below.neuron.TYPE} does not spike and must come last"
                )
        last = self.layers[-1]
        if self.readout.reads_spikes and not last.neuron.SPIKING:
            raise InputError(
                f"readout spike_count: the last layer, {last.name}, is {last.neuron.TYPE} and does "
                "not spike; read its membrane"
            )
        if self.readout.classes and len(self.readout.classes) != last.size:
            raise InputError(
                f"readout: {len(self.readout.classes)} class names for {last.size} output neurons"
            )

    @property
    def input_size(self) -> int:
        """Number of input channels."""
        return self.layers[0].synapses.n_in

    @property
    def output_size(self) -> int:
        """Number of output neurons."""
        return self.layers[-1].size


def check_inputs(network: Network, inputs: npt.ArrayLike) -> npt.NDArray[np.int32]:
    """Return inputs as int32 (batch, time, channel), or refuse them.

    Raises
    ------
    InputError
        Not three axes, another number of channels, values that are not whole, beyond the message
        bits, or other than 0 and 1 where the network takes binary spikes.
    """
    array = np.asarray(inputs)
    if array.dtype == np.bool_:
        array = array.astype(np.uint8)
    if array.ndim != 3 or array.shape[2] != network.input_size:
        raise InputError(f"inputs: shape {array.shape}, needs (batch, time, {network.input_size})")
    whole = _whole(array, "inputs")
    low, high = (
        (0, 1)
        if network.message_bits == 0
        else (-(1 << network.message_bits) + 1, (1 << network.message_bits) - 1)
    )
    if whole.size and (int(whole.min()) < low or int(whole.max()) > high):
        worst = int(whole.min()) if int(whole.min()) < low else int(whole.max())
        kind = "binary spikes" if network.message_bits == 0 else f"{network.message_bits} bits"
        raise InputError(f"inputs: {worst} is outside {low}..{high} ({kind})")
    return whole.astype(np.int32)


def same_network(one: Network, other: Network) -> bool:
    """Whether two networks hold equal integers, scales and readout; provenance is not compared."""

    def equal(a: object, b: object) -> bool:
        if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
            return np.array_equal(a, b)  # type: ignore[arg-type]
        if isinstance(a, (Layer, Synapses, Neuron)):
            return type(a) is type(b) and all(
                equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(a)
            )
        return a == b

    return (
        len(one.layers) == len(other.layers)
        and all(equal(a, b) for a, b in zip(one.layers, other.layers, strict=True))
        and one.readout == other.readout
        and (one.message_bits, one.input_scale, one.dt, one.task)
        == (other.message_bits, other.input_scale, other.dt, other.task)
    )
