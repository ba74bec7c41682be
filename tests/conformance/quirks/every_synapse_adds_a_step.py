"""Dense: every synapse process adds one step; layer l lags the input by l steps.

srnn compares a layer's window from step l + 1 on.
"""

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import Dense
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIF

found = []
for steps in (1, 2):
    source = RingBuffer(data=np.array([[1, 0]]))
    dense = Dense(weights=np.array([[64]]))
    neuron = LIF(shape=(1,), du=4095, dv=0, vth=1 << 17)
    source.s_out.connect(dense.s_in)
    dense.a_out.connect(neuron.a_in)
    neuron.run(condition=RunSteps(num_steps=steps), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    found.append(int(neuron.u.get()[0]))
    neuron.stop()
assert found == [0, 4096], found
