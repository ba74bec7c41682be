from .alif import AdaptiveLIF as AdaptiveLIF
from .atrlif import ThresholdRefractoryLIF as ThresholdRefractoryLIF
from .cuba_lif import CubaLIF as CubaLIF
from .li import LeakyIntegrator as LeakyIntegrator
from .neuron import Neuron as Neuron
from .neuron import Parameter as Parameter
from .neuron import take_step as take_step
from .registry import NEURONS as NEURONS
