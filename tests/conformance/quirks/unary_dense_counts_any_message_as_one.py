"""Dense: without num_message_bits every message that is not zero counts as 1, a negative one too.

srnn passes num_message_bits wherever inputs are graded.
"""

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import Dense
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIF

source = RingBuffer(data=np.array([[-7, 0]]))
dense = Dense(weights=np.array([[10]]))
neuron = LIF(shape=(1,), du=4095, dv=0, vth=1 << 17)
source.s_out.connect(dense.s_in)
dense.a_out.connect(neuron.a_in)
neuron.run(condition=RunSteps(num_steps=2), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
found = neuron.u.get()
neuron.stop()
assert found.tolist() == [640], found
