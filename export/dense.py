"""Dense baselines: the classical recurrent layers that spiking ones are compared with.

Their weights and operations, as plain numbers; ``train/dense.py`` trains them. They have no integer
form.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DenseKind:
    """The structure of a kind of dense layer.

    ``gates``: number of stacked weight matrices (n, n_in) and, if ``recurrent``, (n, n).
    ``products``: multiplications per neuron and step other than those by weights, and
    ``activations``: sigmoids and tanhs per neuron and step, in the equations of ``train/dense.py``.
    """

    gates: int
    recurrent: bool
    products: int
    activations: int


DENSE_LAYERS: dict[str, DenseKind] = {
    "rnn": DenseKind(gates=1, recurrent=True, products=0, activations=1),
    "gru": DenseKind(gates=3, recurrent=True, products=3, activations=3),
    "lstm": DenseKind(gates=4, recurrent=True, products=3, activations=5),
    "linear": DenseKind(gates=1, recurrent=False, products=0, activations=0),
}
"""Dense layers by their name in a config."""


@dataclass(frozen=True)
class DenseOperations:
    """Operations of a layer in one time step for one sample, without biases.

    ``macs``: multiply-accumulates with weights, all of them, since a dense layer's activations are
    almost never 0. ``products``: other multiplications. ``activations``: sigmoids and tanhs.
    """

    macs: int
    products: int
    activations: int


def dense_operations(kind: str, size: int, inputs: int) -> DenseOperations:
    """Count the operations of a dense layer of ``size`` neurons on ``inputs`` channels.

    An LSTM of m inputs and n neurons has 4 (m n + n n) multiply-accumulates per step, 3 n further
    products and 5 n activations; a GRU 3 (m n + n n), 3 n and 3 n; an Elman network m n + n n and n
    activations; a linear readout m n.
    """
    layer = DENSE_LAYERS[kind]
    sources = inputs + (size if layer.recurrent else 0)
    return DenseOperations(
        layer.gates * size * sources, layer.products * size, layer.activations * size
    )


def dense_weights(kind: str, size: int, inputs: int) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of a dense layer's weights, gates in torch's order."""
    layer = DENSE_LAYERS[kind]
    rows = layer.gates * size
    if not layer.recurrent:
        return {"weight": (rows, inputs), "bias": (rows,)}
    return {
        "weight": (rows, inputs),
        "weight_rec": (rows, size),
        "bias": (rows,),
        "bias_rec": (rows,),
    }
