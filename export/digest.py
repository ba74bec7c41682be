"""A digest of what a network computes: equal for equal integers, independent of the file."""

from __future__ import annotations

import hashlib

import numpy as np

from .network import Network
from .netx_write import file_values

_ABOUT = ("/srnn/task", "/srnn/provenance", "neuron_origin")
"""Ends of entries of a file that describe the origin of a network, not what it computes."""


def network_digest(network: Network) -> str:
    """Return the SHA-256 of a network's integers, scales and readout, in hexadecimal.

    It covers the paths, types, shapes and bytes of all entries of ``model.net`` except ``task``,
    ``provenance`` and the origin of a neuron.
    """
    digest = hashlib.sha256()
    for path, value in sorted(file_values(network, None).items()):
        if path.endswith(_ABOUT):
            continue
        array = np.asarray(value.encode() if isinstance(value, str) else value)
        little = array.astype(array.dtype.newbyteorder("<"))
        digest.update(f"{path} {little.dtype.str} {little.shape} ".encode())
        digest.update(little.tobytes())
    return digest.hexdigest()
