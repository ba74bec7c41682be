"""Operations of networks that do not spike, for a comparison with those that do."""

from __future__ import annotations

from .config import ModelConfig
from .dense import DenseOperations, dense_operations
from .errors import InputError


def step_operations(config: ModelConfig) -> tuple[DenseOperations, ...]:
    """Count the operations of each layer of a baseline in one time step for one sample.

    Dense layers as ``dense_operations`` counts them. A ReLU layer (``alif_relu``) of m inputs and n
    neurons has m n, or m n + n n where recurrent, multiply-accumulates, and 4 n further products:
    by alpha, rho, the adaptation strength and, for the reset, the activation. An ``li`` readout has
    m n and n. Values of 0 count like others, also for inputs that spike.

    Raises
    ------
    InputError
        A layer that spikes: its operations depend on its spikes, and a simulation counts them.
    """
    counted = []
    for index, layer in enumerate(config.layers):
        inputs = config.input_width(index)
        if layer.dense:
            counted.append(dense_operations(layer.neuron, layer.size, inputs))
            continue
        products = {"alif_relu": 4, "li": 1}.get(layer.neuron)
        if products is None:
            raise InputError(
                f"layer {index}: {layer.neuron} spikes; srnn-simulate counts its operations"
            )
        sources = inputs + (layer.size if layer.recurrent else 0)
        directions = 2 if layer.bidirectional else 1
        counted.append(
            DenseOperations(
                directions * layer.size * sources, directions * products * layer.size, 0
            )
        )
    return tuple(counted)
