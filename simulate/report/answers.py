"""The section on answers: accuracy, confusion matrix, labels over time."""

from __future__ import annotations

import numpy as np

from ..figures.confusion_matrix import confusion, confusion_series
from ..figures.timelines import timeline, timeline_series
from .document import Column, Item, Section, Table, Text
from .drawing import drawing
from .evidence import Evidence, Shown

METRICS = {
    "accuracy": "accuracy",
    "accuracy_labelled": "accuracy, labelled steps",
}


def answers(evidence: Evidence) -> Section:
    """Return the section."""
    items: list[Item] = []
    if evidence.metrics:
        items.append(metrics_table(evidence))
    else:
        items.append(
            Text(
                "no-labels",
                "The data has no labels for these answers, so there is no accuracy.",
                "warning",
            )
        )
    if evidence.confusion is not None:
        items += [_confusion(evidence), class_table(evidence)]
    if evidence.network.readout.per_step:
        items += [_timeline(evidence, number, shown) for number, shown in enumerate(evidence.shown)]
    else:
        items.append(predictions_table(evidence))
    return Section("answers", "Answers", tuple(items))


def metrics_table(evidence: Evidence) -> Table:
    """Return accuracies with their standard error over samples."""
    per_step = evidence.network.readout.per_step
    rows = [
        (METRICS.get(name, name), value, evidence.errors.get(name), evidence.data.count)
        for name, value in evidence.metrics.items()
    ]
    return Table(
        "accuracy",
        "Accuracy",
        (
            Column("metric", "metric"),
            Column("value", "value", "percent"),
            Column("standard-error", "± standard error", "percent"),
            Column("samples", "samples", "integer"),
        ),
        tuple(rows),
        ("In the first row, steps without a label count as the first class. " if per_step else "")
        + "The standard error is that of the mean over samples, taken as independent draws. "
        + (
            f"The first {evidence.data.skip_steps} steps of a sample are not counted."
            if evidence.data.skip_steps
            else ""
        ),
    )


def class_table(evidence: Evidence) -> Table:
    """Return precision, recall and F1 score of each class."""
    counts = evidence.confusion
    assert counts is not None
    right, labels, answered = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    rows = []
    for index, name in enumerate(evidence.classes):
        precision = right[index] / answered[index] if answered[index] else None
        recall = right[index] / labels[index] if labels[index] else None
        both = labels[index] + answered[index]
        f1 = 2 * right[index] / both if both else None
        rows.append(
            (
                name,
                int(labels[index]),
                *(None if value is None else float(value) for value in (precision, recall, f1)),
            )
        )
    unit = "steps" if evidence.network.readout.per_step else "samples"
    return Table(
        "classes",
        "By class",
        (
            Column("class", "class"),
            Column("labels", "labels", "integer", unit),
            Column("precision", "precision", "percent"),
            Column("recall", "recall", "percent"),
            Column("f1", "F1", "percent"),
        ),
        tuple(rows),
        "Precision: share of the answers of a class that are correct. Recall: share of the labels "
        "of a class that were found. F1: their harmonic mean. Of labelled steps or samples.",
        half=True,
    )


def _confusion(evidence: Evidence) -> Item:
    counts, names = evidence.confusion, evidence.classes
    assert counts is not None
    wrong = counts - np.diag(np.diag(counts))
    caption = ""
    if wrong.any():
        row, column = np.unravel_index(int(wrong.argmax()), wrong.shape)
        caption = (
            f"Most frequent mistake: {names[row]} answered as {names[column]}, "
            f"{int(wrong[row, column]):,} "
            f"times ({wrong[row, column] / max(int(counts[row].sum()), 1):.1%} of {names[row]})."
        )
    return drawing(
        "confusion",
        "Confusion matrix",
        f"Confusion matrix of {len(names)} classes: labels in rows, answers in columns.",
        confusion,
        confusion_series,
        counts,
        names,
        caption=caption,
    )


def _timeline(evidence: Evidence, number: int, shown: Shown) -> Item:
    data, length = evidence.data, int(shown.trace.lengths[0])
    targets = None if data.targets is None else data.targets[shown.index, :length]
    if targets is not None and targets.ndim != 1:
        targets = None
    valid = None if data.valid is None else data.valid[shown.index, :length]
    score = "" if evidence.scores is None else f", {evidence.scores[shown.index]:.1%} correct"
    return drawing(
        f"timeline-{number}",
        f"Sample {shown.index} ({shown.why}{score})",
        "Input events over time; below, the label of every step and the network's answer.",
        timeline,
        timeline_series,
        shown.inputs[:length],
        evidence.predictions[shown.index, :length],
        targets,
        evidence.classes,
        valid,
        caption="Band: label. Line: answer. Ticks at the bottom: labelled steps answered wrongly."
        if targets is not None
        else "Line: answer. The data has no labels.",
        wide=True,
    )


ROWS_MAX = 200


def predictions_table(evidence: Evidence) -> Table:
    """Return the answers of the first samples."""
    rows = []
    targets = evidence.data.targets
    known = targets is not None and targets.shape == evidence.predictions.shape
    for index, answer in enumerate(evidence.predictions[:ROWS_MAX].tolist()):
        label = None
        if known and targets is not None and targets[index] < len(evidence.classes):
            label = evidence.classes[int(targets[index])]
        name = evidence.classes[answer]
        rows.append((index, name, label, None if label is None else label == name))
    more = len(evidence.predictions) - len(rows)
    return Table(
        "predictions",
        "Answers, sample by sample",
        (
            Column("sample", "sample", "integer"),
            Column("answer", "answer"),
            Column("label", "label"),
            Column("right", "right"),
        ),
        tuple(rows),
        f"And {more:,} more; srnn-simulate --json with a file of inputs prints all."
        if more
        else "",
        half=True,
    )
