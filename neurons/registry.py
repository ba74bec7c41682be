"""The neurons of integers by their name in a file."""

from __future__ import annotations

from .adlif import AdaptiveCurrentLIF, AdLIF
from .alif import ALIF, LIF, AdaptiveLIF, ReLUALIF
from .atrlif import ThresholdRefractoryLIF
from .brf import BRF, ResonateFire
from .cuba_lif import CubaLIF, CurrentLIF
from .errors import InputError
from .gradient import float_program
from .li import LI, LeakyIntegrator
from .neuron import Neuron, program
from .real import FloatNeuron, check_declared

NEURONS: dict[str, type[Neuron]] = {
    record.TYPE: record
    for record in (
        CubaLIF,
        AdaptiveLIF,
        LeakyIntegrator,
        ThresholdRefractoryLIF,
        AdaptiveCurrentLIF,
        ResonateFire,
    )
}
"""The neuron models by their name in a file."""

BUILT_IN = frozenset(NEURONS.values())
"""Those of srnn itself, which every reader of a file has."""


FLOAT_NEURONS: dict[str, type[FloatNeuron]] = {
    neuron.NAME: neuron for neuron in (ALIF, ReLUALIF, LIF, CurrentLIF, LI, AdLIF, BRF)
}
"""The neurons of real numbers by their name in a recipe."""


BUILT_IN_FLOAT = tuple(FLOAT_NEURONS)
"""The names of those that srnn has itself."""


def register(record: type[Neuron]) -> type[Neuron]:
    """Add a neuron to ``NEURONS``, so that files may name it; may be used as a decorator.

    Raises
    ------
    InputError
        Its name is taken or is no name; it is no dataclass; two parameters have one key, or one
        that a file cannot hold; its step is not one (``neuron.program``).
    """
    name = record.TYPE
    if not (name.isascii() and name.isidentifier()):
        raise InputError(f"neuron {record.__name__}: TYPE {name!r} is not a name of letters and _")
    if NEURONS.get(name, record) is not record:
        raise InputError(f"neuron {record.__name__}: the name {name} is taken by another neuron")
    if "__dataclass_fields__" not in vars(record):
        raise InputError(f"neuron {name}: write @dataclass(frozen=True, eq=False) above its class")
    keys = [entry.key for entry in record.PARAMETERS]
    for key in keys:
        if not (key.isascii() and key.isidentifier()) or key == "type":
            raise InputError(f"neuron {name}: key {key!r} is not a name of letters and _, or taken")
        if keys.count(key) > 1:
            raise InputError(f"neuron {name}: two parameters have the key {key}")
    program(record)
    NEURONS[name] = record
    return record


def register_float(neuron: type[FloatNeuron]) -> type[FloatNeuron]:
    """Add a neuron to ``FLOAT_NEURONS``, so that recipes may name it; may be used as a decorator.

    Raises
    ------
    InputError
        Its name is taken or is no name, what it declares is not complete, or its step is not one
        (``gradient.float_program``).
    """
    name = neuron.NAME
    if FLOAT_NEURONS.get(name, neuron) is not neuron:
        raise InputError(f"neuron {neuron.__name__}: the name {name} is taken by another neuron")
    check_declared(neuron)
    float_program(neuron)
    FLOAT_NEURONS[name] = neuron
    return neuron


def check_registered(record: type[Neuron]) -> None:
    """Raise InputError for a neuron that ``NEURONS`` does not have under its name."""
    if NEURONS.get(record.TYPE) is not record:
        raise InputError(
            f"neuron {record.TYPE} ({record.__module__}.{record.__name__}) is not registered; call "
            f"srnn.neurons.register({record.__name__}) first"
        )
