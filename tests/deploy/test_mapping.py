"""Placement: no neuron lost or doubled, no limit exceeded where it fits, correct counts."""

from __future__ import annotations

import numpy as np
import pytest
from board_cases import board, every_neuron_native, recount
from deploy_networks import adaptive, cuba, integrator, stack, threshold_refractory
from hypothesis import given, settings
from hypothesis import strategies as st
from srnn.deploy.boards import PER_CORE, Board, read_boards
from srnn.deploy.loads import needs
from srnn.deploy.mapping import HOST, _greedy, place
from srnn.deploy.violations import violations
from srnn.export.network import CubaLIF, Layer, LeakyIntegrator, Network, Readout, Synapses

LIMITS = st.fixed_dictionaries(
    {
        "neurons_per_core": st.integers(1, 12),
        "synapse_bits_per_core": st.none() | st.integers(100, 6000),
        "input_axons_per_core": st.none() | st.integers(4, 40),
        "output_axons_per_core": st.none() | st.integers(2, 60),
        "decay_profiles_per_core": st.none() | st.integers(1, 6),
        "threshold_profiles_per_core": st.none() | st.integers(1, 6),
        "cores_per_chip": st.integers(1, 12),
    }
)


def random_network(seed: int, density: float = 1.0, recurrent: bool = True) -> Network:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 16, 3)
    kinds = [adaptive, cuba, threshold_refractory]
    neurons = [kinds[rng.integers(3)](rng, int(n)) for n in sizes[:2]]
    drawn = stack(
        rng, int(rng.integers(1, 12)), [*neurons, integrator(rng, int(sizes[2]))],
        recurrent=recurrent, delays=int(rng.integers(0, 2)) * 9,
    )  # fmt: skip
    few = rng.integers(1, 5)
    layers = []
    for layer in drawn.layers:
        # Some neurons share their parameters, and some weights are no synapses.
        shared = rng.integers(0, few, layer.size)
        values = {p.name: getattr(layer.neuron, p.name) for p in layer.neuron.PARAMETERS}
        kept = {name: array[np.minimum(shared, layer.size - 1)] for name, array in values.items()}
        groups = [
            None if s is None else Synapses(
                np.where(rng.random(s.weight.shape) < density, s.weight, 0), s.weight_exp, s.delay
            )
            for s in (layer.synapses, layer.recurrent)
        ]  # fmt: skip
        assert groups[0] is not None
        layers.append(
            Layer(layer.name, groups[0], type(layer.neuron)(layer.size, **kept), groups[1])
        )
    return Network(tuple(layers), drawn.readout)


@given(st.integers(0, 10_000), st.sampled_from([1.0, 0.5, 0.1]), st.booleans(), LIMITS)
@settings(max_examples=120)
def test_every_neuron_has_one_core_and_counts_are_true(
    seed: int, density: float, recurrent: bool, limits: dict[str, int | None]
) -> None:
    network = random_network(seed, density, recurrent)
    target = every_neuron_native(board(chips=3, **limits))
    placed = place(network, target)
    assert [len(homes) for homes in placed.core_of] == [layer.size for layer in network.layers]
    owners = np.concatenate(placed.core_of)
    assert set(owners.tolist()) == set(range(placed.cores))
    for index, homes in enumerate(placed.core_of):
        assert (placed.layer_of[homes] == index).all()
    counted = recount(network, placed)
    for name in PER_CORE:
        assert np.array_equal(placed.used[name], counted[name]), name
    over = {
        (placed.layers[placed.layer_of[core]], name)
        for name in PER_CORE
        if (limit := target.limit(name).value) is not None
        for core in np.flatnonzero(counted[name] > limit)
    }
    found = violations(network, placed)
    assert {(row.layer, row.limit_name) for row in found if row.limit_name in PER_CORE} == over
    fits = not over and placed.cores <= target.cores
    assert fits == (not found), found
    again = place(network, target)
    assert all(np.array_equal(a, b) for a, b in zip(placed.core_of, again.core_of, strict=True))


@given(st.integers(0, 10_000), st.sampled_from([1.0, 0.4]), LIMITS)
@settings(max_examples=60)
def test_cores_are_filled_as_far_as_they_go(
    seed: int, density: float, limits: dict[str, int | None]
) -> None:
    network = random_network(seed, density)
    layer = network.layers[0]
    wanted = needs(layer, board(**limits), np.ones(layer.size, np.int64))
    allowed = {name: limits.get(name) for name in PER_CORE}
    order = np.random.default_rng(seed).permutation(layer.size)
    parts, _ = _greedy(wanted, order, allowed, own_cores=2)

    def fits(rows: np.ndarray) -> bool:
        load = wanted.load(rows, 2)
        return all(allowed[name] is None or load[name] <= allowed[name] for name in PER_CORE)

    naive, start = [], 0
    while start < layer.size:
        size = 1
        while start + size < layer.size and fits(order[start : start + size + 1]):
            size += 1
        naive.append(order[start : start + size])
        start += size
    # ``allowed`` has lost what one neuron alone exceeds, so that both follow the same limits.
    assert [part.tolist() for part in parts] == [part.tolist() for part in naive]


def dense_recurrent(n_in: int, n: int) -> Network:
    weight = np.full((n, n_in), 2)
    weight[:, ::2] = -254
    loop = np.full((n, n), 4)
    loop[::2] = -250
    readout = np.full((3, n), 2)
    readout[:, ::2] = -254
    neuron = CubaLIF(n, np.array(4096), np.array(100), np.array(200))
    return Network(
        (
            Layer("hidden", Synapses(weight), neuron, Synapses(loop)),
            Layer("readout", Synapses(readout), LeakyIntegrator(3, np.array(100))),
        ),
        Readout("mean_softmax"),
    )


def loihi(name: str = "loihi1") -> Board:
    return read_boards().find(name)


def test_memory_of_nengo_loihi_on_loihi_1() -> None:
    # 100 inputs to 256 recurrent neurons: nengo-loihi 1.1.0 says 78.2 % of a core's memory.
    placed = place(dense_recurrent(100, 256), loihi())
    assert placed.layer_cores(0) == 1
    assert placed.used["synapse_bits_per_core"][0] == 820_224
    assert round(820_224 / 1_048_576, 3) == 0.782
    assert placed.used["input_axons_per_core"].tolist() == [356, 256]
    assert placed.used["output_axons_per_core"].tolist() == [512, 0]


def test_a_recurrent_layer_is_split_evenly_where_one_core_is_too_small() -> None:
    placed = place(dense_recurrent(100, 600), loihi())
    # 150 synapses of 8 bits are 576 + 576 + 192 bits, times 700 axons: 940,800 bits per core.
    assert placed.used["synapse_bits_per_core"][:4].tolist() == [940_800] * 4
    assert placed.layer_cores(0) == 4
    assert placed.bound_by[0] == "synapse_bits_per_core"
    # Every neuron reaches the 4 cores of its own layer and the readout.
    assert placed.used["output_axons_per_core"][:4].tolist() == [750] * 4
    assert violations(dense_recurrent(100, 600), placed) == []


def test_output_axons_split_the_layer_below() -> None:
    # nengo-loihi refuses 2000 neurons on 2 cores before 600 on 11: 11000 output axons of a core.
    # 60 neurons fill a core here, so that 409 neurons below have the axons to reach 10 cores.
    rng = np.random.default_rng(0)
    sizes = ((50, 2000), (2000, 600))
    layers = tuple(
        Layer(
            str(n),
            Synapses(2 * rng.integers(1, 100, (n, m)) * rng.choice([-1, 1], (n, m))),
            CubaLIF(n, np.array(4096), np.array(100), np.array(200)),
        )
        for m, n in sizes
    )
    network = Network(layers, Readout("spike_count"))
    placed = place(network, loihi())
    assert placed.layer_cores(1) == 10
    assert placed.layer_cores(0) == 5
    assert placed.bound_by[0] == "output_axons_per_core"
    assert placed.used["output_axons_per_core"].max() == 4000
    assert violations(network, placed) == []


@pytest.mark.parametrize("size", [4000, pytest.param(4200, marks=pytest.mark.slow)])
def test_a_recurrent_layer_that_no_split_can_hold_is_named(size: int) -> None:
    # Each neuron needs an axon to every core of its layer, and each core one of every source.
    network = dense_recurrent(200, size)
    found = violations(network, place(network, loihi()))
    names = {row.limit_name for row in found}
    assert {"input_axons_per_core", "fan_in"} <= names
    assert {row.layer for row in found} <= {"hidden", "readout"}


def test_equal_profiles_share_cores() -> None:
    rng = np.random.default_rng(3)
    codes = rng.permutation(np.repeat(np.arange(40), 6))
    neuron = CubaLIF(240, np.array(4096), 100 + codes, 200 + codes)
    weight = 2 * rng.integers(1, 100, (240, 10))
    weight[:, 0] *= -1
    network = Network((Layer("a", Synapses(weight), neuron),), Readout("spike_count"))
    placed = place(network, loihi())
    # 40 threshold profiles, 8 a core.
    assert placed.cores == 5
    assert placed.without_profiles == (1,)
    assert placed.used["threshold_profiles_per_core"].tolist() == [8] * 5
    for code in range(40):
        assert len(set(placed.core_of[0][codes == code].tolist())) == 1


def test_links_carry_the_spikes_of_a_run() -> None:
    network = random_network(5, 0.6)
    rng = np.random.default_rng(1)
    spikes = [
        rng.integers(0, 9, n) for n in (network.input_size, *(x.size for x in network.layers))
    ]
    placed = place(network, board(neurons_per_core=3), spikes)
    wanted: dict[tuple[int, int], float] = {}
    for index, layer in enumerate(network.layers):
        homes = placed.core_of[index]
        below = None if index == 0 else placed.core_of[index - 1]
        groups = [(layer.synapses, below, spikes[index])]
        if layer.recurrent is not None:
            groups.append((layer.recurrent, homes, spikes[index + 1]))
        for synapses, sources, counts in groups:
            for source in range(synapses.n_in):
                for core in {int(homes[n]) for n in np.flatnonzero(synapses.weight[:, source])}:
                    key = (HOST if sources is None else int(sources[source]), core)
                    wanted[key] = wanted.get(key, 0) + float(counts[source])
    links, found = placed.links, {}
    for source, target, sent in zip(links.source, links.target, links.spikes, strict=True):
        key = (int(source), int(target))
        found[key] = found.get(key, 0) + float(sent)
    assert found == wanted
