"""netx: a type it does not know gives None, and then an AttributeError that does not name it.

srnn's adaptive layers carry a type of their own, so that netx stops there and drops nothing.
"""

from lava.lib.dl.netx.hdf5 import Network

assert Network.get_neuron_params({"type": "SRNN_ALIF"}) is None
