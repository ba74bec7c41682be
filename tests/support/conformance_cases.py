"""Random networks that Lava can run, with inputs and lengths."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from simulate_networks import SPIKING, random_convolution, random_inputs, random_network
from srnn.export.network import NEURONS, Network

Case = tuple[Network, np.ndarray, np.ndarray]


@st.composite
def lava_cases(draw: st.DrawFn, largest: int, steps: int) -> Case:
    """Draw a network of up to three layers with several samples, some of which may be empty.

    ``largest`` neurons a layer; ``steps`` of the longest sample.
    """
    seed = draw(st.integers(0, 2**32 - 1))
    extreme, delays = draw(st.booleans()), draw(st.booleans())
    bits = draw(st.sampled_from([0, 0, 1, 8, 12]))
    depth = draw(st.integers(1, 3))
    kinds = [draw(st.sampled_from(SPIKING)) for _ in range(depth - 1)]
    kinds.append(draw(st.sampled_from(list(NEURONS))))
    sizes = [draw(st.integers(1, largest)) for _ in range(depth)]
    channels, convolutions = draw(st.integers(1, 40)), []
    if draw(st.integers(0, 3)) == 0:
        # Lava's Conv knows neither delays nor right shifts; the dense layers above have both.
        rng = np.random.default_rng(seed)
        made = random_convolution(rng, extreme=extreme, delays=False, large=False)
        if made.weight_exp >= 0:
            convolutions = [made]
    network = random_network(
        seed,
        kinds,
        sizes,
        channels,
        extreme=extreme,
        delays=delays,
        message_bits=bits,
        readout="spike_count" if kinds[-1] in SPIKING and draw(st.booleans()) else "membrane",
        convolutions=convolutions,
    )
    batch = draw(st.integers(1, 3))
    inputs = random_inputs(seed, network, batch, steps, draw(st.sampled_from([0.05, 0.3, 1.0])))
    lengths = draw(st.lists(st.integers(0, steps), min_size=batch, max_size=batch))
    lengths[0] = steps
    return network, inputs, np.array(lengths)
