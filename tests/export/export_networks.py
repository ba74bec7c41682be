"""Networks of every neuron program, with values at the ends of their range."""

# pyright: reportArgumentType=false

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from srnn.export.grid import hardware_weights
from srnn.export.network import (
    NEURONS,
    READOUTS,
    AdaptiveLIF,
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
    classes = tuple(f"k{i}" for i in range(last.size)) if rng.random() < 0.5 else ()
    return Network(
        tuple(layers),
        Readout(str(rng.choice(kinds)), int(rng.integers(0, 100)), classes),
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
