"""Everything that keeps a network off a board, at once: layer, value, limit and fix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..export.errors import index_list
from ..export.grid import STATE_MAX, WEIGHT_BITS_MIN, IntArray
from ..export.network import Layer, Network
from .boards import LABELS, PER_CORE, Board
from .connectivity import connectivity, largest_delay, stored_weight_bits, weight_bits
from .mapping import Placement
from .programs import IMPOSSIBLE, NATIVE, OWN, requirements, support

BIAS_EXP_MAX = 7


@dataclass(frozen=True)
class Violation:
    """A limit that a network exceeds.

    ``layer`` None stands for the whole network; ``limit_name`` is a key of ``boards.LABELS``;
    ``verified``: whether the limit is; ``fix``: how to fix it.
    """

    limit_name: str
    layer: str | None
    value: int | str
    limit: int | str
    verified: bool
    fix: str

    def __str__(self) -> str:
        """Write one line."""
        where = "network" if self.layer is None else f"layer {self.layer}"
        doubt = "" if self.verified else " (not verified)"
        value, limit = _shown(self.value), _shown(self.limit)
        return f"{where}: {LABELS[self.limit_name]} {value}, limit {limit}{doubt}: {self.fix}"


def _shown(value: int | str) -> str:
    return value if isinstance(value, str) else f"{value:,}"


def violations(network: Network, placement: Placement) -> list[Violation]:
    """Return all violations: of the inputs, of each layer, of its cores, and of the board."""
    board = placement.board
    found = list(_inputs(network, board))
    for index, layer in enumerate(network.layers):
        above = network.layers[index + 1 : index + 2]
        found.extend(_program(layer, board))
        found.extend(_widths(layer, board))
        found.extend(_fans(layer, above[0] if above else None, board))
        found.extend(_per_core(placement, index))
    found.extend(_cores(placement))
    return found


def _over(
    board: Board, name: str, layer: Layer | None, value: int, fix: str
) -> Iterator[Violation]:
    limit = board.limit(name)
    if limit.value is not None and value > limit.value:
        where = None if layer is None else layer.name
        yield Violation(name, where, value, limit.value, limit.verified, fix)


def _inputs(network: Network, board: Board) -> Iterator[Violation]:
    if network.message_bits:
        fix = "encode the inputs as spikes, or with fewer message bits"
        yield from _over(board, "graded_payload_bits", None, network.message_bits + 1, fix)


def _program(layer: Layer, board: Board) -> Iterator[Violation]:
    found = support(board.chip, type(layer.neuron))
    if found.kind == IMPOSSIBLE:
        native = ", ".join(board.chip.native_neurons) or "none"
        fix = f"{found.reason}; train cuba_lif neurons or take a board with microcode"
        yield Violation("neuron_model", layer.name, layer.neuron.TYPE, native, True, fix)


def _widths(layer: Layer, board: Board) -> Iterator[Violation]:
    groups = [("input", layer.synapses)]
    if layer.recurrent is not None:
        groups.append(("recurrent", layer.recurrent))
    for name, synapses in groups:
        needed = weight_bits(synapses)
        limit = board.limit("weight_bits").value
        if limit is not None and needed > limit:
            fix = f"{name} weights: {_fewer_bits(limit)}"
            yield from _over(board, "weight_bits", layer, needed, fix)
        elif stored_weight_bits(synapses, board.chip.synapse_format.weight_widths) is None:
            widest = board.chip.synapse_format.weight_widths[-1]
            verified = board.chip.synapse_format.verified
            fix = f"{name} weights with exponent {synapses.weight_exp}: {_fewer_bits(widest)}"
            yield Violation("weight_bits", layer.name, needed, widest, verified, fix)
        delay = largest_delay(synapses)
        fix = f"{name} synapses: delays of fewer than {delay} steps"
        yield from _over(board, "delay_bits", layer, delay.bit_length(), fix)
    needs = requirements(type(layer.neuron))
    fix = "none: the neuron's states must keep their width to give the same bits"
    yield from _over(board, "state_bits", layer, needs.state_bits, fix)
    yield from _decays(layer, board)
    if support(board.chip, type(layer.neuron)).kind == NATIVE:
        yield from _thresholds(layer, board)
        yield from _biases(layer, board)


def _fewer_bits(limit: int) -> str:
    if limit < WEIGHT_BITS_MIN:
        return f"no network here has fewer than {WEIGHT_BITS_MIN} bits; take another board"
    return f"export or train with fewer bits (srnn-export --weight-bits {limit})"


def _decays(layer: Layer, board: Board) -> Iterator[Violation]:
    limit = board.limit("decay_bits").value
    needs = requirements(type(layer.neuron))
    if limit is None:
        return
    for name, first in needs.decays.items():
        stored = getattr(layer.neuron, name) - first
        largest = (1 << limit) - 1
        beyond = np.flatnonzero((stored < 0) | (stored > largest))
        if beyond.size:
            worst = int(stored[beyond[0]])
            fix = (
                f"{name} of neuron {index_list(beyond.tolist())} is stored as {worst}, outside "
                f"0..{largest}; train time constants within it"
            )
            value = max(limit + 1, abs(worst).bit_length())
            yield from _over(board, "decay_bits", layer, value, fix)


def _thresholds(layer: Layer, board: Board) -> Iterator[Violation]:
    limit = board.limit("threshold_bits").value
    threshold, compared = getattr(layer.neuron, "v_threshold", None), layer.neuron.threshold()
    if limit is None or threshold is None or compared is None:
        return
    # Thresholds that no 24-bit membrane potential reaches are stored as the largest possible one.
    beyond = np.flatnonzero((compared <= STATE_MAX) & (threshold >= (1 << limit)))
    if beyond.size:
        bits = int(threshold[beyond].max()).bit_length()
        fix = f"neuron {index_list(beyond.tolist())}: a larger weight unit lowers thresholds"
        yield from _over(board, "threshold_bits", layer, bits, fix)


def _biases(layer: Layer, board: Board) -> Iterator[Violation]:
    limit = board.limit("bias_bits").value
    if limit is None:
        return
    bias: IntArray = getattr(layer.neuron, OWN, np.zeros(layer.size, np.int64))
    bits = mantissa_bits(bias)
    beyond = np.flatnonzero(bits > limit)
    if beyond.size:
        worst = int(beyond[np.argmax(bits[beyond])])
        fix = (
            f"bias {int(bias[worst])} of neuron {worst} ({beyond.size:,} in all): round biases to "
            f"{limit} bits times a power of 2 up to 2^{BIAS_EXP_MAX}"
        )
        yield from _over(board, "bias_bits", layer, int(bits.max()), fix)


def mantissa_bits(bias: IntArray) -> IntArray:
    """Return the bits of each bias's mantissa with its sign, after an exponent of up to 7."""
    mantissa = bias.copy()
    for _ in range(BIAS_EXP_MAX):
        mantissa = np.where((mantissa != 0) & (mantissa % 2 == 0), mantissa // 2, mantissa)
    # -2^(b-1) needs as many bits as 2^(b-1) - 1.
    magnitude = np.where(mantissa < 0, -mantissa - 1, mantissa)
    return 1 + np.ceil(np.log2(magnitude + 1.0)).astype(np.int64)


def _fans(layer: Layer, above: Layer | None, board: Board) -> Iterator[Violation]:
    if board.limit("fan_in").value is None and board.limit("fan_out").value is None:
        return
    below = connectivity(layer.synapses)
    fan_in, fan_out = below.fan_in.copy(), np.zeros(layer.size, np.int64)
    if layer.recurrent is not None:
        loop = connectivity(layer.recurrent)
        fan_in += loop.fan_in
        fan_out += loop.fan_out
    if above is not None:
        fan_out += connectivity(above.synapses).fan_out
    for name, fan, fix in (
        ("fan_in", fan_in, "a smaller layer below, fewer recurrent synapses, or sparser weights"),
        ("fan_out", fan_out, "a smaller layer above, fewer recurrent synapses, or sparser weights"),
    ):
        yield from _over(board, name, layer, int(fan.max()), fix)


_CORE_FIXES = {
    "neurons_per_core": "a smaller layer",
    "synapse_bits_per_core": "fewer weight bits, sparser weights, or a smaller layer below",
    "input_axons_per_core": "a smaller layer below, a smaller recurrent layer, or sparser weights",
    "output_axons_per_core": "a smaller layer, a layer above on fewer cores, or sparser weights",
    "decay_profiles_per_core": "clustered time constants (--cluster)",
    "threshold_profiles_per_core": "clustered thresholds (--cluster)",
}


def _per_core(placement: Placement, layer: int) -> Iterator[Violation]:
    board, cores = placement.board, placement.layer_of == layer
    for name in PER_CORE:
        limit = board.limit(name)
        used = placement.used[name][cores]
        if limit.value is not None and used.max() > limit.value:
            over = int(np.count_nonzero(used > limit.value))
            fix = f"on {over:,} of its {used.size:,} cores: {_CORE_FIXES[name]}"
            where = placement.layers[layer]
            yield Violation(name, where, int(used.max()), limit.value, limit.verified, fix)


def _cores(placement: Placement) -> Iterator[Violation]:
    board = placement.board
    if placement.cores <= board.cores:
        return
    hints = []
    for index, name in enumerate(placement.layers):
        cores, fewer = placement.layer_cores(index), placement.without_profiles[index]
        if fewer < cores:
            profiles = min(
                limit
                for limit in (
                    board.limit("decay_profiles_per_core").value,
                    board.limit("threshold_profiles_per_core").value,
                )
                if limit is not None
            )
            hints.append(
                f"layer {name} takes {cores:,} cores, {fewer:,} with clustered time constants "
                f"(--cluster {profiles})"
            )
    largest = max(range(len(placement.layers)), key=placement.layer_cores)
    bound = placement.bound_by[largest]
    hints.append(
        f"most are of layer {placement.layers[largest]} ({placement.layer_cores(largest):,}"
        + (f", bound by {LABELS[bound]})" if bound else ")")
        + ": a smaller layer, fewer weight bits, or a larger board"
    )
    limit = board.chip.limits.cores_per_chip
    verified = limit.verified and board.chips.verified
    yield Violation("cores", None, placement.cores, board.cores, verified, "; ".join(hints))
