"""``model.net``: the HDF5 file that carries a network of integers; docs/FORMAT.md specifies it.

``/layer`` is in the NetX format of lava-dl: stock lava-dl loads it if it can run the network, and
refuses it otherwise. ``/srnn`` holds everything exactly. Files of lava-dl are read too.
"""

from __future__ import annotations

import os

from .errors import InputError
from .filekind import NETWORK, check_kind
from .files import replace_file
from .network import Network
from .netx_hdf5 import file_bytes, read_attributes, read_contents
from .netx_lava_dl import network_of_lava_dl
from .netx_read import check_version, network_of, samples_of
from .netx_stock import stock_lava_dl_obstacles
from .netx_write import FORMAT_VERSION, file_attributes, file_values
from .reading.files import located
from .samples import Samples

__all__ = [
    "FORMAT_VERSION",
    "read_net",
    "read_samples",
    "stock_lava_dl_obstacles",
    "write_net",
]


def write_net(
    path: str | os.PathLike[str], network: Network, samples: Samples | None = None
) -> None:
    """Write a ``model.net``; the old file stays until the new one is complete.

    Equal networks and samples give equal bytes.

    Raises
    ------
    InputError
        Samples of another network; a ``dt`` or ``input_scale`` that is not positive, a ``task`` or
        ``provenance`` that JSON cannot carry.
    """
    values = file_values(network, samples)
    replace_file(path, file_bytes(values, file_attributes(network)))


def read_net(path: str | os.PathLike[str], num_layers: int | None = None) -> Network:
    """Read and check a ``model.net``, or a NetX file that lava-dl wrote.

    Parameters
    ----------
    path
        The file. With ``/srnn`` it is read from there, otherwise by the rules of lava-dl's
        ``netx``.
    num_layers
        For files of lava-dl: stop before the group ``/layer/<num_layers>``, as ``netx`` does.

    Raises
    ------
    InputError
        Not such a file, truncated, damaged, of a newer format version, with an entry that is
        missing, unexpected, or of another type, shape or range, or with a layer or neuron that is
        not supported.
    """
    check_kind(path, NETWORK)
    attributes = read_attributes(path, "srnn")
    if attributes is None:
        contents = read_contents(path, ("layer",))
        with located(path):
            return network_of_lava_dl(contents, num_layers)
    with located(path):
        if num_layers is not None:
            raise InputError("--layers (num_layers) is for files of lava-dl only")
        check_version(attributes)
    contents = read_contents(path, ("layer", "srnn"), without="/srnn/samples")
    with located(path):
        return network_of(contents)


def read_samples(path: str | os.PathLike[str]) -> Samples | None:
    """Return the samples of a ``model.net``, checked against its network; None if it has none.

    Raises
    ------
    InputError
        As ``read_net``; samples with wrong types, shapes or ranges.
    """
    network = read_net(path)
    if read_attributes(path, "srnn") is None:
        return None
    contents = read_contents(path, ("srnn",))
    with located(path):
        return samples_of(contents, network)
