"""netx: a matrix of zeros ends in an OverflowError.

srnn-export --inspect names such a layer.
"""

import numpy as np
from lava.lib.dl.netx.utils import optimize_weight_bits

found = ""
try:
    with np.errstate(divide="ignore"):
        optimize_weight_bits(np.zeros((2, 2), dtype=int))
except OverflowError as error:
    found = str(error)
assert "infinity" in found, found
