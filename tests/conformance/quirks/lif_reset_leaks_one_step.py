"""LIFReset: a recurrent layer's last spikes reach the sample after the reset.

The spikes of the step before the reset are still in the recurrent Dense. They arrive in the step of
the reset, which zeroes the state before it adds what arrives: v is 640 there, not 0.
srnn builds every sample in fresh processes.
"""

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import Dense
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIFReset

source = RingBuffer(data=np.array([[0, 0, 1, 0, 0, 0]]))
forward, back = Dense(weights=np.array([[100]])), Dense(weights=np.array([[10]]))
neuron = LIFReset(shape=(1,), du=4095, dv=4095, vth=50, reset_interval=5, reset_offset=0)
source.s_out.connect(forward.s_in)
forward.a_out.connect(neuron.a_in)
neuron.s_out.connect(back.s_in)
back.a_out.connect(neuron.a_in)
# The input of step 3 makes it spike in step 4; step 5 resets it.
neuron.run(condition=RunSteps(num_steps=5), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
found = neuron.v.get()
neuron.stop()
assert found.tolist() == [640], found
