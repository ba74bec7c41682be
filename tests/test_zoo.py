"""The networks in zoo/ give the bits that are stored in them, in every stage that runs integers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from srnn.export.netx import read_net, read_samples
from srnn.export.trace import compare
from srnn.simulate import reference
from srnn.simulate.evaluate import evaluate
from srnn.simulate.simulator import run
from srnn.tasks import load

ZOO = Path(__file__).resolve().parent.parent / "zoo"
FILES = sorted(ZOO.glob("*.net"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_bundled_samples(file: Path) -> None:
    network, samples = read_net(file), read_samples(file)
    assert samples is not None
    fast = run(network, samples.inputs, samples.lengths)
    assert np.array_equal(fast.output, samples.output)
    slow = reference.run(network, samples.inputs, samples.lengths)
    assert sum(row.different for row in compare(fast, slow)) == 0


def test_recorded_accuracy_of_the_digits() -> None:
    network = read_net(ZOO / "digits.net")
    task = load("digits", options=network.task["options"])
    assert round(evaluate(network, task.test).metrics["accuracy"], 4) == 0.9694
