"""docs/FORMAT.md against the code: every dataset, every parameter, its type and its range."""

from __future__ import annotations

import re

import h5py
import numpy as np
import pytest
from export_networks import (
    adaptive_network,
    convolution_network,
    input_block_network,
    random_samples,
    stock_network,
)
from paths import ROOT
from srnn.export import checkpoint, grid
from srnn.export.network import NEURONS, READOUTS, Convolution
from srnn.export.netx import FORMAT_VERSION, write_net
from srnn.export.reading import limits
from srnn.export.samples import Samples
from srnn.neurons.real import TAU_MAX, TAU_MIN, names

TEXT = (ROOT / "docs" / "FORMAT.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if line.startswith("| `")
]


def documented():
    return {row[0].strip("`"): row for row in ROWS if row[0].startswith("`/")}


def test_every_parameter_has_its_range():
    rows = {(row[0].strip("`"), row[1].strip("`")): row for row in ROWS if len(row) == 4}
    expected = set()
    for kind, record in NEURONS.items():
        for parameter in record.PARAMETERS:
            expected.add((kind, parameter.key))
            _, _, unit, span = rows[kind, parameter.key]
            assert span == f"{parameter.low}..{parameter.high}", (kind, parameter.key)
            assert unit == parameter.unit, (kind, parameter.key)
    assert {pair for pair in rows if pair[0] in NEURONS} == expected


NETWORKS = {
    "stock": stock_network(),
    "alif": adaptive_network(),
    "convolution": convolution_network(),
    "delayed": convolution_network(stock=False),
    "input-block": input_block_network(),
}


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_every_dataset_of_a_file_has_a_row(tmp_path, network):
    samples = random_samples(np.random.default_rng(0), network)
    samples = Samples(
        samples.inputs,
        samples.lengths,
        np.zeros(samples.inputs.shape[:2], np.int64),
        np.ones(samples.inputs.shape[:2], bool),
        samples.output,
    )
    write_net(tmp_path / "m.net", network, samples)
    rows, seen = documented(), set()

    def check(name, entry):
        if not isinstance(entry, h5py.Dataset):
            return
        general = re.sub(r"/layer/[1-9]\d*/", "/layer/<i>/", f"/{name}")
        if general not in rows:
            # The group /layer/0 of an input with neurons is that of a layer.
            general = general.replace("/layer/0/", "/layer/<i>/")
        keys = {p.key for record in NEURONS.values() for p in record.PARAMETERS}
        if general not in rows and general.rsplit("/", 1)[1] in keys:
            # If stock lava-dl must refuse the file, /layer repeats the parameters of /srnn.
            general = "/srnn/layer/<i>/neuron/<key>"
        row = rows[general]
        kind = "string" if entry.dtype.kind == "S" and entry.dtype != "S10" else str(entry.dtype)
        if not (general.startswith("/layer") and entry.dtype == np.int32):
            assert kind.replace("|", "") == row[1], name
        shape = "(" + ", ".join("x" * entry.ndim) + ("," if entry.ndim == 1 else "") + ")"
        wanted = [re.sub(r"\w+", "x", s) for s in re.findall(r"\([^)]*\)", row[2])]
        assert shape in wanted, (name, shape, wanted)
        seen.add(general)

    with h5py.File(tmp_path / "m.net") as file:
        file.visititems(check)
        for attribute in file["srnn"].attrs:
            assert f"`{attribute}`" in TEXT
    missing = set(rows) - seen
    if isinstance(network.layers[0].synapses, Convolution):
        return
    allowed = {"weight_rec", "weight_exp_rec", "delay_rec", "bias", "delay", "<key>"}
    allowed |= {"iDecay", "vDecay", "vThMant", "refDelay", "gradedSpike"}
    allowed |= {"inChannels", "outChannels", "kernelSize", "stride", "padding", "dilation"}
    allowed |= {"groups", "shape_in", "neuron_digest", "neuron_origin"}
    assert {name.rsplit("/", 1)[1] for name in missing} <= allowed


def test_limits_are_those_of_the_code():
    rows = documented()
    assert rows["/srnn/message_bits"][4].endswith(
        f"1..{grid.MESSAGE_BITS_MAX}: graded inputs of that many bits plus a sign"
    )
    assert rows["/srnn/layer/<i>/weight_exp"][4].startswith(
        f"{grid.WEIGHT_EXP_MIN}..{grid.WEIGHT_EXP_MAX}"
    )
    assert f"else 0..{grid.DELAY_MAX}" in rows["/srnn/layer/<i>/delay"][4]
    assert f"even, {grid.WEIGHT_MIN}..{grid.WEIGHT_MAX};" in rows["/layer/<i>/weight"][4]
    for kind in READOUTS:
        assert f"`{kind}`" in rows["/srnn/readout"][4]
    assert f"`format_version`, an integer scalar, {FORMAT_VERSION}." in TEXT
    assert limits.BYTES_MAX == 1 << 28
    assert "at most 256 MiB" in TEXT


def test_the_table_of_limits_is_that_of_the_code():
    sizes = {
        name: f"{value >> 20} MiB" if value >= 1 << 20 else f"{value >> 10} KiB"
        for name, value in vars(limits).items()
        if name.endswith("BYTES_MAX")
    }
    table = TEXT.partition("## Limits of files from outside")[2]
    rows = dict(re.findall(r"^\| (.+?) \| (.+) \|$", table, re.MULTILINE))
    assert rows["what a file declares, or inflates to, in all"].startswith(
        f"{sizes['BYTES_MAX']}, or {limits.INFLATION} times"
    )
    assert rows["a file of TOML; of JSON"].startswith(
        f"{sizes['TOML_BYTES_MAX']}; {sizes['TEXT_BYTES_MAX']}."
    )
    assert rows["a line of CSV or of a stream; of `.ts`, a sample"].startswith(
        f"{sizes['LINE_BYTES_MAX']}; {sizes['SAMPLE_BYTES_MAX']}."
    )
    counts = {
        "groups and datasets of HDF5, names in its lists of text, members of an archive": (
            limits.OBJECTS_MAX
        ),
        "values of a `.pt` file, shared ones counted every time": limits.VALUES_MAX,
        "levels of groups in HDF5": limits.GROUPS_DEEP_MAX,
        "levels of lists and tables": limits.DEPTH_MAX,
        "chunks of a dataset of HDF5": limits.CHUNKS_MAX,
    }
    header = rows["the header of an `.npy`, without the blanks at its end"]
    assert header == f"{limits.HEADER_BYTES_MAX:,} bytes"
    assert {name: rows[name] for name in counts} == {n: f"{v:,}" for n, v in counts.items()}
    assert rows["an integer in TOML and JSON"] == f"{limits.DIGITS_MAX:,} digits"


def test_model_pt_is_described():
    text = TEXT[TEXT.index("## `model.pt`") :]
    for name in ("format", "format_version", "config", "weights", "task", "recipe", "metrics"):
        assert f"| `{name}` |" in text
    for name, neuron in checkpoint.FLOAT_NEURONS.items():
        assert f"`{name}`" in text
        for parameter in names(neuron):
            assert parameter in text
    assert f"{TAU_MIN:g}..{TAU_MAX:g}" in text
    assert checkpoint.FORMAT_VERSION == 1
