"""Merging the time constants and thresholds of a layer, so that its neurons share few profiles.

Neurons are clustered by k-means on the logarithms of their decays, of their adaptation's strength
and of their weight unit, the membrane's decays counting most. A neuron that takes its cluster's
decays keeps its response: its incoming weights, bias and states are scaled so that a constant input
moves it as close to its threshold as before, and every neuron of a cluster gets the same threshold,
in a larger weight unit where it must. What the 8-bit grid rounds away, and what the new time
constants change, is measured by simulation. Equal layers give equal clusters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..export import grid
from ..export.errors import InputError
from ..export.grid import FloatArray, IntArray
from ..export.network import Layer, Network, Neuron
from ..neurons.neuron import Response
from .connectivity import with_scaled_rows
from .loads import distinct, profiles
from .programs import OWN, requirements

OTHER_WEIGHT = 0.3
"""Weight of all decays but the membrane's: the steady response does not depend on them."""
UNIT_WEIGHT = 0.5
"""Weight of a neuron's weight unit, which can be changed at little cost. Both weights were chosen
on validation samples of the digits, for ALIF and for CUBA networks."""
APART = 1e3
"""Distance between neurons that never spike and those that may."""
ROUNDS, STARTS = 100, 8


@dataclass(frozen=True)
class Merged:
    """What clustering did to a layer: its profiles before and after, and how it changed neurons.

    ``decay_change``: the relative change of a decay code, the median over neurons of the largest
    one; ``weight_scale``: the smallest factor by which a neuron's weights were scaled.
    """

    layer: str
    before: int
    after: int
    decay_change: float
    weight_scale: float


def cluster(network: Network, count: int) -> tuple[Network, list[Merged]]:
    """Return the network with at most ``count`` parameter profiles in each layer.

    Layers that have no more than that stay as they are.

    Raises
    ------
    InputError
        A count below 1; one profile for neurons that spike and neurons that never do.
    """
    if count < 1:
        raise InputError(f"clusters: {count} is below 1")
    layers, merged = [], []
    for layer in network.layers:
        before = distinct(_profiles(layer.neuron))
        changed, change, scale = layer, 0.0, 1.0
        if before > count:
            try:
                changed, ratio = _merge(layer, count)
            except InputError as error:
                raise InputError(f"layer {layer.name}: {error}") from None
            scale = float(ratio.min())
            change = _decay_change(layer.neuron, changed.neuron)
        layers.append(changed)
        merged.append(
            Merged(layer.name, before, distinct(_profiles(changed.neuron)), change, scale)
        )
    provenance = {**network.provenance, "clustered": {"profiles": count}}
    return replace(network, layers=tuple(layers), provenance=provenance), merged


def _profiles(neuron: Neuron) -> IntArray:
    needs = requirements(type(neuron))
    names = (*needs.decays, *needs.thresholds)
    return profiles([getattr(neuron, name) for name in names], neuron.size)


def _decay_change(before: Neuron, after: Neuron) -> float:
    changes = [
        np.abs(getattr(after, name) - getattr(before, name)) / np.maximum(getattr(before, name), 1)
        for name in requirements(type(before)).decays
    ]
    return float(np.median(np.max(changes, axis=0)))


def _merge(layer: Layer, count: int) -> tuple[Layer, FloatArray]:
    """Return the layer with shared profiles, and the ratio of each neuron's weights."""
    neuron, shape = layer.neuron, layer.neuron.RESPONSE
    if shape is None:
        raise InputError(
            f"{neuron.TYPE} does not say how its neurons can be merged (RESPONSE in its file); "
            "leave out --cluster"
        )
    old = {entry.name: getattr(neuron, entry.name) for entry in neuron.PARAMETERS}
    silent = _never_spike(neuron)
    groups = _k_means(_features(old, shape, silent), count)
    new: dict[str, Any] = dict(old)
    for name in (*shape.leaks, *shape.others):
        centre = np.exp2(_means(np.log2(_at_least_half(old[name])), groups))
        new[name] = _whole(centre)[groups]
    leak, leak_new = _product(old, shape.leaks), _product(new, shape.leaks)
    ratio = np.ones(layer.size)
    moved = leak / leak_new
    if shape.threshold is not None and not silent.all():
        if any(
            0 < silent[groups == group].sum() < (groups == group).sum() for group in set(groups)
        ):
            raise InputError(
                "has neurons that spike and neurons whose threshold is out of reach; they need 2 "
                "profiles at least"
            )
        # A member's threshold times its leak is the inverse of its weight unit; the largest unit of
        # the cluster is taken, so that no weight leaves the grid.
        threshold = np.maximum(old[shape.threshold], 1)
        reach = threshold * leak
        shared = np.maximum(_whole(_minima(reach, groups)[groups] / leak_new), 1)
        new[shape.threshold] = np.where(silent, old[shape.threshold], shared)
        moved = np.where(silent, moved, shared / threshold)
        ratio = np.where(silent, 1.0, moved * leak_new / leak)
    _rescale(new, old, shape, groups, moved)
    if OWN in old:
        # A bias is added to v after the leak of the current, where there is one.
        last = shape.leaks[-1]
        new[OWN] = _whole(old[OWN] * moved * new[last] / np.maximum(old[last], 1))
    clipped = {
        entry.name: np.clip(new[entry.name], entry.low, entry.high) for entry in neuron.PARAMETERS
    }
    scaled = replace(
        layer,
        neuron=replace(neuron, **clipped),
        synapses=with_scaled_rows(layer.synapses, ratio),
        recurrent=None if layer.recurrent is None else with_scaled_rows(layer.recurrent, ratio),
        state_scale=layer.state_scale / moved,
    )
    return scaled, ratio


def _rescale(
    new: dict[str, Any],
    old: dict[str, IntArray],
    shape: Response,
    groups: IntArray,
    moved: FloatArray,
) -> None:
    """Give the step of the threshold and the initial states the scale of the new states."""
    if shape.step is not None and shape.threshold is not None:
        if shape.step_exp is not None:
            new[shape.step_exp] = _minima(old[shape.step_exp], groups)[groups].astype(np.int64)
        strength = _means(_strength(old, shape), groups)[groups]
        new[shape.step] = _whole(strength * _strength_unit(new, shape))
    if shape.init is not None:
        new[shape.init] = _whole(old[shape.init] * moved)
    if shape.current_init is not None:
        last = shape.leaks[-1]
        current = moved * new[last] / np.maximum(old[last], 1)
        new[shape.current_init] = _whole(old[shape.current_init] * current)
    if shape.step_init is not None and shape.step_exp is not None:
        fraction = np.exp2(new[shape.step_exp] - old[shape.step_exp])
        new[shape.step_init] = _whole(old[shape.step_init] * moved * fraction)


def _features(
    old: dict[str, IntArray], shape: Response, silent: npt.NDArray[np.bool_]
) -> FloatArray:
    """Return the features by which neurons are compared, (n, features)."""
    columns = [np.log2(_at_least_half(old[name])) for name in shape.leaks]
    columns += [OTHER_WEIGHT * np.log2(_at_least_half(old[name])) for name in shape.others]
    if shape.threshold is not None:
        reach = old[shape.threshold] * _product(old, shape.leaks)
        columns.append(UNIT_WEIGHT * np.log2(_at_least_half(reach)))
        columns.append(APART * silent)
    if shape.step is not None:
        columns.append(np.log2(1.0 + _strength(old, shape)))
    return np.stack(columns, axis=1)


def _never_spike(neuron: Neuron) -> npt.NDArray[np.bool_]:
    """Return which neurons' thresholds no 24-bit membrane potential reaches: CUBA readouts."""
    threshold = neuron.threshold()
    return np.zeros(neuron.size, np.bool_) if threshold is None else threshold > grid.STATE_MAX


def _strength(values: dict[str, Any], shape: Response) -> FloatArray:
    """Return by how many thresholds steady spiking raises the threshold."""
    assert shape.step is not None
    return values[shape.step] / _strength_unit(values, shape)


def _strength_unit(values: dict[str, Any], shape: Response) -> FloatArray:
    assert shape.threshold is not None
    assert shape.step_decay is not None
    exponent = 0 if shape.step_exp is None else values[shape.step_exp]
    decay = _at_least_half(values[shape.step_decay]) / grid.DECAY_ONE
    return np.maximum(values[shape.threshold], 1) * decay * np.exp2(exponent)


def _product(values: dict[str, Any], names: tuple[str, ...]) -> FloatArray:
    return np.prod([_at_least_half(values[name]) for name in names], axis=0)


def _at_least_half(values: Any) -> FloatArray:
    # A decay of 0 never leaks; for comparisons it counts as half of the smallest that does.
    return np.maximum(np.asarray(values, np.float64), 0.5)


def _whole(values: FloatArray) -> IntArray:
    return grid.round_int(values)


def _means(values: FloatArray, groups: IntArray) -> FloatArray:
    return np.bincount(groups, values) / np.bincount(groups)


def _minima(values: Any, groups: IntArray) -> FloatArray:
    found = np.full(int(groups.max()) + 1, np.inf)
    np.minimum.at(found, groups, np.asarray(values, np.float64))
    return found


def _k_means(features: FloatArray, count: int) -> IntArray:
    """Return the cluster of each row, numbered from 0; the tightest of several seeded runs."""
    rng = np.random.default_rng(0)
    tried = [_lloyd(features, _spread_centres(features, count, rng)) for _ in range(STARTS)]
    groups = min(tried, key=lambda one: one[0])[1]
    _, groups = np.unique(groups, return_inverse=True)
    return groups.reshape(-1).astype(np.int64)


def _spread_centres(features: FloatArray, count: int, rng: np.random.Generator) -> FloatArray:
    """Draw rows as initial centres, far ones more often (k-means++, Arthur and Vassilvitskii)."""
    centres = features[[int(rng.integers(len(features)))]]
    distance = ((features - centres[0]) ** 2).sum(axis=1)
    while len(centres) < count and distance.max() > 0:
        drawn = int(rng.choice(len(features), p=distance / distance.sum()))
        centres = np.vstack([centres, features[drawn]])
        distance = np.minimum(distance, ((features - centres[-1]) ** 2).sum(axis=1))
    return centres


def _lloyd(features: FloatArray, centres: FloatArray) -> tuple[float, IntArray]:
    """Return the sum of squared distances to the centres, and the centre of each row."""
    groups = np.full(len(features), -1)
    for _ in range(ROUNDS):
        apart = np.stack([((features - centre) ** 2).sum(axis=1) for centre in centres], axis=1)
        found = np.argmin(apart, axis=1)
        if np.array_equal(found, groups):
            break
        groups = found
        for index in np.unique(groups):
            centres[index] = features[groups == index].mean(axis=0)
    return float(((features - centres[groups]) ** 2).sum()), groups
