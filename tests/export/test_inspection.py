"""``srnn-export --inspect`` describes every kind of file correctly."""

# pyright: reportArgumentType=false

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from export_networks import (
    adaptive_network,
    convolution_network,
    input_block_network,
    random_network,
    random_samples,
    seeds,
    stock_network,
)
from hypothesis import given, settings
from lava_dl_files import write_file
from paths import ROOT
from srnn.export.cli import main
from srnn.export.errors import InputError
from srnn.export.inspection import inspect_file
from srnn.export.netx import stock_lava_dl_obstacles, write_net

ZOO = ROOT / "zoo"


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_what_it_says_is_the_network(tmp_path_factory, seed):
    path, network = tmp_path_factory.mktemp("n") / "m.net", random_network(seed)
    samples = random_samples(np.random.default_rng(seed), network)
    write_net(path, network, samples)
    found = inspect_file(path)
    assert (found.origin, found.samples, found.not_read) == ("srnn", len(samples.inputs), None)
    assert found.stock_lava_dl == stock_lava_dl_obstacles(network)
    assert found.provenance == network.provenance
    assert found.inputs["channels"] == network.input_size
    assert found.readout["class_count"] == network.class_count
    for layer, summary in zip(network.layers, found.layers, strict=True):
        assert (summary.name, summary.neurons) == (layer.name, layer.size)
        pairs = [(layer.synapses, summary.synapses), (layer.recurrent, summary.recurrent)]
        for connection, said in pairs:
            assert (connection is None) == (said is None)
            if connection is not None:
                assert said.synapses == connection.count
                assert said.nonzero == connection.fan_out().sum()
                delay = connection.delay
                assert said.delays == (None if delay is None else (delay.min(), delay.max()))
        for parameter in layer.neuron.PARAMETERS:
            values = getattr(layer.neuron, parameter.name)
            assert summary.parameters[parameter.key] == (values.min(), values.max())


@pytest.mark.parametrize(
    ("network", "version", "shown"),
    [
        (
            stock_network(),
            1,
            ["dense 4-6", "recurrent dense 6-6", "loads it and computes the same"],
        ),
        (adaptive_network(), 1, ["SRNN_ALIF neurons are unknown to lava-dl", "bDecay"]),
        (
            convolution_network(),
            2,
            ["conv 4x6x5 to 4x3x3", "stride 2x1", "padding 1x0", "means of populations"],
        ),
        (convolution_network(stock=False), 2, ["delays in a convolution, which netx ignores"]),
        (input_block_network(), 2, ["graded with 8 bits", "groups 2", "loads it and computes"]),
    ],
    ids=["stock", "alif", "convolution", "delayed", "input-block"],
)
def test_printed(tmp_path, capsys, network, version, shown):
    path = tmp_path / "m.net"
    write_net(path, network)
    assert main(["--inspect", str(path)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    text += " ".join(layer.synapses.kind for layer in inspect_file(path).layers)
    assert f"{path}: srnn, format version {version}" in text
    assert [part for part in shown if part not in text] == []
    assert main(["--inspect", str(path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["format_version"] == version
    assert said["layers"][0]["neurons"] == network.layers[0].size
    assert list(tmp_path.iterdir()) == [path]


def every_file(data_dir):
    return sorted([*data_dir.rglob("*.net"), *ZOO.glob("*.net")])


@pytest.mark.needs_data("schema", "netx", "golden")
def test_every_file_is_described(data_dir, capsys):
    files = every_file(data_dir)
    assert len(files) >= 12
    said = {}
    for path in files:
        assert main(["--inspect", str(path), "--json"]) == 0
        said[path.name] = json.loads(capsys.readouterr().out)
        assert main(["--inspect", str(path)]) == 0
        assert len(capsys.readouterr().out.splitlines()) > 5
    refused = {name: entry["not_read"] for name, entry in said.items() if entry["not_read"]}
    assert set(refused) == {"rf_dense.net", "sdnn_dense.net"}
    assert "complex weights are not read" in refused["rf_dense.net"]
    assert "'SDNN' neurons are not read; supported are CUBA" in refused["sdnn_dense.net"]
    assert said["sdnn_dense.net"]["groups"][0]["neuron"] == "SDNN"
    assert said["sdnn_dense.net"]["stock_lava_dl"] is None
    for name in ("tiny.net", "cuba_dense_heterogeneous.net", "recurrent_cuba.net"):
        assert said[name]["stock_lava_dl"] == []
    assert said["alif_dense.net"]["stock_lava_dl"] == [
        "layer layer0: ATRLIF neurons are unknown to lava-dl"
    ]
    digits = said["ntidigits.net"]
    assert [layer["synapses"]["delays"] for layer in digits["layers"]] == [[0, 62], [0, 62], None]
    assert digits["stock_lava_dl"] == [
        "/layer/5: netx does not know average layers and stops; give it num_layers"
    ]


def test_a_file_that_is_not_read_is_shown_as_it_stands(tmp_path, capsys):
    path = write_file(tmp_path / "m.net", type="convT")
    assert main(["--inspect", str(path)]) == 0
    text = capsys.readouterr().out
    assert "convT" in text
    assert "srnn does not read it: /layer/0/type: 'convT' layers are not read; supported" in text


def test_damaged_files_and_other_options_are_refused(tmp_path, capsys):
    path = tmp_path / "m.net"
    for content, match in ((b"no", "not a readable HDF5 file"), (None, "no such file")):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        assert main(["--inspect", str(path)]) == 2
        assert match in capsys.readouterr().err
    write_net(path, stock_network())
    assert main(["--inspect", str(path), "--dry-run"]) == 2
    assert "--dry-run: is for exporting a model" in capsys.readouterr().err
    with h5py.File(path, "r+") as file:
        del file["srnn/dt"]
    with pytest.raises(InputError, match="/srnn/dt: missing"):
        inspect_file(path)
    with h5py.File(path, "w") as file:
        file["x"] = 1
    with pytest.raises(InputError, match="/layer: missing"):
        inspect_file(path)
