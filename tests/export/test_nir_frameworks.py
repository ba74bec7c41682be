"""Networks written by snnTorch and Norse give the same spikes here, and they read srnn's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from export_models import float_model, spikes
from nir_frameworks import (
    CHANNELS,
    HIDDEN,
    OUT,
    SnnTorchNet,
    norse,
    norse_box,
    norse_cell,
    norse_recurrent,
    read_by_norse,
    run_norse,
    sinabs_net,
    their_warnings,
    write_norse,
    write_sinabs,
    write_snntorch,
)
from srnn.export.checkpoint import LayerConfig
from srnn.export.errors import InputError
from srnn.export.float_run import run_float
from srnn.export.nir_import import import_nir
from srnn.export.nir_write import to_nir, write_nir
from srnn.train.network import SRNN
from torch import nn

pytestmark = pytest.mark.extra("train", "nir", "nir-frameworks")


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    torch.manual_seed(3)
    threads = torch.get_num_threads()
    # The layers are small: a second thread would cost more than it saves.
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def inputs() -> np.ndarray:
    return spikes(0, 6, 120, CHANNELS)


SNNTORCH_DT = 1e-4


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("Leaky", {"reset_mechanism": "subtract"}),
        ("Leaky", {"reset_mechanism": "zero", "reset_delay": False}),
        ("Synaptic", {"reset_mechanism": "zero", "reset_delay": False, "bias": False}),
    ],
)
def test_snntorch_networks_spike_as_ours(
    kind: str, settings: dict[str, Any], recurrent: bool, inputs: np.ndarray, tmp_path: Path
) -> None:
    reset = settings["reset_mechanism"]
    broken = kind == "Synaptic" and recurrent
    by_hand = {**settings, "reset_delay": True} if broken else settings
    net = SnnTorchNet(kind, recurrent, **by_hand)
    write_snntorch(tmp_path / "net.nir", net)
    model = import_nir(tmp_path / "net.nir", dt=SNNTORCH_DT, reset=reset)
    if broken:
        alike = SnnTorchNet(kind, False, by_hand=True, **settings)
        for mine, its in zip(alike.layers, net.layers, strict=True):
            mine.alpha, mine.beta, mine.threshold = its.alpha, its.beta, its.threshold
        alike.weights, alike.recurrent = net.weights, net.recurrent
        net = alike
    theirs, ours = net.run(inputs), run_float(model, inputs).spikes
    wanted = "lif" if reset == "subtract" else "cuba_lif"
    assert [layer.neuron for layer in model.config.layers] == [wanted, wanted]
    assert [layer.recurrent for layer in model.config.layers] == [recurrent, recurrent]
    for their, our in zip(theirs, ours, strict=True):
        assert their.sum() > 50
        np.testing.assert_array_equal(our, their)


@pytest.mark.parametrize("recurrent", [False, True])
def test_the_trained_model_class_spikes_as_snntorch(
    recurrent: bool, inputs: np.ndarray, tmp_path: Path
) -> None:
    net = SnnTorchNet("Leaky", recurrent, reset_mechanism="subtract")
    write_snntorch(tmp_path / "net.nir", net)
    model = import_nir(tmp_path / "net.nir", dt=SNNTORCH_DT, reset="subtract")
    ours = SRNN(model.config)
    ours.load_weights(model.weights)
    with torch.no_grad():
        sent = ours(torch.tensor(inputs, dtype=torch.float32)).spikes
    for their, our in zip(net.run(inputs), sent, strict=True):
        np.testing.assert_array_equal(our.numpy().astype(bool), their)


@pytest.mark.parametrize("kind", ["Leaky", "Synaptic"])
def test_where_snntorch_does_not_run_what_it_writes(
    kind: str, inputs: np.ndarray, tmp_path: Path
) -> None:
    """Its delayed reset to zero drops a step of input in RLeaky, and of the current in Synaptic."""
    recurrent = kind == "Leaky"
    net = SnnTorchNet(kind, recurrent, reset_mechanism="zero", bias=False)
    write_snntorch(tmp_path / "net.nir", net)
    ours = run_float(import_nir(tmp_path / "net.nir", dt=SNNTORCH_DT), inputs).spikes[0]
    theirs = net.run(inputs)[0]
    assert ours is not None
    assert (ours != theirs).sum() > 20
    # The mapping is exact up to the step after a neuron's first spike, where the input is dropped.
    quiet = np.cumsum(theirs, axis=1) - theirs == 0
    if not recurrent:
        np.testing.assert_array_equal(ours[quiet], theirs[quiet])


def test_snntorch_bias_behind_a_filter_is_refused_or_settled(
    inputs: np.ndarray, tmp_path: Path
) -> None:
    net = SnnTorchNet("Synaptic", False, reset_mechanism="zero", reset_delay=False)
    write_snntorch(tmp_path / "net.nir", net)
    with pytest.raises(InputError, match=r"layers\.0 \(CubaLIF\): a bias passes .*layers\.1 "):
        import_nir(tmp_path / "net.nir", dt=SNNTORCH_DT)
    model = import_nir(tmp_path / "net.nir", dt=SNNTORCH_DT, settled_bias=True)
    ours = run_float(model, inputs).spikes
    for layer, weights in zip(net.layers, net.weights, strict=True):
        # Before the first step the current is not 0 but settled to the bias.
        layer.syn = (weights.bias / (1 - layer.alpha)).expand(len(inputs), -1).clone()
        layer.reset_mem = lambda: None
        layer.mem = torch.zeros_like(layer.syn)
    for their, our in zip(net.run(inputs), ours, strict=True):
        np.testing.assert_array_equal(our, their)


@pytest.mark.parametrize(("dt_of_norse", "dt"), [(1.0, 1e-3), (1e-3, 1e-6)])
def test_norse_networks_spike_as_ours(
    dt_of_norse: float, dt: float, inputs: np.ndarray, tmp_path: Path
) -> None:
    net = norse.SequentialState(
        nn.Linear(CHANNELS, HIDDEN), norse_box(HIDDEN), nn.Linear(HIDDEN, OUT), norse_box(OUT)
    )
    write_norse(tmp_path / "net.nir", net, dt_of_norse)
    ours = run_float(import_nir(tmp_path / "net.nir", dt=dt), inputs).spikes
    theirs = run_norse(net, inputs)
    assert theirs.sum() > 20
    np.testing.assert_array_equal(ours[-1], theirs.astype(bool))


def test_norse_currents_jump_where_nir_integrates(inputs: np.ndarray, tmp_path: Path) -> None:
    net = norse.SequentialState(
        nn.Linear(CHANNELS, HIDDEN, bias=False), norse_cell(HIDDEN),
        nn.Linear(HIDDEN, OUT, bias=False), norse_cell(OUT),
    )  # fmt: skip
    write_norse(tmp_path / "net.nir", net, 1.0)
    theirs = run_norse(net, inputs).astype(bool)
    jumping = run_float(import_nir(tmp_path / "net.nir", dt=1e-3, synapse="jump"), inputs)
    np.testing.assert_array_equal(jumping.spikes[-1], theirs)
    euler = run_float(import_nir(tmp_path / "net.nir", dt=1e-3), inputs).spikes[-1]
    assert euler is not None
    assert euler.sum() < 0.1 * theirs.sum()


def test_norse_readout(inputs: np.ndarray, tmp_path: Path) -> None:
    parameters = norse.LIBoxParameters(
        tau_mem_inv=20 + 200 * torch.rand(OUT), v_leak=torch.zeros(OUT)
    )
    net = norse.SequentialState(
        nn.Linear(CHANNELS, HIDDEN), norse_box(HIDDEN),
        nn.Linear(HIDDEN, OUT), norse.LIBoxCell(parameters),
    )  # fmt: skip
    write_norse(tmp_path / "net.nir", net, 1.0)
    model = import_nir(tmp_path / "net.nir", dt=1e-3)
    assert (model.config.layers[-1].neuron, model.config.readout) == ("li", "membrane")
    ours, theirs = run_float(model, inputs).membranes[-1], run_norse(net, inputs)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_norse_runs_a_recurrent_graph_as_ours(inputs: np.ndarray, tmp_path: Path) -> None:
    norse_recurrent(tmp_path / "net.nir", bias=False)
    model = import_nir(tmp_path / "net.nir", dt=1e-3)
    assert [layer.recurrent for layer in model.config.layers] == [True, False]
    ours = run_float(model, inputs).spikes
    theirs = run_norse(read_by_norse(tmp_path / "net.nir"), inputs)
    assert theirs.sum() > 20
    np.testing.assert_array_equal(ours[-1], theirs.astype(bool))


def test_norse_leaves_out_the_recurrent_bias_of_the_first_step(
    inputs: np.ndarray, tmp_path: Path
) -> None:
    norse_recurrent(tmp_path / "net.nir", bias=True)
    model = import_nir(tmp_path / "net.nir", dt=1e-3)
    ours = run_float(model, inputs).spikes[-1]
    net = read_by_norse(tmp_path / "net.nir")
    theirs = run_norse(net, inputs).astype(bool)
    assert ours is not None
    missing = (ours != theirs).sum()
    # With a step without spikes before the first, nirtorch delivers the bias as srnn does.
    rec = dict(net.named_modules())["rec"]
    silence = torch.zeros(len(inputs), HIDDEN)

    def run() -> np.ndarray:
        state, sent = _state_with(rec(silence)), []
        for step in range(inputs.shape[1]):
            out, state = net(torch.tensor(inputs[:, step], dtype=torch.float32), state)
            sent.append(out)
        return torch.stack(sent, 1).numpy().astype(bool)

    with torch.no_grad():
        np.testing.assert_array_equal(run(), ours)
    assert missing > 0


def _state_with(recurrent: torch.Tensor) -> Any:
    from nirtorch.graph_executor import GraphExecutorState

    return GraphExecutorState(cache={"rec": recurrent})


def test_norse_reads_what_we_write(inputs: np.ndarray, tmp_path: Path) -> None:
    layers = (LayerConfig("cuba_lif", 30, recurrent=True), LayerConfig("cuba_lif", 8))
    silent = {"layers__0__bias": np.zeros(30), "layers__1__bias": np.zeros(8)}
    model = float_model(*layers, inputs=CHANNELS, **silent)
    write_nir(tmp_path / "model.nir", to_nir(model, dt=1e-3)[0])
    theirs = run_norse(read_by_norse(tmp_path / "model.nir"), inputs).astype(bool)
    ours = run_float(model, inputs).spikes[-1]
    assert theirs.sum() > 50
    np.testing.assert_array_equal(ours, theirs)


def test_snntorch_reads_what_we_write(inputs: np.ndarray, tmp_path: Path) -> None:
    import nir
    from snntorch.import_nir import import_from_nir

    layers = (LayerConfig("cuba_lif", 30), LayerConfig("cuba_lif", 8))
    same = {"layers__0__threshold": np.full(30, 0.4), "layers__1__threshold": np.full(8, 0.3)}
    silent = {"layers__0__bias": np.zeros(30), "layers__1__bias": np.zeros(8)}
    model = float_model(*layers, inputs=CHANNELS, **same, **silent)
    write_nir(tmp_path / "model.nir", to_nir(model, dt=SNNTORCH_DT)[0])
    with their_warnings():
        net = import_from_nir(nir.read(tmp_path / "model.nir"))
    sent = []
    with torch.no_grad():
        for step in range(inputs.shape[1]):
            out = net(torch.tensor(inputs[:, step], dtype=torch.float32))
            sent.append(out[0] if isinstance(out, tuple) else out)
    theirs = torch.stack(sent, 1).numpy().astype(bool)
    assert theirs.sum() > 50
    np.testing.assert_array_equal(run_float(model, inputs).spikes[-1], theirs)


@pytest.mark.parametrize("tau", [3.0, 20.0])
def test_sinabs_networks_spike_as_ours(tau: float, inputs: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "net.nir"
    theirs = write_sinabs(path, sinabs_net("zero", tau), inputs)
    remarks: list[str] = []
    ours = run_float(import_nir(path, dt=1.0, decay="exp", remark=remarks.append), inputs).spikes
    assert remarks == []
    for their, our in zip(theirs, ours, strict=True):
        assert their.sum() > 50
        np.testing.assert_array_equal(our, their)
    other = run_float(import_nir(path, dt=1.0, remark=remarks.append), inputs).spikes[0]
    assert (other != theirs[0]).sum() > 20
    assert f"({1 - 1 / tau:.4g} for the shortest" in remarks[0]
    assert f"({np.exp(-1 / tau):.4g}): --decay exp" in remarks[0]
    with pytest.raises(InputError, match=r"unknown decay 'linear' \(known: euler, exp"):
        import_nir(path, dt=1.0, decay="linear")


def test_the_reset_of_sinabs_by_subtraction_is_another(inputs: np.ndarray, tmp_path: Path) -> None:
    """It subtracts before the decay, our soft reset behind it."""
    path = tmp_path / "net.nir"
    theirs = write_sinabs(path, sinabs_net("subtract", 3.0), inputs)
    ours = run_float(import_nir(path, dt=1.0, decay="exp", reset="subtract"), inputs).spikes
    assert (ours[0] != theirs[0]).sum() > 20


def test_an_input_with_time_steps_in_its_shape_is_named(inputs: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "net.nir"
    net = sinabs_net("zero", 3.0)
    write_sinabs(path, net, inputs, sample=inputs[:1])
    with pytest.raises(InputError, match=rf"Input\): its shape \(120, {CHANNELS}\) seems to hold"):
        import_nir(path, dt=1.0, decay="exp")
