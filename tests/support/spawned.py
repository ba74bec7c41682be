"""What spawned processes run: they import it by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from srnn.tasks import Split
from srnn.train import SRNN
from torch.utils.data import Dataset


class Samples(Dataset[Any]):
    """A split of a task, sample by sample, with the model beside it."""

    def __init__(self, split: Split, model: SRNN) -> None:
        self.split, self.model = split, model

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int, torch.Tensor]:
        inputs = self.split.inputs[index]
        with torch.no_grad():
            output = self.model(torch.from_numpy(inputs)[None]).output[0]
        return inputs, int(self.split.targets[index]), output


def answer(sent: tuple[SRNN, torch.Tensor]) -> np.ndarray:
    """The output of a model that came through a pipe."""
    model, inputs = sent
    with torch.no_grad():
        return model(inputs).output.numpy()
