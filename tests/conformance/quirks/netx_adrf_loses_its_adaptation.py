"""netx: a neuron type that contains RF loads as plain RF; ADRF loses its adaptation silently.

srnn refuses such neurons by name when it reads a file, and writes no type that contains RF.
"""

import numpy as np
from lava.lib.dl.netx.hdf5 import Network
from lava.proc.rf.process import RF

config = {
    "type": "ADRF_PHASE",
    "sinDecay": np.array(1000),
    "cosDecay": np.array(3000),
    "vThMant": np.array(80),
    "thDecay": np.array(100),
    "vThStep": np.array(40),
}
found = Network.get_neuron_params(config)
assert found["neuron_proc"] is RF, found
assert not any("th_" in key or "step" in key for key in found), found
