"""Random small networks for the tests of deploy: every neuron model, any wiring."""

from __future__ import annotations

import numpy as np
from srnn.export.network import (
    AdaptiveLIF,
    CubaLIF,
    Layer,
    LeakyIntegrator,
    Network,
    Neuron,
    Readout,
    Synapses,
    ThresholdRefractoryLIF,
)

Rng = np.random.Generator


def synapses(
    rng: Rng, n_out: int, n_in: int, *, exp: int = 0, delays: int = 0, reach: int = 60
) -> Synapses:
    weight = 2 * rng.integers(-reach, reach, (n_out, n_in))
    delay = rng.integers(0, delays + 1, (n_out, n_in)) if delays else None
    return Synapses(weight, exp, delay)


def adaptive(rng: Rng, n: int, *, start_value: bool = True) -> AdaptiveLIF:
    return AdaptiveLIF(
        n,
        v_decay=rng.integers(50, 1500, n),
        b_decay=rng.integers(5, 400, n),
        v_threshold=rng.integers(500, 9000, n),
        b_step=rng.integers(0, 9000, n),
        b_exp=rng.integers(0, 8, n),
        bias=rng.integers(-300, 300, n),
        v_init=rng.integers(-3000, 3000, n) if start_value else 0,
        d_init=rng.integers(0, 3000, n) if start_value else 0,
    )


def cuba(
    rng: Rng, n: int, *, bias: bool = False, start_value: bool = False, low: int = 50
) -> CubaLIF:
    return CubaLIF(
        n,
        i_decay=rng.integers(200, 4097, n),
        v_decay=rng.integers(50, 1500, n),
        v_threshold=rng.integers(low, 900, n),
        bias=64 * rng.integers(-12, 12, n) if bias else 0,
        u_init=rng.integers(-3000, 3000, n) if start_value else 0,
        v_init=rng.integers(-3000, 3000, n) if start_value else 0,
    )


def threshold_refractory(
    rng: Rng, n: int, *, bias: bool = False, one_step: bool = True
) -> ThresholdRefractoryLIF:
    return ThresholdRefractoryLIF(
        n,
        i_decay=rng.integers(200, 4097, n),
        v_decay=rng.integers(50, 1500, n),
        th_decay=rng.integers(50, 1500, n),
        r_decay=rng.integers(50, 1500, n),
        th_init=rng.integers(500, 9000, n),
        th_step=400 if one_step else rng.integers(0, 900, n),
        bias=rng.integers(-300, 300, n) if bias else 0,
    )


def integrator(rng: Rng, n: int) -> LeakyIntegrator:
    return LeakyIntegrator(
        n,
        v_decay=rng.integers(50, 1500, n),
        bias=rng.integers(-300, 300, n),
        v_init=rng.integers(-3000, 3000, n),
    )


def stack(
    rng: Rng,
    n_in: int,
    neurons: list[Neuron],
    *,
    recurrent: bool = True,
    exp: int = 2,
    delays: int = 0,
    message_bits: int = 0,
) -> Network:
    layers = []
    below = n_in
    for index, neuron in enumerate(neurons):
        n = neuron.size
        loop = recurrent and neuron.SPIKING
        layers.append(
            Layer(
                f"l{index}",
                synapses(rng, n, below, exp=exp, delays=delays, reach=100),
                neuron,
                synapses(rng, n, n, exp=max(exp - 1, 0), delays=delays) if loop else None,
            )
        )
        below = n
    kind = "membrane" if "v" in neurons[-1].STATES else "spike_count"
    return Network(tuple(layers), Readout(kind), message_bits=message_bits)


def spikes(rng: Rng, samples: int, steps: int, channels: int, rate: float = 0.4) -> np.ndarray:
    return (rng.random((samples, steps, channels)) < rate).astype(np.int32)
