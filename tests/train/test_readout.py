from __future__ import annotations

import numpy as np
import pytest
import torch
from srnn.export.network import READOUTS
from srnn.export.readout import readout_scores
from srnn.train.readout import counted_steps, log_scores, loss, loss_terms, predictions


@pytest.mark.parametrize("skip_steps", [0, 4])
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("kind", READOUTS)
def test_torch_and_numpy_read_alike(kind: str, ragged: bool, skip_steps: int) -> None:
    rng = np.random.default_rng(7)
    output = rng.normal(0, 3, (6, 15, 4))
    if kind == "spike_count":
        output = (output > 2).astype(float)
    lengths = rng.integers(5, 16, 6) if ragged else None
    expected = readout_scores(kind, output, skip_steps, lengths)
    if kind == "mean_softmax":
        expected = np.log(expected)
    else:
        expected = expected - np.log(np.exp(expected).sum(-1, keepdims=True))
    tensor = None if lengths is None else torch.from_numpy(lengths)
    scores = log_scores(kind, torch.from_numpy(output), skip_steps, tensor)
    np.testing.assert_allclose(scores, expected, atol=1e-12)
    if kind != "membrane":
        # Steps beyond a sample's end or before the first counted step have no effect.
        other = output.copy()
        if ragged:
            other[np.arange(15) >= np.asarray(lengths)[:, None]] = 9.0
        if kind != "last_membrane":
            other[:, :skip_steps] = -9.0
        again = log_scores(kind, torch.from_numpy(other), skip_steps, tensor)
        np.testing.assert_allclose(again, expected, atol=1e-12)


def test_loss_counts_the_steps_that_it_is_given() -> None:
    rng = np.random.default_rng(1)
    scores = torch.from_numpy(rng.normal(size=(3, 8, 4))).log_softmax(2)
    targets = torch.from_numpy(rng.integers(0, 4, (3, 8)))
    counted = counted_steps(scores, 2, torch.tensor([8, 5, 3]))
    assert counted.sum(1).tolist() == [6, 3, 1]
    every = [
        -scores[n, t, targets[n, t]].item() for n in range(3) for t in range(8) if counted[n, t]
    ]
    assert loss(scores, targets, counted).item() == pytest.approx(np.mean(every))
    assert loss(scores, targets, counted & False).item() == 0.0
    last = scores[:, 0]
    expected = -np.mean([last[n, targets[n, 0]].item() for n in range(3)])
    assert loss(last, targets[:, 0]).item() == pytest.approx(expected)


@pytest.mark.parametrize("classes", [1, 2, 6, 15, 16, 40])
def test_log_softmax_of_any_number_of_classes(classes: int) -> None:
    output = torch.randn(3, 11, classes, generator=torch.Generator().manual_seed(0))
    output.requires_grad_()
    weights = torch.randn(3, 11, classes, generator=torch.Generator().manual_seed(1))
    plain = torch.log_softmax(output, 2)
    expected = torch.autograd.grad((plain * weights).sum(), output)[0]
    scores = log_scores("membrane", output)
    torch.testing.assert_close(scores, plain)
    found = torch.autograd.grad((scores * weights).sum(), output)[0]
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(predictions(scores, output), plain.argmax(2))


def test_terms_of_the_mean() -> None:
    scores = torch.zeros(2, 5, 3)
    assert loss_terms(scores[:, 0]) == 2
    assert loss_terms(scores) == 10
    assert loss_terms(scores, torch.arange(5).expand(2, -1) >= 3) == 4
