"""LIF: the bias acts from Lava's first step on, before the layer's first input arrives.

srnn resets a stock layer at its first input, or runs a process of its own that waits for it.
"""

from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.lif.process import LIF

neuron = LIF(shape=(1,), du=4095, dv=0, vth=1 << 17, bias_mant=3, bias_exp=6)
neuron.run(condition=RunSteps(num_steps=1), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
found = neuron.v.get()
neuron.stop()
assert found.tolist() == [192], found
