"""How well predictions match labels, as published and on labelled steps only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Split
from .errors import DataError

BoolArray = npt.NDArray[np.bool_]


def scored_steps(split: Split, skip_steps: int = 0, labelled_only: bool = False) -> BoolArray:
    """Return which steps count, bool (N, T): at or after ``skip_steps``, within each length.

    ``labelled_only`` excludes the unlabelled steps too.
    """
    steps = np.arange(split.steps)
    counted = (steps >= skip_steps) & (steps < split.step_counts()[:, None])
    if labelled_only and split.valid is not None:
        counted &= split.valid
    return counted


def accuracy(predictions: npt.ArrayLike, split: Split, skip_steps: int = 0) -> dict[str, float]:
    """Return the fraction of correct predictions.

    Parameters
    ----------
    predictions
        Class indices, of the shape of ``split.targets``: (N,) or (N, T).
    split
        The labels, lengths and labelled steps.
    skip_steps
        Number of first steps that are not counted; only for labels per step.

    Returns
    -------
    dict
        ``accuracy``, and for labels per step ``accuracy_labelled``. The first is the published
        metric of the ECG task: every step counts, and an unlabelled one has class 0 as its label,
        since the argmax of its all-zero row is 0. The second counts only labelled steps.

    Raises
    ------
    DataError
        Predictions of another shape, or no step to count.
    """
    predicted = _checked(predictions, split)
    right = predicted == split.targets
    if not split.per_step:
        return {"accuracy": _share(right)}
    return {
        "accuracy": _share(right[scored_steps(split, skip_steps)]),
        "accuracy_labelled": _share(right[scored_steps(split, skip_steps, labelled_only=True)]),
    }


def confusion(
    predictions: npt.ArrayLike,
    split: Split,
    classes: int,
    skip_steps: int = 0,
    labelled_only: bool = True,
) -> npt.NDArray[np.int64]:
    """Return the confusion matrix, int64 (classes, classes): rows labels, columns predictions.

    Raises
    ------
    DataError
        Predictions of another shape, or a class index out of range.
    """
    predicted, targets = _checked(predictions, split), split.targets
    if split.per_step:
        counted = scored_steps(split, skip_steps, labelled_only)
        predicted, targets = predicted[counted], targets[counted]
    for kind, values in (("prediction", predicted), ("target", targets)):
        if values.size and (values.min() < 0 or values.max() >= classes):
            raise DataError(f"{kind}: {values.min()}..{values.max()} is outside 0..{classes - 1}")
    pairs = targets * classes + predicted
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def _checked(predictions: npt.ArrayLike, split: Split) -> npt.NDArray[np.int64]:
    predicted = np.asarray(predictions)
    if predicted.shape != split.targets.shape or predicted.dtype.kind not in "iu":
        raise DataError(
            f"predictions: {predicted.dtype} {predicted.shape}, needs class indices "
            f"{split.targets.shape}"
        )
    return predicted.astype(np.int64)


def _share(right: BoolArray) -> float:
    if right.size == 0:
        raise DataError("accuracy: no labelled step to count; lower skip_steps or give labels")
    return float(np.count_nonzero(right) / right.size)
