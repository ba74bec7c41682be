"""Files of a stream's state: whole, of this network, and refused in one line otherwise."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulate_networks import random_inputs, random_network
from srnn.export.digest import network_digest
from srnn.export.errors import InputError
from srnn.export.network import Network, Readout
from srnn.export.netx import read_net, write_net
from srnn.simulate import StreamingSimulator
from stream_states import assert_same_state


@pytest.fixture(scope="module")
def network() -> Network:
    kinds = ["SRNN_ALIF", "ATRLIF", "SRNN_LI"]
    made = random_network(4, kinds, [20, 9, 3], 12, delays=True, readout="mean_softmax")
    return replace(made, provenance={"here": 1})


@pytest.fixture
def stream(network: Network) -> StreamingSimulator:
    made = StreamingSimulator(network)
    for sample in random_inputs(4, network, 1, 40, 0.5)[0]:
        made.step(sample)
    return made


def test_another_network_is_refused(stream: StreamingSimulator, tmp_path: Path) -> None:
    path = tmp_path / "a.state"
    stream.save(path)
    network = stream.network
    others = [
        random_network(5, ["SRNN_ALIF", "ATRLIF", "SRNN_LI"], [20, 9, 3], 12, delays=True),
        random_network(4, ["CUBA"], [7], 3),
        replace(network, readout=Readout("mean_softmax", skip_steps=1)),
    ]
    for other in others:
        fresh = StreamingSimulator(other)
        with pytest.raises(InputError, match=r"state of network .*; load the network that it was"):
            fresh.restore(path)
        with pytest.raises(InputError, match="state: of network"):
            fresh.state = stream.state
        assert fresh.steps == 0


def test_the_digest_is_of_the_integers_alone(network: Network, tmp_path: Path) -> None:
    digest = network_digest(network)
    assert network_digest(replace(network, provenance={}, task={"name": "x"})) == digest
    write_net(tmp_path / "m.net", network)
    assert network_digest(read_net(tmp_path / "m.net")) == digest
    assert network_digest(replace(network, input_scale=2.0)) != digest


def test_a_write_that_fails_leaves_the_old_file(
    stream: StreamingSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.state"
    stream.save(path)
    before = path.read_bytes()
    stream.step(np.zeros(12, np.uint8))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        stream.save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.state"]


@settings(max_examples=60)
@given(data=st.data())
def test_damage_is_refused(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    network = random_network(4, ["SRNN_ALIF", "SRNN_LI"], [5, 3], 4, delays=True)
    stream = StreamingSimulator(network)
    stream.step(np.ones(4, np.uint8))
    path = tmp_path_factory.getbasetemp() / "damaged.state"
    stream.save(path)
    whole = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at] ^= 1 << data.draw(st.integers(0, 7))
    else:
        whole = whole[: data.draw(st.integers(0, len(whole) - 1))]
    path.write_bytes(whole)
    before = stream.state
    try:
        stream.restore(path)
    except InputError as error:
        message = str(error)
    else:
        # White space of the header.
        message = f"{path}: "
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert_same_state(stream.state, before)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "other"}, "not a state file of srnn"),
        ({"format_version": 2}, "format version 2, this srnn reads 1"),
        ({"steps": -1}, "truncated or damaged"),
        ({"steps": True}, "steps True is not what a state holds"),
        ({"sha256": "0"}, "truncated or damaged"),
    ],
)
def test_a_wrong_header_is_refused(
    stream: StreamingSimulator, tmp_path: Path, change: dict[str, object], words: str
) -> None:
    path = tmp_path / "a.state"
    stream.save(path)
    line, _, payload = path.read_bytes().partition(b"\n")
    path.write_bytes(json.dumps(json.loads(line) | change).encode() + b"\n" + payload)
    with pytest.raises(InputError, match=words):
        stream.restore(path)


def test_values_that_no_run_leaves_are_refused(stream: StreamingSimulator) -> None:
    state = stream.state

    def changed(layer: int, name: str, value: int) -> object:
        array = getattr(state.layers[layer], name).copy()
        array.flat[0] = value
        layers = list(state.layers)
        layers[layer] = replace(layers[layer], **{name: array})
        return replace(state, layers=tuple(layers))

    delayed = [layer.pending.size > 0 for layer in state.layers]
    assert any(delayed)
    for bad, words in (
        (changed(0, "states", -1), "adaptation -1 below 0"),
        (changed(2, "states", 1 << 23), "v beyond 24 bits"),
        (changed(0, "spikes", 2), "spikes beyond 1"),
        (changed(2, "spikes", 1), "spikes of neurons that have none"),
        (changed(delayed.index(True), "pending", 1 << 40), "pending beyond"),
        (replace(state, steps=-1), "of -1 steps"),
        (replace(state, counted=10**30), "it is damaged"),
        (replace(state, layers=state.layers[:2]), "2 layers, needs 3"),
        (replace(state, total=np.zeros(2)), "total"),
        (replace(state, total=np.full(3, np.nan)), "total"),
    ):
        with pytest.raises(InputError, match=words):
            stream.state = bad
    stream.state = state
