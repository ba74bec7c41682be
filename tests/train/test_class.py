"""``SRNN`` as an object of Python: copies, pickles, processes, what it shows and what it takes."""

from __future__ import annotations

import copy
import io
import multiprocessing
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from spawned import Samples, answer
from srnn.export import InputError
from srnn.export.config import Delay, LayerConfig, ModelConfig, SurrogateConfig
from srnn.train import SRNN, from_foreign_weights
from srnn.train.engine import SpikingSequence
from torch.utils.data import DataLoader
from train_helpers import graph, layer, one_thread, split  # noqa: F401  a fixture

CONFIG = ModelConfig(
    3,
    (layer("alif", 8, recurrent=True), layer("li", 3)),
    readout="mean_softmax",
    surrogate=SurrogateConfig("linear", width=0.4),
)


def model(engine: str = "events", config: ModelConfig = CONFIG) -> SRNN:
    torch.manual_seed(0)
    return SRNN(config, engine)


def spikes() -> torch.Tensor:
    return (torch.rand(4, 20, 3, generator=torch.Generator().manual_seed(1)) < 0.4).float()


def saved(made: SRNN) -> SRNN:
    buffer = io.BytesIO()
    torch.save(made, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=False)


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda made: pickle.loads(pickle.dumps(made)),
    "torch": saved,
}


@pytest.mark.parametrize("engine", ["events", "loop"])
@pytest.mark.parametrize("how", COPIES)
def test_a_copy_runs_and_learns_as_the_original(how: str, engine: str) -> None:
    made = model(engine)
    made(spikes()).output.sum().backward()
    other = COPIES[how](made)
    assert other.engine == engine
    assert other.config == made.config
    found = []
    for one in (made, other):
        one.zero_grad()
        output = one(spikes()).output
        output.square().sum().backward()
        found.append([output, *(p.grad for p in one.parameters() if p.requires_grad)])
    for ours, theirs in zip(*found, strict=True):
        assert torch.equal(ours, theirs)
    with torch.no_grad():
        next(other.parameters()).zero_()
    assert not torch.equal(made(spikes()).output, other(spikes()).output)


def test_spawned_processes_take_models_and_splits() -> None:
    made, data = model(), split(0, 6)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.map(answer, [(made, spikes())])[0]
    with torch.no_grad():
        np.testing.assert_array_equal(found, made(spikes()).output.numpy())
        loader = DataLoader(
            Samples(data, made), batch_size=3, num_workers=1, multiprocessing_context="spawn"
        )
        batches = list(loader)
        for index, (inputs, targets, output) in enumerate(batches):
            chosen = slice(3 * index, 3 * index + 3)
            np.testing.assert_array_equal(inputs.numpy(), data.inputs[chosen])
            np.testing.assert_array_equal(targets.numpy(), data.targets[chosen])
            torch.testing.assert_close(output, made(inputs).output, rtol=0, atol=1e-6)
    assert len(batches) == 2


def test_repr_shows_the_network() -> None:
    late = LayerConfig("cuba_lif", 5, recurrent=True, delay_rec=Delay(2, 9), delay=Delay(4, 4))
    config = ModelConfig(7, (LayerConfig("alif", 6, bidirectional=True), late), "spike_count", 3)
    assert repr(model("loop", config)).splitlines() == [
        "SRNN(",
        "  7 inputs, readout spike_count after 3 steps, surrogate multi_gaussian, engine loop",
        "  (0): 7 -> 6 alif, bidirectional",
        "  (1): 12 -> 5 cuba_lif, recurrent, delay 4 steps, recurrent delay 2 to 9 steps",
        ")",
    ]
    assert repr(torch.nn.Sequential(model())).startswith("Sequential(\n  (0): SRNN(\n")


@pytest.mark.parametrize("engine", ["events", "loop"])
@pytest.mark.parametrize(
    "dtype", [torch.bool, torch.uint8, torch.int64, torch.int16, torch.float16, torch.bfloat16]
)
def test_inputs_that_lose_nothing_are_converted(dtype: torch.dtype, engine: str) -> None:
    made = model(engine)
    with torch.no_grad():
        assert torch.equal(made(spikes().to(dtype)).output, made(spikes()).output)
    double = model("events").double()
    with torch.no_grad():
        wanted = double(spikes().double()).output
        assert torch.equal(double(spikes().to(dtype)).output, wanted)
        assert torch.equal(double(spikes()).output, wanted)


@pytest.mark.parametrize("engine", ["events", "loop"])
@pytest.mark.parametrize(
    ("inputs", "line"),
    [
        (spikes().double(), r"float64, the model's weights are float32; give inputs.to\(torch"),
        (spikes().to(torch.complex64), "complex64, the model's weights are float32"),
        (spikes().numpy(), "a NumPy array; give torch.from_numpy"),
        (spikes().tolist(), "a list, needs a tensor"),
        (spikes().to("meta"), "on meta, the model is on cpu; move one"),
        (spikes()[0], r"shape \(20, 3\), needs \(batch, time, 3\)"),
    ],
)
def test_other_inputs_are_told_in_one_line(engine: str, inputs: Any, line: str) -> None:
    with pytest.raises(InputError, match=f"^inputs: {line}") as error:
        model(engine)(inputs)
    assert "\n" not in str(error.value)


def test_a_layer_of_the_engine_takes_and_refuses_the_same_inputs() -> None:
    torch.manual_seed(0)
    alone = SpikingSequence(CONFIG.layers[0], 3)
    assert torch.equal(alone(spikes().bool()).spikes, alone(spikes()).spikes)
    for inputs, line in ((spikes().numpy(), "a NumPy array"), (spikes().double(), "float64")):
        with pytest.raises(InputError, match=f"^inputs: {line}"):
            alone(inputs)


@pytest.mark.parametrize(
    ("lengths", "line"),
    [
        ([1, 2, 3, 4], "list, needs a tensor of integers"),
        (torch.ones(4), r"torch.float32, needs a tensor of integers \(4,\)"),
        (torch.ones(3, dtype=torch.int64), r"shape \(3,\), needs \(4,\)"),
    ],
)
def test_lengths_are_checked(lengths: Any, line: str) -> None:
    with pytest.raises(InputError, match=line):
        model()(spikes(), lengths)
    assert model()(spikes(), torch.tensor([3, 4, 5, 6], dtype=torch.int32)).counts


def test_the_engine_is_the_default_and_the_loop_a_choice() -> None:
    weights = model().weights()
    mapping = {name: name for name in weights}
    assert SRNN(CONFIG).engine == from_foreign_weights(CONFIG, weights, mapping).engine == "events"
    engine = from_foreign_weights(CONFIG, weights, mapping)(spikes()).output
    loop = from_foreign_weights(CONFIG, weights, mapping, engine="loop")(spikes()).output
    # The loop takes its inputs apart step by step; the engine is one node for all of them.
    assert "UnbindBackward0" in graph(loop)
    assert "UnbindBackward0" not in graph(engine)
    torch.testing.assert_close(loop, engine, rtol=1e-4, atol=1e-5)
    with pytest.raises(InputError, match="'event'"):
        SRNN(CONFIG, "event")


def test_the_loop_takes_over_where_there_is_no_compiler() -> None:
    code = """
import sys, warnings
sys.modules["numba"] = None
import torch
from srnn.export import LayerConfig, ModelConfig
from srnn.train import SRNN
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    model = SRNN(ModelConfig(3, (LayerConfig("alif", 4, recurrent=True), LayerConfig("li", 2))))
print(model.engine, tuple(model(torch.ones(2, 5, 3)).output.shape))
print(*[one.message for one in told if "engine" in str(one.message)], sep="|")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
    first, second = done.stdout.splitlines()
    assert first == "loop (2, 5, 2)"
    assert 'engine "events": the loop runs instead' in second
