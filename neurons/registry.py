"""The neurons of integers by their name in a file."""

from __future__ import annotations

from .alif import AdaptiveLIF
from .atrlif import ThresholdRefractoryLIF
from .cuba_lif import CubaLIF
from .li import LeakyIntegrator
from .neuron import Neuron

NEURONS: dict[str, type[Neuron]] = {
    record.TYPE: record
    for record in (CubaLIF, AdaptiveLIF, LeakyIntegrator, ThresholdRefractoryLIF)
}
"""The neuron models by their name in a file."""
