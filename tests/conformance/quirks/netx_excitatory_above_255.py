"""netx: an excitatory matrix with a weight above 255 becomes all zero without a message.

A file of srnn holds weights up to 255.
"""

import numpy as np
from lava.lib.dl.netx.utils import optimize_weight_bits

shifted, _, _, _ = optimize_weight_bits(np.array([[256, 128]]))
assert not shifted.any(), shifted
