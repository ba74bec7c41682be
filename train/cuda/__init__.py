"""The exact way through time for spiking layers on a CUDA device: fused Triton kernels.

``train.cuda.sequence.spiking_sequence`` has the arguments of the CPU engine's;
``SRNN(config, engine="events").to("cuda")`` and ``SpikingSequence(...).to("cuda")`` use it for
every layer. This package imports without Triton and without a device; its ``sequence`` does not.
"""

from .choice import why_loop, why_not

__all__ = ["why_loop", "why_not"]
