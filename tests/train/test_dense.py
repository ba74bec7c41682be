"""Dense baselines: their equations, their counts, and the loop, files and refusals around them."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from srnn.export.checkpoint import LayerConfig, ModelConfig, expected_weights, read_model
from srnn.export.cli import main as export
from srnn.export.dense import DENSE_LAYERS, dense_operations
from srnn.export.errors import InputError
from srnn.export.freeze import Quantization, freeze
from srnn.export.operations import step_operations
from srnn.train.engine.events import Events
from srnn.train.evaluate import evaluate
from srnn.train.loop import Stopped, fit
from srnn.train.network import SRNN
from srnn.train.recipe import Recipe, baseline_layers, make_recipe, read_plain, recipe_names
from srnn.train.save import float_model
from train_helpers import one_thread, recipe, signals, task  # noqa: F401

CELLS = ("rnn", "gru", "lstm")


def model(cell: str, readout: str = "membrane", engine: str = "loop", hidden: int = 5) -> SRNN:
    torch.manual_seed(3)
    layers = (LayerConfig(cell, hidden), LayerConfig(cell, 4), LayerConfig("linear", 2))
    return SRNN(ModelConfig(input_size=3, layers=layers, readout=readout), engine)


def baseline(kind: str, **training: object) -> Recipe:
    plain = recipe(**training)  # type: ignore[arg-type]
    return replace(plain, model=replace(plain.model, baseline=kind))


def sigma(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def by_hand(cell: str, weights: dict[str, np.ndarray], x: np.ndarray, n: int) -> np.ndarray:
    """The equations of ``DenseLayer`` for one sample (time, channel), gates in torch's order."""
    w, r, b, c = (weights[k].astype(float) for k in ("weight", "weight_rec", "bias", "bias_rec"))
    h, cell_state, outputs = np.zeros(n), np.zeros(n), []
    for step in x:
        ahead, back = w @ step + b, r @ h + c
        if cell == "rnn":
            h = np.tanh(ahead + back)
        elif cell == "gru":
            reset, keep = sigma((ahead + back)[:n]), sigma((ahead + back)[n : 2 * n])
            h = (1 - keep) * np.tanh(ahead[2 * n :] + reset * back[2 * n :]) + keep * h
        else:
            i, f, g, o = np.split(ahead + back, 4)
            cell_state = sigma(f) * cell_state + sigma(i) * np.tanh(g)
            h = sigma(o) * np.tanh(cell_state)
        outputs.append(h)
    return np.array(outputs)


@pytest.mark.parametrize("cell", CELLS)
def test_outputs_are_those_of_the_equations(cell: str) -> None:
    network = model(cell)
    x = signals(0, 2, 9)
    outputs = network(torch.from_numpy(x).float())
    every = network.weights()
    for sample in range(2):
        signal = x[sample]
        for index, size in enumerate((5, 4)):
            prefix = f"layers.{index}."
            own = {k.removeprefix(prefix): v for k, v in every.items() if k.startswith(prefix)}
            signal = by_hand(cell, own, signal, size)
            found = outputs.spikes[index][sample].detach().numpy()
            assert found == pytest.approx(signal, abs=1e-5)
        last = signal @ every["layers.2.weight"].T + every["layers.2.bias"]
        assert outputs.output[sample].detach().numpy() == pytest.approx(last, abs=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_a_sequence_in_pieces_is_the_sequence(cell: str) -> None:
    network = model(cell)
    x = torch.from_numpy(signals(1, 3, 10)).float()
    whole = network(x)
    first = network(x[:, :4])
    second = network(x[:, 4:], state=first.state)
    joined = torch.cat((first.output, second.output), 1)
    assert torch.allclose(joined, whole.output, atol=1e-6)
    for after, wanted in zip(second.state, whole.state, strict=True):
        assert len(after) == len(wanted)
        for one, other in zip(after, wanted, strict=True):
            assert torch.allclose(one, other, atol=1e-6)


def test_event_lists_give_what_their_array_gives() -> None:
    network = model("gru", engine="events")
    spikes = (np.random.default_rng(0).random((2, 8, 3)) < 0.4).astype(np.uint8)
    dense = network(torch.from_numpy(spikes).float())
    assert torch.equal(network(Events.from_dense(spikes)).output, dense.output)


@pytest.mark.parametrize("cell", [*CELLS, "linear"])
def test_operations_are_counted_from_the_weights(cell: str) -> None:
    hidden = LayerConfig("lstm" if cell == "linear" else cell, 6)
    config = ModelConfig(4, (hidden, LayerConfig("linear", 3)))
    index, size, inputs = (1, 3, 6) if cell == "linear" else (0, 6, 4)
    shapes = expected_weights(config)
    matrices = [shapes[n] for n in shapes if n.startswith(f"layers.{index}.weight")]
    counted = dense_operations(cell, size, inputs)
    assert counted.macs == sum(rows * columns for rows, columns in matrices)
    assert counted.activations == DENSE_LAYERS[cell].activations * size
    published = {"lstm": 4 * (4 * 6 + 36), "gru": 3 * (4 * 6 + 36), "rnn": 4 * 6 + 36, "linear": 18}
    assert counted.macs == published[cell]


def test_operations_of_whole_baselines() -> None:
    layers = (LayerConfig("alif", 6, recurrent=True), LayerConfig("alif", 5), LayerConfig("li", 3))
    found = {
        kind: step_operations(ModelConfig(4, baseline_layers(layers, kind)))
        for kind in ("relu", "gru")
    }
    relu = found["relu"]
    assert [one.macs for one in relu] == [4 * 6 + 36, 6 * 5, 5 * 3]
    assert [one.products for one in relu] == [4 * 6, 4 * 5, 3]
    assert [one.macs for one in found["gru"]] == [3 * (4 * 6 + 36), 3 * (6 * 5 + 25), 5 * 3]
    both = LayerConfig("alif_relu", 6, recurrent=True, bidirectional=True)
    twice = step_operations(ModelConfig(4, (both, LayerConfig("li", 3))))
    assert [one.macs for one in twice] == [2 * (4 * 6 + 36), 12 * 3]
    with pytest.raises(InputError, match="layer 0: alif spikes; srnn-simulate counts"):
        step_operations(ModelConfig(4, layers))


@pytest.mark.parametrize("kind", ["relu", *CELLS])
@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_has_its_baselines(kind: str, name: str) -> None:
    plain = read_plain(name)
    spiking = make_recipe(plain).model.resolve(3, 4, 0)
    other = {**plain, "model": {**plain["model"], "baseline": kind}}
    if (kind, name) == ("relu", "digits-cuba"):
        with pytest.raises(InputError, match="cuba_lif has no graded form"):
            make_recipe(other)
        return
    made = make_recipe(other)
    config = made.model.resolve(3, 4, 0)
    assert [layer.size for layer in config.layers] == [layer.size for layer in spiking.layers]
    wanted = {"alif_relu", "li"} if kind == "relu" else {kind, "linear"}
    assert {layer.neuron for layer in config.layers} <= wanted
    network = SRNN(config)
    outputs = network((torch.rand(2, 6, 3) < 0.3).float())
    assert outputs.output.shape == (2, 6, 4)
    assert network.spiking_layers == []


@pytest.mark.parametrize("kind", ["relu", *CELLS])
@pytest.mark.parametrize("readout", ["mean_softmax", "last_membrane", "spike_count", "membrane"])
def test_baselines_learn_through_the_same_loop(kind: str, readout: str, tmp_path: Path) -> None:
    data = task(per_step=readout == "membrane", ragged=True)
    made = baseline(kind, readout=readout, epochs=25, learning_rate=0.04, clip_gradient=1.0)
    trained, state = fit(made, data, tmp_path)
    losses = [row["train_loss"] for row in state.history]
    assert losses[-1] < 0.75 * losses[0]
    found = evaluate(trained, data, data.test)
    assert found.metrics["accuracy"] > 0.6
    assert (found.firing_rate, found.layer_rates) == (0.0, ())
    stored = read_model(tmp_path / "model.pt")
    assert {n: w.shape for n, w in stored.weights.items()} == expected_weights(stored.config)
    again = SRNN(stored.config)
    again.load_weights(stored.weights)
    assert np.array_equal(evaluate(again, data, data.test).predictions, found.predictions)


def test_spiking_layers_below_a_dense_one_run_by_the_loop(tmp_path: Path) -> None:
    plain = recipe(epochs=2)
    hidden = dict(plain.model.layers[0])
    mixed = replace(
        plain.model, layers=(hidden, {"neuron": "gru", "size": 5}, {"neuron": "linear"})
    )
    data = task()
    trained, state = fit(replace(plain, model=mixed), data, tmp_path)
    assert trained.engine == "events"
    assert trained.spiking_layers == [0]
    assert 0 < state.history[-1]["train_firing_rate"] < 1


def test_a_resumed_baseline_ends_in_the_same_bits(tmp_path: Path) -> None:
    made = baseline("lstm", epochs=4)
    data = task()
    whole, _ = fit(made, data, tmp_path / "whole")

    def stop(row: dict[str, float]) -> None:
        if row["epoch"] == 1 and row["batch"] == 2:
            import signal

            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Stopped):
        fit(made, data, tmp_path / "cut", on_batch=stop)
    resumed, _ = fit(made, data, tmp_path / "cut", resume=True)
    for name, weight in whole.weights().items():
        assert np.array_equal(weight, resumed.weights()[name]), name


def test_truncation_trains_a_baseline(tmp_path: Path) -> None:
    made = baseline("gru", epochs=12, truncate_steps=5, learning_rate=0.02)
    _, state = fit(made, task(), tmp_path)
    assert state.history[-1]["train_loss"] < state.history[0]["train_loss"]


@pytest.mark.parametrize("kind", ["lstm", "relu"])
def test_export_refuses_a_baseline(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(baseline(kind, epochs=1), task(), tmp_path)
    assert export([str(tmp_path / "model.pt")]) == 2
    line = capsys.readouterr().err.strip()
    assert "\n" not in line
    said = {
        "lstm": "a dense baseline (lstm, linear) has no integer form; train the recipe without",
        "relu": "no integer form for layer 0 (alif_relu): graded activations",
    }
    assert said[kind] in line
    assert not (tmp_path / "model.net").exists()


def test_a_baseline_has_no_grid_to_train_on() -> None:
    network = model("gru")
    with pytest.raises(InputError, match=r"a dense baseline \(gru, gru, linear\) has no integer"):
        freeze(network.config, network.weights(), {}, Quantization())


def test_a_saved_baseline_is_checked() -> None:
    made = baseline("gru")
    data = task()
    config = made.model.resolve(3, 3, 0)
    stored = float_model(SRNN(config), data, made)
    assert stored.recipe["model"]["baseline"] == "gru"
    assert asdict(stored.config)["layers"][0]["neuron"] == "gru"
    weights = dict(stored.weights)
    del weights["layers.0.bias_rec"]
    with pytest.raises(InputError, match=r"missing layers\.0\.bias_rec"):
        replace(stored, weights=weights)


@pytest.mark.parametrize(
    ("layers", "kind", "said"),
    [
        ([{"neuron": "li"}], "lstm", "lstm needs a hidden layer"),
        ([{"bidirectional": True}, {"neuron": "li"}], "gru", "layers.0: is bidirectional"),
        ([{"neuron": "lstm", "bidirectional": True}, {}], "none", "cannot be bidirectional"),
        ([{"neuron": "gru", "train_threshold": True}, {}], "none", "gru has no threshold"),
        ([{"neuron": "linear"}, {"neuron": "li"}], "none", "layer 0: linear is a readout"),
        (
            [{"neuron": "lsmt"}, {"neuron": "li"}],
            "none",
            "unknown neuron 'lsmt'; did you mean 'lstm'",
        ),
        ([{"neuron": "cuba_lif"}, {"neuron": "li"}], "relu", "cuba_lif has no graded form"),
        ([{}, {"neuron": "li"}], "lsmt", "did you mean 'lstm'"),
    ],
)
def test_baselines_that_cannot_be(layers: list, kind: str, said: str) -> None:
    with pytest.raises(InputError) as raised:
        make_recipe(
            {"task": {"name": "tiny"}, "model": {"layers": layers, "baseline": kind}}
        ).model.resolve(3, 4, 0)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
