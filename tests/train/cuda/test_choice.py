"""When the fused kernels run a network, and the reason given when they do not."""

from __future__ import annotations

import subprocess
import sys
import warnings
from typing import Any, cast

import pytest
import torch
from srnn.export.config import LayerConfig, ModelConfig
from srnn.export.errors import InputError
from srnn.train.cuda import load_stack, why_loop, why_not
from srnn.train.cuda.plan import LAYOUTS, MAX_WIDTH
from srnn.train.layers import SpikingLayer
from srnn.train.network import SRNN
from torch._subclasses.fake_tensor import FakeTensorMode

ALIF = LayerConfig("alif", 7, recurrent=True)
CONFIG = ModelConfig(5, (ALIF, LayerConfig("li", 3)), "mean_softmax")


@pytest.fixture
def triton(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if Triton were installed; nothing here runs a kernel."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: object())


@pytest.fixture
def no_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "triton", None)


def on_cuda(engine: str, dtype: torch.dtype = torch.float32) -> tuple[SRNN, Any]:
    """A network and inputs that claim to be on a CUDA device, without data."""
    model = SRNN(CONFIG, engine)
    first = cast(SpikingLayer, model.layers[0]).forward_direction
    first.weight = torch.nn.Parameter(torch.empty(7, 5, device="cuda", dtype=dtype))
    return model, torch.empty(2, 4, 5, device="cuda", dtype=dtype)


@pytest.mark.usefixtures("triton")
def test_every_neuron_has_a_kernel():
    for neuron, program in LAYOUTS.items():
        assert why_not(neuron, 10_000, recurrent=False) is None
        if program.spikes:
            assert why_not(neuron, MAX_WIDTH, recurrent=True) is None


@pytest.mark.usefixtures("triton")
@pytest.mark.parametrize(
    ("reason", "layer", "known", "single"),
    [
        ("not float32", ALIF, True, False),
        ("surrogate gradient", ALIF, False, True),
        ("layer 1: 2049 recurrent neurons", LayerConfig("lif", 2049, recurrent=True), True, True),
    ],
)
def test_reasons_for_the_loop(reason, layer, known, single):
    why = why_loop((ALIF, layer), known, single)
    assert why is not None
    assert reason in why
    assert why_loop((ALIF, ALIF), True, True) is None


@pytest.mark.usefixtures("no_triton")
def test_a_network_on_cuda_says_once_why_the_loop_runs():
    with FakeTensorMode():
        model, inputs = on_cuda("events")
        with pytest.warns(
            UserWarning, match=r"loop runs instead: layer 0: Triton is not installed"
        ):
            assert model._encoded(inputs) is None
    with pytest.raises(InputError, match="Triton is not installed"):
        load_stack()


@pytest.mark.usefixtures("triton")
def test_a_network_on_cuda_takes_the_kernels():
    with FakeTensorMode(), warnings.catch_warnings():
        warnings.simplefilter("error")
        model, inputs = on_cuda("events")
        assert model._encoded(inputs) is not None
        model, inputs = on_cuda("loop")
        assert model._encoded(inputs) is None


@pytest.mark.usefixtures("triton")
def test_double_precision_on_cuda_is_no_silent_loop():
    with FakeTensorMode():
        model, inputs = on_cuda("events", torch.float64)
        with pytest.warns(UserWarning, match="not float32"):
            assert model._encoded(inputs) is None


@pytest.mark.usefixtures("no_triton")
def test_the_cpu_needs_no_triton():
    model = SRNN(CONFIG, "events")
    assert model(torch.ones(2, 4, 5)).output.shape == (2, 4, 3)


def test_nothing_of_triton_is_imported_until_a_kernel_is_needed():
    code = (
        "import sys\n"
        "sys.modules['triton'] = None\n"
        "import srnn.train.cuda, srnn.train.network, srnn.train.engine\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
