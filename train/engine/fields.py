"""How the kernels receive a stack of layers: one row of int64 per layer, fields by index.

Sizes count elements, everything else is the address of a C-contiguous array, or 0 for none. The
rows of two threads differ in their work space and in the gradients that they add to. Shapes:
``n`` neurons padded to ``width``, ``channels`` inputs padded to ``channels_width``, ``samples`` in
a block, ``planes`` what a step keeps.
"""

from __future__ import annotations

FIELDS = 44
"""Fields of a row."""

(
    SENDS,  # what the neuron sends, a number of ``programs.py``
    FORWARD,  # addresses of its steps
    BACKWARD,
    NEURONS,
    WIDTH,
    CHANNELS,
    CHANNELS_WIDTH,
    PARAMETERS,  # float32 (parameters, width)
    WEIGHT,  # float32, forward (channels, width), backward (n, channels_width) in panels
    RECURRENT_WEIGHT,  # float32, forward (n, width) from row to column, backward to row, in panels
    PLANES,  # planes that are kept per step
    KEPT,  # float32 (blocks, time, planes, samples, width): v - threshold, then the second state
    STATES,  # number of states: v, second, s, and more
    INITIAL,  # float32 (states, batch, width): before the first step
    FINAL,  # float32 (states, batch, width): those after the last step, or their gradients
    MEMBRANES,  # float32 (batch, time, n), or their gradients
    SPIKES,  # float32 (batch, time, n), or their gradients
    COUNTS,  # float32 (batch, n), spikes of each neuron within a sample's length, or the gradients
    D_INITIAL,  # float32 (states, batch, width)
    D_WEIGHT,  # float32 (channels in eights, width)
    D_RECURRENT_WEIGHT,  # float32 (width, width)
    D_PARAMETERS,  # float32 (parameters, width)
    ROOM,  # float32 (planes of ``programs.py``, samples, width)
    FIRED,  # int32 (samples, width): the neurons that fired last
    FIRED_COUNTS,  # int64 (samples + 1): how many in each sample, and in all of them
    BITS,  # int64 (samples, words of 64 bits): the same as bits
    MASKS,  # int64 (n): in which samples, or samples and steps, a neuron fired; 0 in narrow layers
    PAIRS,  # int32 (MASK_BITS): the bits of a mask
    RING,  # float32 (MASK_BITS, width): gradients of the drive of the last steps, backward pass
    DELAY,  # int32 (width): delays of what comes from below, in steps, or 0 for none
    SLOTS,  # largest of them + 1
    WAITING,  # float32 (SLOTS, samples, width): the ring buffer of ``delays.py``
    DELAY_REC,  # the same for the recurrent synapses, in addition to the one step of recurrence
    SLOTS_REC,
    WAITING_REC,
    HELD,  # float32 (samples, width): a line held apart from the drive or its gradient
) = range(36)

INPUT_FIELDS = 8
(
    DENSE,  # float32 (batch, time, channels), or 0 and event lists
    STARTS,  # int64 (batch, time + 1): step t of sample b owns events starts[b, t] to [b, t + 1]
    SOURCES,  # int32 (events): their channels
    VALUES,  # float32 (events): their values, or 0 for ones
    D_INPUTS,  # float32 (batch, time, channels), the gradient
    LINES,  # float32 (3, samples, channels_width): work space for a step of dense inputs
    FOUND,  # int32 (samples, channels_width): non-zero channels of a step
    FOUND_COUNTS,  # int64 (samples)
) = range(8)
