"""The compiled losses against torch's operations: value, scores, gradient."""

from __future__ import annotations

import pytest
import torch
from srnn.export.errors import InputError
from srnn.train.engine.losses import KINDS, readout_loss
from srnn.train.readout import counted_steps, loss_and_scores
from torch import Tensor


def draw(kind: str, shape: tuple[int, int, int], spread: float) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(3)
    output = spread * torch.randn(shape, generator=g)
    size = shape[:2] if kind == "membrane" else shape[:1]
    return output, torch.randint(shape[2], size, generator=g)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 37, 6), (3, 64, 20), (9, 33, 2), (2, 5, 40)])
@pytest.mark.parametrize("spread", [1.0, 20.0, 400.0])
@pytest.mark.parametrize("ragged", [False, True])
def test_value_and_gradient_equal_torch(kind, shape, spread, ragged):
    output, targets = draw(kind, shape, spread)
    lengths = torch.arange(shape[0]) % shape[1] + 1 if ragged else None
    valid = torch.rand(shape[:2], generator=torch.Generator().manual_seed(1)) < 0.8
    skip = min(2, shape[1] - 1) if not ragged else 0
    mine = output.clone().requires_grad_()
    exact = output.double().requires_grad_()
    value, scores = loss_and_scores(kind, mine, targets, skip, lengths, valid, compiled=True)
    expected, log_scores = loss_and_scores(kind, exact, targets, skip, lengths, valid)
    (3 * value).backward()
    (3 * expected).backward()
    assert value.item() == pytest.approx(expected.item(), rel=1e-5, abs=1e-6)
    assert mine.grad is not None
    assert exact.grad is not None
    torch.testing.assert_close(mine.grad.double(), exact.grad, rtol=1e-4, atol=1e-6)
    # Among classes of equal scores any may be the answer.
    chosen = log_scores.gather(-1, scores.argmax(-1, keepdim=True))
    torch.testing.assert_close(chosen, log_scores.amax(-1, keepdim=True))


def test_nothing_counted_is_a_loss_of_zero():
    output, targets = draw("membrane", (2, 3, 4), 1.0)
    output.requires_grad_()
    value, _ = readout_loss("membrane", output, targets, torch.zeros(2, 3, dtype=torch.bool))
    value.backward()
    assert value.item() == 0.0
    assert output.grad is not None
    assert not output.grad.any()


def test_what_is_not_finite_shows_in_the_loss():
    output, targets = draw("membrane", (2, 3, 4), 1.0)
    counted = torch.ones(2, 3, dtype=torch.bool)
    output[1, 1, 2] = torch.nan
    assert not torch.isfinite(readout_loss("membrane", output, targets, counted)[0])
    assert not torch.isfinite(readout_loss("mean_softmax", output, targets[:, 0], counted)[0])


def test_errors_say_what_does_not_fit():
    output, targets = draw("membrane", (2, 3, 4), 1.0)
    counted = counted_steps(output, 0, None)
    with pytest.raises(InputError, match=r"unknown loss .* \(known: membrane, mean_softmax"):
        readout_loss("last_membrane", output, targets, counted)
    with pytest.raises(InputError, match=r"targets \(2,\).*they are \(2, 3\)"):
        readout_loss("membrane", output, targets[:, 0], counted)
    with pytest.raises(InputError, match="4 classes, 0 to 3"):
        readout_loss("membrane", output, targets + 4, counted)
    with pytest.raises(InputError, match="float32"):
        readout_loss("membrane", output.double(), targets, counted)
