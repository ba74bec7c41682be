"""How a stack of layers is told to the kernels: a row of int64 a layer, fields by place.

Sizes count elements, everything else is the address of a C-contiguous array, or 0 for none. One
thread's rows differ from another's in their room and in the gradients that they add to. Shapes:
``n`` neurons padded to ``width``, ``channels`` inputs padded to ``channels_width``, ``samples`` in
a block, ``planes`` 2 where a program keeps a second state, else 1.
"""

from __future__ import annotations

FIELDS = 40
"""Fields of a row."""

(
    PROGRAM,  # number of the neuron program
    NEURONS,
    WIDTH,
    CHANNELS,
    CHANNELS_WIDTH,
    PARAMETERS,  # float32 (5, width)
    WEIGHT,  # float32, ahead (channels, width), back (n, channels_width) in panels of ``rows.py``
    WEIGHT_REC,  # float32, ahead (n, width) from row to column, back to row, in panels
    PLANES,  # planes that are kept of a step
    KEPT,  # float32 (blocks, time, planes, samples, width): v, then the second state
    INITIAL,  # float32 (3, batch, width): u, second and s before the first step
    FINAL,  # float32 (3, batch, width): those after the last step, or their gradients
    MEMBRANES,  # float32 (batch, time, n), or their gradients
    SPIKES,  # float32 (batch, time, n), or their gradients
    COUNTS,  # float32 (batch, n), spikes of each neuron within a sample's length, or the gradients
    D_INITIAL,  # float32 (3, batch, width)
    D_WEIGHT,  # float32 (channels in eights, width)
    D_WEIGHT_REC,  # float32 (width, width)
    D_PARAMETERS,  # float32 (5, width)
    ROOM,  # float32 (4 ahead, 8 back; samples, width): the planes of ``programs.py``
    FIRED,  # int32 (samples, width): the neurons that fired last
    FIRED_COUNTS,  # int64 (samples + 1): how many of each sample, and of all together
    BITS,  # int64 (samples, words of 64 bits): the same as bits
    MASKS,  # int64 (n): which samples, or samples and steps, a neuron fired in; 0 of narrow layers
    PAIRS,  # int32 (MASK_BITS): the bits of a mask
    RING,  # float32 (MASK_BITS, width): gradients of the drive of the last steps, on the way back
    DELAY,  # int32 (width): steps by which what comes from below is late, or 0 for none
    SLOTS,  # largest of them + 1
    WAITING,  # float32 (SLOTS, samples, width): what is under way, of ``delays.py``
    DELAY_REC,  # the same of the recurrent synapses, beyond the step that they take by themselves
    SLOTS_REC,
    WAITING_REC,
    HELD,  # float32 (samples, width): a line that waits apart from the drive or its gradient
) = range(33)

INPUT_FIELDS = 8
(
    DENSE,  # float32 (batch, time, channels), or 0 and event lists
    STARTS,  # int64 (batch, time + 1): step t of sample b owns events starts[b, t] to [b, t + 1]
    SOURCES,  # int32 (events): their channels
    VALUES,  # float32 (events): their values, or 0 for ones
    D_INPUTS,  # float32 (batch, time, channels), the gradient
    LINES,  # float32 (3, samples, channels_width): room for a step of dense inputs
    FOUND,  # int32 (samples, channels_width): channels of a step that are not 0
    FOUND_COUNTS,  # int64 (samples)
) = range(8)
