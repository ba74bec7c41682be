"""LIF: the current wraps at 24 bits and keeps +2^23, while the voltage saturates at 2^23 - 1.

srnn computes the same: its CUBA neuron wraps u and clips v.
"""

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import Dense
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIF

messages = np.array([[1 << 17], [-(1 << 17)], [(1 << 17) + 1]])
source = RingBuffer(data=np.hstack([messages, 0 * messages]))
dense = Dense(weights=np.eye(3, dtype=int), num_message_bits=24)
neuron = LIF(shape=(3,), du=4095, dv=4095, vth=1 << 17)
source.s_out.connect(dense.s_in)
dense.a_out.connect(neuron.a_in)
neuron.run(condition=RunSteps(num_steps=2), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
u, v = neuron.u.get(), neuron.v.get()
neuron.stop()
assert u.tolist() == [1 << 23, 1 << 23, (1 << 23) + 64 - (1 << 24)], u
assert v.tolist() == [(1 << 23) - 1, (1 << 23) - 1, 64 - (1 << 23)], v
