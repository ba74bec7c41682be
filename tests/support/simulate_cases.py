"""Random networks and inputs drawn by hypothesis."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from simulate_networks import SPIKING, random_convolution, random_inputs, random_network
from srnn.export.network import (
    NEURONS,
    Network,
)

SIZES = st.one_of(
    st.integers(1, 9),
    st.integers(10, 70),
    st.sampled_from([31, 32, 33, 63, 64, 65, 127, 128, 129, 191, 193, 257]),
)


@st.composite
def cases(draw: st.DrawFn, extreme: bool) -> tuple[Network, np.ndarray, np.ndarray]:
    seed = draw(st.integers(0, 2**32 - 1))
    depth = draw(st.integers(1, 3))
    kinds = [draw(st.sampled_from(SPIKING)) for _ in range(depth - 1)]
    kinds.append(draw(st.sampled_from(list(NEURONS))))
    sizes = [draw(SIZES) for _ in range(depth)]
    readout = "spike_count" if kinds[-1] in SPIKING and draw(st.booleans()) else "membrane"
    network = random_network(
        seed,
        kinds,
        sizes,
        draw(SIZES),
        extreme=extreme,
        delays=draw(st.booleans()),
        message_bits=draw(st.sampled_from([0, 0, 1, 8, 20 if extreme else 12])),
        readout=readout,
    )
    batch, steps = draw(st.integers(1, 4)), draw(st.integers(1, 24))
    inputs = random_inputs(
        seed, network, batch, steps, draw(st.sampled_from([0.0, 0.05, 0.5, 1.0]))
    )
    lengths = np.array(draw(st.lists(st.integers(0, steps), min_size=batch, max_size=batch)))
    return network, inputs, lengths


@st.composite
def convolution_cases(draw: st.DrawFn, extreme: bool) -> tuple[Network, np.ndarray, np.ndarray]:
    seed = draw(st.integers(0, 2**32 - 1))
    rng, delays = np.random.default_rng(seed), draw(st.booleans())
    stack = [random_convolution(rng, extreme=extreme, delays=delays, large=draw(st.booleans()))]
    if draw(st.booleans()):
        above = stack[0].shape_out
        stack.append(random_convolution(rng, extreme=extreme, delays=delays, shape_in=above))
    kinds = [draw(st.sampled_from(list(NEURONS)))] if draw(st.booleans()) else []
    network = random_network(
        seed,
        kinds,
        [draw(st.integers(1, 40))] * len(kinds),
        stack[0].n_in,
        extreme=extreme,
        delays=delays,
        message_bits=draw(st.sampled_from([0, 0, 8, 20 if extreme else 12])),
        readout="membrane" if kinds else "spike_count",
        convolutions=stack,
    )
    batch, steps = draw(st.integers(1, 3)), draw(st.integers(1, 24))
    density = draw(st.sampled_from([0.0, 0.05, 0.5, 1.0]))
    inputs = random_inputs(seed, network, batch, steps, density)
    lengths = np.array(draw(st.lists(st.integers(0, steps), min_size=batch, max_size=batch)))
    return network, inputs, lengths
