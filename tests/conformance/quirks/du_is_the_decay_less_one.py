"""LIF: du is one less than the decay; du 0 decays, and only du -1 keeps the current.

srnn's files hold the decay itself, as lava-dl's do.
"""

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import Dense
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIF

found = {}
for du in (0, -1):
    source = RingBuffer(data=np.array([[1, 0, 0]]))
    dense = Dense(weights=np.array([[64]]))
    neuron = LIF(shape=(1,), du=du, dv=0, vth=1 << 17)
    source.s_out.connect(dense.s_in)
    dense.a_out.connect(neuron.a_in)
    neuron.run(condition=RunSteps(num_steps=3), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    found[du] = int(neuron.u.get()[0])
    neuron.stop()
assert found == {0: 4095, -1: 4096}, found
