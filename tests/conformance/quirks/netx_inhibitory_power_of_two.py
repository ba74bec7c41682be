"""netx: an inhibitory matrix whose minimum is -2^k is shifted to -256, which Dense clips to -255.

With both inputs active these two neurons get -252 and -128, not -256 and -130.
srnn-export --inspect names such a matrix as one that loses weights.
"""

import numpy as np
from lava.lib.dl.netx.utils import optimize_weight_bits
from lava.utils import weightutils

weights = np.array([[-128, -128], [-128, -2]])
shifted, bits, exponent, _ = optimize_weight_bits(weights)
mode = weightutils.determine_sign_mode(shifted)
clipped = weightutils.clip_weights(shifted, mode, num_bits=8)
used = weightutils.truncate_weights(clipped, mode, num_weight_bits=bits)
found = used.sum(axis=1) >> -exponent
assert found.tolist() == [-252, -128], found
