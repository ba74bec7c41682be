"""Damaged and hostile ``.net`` files: one clear error line or the same network, nothing else."""

# pyright: reportAttributeAccessIssue=false, reportIndexIssue=false
# pyright: reportOperatorIssue=false

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from export_networks import (
    adaptive_network,
    convolution_network,
    input_block_network,
    random_samples,
    same_samples,
    stock_network,
)
from srnn.export.errors import InputError
from srnn.export.network import same_network
from srnn.export.netx import read_net, read_samples, write_net

NETWORKS = {
    "stock": stock_network(),
    "alif": adaptive_network(),
}
CONVOLUTIONS = {
    "convolution": convolution_network(),
    "delayed": convolution_network(stock=False),
    "input-block": input_block_network(),
}


@pytest.fixture(params=NETWORKS)
def original(request, tmp_path):
    network = NETWORKS[request.param]
    samples = random_samples(np.random.default_rng(3), network)
    path = tmp_path / "model.net"
    write_net(path, network, samples)
    return path, network, samples


def outcome(path, network, samples):
    """Read a file; it must be refused with one line that names it, or be equal."""
    try:
        read, found = read_net(path), read_samples(path)
    except InputError as error:
        line = str(error)
        return "refused" if line.startswith(f"{path}: ") and "\n" not in line else line
    assert same_network(read, network)
    assert same_samples(found, samples)
    return "equal"


def test_truncated_files_are_refused(original):
    path, network, samples = original
    raw = path.read_bytes()
    for length in {*range(0, 200, 7), *range(200, len(raw), len(raw) // 150), len(raw) - 1}:
        path.write_bytes(raw[:length])
        assert outcome(path, network, samples) == "refused", length


def test_flipped_bits_never_give_another_network(original):
    path, network, samples = original
    raw, rng = path.read_bytes(), np.random.default_rng(7)
    outcomes = []
    for _ in range(400):
        damaged = bytearray(raw)
        for _ in range(int(rng.integers(1, 4))):
            damaged[rng.integers(len(raw))] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(damaged))
        outcomes.append(outcome(path, network, samples))
    assert set(outcomes) <= {"refused", "equal"}
    assert outcomes.count("refused") > 300


def datasets(path):
    names = []
    with h5py.File(path) as file:
        file.visititems(
            lambda name, entry: names.append(name) if isinstance(entry, h5py.Dataset) else None
        )
    return names


def test_every_dataset_is_needed(original):
    path, _, _ = original
    raw = path.read_bytes()
    optional = {"srnn/samples/targets", "srnn/samples/valid"}
    for name in datasets(path):
        path.write_bytes(raw)
        with h5py.File(path, "r+") as file:
            del file[name]
        if name in optional:
            assert read_samples(path) is not None
            continue
        with pytest.raises(InputError) as caught:
            read_samples(path)
        assert f"/{name}: missing" in str(caught.value), name


def test_every_dataset_is_checked_for_type_and_shape(original):
    path, _, _ = original
    raw = path.read_bytes()
    for name in datasets(path):
        for wrong in ("words", np.zeros((2, 2), np.complex64), np.zeros((2, 3, 4, 5), np.int16)):
            path.write_bytes(raw)
            with h5py.File(path, "r+") as file:
                del file[name]
                file[name] = wrong
            with pytest.raises(InputError) as caught:
                read_samples(path)
            assert f"/{name}" in str(caught.value), (name, wrong)


def test_every_standard_value_must_agree_with_ours(original):
    path, _, _ = original
    raw = path.read_bytes()
    for name in datasets(path):
        if not name.startswith("layer") or "/weight" in name or name.endswith("type"):
            continue
        path.write_bytes(raw)
        with h5py.File(path, "r+") as file:
            value = file[name][()]
            file[name][...] = ~value if value.dtype == np.bool_ else value + 2
        with pytest.raises(
            InputError, match="does not agree with the network that /srnn"
        ) as caught:
            read_net(path)
        assert f"/{name}" in str(caught.value)


EDITS = [
    ("srnn/layer/1/neuron/vDecay", (0,), 5000, r"vDecay\[0\]: 5000 is outside [01]..4096"),
    ("srnn/layer/1/neuron/bias", (2,), 1 << 23, r"bias\[2\]: 8388608 is outside -8388607..8388607"),
    ("srnn/layer/1/state_scale", (1,), np.nan, r"state_scale\[1\]: nan is not a finite number"),
    ("srnn/layer/1/state_scale", (1,), -1.0, "a state scale is not a positive number"),
    ("srnn/layer/1/weight_exp", (), 8, "weight_exp: 8 is outside -8..7"),
    ("srnn/dt", (), np.inf, "/srnn/dt: inf is not a finite number"),
    ("srnn/dt", (), -1.0, "/srnn/dt: -1.0 is not 0 or more"),
    ("srnn/input_scale", (), 0.0, "/srnn/input_scale: 0.0 is not above 0"),
    ("srnn/message_bits", (), 25, "message_bits: 25 is outside 0..24"),
    ("layer/1/weight", (0, 1), 0.5, r"/layer/1/weight\[0, 1\]: 0.5 is not a whole number"),
    ("layer/1/weight", (0, 1), np.nan, r"/layer/1/weight\[0, 1\]: nan is not a whole number"),
    ("layer/1/weight", (0, 1), 300, r"/layer/1/weight\[0, 1\]: 300.0 is outside -256..255"),
    ("layer/1/weight", (0, 1), 33, "weight of neuron 0 from source 1: 33 is not on the 8-bit grid"),
    ("srnn/samples/lengths", (0,), 99, r"lengths\[0\] is 99, outside 0.."),
    ("srnn/samples/inputs", (0, 0, 0), 2, "inputs: 2 is outside 0..1"),
]


@pytest.mark.parametrize(("name", "at", "value", "match"), EDITS)
def test_values_out_of_range_are_named(original, name, at, value, match):
    path, _, _ = original
    with h5py.File(path, "r+") as file:
        file[name][at] = value
    with pytest.raises(InputError, match=match) as caught:
        read_samples(path)
    assert str(caught.value).startswith(f"{path}: ")


READOUTS = [
    ("{", "is not JSON"),
    ("[" * 100_000, "is not JSON"),
    ("[]", "is not an object"),
    ("{}", "entries none, needs kind, skip_steps and classes"),
    ({"kind": "best", "skip_steps": 0, "classes": []}, "unknown readout 'best'"),
    ({"kind": "membrane", "skip_steps": True, "classes": []}, "skip_steps True is not an integer"),
    ({"kind": "membrane", "skip_steps": -1, "classes": []}, "skip_steps -1 is negative"),
    ({"kind": "membrane", "skip_steps": 0, "classes": ["a"]}, "1 class names for 3 output neurons"),
    ({"kind": "membrane", "skip_steps": 0, "classes": [1, 2, 3]}, "not a list of strings"),
    ('{"kind": "membrane", "skip_steps": NaN, "classes": []}', "NaN is not a number"),
]


@pytest.mark.parametrize(("readout", "match"), READOUTS)
def test_bad_readouts_are_refused(original, readout, match):
    path, _, _ = original
    with h5py.File(path, "r+") as file:
        del file["srnn/readout"]
        file["srnn/readout"] = readout if isinstance(readout, str) else json.dumps(readout)
    with pytest.raises(InputError, match=match):
        read_net(path)


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("format_version", 7, "format version 7, this srnn reads 2; update srnn$"),
        ("format_version", 0, "format version 0, the first is 1"),
        ("format_version", "1", "format_version: '1', needs an integer"),
        ("format_version", 1.0, "format_version: float64"),
        ("format", "other", "format: 'other', needs 'srnn-net'"),
        ("format", 3, "format: int64"),
        ("format", None, "format: missing, needs 'srnn-net'"),
    ],
)
def test_header_is_checked_first(original, name, value, match):
    path, _, _ = original
    with h5py.File(path, "r+") as file:
        del file["srnn"].attrs[name]
        if value is not None:
            file["srnn"].attrs[name] = np.bytes_(value) if isinstance(value, str) else value
        file["srnn/of_the_future"] = "x" * 10
    with pytest.raises(InputError, match=match):
        read_net(path)


@pytest.mark.parametrize(
    "name",
    [
        "srnn/more",
        "srnn/layer/1/neuron/tau",
        "layer/1/neuron/messageBits",
        "layer/2/delay_x",
        "layer/0/bias",
    ],
)
def test_unknown_datasets_are_refused_by_name(original, name):
    path, _, _ = original
    with h5py.File(path, "r+") as file:
        file[name] = 1
    with pytest.raises(InputError, match=f"/{name}: unknown to this format"):
        read_net(path)


def test_unknown_samples_and_groups_are_refused(original):
    path, _, _ = original
    with h5py.File(path, "r+") as file:
        file["srnn/samples/weights"] = 1
        file.create_group("elsewhere")["ignored"] = h5py.ExternalLink("x.h5", "/y")
    assert read_net(path) is not None
    with pytest.raises(InputError, match="/srnn/samples/weights: unknown"):
        read_samples(path)
    with h5py.File(path, "r+") as file:
        file.create_group("layer/9")
    with pytest.raises(InputError, match=r"/layer/9: the \d layers must be numbered"):
        read_net(path)


def test_layers_must_be_numbered(original):
    path, _, _ = original
    with h5py.File(path, "r+") as file:
        file.move("srnn/layer/1", "srnn/layer/7")
    with pytest.raises(InputError, match=r"/srnn/layer/7: the \d layers must be numbered from 1"):
        read_net(path)


def replace_by_soft_link(file):
    del file["srnn/dt"]
    file["srnn/dt"] = h5py.SoftLink("/srnn/input_scale")


def replace_by_external_link(file):
    del file["layer/1/weight"]
    file["layer/1/weight"] = h5py.ExternalLink("other.h5", "/weight")


def replace_group_by_link(file):
    del file["srnn"]
    file["srnn"] = h5py.ExternalLink("other.h5", "/srnn")


def link_twice(file):
    del file["srnn/dt"]
    file["srnn/dt"] = file["srnn/input_scale"]


def cycle(file):
    file["layer/1/neuron/again"] = file["layer"]


def deep(file):
    file["srnn/a/b/c/d/e/f/g/h/i/j"] = 1


def virtual(file):
    layout = h5py.VirtualLayout(shape=(), dtype=np.float64)
    layout[()] = h5py.VirtualSource("other.h5", "x", shape=())
    del file["srnn/dt"]
    file.create_virtual_dataset("srnn/dt", layout)


def external_storage(file):
    del file["srnn/dt"]
    file.create_dataset("srnn/dt", (1,), np.float64, external=[("/etc/hostname", 0, 8)])


def null_space(file):
    del file["srnn/dt"]
    file["srnn/dt"] = h5py.Empty(np.float64)


def zero_size(file):
    del file["layer/1/weight"]
    file["layer/1/weight"] = np.zeros((0, 4), np.float32)


def huge(file):
    del file["layer/1/weight"]
    file.create_dataset("layer/1/weight", (1 << 40, 1 << 20), np.float32, chunks=(1, 1 << 10))


def many_strings(file):
    del file["srnn/task"]
    file["srnn/task"] = np.array([b"{}", b"{}"])


def not_utf8(file):
    del file["srnn/task"]
    file["srnn/task"] = np.bytes_(b"\xff\xfe")


def committed_type(file):
    file["srnn/kind"] = np.dtype("int32")


def as_dataset(file):
    del file["srnn/layer"]
    file["srnn/layer"] = 3


@pytest.mark.parametrize(
    ("attack", "match"),
    [
        (replace_by_soft_link, "/srnn/dt: is a soft or external link"),
        (replace_by_external_link, "/layer/1/weight: is a soft or external link"),
        (replace_group_by_link, "/srnn: is a soft or external link"),
        (link_twice, "the same object is linked twice"),
        (cycle, "the same object is linked twice"),
        (deep, "levels of groups"),
        (external_storage, "/srnn/dt: its data are in other files"),
        (null_space, "/srnn/dt: is empty"),
        (zero_size, "/layer/1/weight: is empty"),
        (huge, "/layer/1/weight: asks for .* above .* set SRNN_READ_BYTES="),
        (many_strings, "/srnn/task: 2 strings, needs one"),
        (not_utf8, "/srnn/task: holds a string that is not UTF-8"),
        (committed_type, "/srnn/kind: is neither a group nor a dataset"),
        (as_dataset, "/srnn/layer: missing, or not a group"),
        (virtual, "/srnn/dt: its data are in other files"),
    ],
)
def test_hostile_files(original, attack, match):
    path, _, _ = original
    with h5py.File(path, "r+") as file:
        attack(file)
    with pytest.raises(InputError, match=match):
        read_net(path)


@pytest.mark.parametrize("content", [b"", b"not HDF5 at all", b"\x89HDF\r\n\x1a\n" + bytes(500)])
def test_foreign_bytes(tmp_path, content):
    path = tmp_path / "m.net"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a readable HDF5 file, truncated, damaged or foreign"):
        read_net(path)


def test_an_hdf5_file_without_layers(tmp_path):
    with h5py.File(tmp_path / "m.net", "w") as file:
        file["x"] = 1
    with pytest.raises(InputError, match="/layer: missing, or not a group"):
        read_net(tmp_path / "m.net")
    with h5py.File(tmp_path / "m.net", "w") as file:
        file.create_group("layer")
    with pytest.raises(InputError, match="/layer: is empty"):
        read_net(tmp_path / "m.net")


@pytest.fixture(params=CONVOLUTIONS)
def convolved(request, tmp_path):
    network = CONVOLUTIONS[request.param]
    samples = random_samples(np.random.default_rng(3), network)
    path = tmp_path / "model.net"
    write_net(path, network, samples)
    return path, network, samples


def test_flipped_bits_of_convolutions(convolved):
    path, network, samples = convolved
    raw, rng = path.read_bytes(), np.random.default_rng(8)
    outcomes = []
    for _ in range(200):
        damaged = bytearray(raw)
        for _ in range(int(rng.integers(1, 4))):
            damaged[rng.integers(len(raw))] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(damaged))
        outcomes.append(outcome(path, network, samples))
    assert set(outcomes) <= {"refused", "equal"}


@pytest.mark.slow
def test_every_entry_of_a_convolution_counts(convolved):
    path, network, samples = convolved
    raw = path.read_bytes()
    for name in datasets(path):
        if name.startswith("srnn/samples") or "state_scale" in name:
            continue
        changed = [None]
        with h5py.File(path) as file:
            if file[name].dtype.kind in "iuf":
                changed += [file[name][()] + 2, file[name][()][..., None], -file[name][()] - 1]
        for value in changed:
            path.write_bytes(raw)
            with h5py.File(path, "r+") as file:
                del file[name]
                if value is not None:
                    file[name] = value
            if name in FREE and value is not None:
                continue
            equal = value is not None and name.endswith("delay") and not np.any(value)
            assert outcome(path, network, samples) == ("equal" if equal else "refused"), name


FREE = {
    "srnn/dt",
    "srnn/input_scale",
    "srnn/message_bits",
    *(f"layer/{i}/weight" for i in range(5)),
    *(f"srnn/layer/{i}/delay" for i in (1, 2, 3)),
    *(f"srnn/layer/{i}/weight_exp" for i in (1, 2, 3)),
}
"""Entries with which another value gives another network."""


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("layer/1/stride", [0, 1], r"stride: \(0, 1\) is outside 1.."),
        ("layer/1/stride", [-1, 1], r"stride: \(-1, 1\) is outside 1.."),
        ("layer/1/stride", [1], r"stride: shape \(1,\), needs \(2,\)"),
        ("layer/1/padding", [0, -1], "padding: .* is outside 0.."),
        ("layer/1/padding", [1 << 60, 0], "padding: .* is outside 0.."),
        ("layer/1/dilation", [1, 0], "dilation: .* is outside 1.."),
        ("layer/1/dilation", [9, 9], "kernel: spans 19 rows, but the padded sources have 8"),
        ("layer/1/groups", 3, "groups: 3 do not divide 4 channels"),
        ("layer/1/groups", [2], r"groups: shape \(1,\), needs a scalar"),
        ("layer/1/groups", 2.0, "groups: holds float64, needs int64"),
        (
            "layer/1/type",
            np.array([b"convT"], "S10"),
            "'convT', needs one of input, flatten",
        ),
        ("layer/3/type", np.array([b"dense"], "S10"), "describes 4 layers of neurons, .* 3"),
        ("srnn/layer/1/shape_in", [4, 5, 6], "shape_in|iDecay|shape"),
        ("srnn/layer/1/shape_in", [4, 30], r"shape_in: shape \(2,\), needs \(3,\)"),
        ("srnn/layer/1/shape_in", [1 << 40, 1, 1], "shape_in: .* is outside"),
        ("srnn/layer/1/delay", np.int32([1, 2]), r"delay: shape \(2,\), needs \(4,\)"),
        ("srnn/layer/1/delay", np.int32(5), "5 as a scalar, which can only be 0"),
        ("srnn/layer/1/delay", np.int32([0, 0, 0, 63]), "63 is outside 0..62"),
        ("layer/1/weight", np.float32([[1, 2]]), r"weight: shape \(1, 2\), needs \(channels out"),
    ],
)
def test_bad_convolutions_are_named(tmp_path, name, value, match):
    path = tmp_path / "m.net"
    write_net(path, convolution_network())
    with h5py.File(path, "r+") as file:
        del file[name]
        file[name] = value
    with pytest.raises(InputError, match=match) as caught:
        read_net(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("populations", "match"),
    [(True, "populations True is not an integer"), (4, "4 populations do not divide 6"),
     (-2, "populations -2 is negative"), (3, "2 class names for 3 populations")],
)  # fmt: skip
def test_bad_populations_are_named(tmp_path, populations, match):
    path = tmp_path / "m.net"
    write_net(path, convolution_network())
    with h5py.File(path, "r+") as file:
        readout = json.loads(file["srnn/readout"][()]) | {"populations": populations}
        del file["srnn/readout"]
        file["srnn/readout"] = json.dumps(readout)
    with pytest.raises(InputError, match=match):
        read_net(path)
