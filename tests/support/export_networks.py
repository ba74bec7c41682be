"""Networks of every neuron model, with values at the ends of their range."""

# pyright: reportArgumentType=false

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from srnn.export.grid import hardware_weights
from srnn.export.network import (
    NEURONS,
    READOUTS,
    AdaptiveLIF,
    Convolution,
    CubaLIF,
    Layer,
    LeakyIntegrator,
    Network,
    Neuron,
    Readout,
    Synapses,
)
from srnn.export.samples import Samples

SPIKING = sorted(kind for kind, record in NEURONS.items() if record.SPIKING)
seeds = st.integers(0, 2**32 - 1)


def random_neuron(rng: np.random.Generator, kind: str, size: int) -> Neuron:
    record, values = NEURONS[kind], {}
    for parameter in record.PARAMETERS:
        drawn = rng.integers(parameter.low, parameter.high + 1, size)
        ends = rng.choice([parameter.low, parameter.high], size)
        values[parameter.name] = np.where(rng.random(size) < 0.3, ends, drawn)
    return record(size, **values)


def random_weights(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    drawn = rng.integers(-300, 300, shape)
    sign = rng.integers(0, 4)
    drawn = np.abs(drawn) if sign == 0 else -np.abs(drawn) if sign == 1 else drawn
    return hardware_weights(hardware_weights(drawn))


def random_synapses(rng: np.random.Generator, shape: tuple[int, int]) -> Synapses:
    exponent = int(rng.integers(-8, 8))
    kind = rng.integers(0, 4)
    delay = None if kind < 2 else rng.integers(0, 63, shape if kind == 2 else shape[:1])
    return Synapses(
        random_weights(rng, shape), exponent if delay is None else max(exponent, 0), delay
    )


def random_convolution(rng: np.random.Generator, channels: int) -> Convolution:
    """Return a convolution over ``channels`` channels, of any geometry, small."""
    groups = int(rng.choice([g for g in (1, 2, 3) if channels % g == 0]))
    out = groups * int(rng.integers(1, 3))
    taps, dilation, padding = (rng.integers(low, 4, 2) for low in (1, 1, 0))
    size = np.maximum(rng.integers(1, 5, 2), dilation * (taps - 1) + 1 - 2 * padding)
    shape = (out, channels // groups, *taps.tolist())
    weight = random_weights(rng, (out, int(np.prod(shape[1:])))).reshape(shape)
    return Convolution(
        weight,
        (channels, *size.tolist()),
        tuple(rng.integers(1, 4, 2).tolist()),
        tuple(padding.tolist()),
        tuple(dilation.tolist()),
        groups,
        int(rng.integers(-8, 8)),
        rng.integers(0, 63, out) if rng.random() < 0.5 else None,
    )


def random_samples(rng: np.random.Generator, network: Network) -> Samples:
    count, steps = (int(v) for v in rng.integers(1, 5, 2))
    limit = max(1, (1 << network.message_bits) - 1)
    low = -limit if network.message_bits else 0
    outputs = (0, 2) if network.readout.reads_spikes else (-(2**31), 2**31)
    targets = rng.integers(0, 9, count if rng.random() < 0.5 else (count, steps))
    return Samples(
        rng.integers(low, limit + 1, (count, steps, network.input_size)),
        rng.integers(0, steps + 1, count),
        targets if rng.random() < 0.7 else None,
        rng.random((count, steps)) < 0.5 if rng.random() < 0.7 else None,
        rng.integers(*outputs, (count, steps, network.output_size)),
    )


def random_network(seed: int) -> Network:
    """Return any network that the records allow, small."""
    rng = np.random.default_rng(seed)
    depth = int(rng.integers(1, 4))
    sizes = [int(n) for n in rng.integers(1, 6, depth + 1)]
    layers = []
    if rng.random() < 0.4:
        convolution = random_convolution(rng, int(rng.integers(1, 7)))
        neuron = random_neuron(rng, str(rng.choice(SPIKING)), convolution.n_out)
        layers.append(Layer("convolution", convolution, neuron))
        sizes[0] = convolution.n_out
    for index in range(depth):
        kind = str(rng.choice(list(NEURONS) if index == depth - 1 else SPIKING))
        neuron = random_neuron(rng, kind, sizes[index + 1])
        recurrent = None
        if neuron.SPIKING and rng.random() < 0.5:
            recurrent = random_synapses(rng, (neuron.size, neuron.size))
        name = f"{index} " + "".join(map(chr, rng.integers(1, 0xD7FF, int(rng.integers(0, 5)))))
        synapses = random_synapses(rng, (sizes[index + 1], sizes[index]))
        layers.append(
            Layer(name, synapses, neuron, recurrent, 10.0 ** rng.normal(0, 20, neuron.size))
        )
    last = layers[-1]
    kinds = [kind for kind in READOUTS if last.neuron.SPIKING or kind != "spike_count"]
    populations = int(rng.choice([0, 0, 1, last.size]))
    named = populations or last.size
    classes = tuple(f"k{i}" for i in range(named)) if rng.random() < 0.5 else ()
    return Network(
        tuple(layers),
        Readout(str(rng.choice(kinds)), int(rng.integers(0, 100)), classes, populations),
        message_bits=int(rng.choice([0, 1, 8, 24])),
        input_scale=float(10.0 ** rng.normal(0, 20)),
        dt=None if rng.random() < 0.5 else float(10.0 ** rng.normal(-3, 1)),
        task={"name": "täsk", "options": {"list": [1, 2.5, None, True], "深": "\x00"}},
        provenance={"seed": seed},
    )


def stock_network(seed: int = 0) -> Network:
    """Return a recurrent CUBA network with a leaky-integrator readout that lava-dl can load."""
    rng = np.random.default_rng(seed)

    def weights(*shape: int) -> np.ndarray:
        return 2 * rng.integers(-60, 60, shape)

    def cuba(size: int) -> CubaLIF:
        bias = 128 * rng.integers(-4, 5, size)
        return CubaLIF(size, np.array(4096), rng.integers(1, 4096, size), np.array(200), bias)

    delayed = CubaLIF(5, np.array(1024), np.array(1024), rng.integers(10, 90, 5))
    return Network(
        (
            Layer("first", Synapses(weights(6, 4)), cuba(6), Synapses(weights(6, 6))),
            Layer("second", Synapses(weights(5, 6), 0, rng.integers(0, 63, 5)), delayed),
            Layer("out", Synapses(weights(3, 5)), LeakyIntegrator(3, np.array(200), np.array(256))),
        ),
        Readout("mean_softmax", 2, ("a", "b", "c")),
        dt=0.01,
        task={"name": "test"},
    )


def convolution_network(seed: int = 0, stock: bool = True) -> Network:
    """Return convolutions and a dense layer over them; or what stock lava-dl cannot load."""
    rng = np.random.default_rng(seed)
    first = Convolution(
        2 * rng.integers(-60, 60, (4, 2, 3, 2)), (4, 6, 5), (2, 1), (1, 0), (1, 2), 2,
        0 if stock else 2, None if stock else [0, 3, 62, 7],
    )  # fmt: skip
    second = Convolution(4 * rng.integers(-30, 30, (3, 4, 1, 2)), first.shape_out, weight_exp=-1)
    bias = np.repeat(128 * rng.integers(-3, 4, 3), second.n_out // 3)
    thresholds = np.repeat(rng.integers(40, 90, 3), second.n_out // 3)
    return Network(
        (
            Layer("one", first, CubaLIF(first.n_out, np.array(4096), np.array(400), np.array(60))),
            Layer("two", second, CubaLIF(second.n_out, 4096, 300, thresholds, bias)),
            Layer(
                "out",
                Synapses(2 * rng.integers(-60, 60, (6, second.n_out))),
                CubaLIF(6, np.array(1024), np.array(1024), np.array(90)),
            ),
        ),
        Readout("spike_count", 0, ("a", "b"), 2),
    )


def input_block_network(seed: int = 0) -> Network:
    """Return graded inputs that each drive one neuron, and a convolution over those."""
    rng = np.random.default_rng(seed)
    block = Convolution(np.full((2, 1, 1, 1), 36), (2, 5, 5), groups=2)
    above = Convolution(2 * rng.integers(-60, 60, (3, 2, 3, 3)), (2, 5, 5))
    return Network(
        (
            Layer("input", block, CubaLIF(50, 4096, 1024, 25, 34 * 64 // 128 * 128)),
            Layer("conv", above, CubaLIF(above.n_out, 4096, 1024, 25)),
        ),
        Readout("spike_count"),
        message_bits=8,
    )


def adaptive_network(seed: int = 0) -> Network:
    """Return a recurrent adaptive network with a readout, delays and exponents."""
    rng = np.random.default_rng(seed)

    def draw(low: int, high: int) -> np.ndarray:
        return rng.integers(low, high, 8)

    hidden = AdaptiveLIF(
        8, draw(1, 4096), draw(1, 4096), draw(0, 9000), draw(0, 900), np.array(3), draw(-9, 9)
    )
    return Network(
        (
            Layer(
                "hidden",
                Synapses(2 * rng.integers(-128, 128, (8, 4)), 0, rng.integers(0, 63, (8, 4))),
                hidden,
                Synapses(2 * rng.integers(-128, 128, (8, 8)), -2),
                rng.random(8) + 0.1,
            ),
            Layer(
                "out",
                Synapses(2 * rng.integers(-128, 128, (3, 8))),
                LeakyIntegrator(3, draw(1, 9)[:3]),
            ),
        ),
        task={"name": "test", "options": {"classes": 3}},
        provenance={"srnn": "0.1.0"},
    )


def same_samples(one: Samples | None, other: Samples | None) -> bool:
    if one is None or other is None:
        return one is other
    names = ("inputs", "lengths", "targets", "valid", "output")
    return all(
        (getattr(one, name) is None) == (getattr(other, name) is None)
        and np.array_equal(getattr(one, name), getattr(other, name))
        for name in names
    )
