"""What a user of the Python side gets wrong, and the one line that says so."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from srnn.export import InputError, LayerConfig, ModelConfig
from srnn.export.api import export
from srnn.tasks import load
from srnn.train import SRNN
from srnn.train.readout import log_scores

CONFIG = ModelConfig(input_size=2, layers=(LayerConfig("alif", 3), LayerConfig("li", 2)))
INPUTS = torch.ones(2, 5, 2)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_inputs_that_are_not_finite_are_refused_with_their_place(value: float) -> None:
    inputs = INPUTS.clone()
    inputs[1, 3, 0] = value
    with pytest.raises(InputError, match=re.escape(f"inputs: [1, 3, 0] is {value}")):
        SRNN(CONFIG)(inputs)


def test_large_inputs_whose_sum_overflows_are_finite() -> None:
    SRNN(CONFIG)(torch.full((2, 5, 2), 3e38))


@pytest.mark.parametrize(("lengths", "wrong"), [([5, 6], 6), ([-1, 5], -1)])
def test_lengths_beyond_the_steps_are_refused(lengths: list[int], wrong: int) -> None:
    with pytest.raises(InputError, match=f"is {wrong}, outside 0..5"):
        SRNN(CONFIG)(INPUTS, torch.tensor(lengths))


def test_an_unknown_readout_is_refused() -> None:
    with pytest.raises(InputError, match="membran"):
        log_scores("membran", torch.zeros(1, 2, 3))


@pytest.mark.parametrize("wrong", [{}, None, torch.nn.Linear(2, 2)])
def test_what_is_no_config_or_model_is_named(wrong: Any) -> None:
    with pytest.raises(InputError, match="needs a ModelConfig"):
        SRNN(wrong)
    with pytest.raises(InputError, match="needs an SRNN"):
        export(wrong, np.zeros((1, 2, 2), int))


def test_what_is_no_task_and_no_options_is_named() -> None:
    samples = np.ones((4, 5, 2), int)
    with pytest.raises(InputError, match="task: 'ecg', needs a Task"):
        export(SRNN(CONFIG), samples, task="ecg")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="options: a dict, needs a Quantization"):
        export(SRNN(CONFIG), samples, options={"weight_bits": 6})  # type: ignore[arg-type]


def test_a_missing_option_is_named_as_the_command_line_has_it() -> None:
    with pytest.raises(InputError, match=r"arrays.train: is missing; give --task.options.train"):
        load("arrays")
