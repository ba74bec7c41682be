"""Random networks for the simulator's tests: every program, values at the ends of their range."""

# The records take scalars and lists, and keep arrays.
# pyright: reportArgumentType=false

from __future__ import annotations

import numpy as np
from srnn.export.grid import hardware_weights
from srnn.export.network import (
    NEURONS,
    Convolution,
    Layer,
    Network,
    Neuron,
    Readout,
    Synapses,
)
from srnn.simulate.operations import (
    FormulaLayer,
)

SPIKING = [name for name, record in NEURONS.items() if record.SPIKING]

# Ranges in which neurons are active; the tests widen them to the limits of each parameter.
ACTIVE = {
    "i_decay": (500, 4096),
    "v_decay": (50, 1500),
    "b_decay": (5, 300),
    "th_decay": (5, 300),
    "r_decay": (50, 600),
    "b_step": (0, 20000),
    "b_exp": (0, 8),
    "th_init": (2000, 40000),
    "th_step": (0, 9000),
    "bias": (-2000, 4000),
    "u_init": (-9000, 9000),
    "v_init": (-9000, 9000),
    "d_init": (0, 90000),
    "w_decay": (5, 300),
    "w_step": (0, 90000),
    "a_gain": (0, 1 << 17),
    "keep": (50000, 65000),
    "turn": (500, 15000),
    "q_gain": (0, 1500),
    "q_decay": (100, 800),
}
THRESHOLDS = {
    kind: (30, 600) if kind == "CUBA" else (2000, 40000)
    for kind, record in NEURONS.items()
    if record.SPIKING
}


def random_neuron(rng: np.random.Generator, kind: str, size: int, extreme: bool) -> Neuron:
    record = NEURONS[kind]
    values = {}
    for parameter in record.PARAMETERS:
        whole = parameter.low, parameter.high
        low, high = ACTIVE.get(parameter.name) or THRESHOLDS.get(kind, whole)
        drawn = rng.integers(low, high + 1, size)
        if extreme:
            ends = rng.choice([parameter.low, parameter.high, parameter.low + 1], size)
            drawn = np.where(rng.random(size) < 0.4, ends, drawn)
        values[parameter.name] = drawn if rng.random() < 0.8 else drawn[0]
    return record(size, **values)


def random_weights(rng: np.random.Generator, shape: tuple[int, int], extreme: bool) -> np.ndarray:
    low, high = (-256, 256) if extreme else (-40, 60)
    drawn = rng.integers(low, high, shape)
    drawn[rng.random(shape) < 0.2] = 0
    sign = rng.integers(0, 5)
    if sign == 0:
        drawn = np.abs(drawn)
    elif sign == 1:
        drawn = -np.abs(drawn)
    return hardware_weights(hardware_weights(drawn))


def random_synapses(
    rng: np.random.Generator, shape: tuple[int, int], extreme: bool, delays: bool
) -> Synapses:
    weight = random_weights(rng, shape, extreme)
    exponent = int(rng.integers(-8, 8) if extreme else rng.integers(-1, 3))
    if not delays:
        return Synapses(weight, exponent)
    kind = rng.integers(0, 3)
    delay = rng.integers(0, (63, 8, 2)[rng.integers(0, 3)], shape if kind else shape[0])
    return Synapses(weight, max(exponent, 0), delay)


def random_convolution(
    rng: np.random.Generator,
    *,
    extreme: bool,
    delays: bool,
    shape_in: tuple[int, int, int] | None = None,
    large: bool = False,
) -> Convolution:
    """Draw a convolution of any geometry, of a given block or any."""
    groups = int(rng.choice([1, 1, 2, 3]))
    share, out = (int(n) for n in rng.integers(1, (9 if large else 4), 2))
    taps, dilation, padding = rng.integers(1, 4, 2), rng.integers(1, 4, 2), rng.integers(0, 5, 2)
    size = rng.integers(1, 8, 2)
    if large:
        out = int(rng.choice([5, 16, 24, 33]))
    rows, columns = np.maximum(size, dilation * (taps - 1) + 1 - 2 * padding).tolist()
    if shape_in is not None:
        groups = int(rng.choice([g for g in range(1, 4) if shape_in[0] % g == 0]))
        share, (rows, columns) = shape_in[0] // groups, shape_in[1:]
        taps = np.minimum(taps, (np.array([rows, columns]) + 2 * padding - 1) // dilation + 1)
    kernel = random_weights(rng, (out * groups, share * int(taps.prod())), extreme)
    kernel = kernel.reshape(out * groups, share, *taps.tolist())
    exponent = int(rng.integers(-8, 8) if extreme else rng.integers(-1, 3))
    return Convolution(
        kernel,
        (share * groups, rows, columns),
        tuple(rng.integers(1, 4, 2).tolist()),
        tuple(padding.tolist()),
        tuple(dilation.tolist()),
        groups,
        exponent,
        rng.integers(0, (63, 5)[rng.integers(0, 2)], out * groups) if delays else None,
    )


def random_network(
    seed: int,
    kinds: list[str],
    sizes: list[int],
    channels: int,
    *,
    recurrent: bool = True,
    extreme: bool = False,
    delays: bool = False,
    message_bits: int = 0,
    readout: str = "membrane",
    convolutions: list[Convolution] | None = None,
) -> Network:
    rng = np.random.default_rng(seed)
    layers = []
    below = channels
    for index, convolution in enumerate(convolutions or []):
        kind = str(rng.choice(SPIKING))
        loop = None
        if recurrent and convolution.n_out < 200 and rng.random() < 0.5:
            shape = (convolution.n_out, convolution.n_out)
            loop = random_synapses(rng, shape, extreme, delays)
        neuron = random_neuron(rng, kind, convolution.n_out, extreme)
        layers.append(Layer(f"convolution{index}", convolution, neuron, loop))
        below = convolution.n_out
    for index, (kind, size) in enumerate(zip(kinds, sizes, strict=True)):
        loop = None
        if recurrent and NEURONS[kind].SPIKING and rng.random() < 0.8:
            loop = random_synapses(rng, (size, size), extreme, delays and rng.random() < 0.5)
        layers.append(
            Layer(
                f"layer{index}",
                random_synapses(rng, (size, below), extreme, delays and rng.random() < 0.7),
                random_neuron(rng, kind, size, extreme),
                loop,
                rng.uniform(0.1, 2.0, size),
            )
        )
        below = size
    return Network(tuple(layers), Readout(readout), message_bits=message_bits)


def random_inputs(
    seed: int, network: Network, batch: int, steps: int, density: float = 0.2
) -> np.ndarray:
    rng = np.random.default_rng(seed + 1)
    shape = (batch, steps, network.input_size)
    present = rng.random(shape) < density
    if network.message_bits == 0:
        return present.astype(np.uint8)
    limit = (1 << network.message_bits) - 1
    values = rng.integers(-limit, limit + 1, shape)
    values[rng.random(shape) < 0.1] = limit
    return (values * present).astype(np.int32)


S_MNIST = (
    FormulaLayer("alif", 8, 64, True, rate=0.1218),
    FormulaLayer("alif", 64, 256, True, input_rate=0.1218, rate=0.0736),
    FormulaLayer("alif", 256, 256, input_rate=0.0736, rate=0.0415),
    FormulaLayer("alif", 256, 10, input_rate=0.0415, rate=0.3188),
)
