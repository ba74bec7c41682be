"""The exact way through time for spiking layers on a CUDA device: fused Triton kernels.

``load_sequence()`` returns ``spiking_sequence``, with the arguments of the CPU engine's, from
``train/cuda/sequence.py``. ``SRNN(config, engine="events").to("cuda")`` and
``SpikingSequence(...).to("cuda")`` use it for every layer. The package imports without Triton and
without a device.
"""

from .choice import load_sequence, why_loop, why_not

__all__ = ["load_sequence", "why_loop", "why_not"]
