"""Dense: weights of both signs lose their lowest bit, towards minus infinity; 255 becomes 254.

srnn's files hold even weights where a matrix has both signs, and nothing is lost.
"""

import numpy as np
from lava.utils import weightutils

weights = np.array([[3, -3, 255, -255, 4]])
mode = weightutils.determine_sign_mode(weights)
clipped = weightutils.clip_weights(weights, mode, num_bits=8)
found = weightutils.truncate_weights(clipped, mode, num_weight_bits=8)
assert found.tolist() == [[2, -4, 254, -256, 4]], found
