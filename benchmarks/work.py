"""What a training step has to compute and to move, counted from its events.

Additions by events: every input event and every recurrent spike adds a weight row forward, and its
neuron's gradients to a row of weight gradients in the backward pass. Multiply-adds: the transposed
products of the backward pass, over all neurons, active or not, and the products of graded inputs.
"""

from __future__ import annotations

from typing import NamedTuple

UPDATE_FORWARD, UPDATE_BACK = 10, 48
"""Operations of an adaptive neuron's step: its equations and gradients (``train/neurons.py``), a
multiply-add, comparison or selection as one each, with one exponential of 17 for the surrogate."""
INTEGRATOR_FORWARD, INTEGRATOR_BACK = 2, 4
"""The same of a leaky integrator."""


class LayerSizes(NamedTuple):
    """A layer's part of a step.

    ``below``: input channels; ``events``: nonzero inputs of the batch; ``graded``: whether inputs
    are multiplied; ``spikes``: recurrent spikes of the batch, 0 for none; ``inputs_need_gradient``:
    whether a layer below is trained; ``recurrent``, ``spiking`` of the neurons.
    """

    batch: int
    steps: int
    below: int
    neurons: int
    events: int
    spikes: int
    graded: bool
    recurrent: bool
    spiking: bool
    inputs_need_gradient: bool


class Work(NamedTuple):
    """Operations of a step, and the bytes that leave the caches.

    ``gathered``: additions of weight rows; ``scattered``: additions to rows of gradients;
    ``multiplied``: multiply-adds of products; ``updates``: operations of neuron updates;
    ``moved``: bytes of kept states, of inputs, outputs and their gradients, written and read.
    """

    gathered: int
    scattered: int
    multiplied: int
    updates: int
    moved: int


def count(layer: LayerSizes) -> Work:
    """Count what a layer's step requires."""
    n, cells = layer.neurons, layer.batch * layer.steps * layer.neurons
    sources = layer.batch * layer.steps * layer.below
    gathered = scattered = layer.spikes * n
    multiplied = 0
    if layer.graded:
        multiplied += 2 * layer.events * n
    else:
        gathered += layer.events * n
        scattered += layer.events * n
    if layer.recurrent:
        multiplied += cells * n
    if layer.inputs_need_gradient:
        multiplied += cells * layer.below
    forward, back = (
        (UPDATE_FORWARD, UPDATE_BACK) if layer.spiking else (INTEGRATOR_FORWARD, INTEGRATOR_BACK)
    )
    # Kept: one or two float32, written and read; outputs and their gradients: written and read by
    # whoever takes them, counted once each here and once where they are inputs.
    kept = 2 * 4 * (2 if layer.spiking else 1) * cells
    outputs = 2 * 4 * cells
    inputs = 2 * 4 * (sources if layer.graded or layer.inputs_need_gradient else layer.events)
    gradient = 4 * sources if layer.inputs_need_gradient else 0
    moved = kept + outputs + inputs + gradient
    return Work(gathered, scattered, multiplied, (forward + back) * cells, moved)


def total(parts: list[Work]) -> Work:
    """Add up the layers."""
    return Work(*(sum(column) for column in zip(*parts, strict=True)))
