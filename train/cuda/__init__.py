"""Spiking layers over a whole sequence on a CUDA device, exactly: fused Triton kernels.

``load_stack()`` returns ``spiking_stack``, with the arguments of the CPU engine's, from
``train/cuda/stack.py``. ``SRNN(config, engine="events").to("cuda")`` and
``SpikingSequence(...).to("cuda")`` use it. The package imports without Triton and without a device.
"""

from .choice import load_stack, why_loop, why_not

__all__ = ["load_stack", "why_loop", "why_not"]
