"""The losses of a readout at every step, compiled: value and gradient in one pass.

torch needs a dozen passes over (batch, time, class) for them, and its softmax over a few classes
takes longer than the network itself.

Arrays come as addresses (``kernels.py``). Sums of a loss are in float64.
"""

# Compiled functions take their arguments by position.
# ruff: noqa: PLR0912, PLR0915, PLR0917

# An intrinsic takes one argument less than its definition.
# pyright: reportCallIssue=false

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from numba import float64, int64, njit, types
from torch import Tensor
from torch.autograd.function import once_differentiable

from ...export.errors import InputError
from ...export.kernel import Kernel, ready
from ...export.suggest import check_known
from .memory import aligned
from .simd import (
    LANES,
    exp,
    get_float,
    get_int64,
    get_uint8,
    load,
    put_float,
    store,
)
from .sources import source_digest
from .threads import get_threads, not_compiled, run_shares, shares

KINDS = ("membrane", "mean_softmax")
"""Readouts that have a loss here; the others read one row per sample and use torch."""
_TILE = 32
"""Steps whose exponentials are taken together."""
_LARGE = 1e200
_SMALL = 1e-30


class _Places(NamedTuple):
    """Addresses and sizes of a call.

    ``output``, ``gradient`` float32 (batch, time, class); ``targets`` int64 (batch, time) or
    (batch,); ``counted`` uint8 (batch, time); ``scores`` float32 (batch, class) or 0.
    """

    output: int
    gradient: int
    targets: int
    counted: int
    scores: int
    steps: int
    classes: int


@njit
def _softmax(places, row, rows, room):
    """Write to ``room`` the undivided softmax of rows, then their sums, then their maxima."""
    classes = places.classes
    sums = _TILE * classes + LANES
    for r in range(rows):
        at = (row + r) * classes
        top = get_float(places.output, at)
        for k in range(1, classes):
            top = max(top, get_float(places.output, at + k))
        nothing = np.float32(0.0)
        for k in range(classes):
            below = get_float(places.output, at + k) - top
            put_float(room, r * classes + k, below)
            # The exponential hides NaN; a loss must not.
            nothing += below * np.float32(0.0)
        put_float(room, sums + r, nothing)
        put_float(room, sums + _TILE + r, top)
    for c in range(0, rows * classes, LANES):
        store(room, c, exp(load(room, c)))
    for r in range(rows):
        total = get_float(room, sums + r)
        for k in range(classes):
            total += get_float(room, r * classes + k)
        put_float(room, sums + r, total)


def _compile(digest: int):
    def membrane(places, weight, low, high, room):
        """Return the sum of the loss of samples ``low`` to ``high`` and the digest."""
        steps, classes = places.steps, places.classes
        sums = _TILE * classes + LANES
        loss, product = 0.0, 1.0
        for first in range(low * steps, high * steps, _TILE):
            rows = min(_TILE, high * steps - first)
            _softmax(places, first, rows, room)
            for r in range(rows):
                at = (first + r) * classes
                if get_uint8(places.counted, first + r) == 0:
                    for k in range(classes):
                        put_float(places.gradient, at + k, np.float32(0.0))
                    continue
                total, top = get_float(room, sums + r), get_float(room, sums + _TILE + r)
                target = get_int64(places.targets, first + r)
                scale = np.float32(weight) / total
                for k in range(classes):
                    put_float(places.gradient, at + k, get_float(room, r * classes + k) * scale)
                own = get_float(places.gradient, at + target)
                put_float(places.gradient, at + target, own - np.float32(weight))
                loss += np.float64(top) - np.float64(get_float(places.output, at + target))
                # One logarithm of a product, not many; a sum is at most the number of classes.
                product *= total
                if not product < _LARGE:
                    loss += math.log(product)
                    product = 1.0
        return loss + math.log(product), digest

    def mean_softmax(places, weight, low, high, room, means):
        """Return the sum of the loss of samples ``low`` to ``high`` and the digest."""
        steps, classes = places.steps, places.classes
        sums = _TILE * classes + LANES
        loss = 0.0
        for b in range(low, high):
            target = get_int64(places.targets, b)
            for k in range(classes):
                means[k] = 0.0
            count, best = 0, -math.inf
            for start in range(0, steps, _TILE):
                first, rows = b * steps + start, min(_TILE, steps - start)
                _softmax(places, first, rows, room)
                for r in range(rows):
                    at = (first + r) * classes
                    counted = get_uint8(places.counted, first + r) != 0
                    scale = np.float32(1.0) / get_float(room, sums + r)
                    if not counted:
                        scale = np.float32(0.0)
                    for k in range(classes):
                        p = get_float(room, r * classes + k) * scale
                        put_float(places.gradient, at + k, p)
                        means[k] += p
                    if counted:
                        count += 1
                        x = np.float64(get_float(places.output, at + target))
                        top = np.float64(get_float(room, sums + _TILE + r))
                        best = max(best, x - top)
            share, log_share = means[target], 0.0
            tiny = not share > _SMALL
            if tiny and count > 0:
                # The target's probability underflows: sum it relative to its largest logarithm.
                share = 0.0
                for t in range(steps):
                    if get_uint8(places.counted, b * steps + t) != 0:
                        share += math.exp(_log_share(places, b * steps + t, target) - best)
                log_share = best
            n = max(count, 1)
            loss -= math.log(share) + log_share - math.log(n) if count > 0 else 0.0
            for k in range(classes):
                put_float(places.scores, b * classes + k, np.float32(means[k] / n))
            for t in range(steps):
                row = b * steps + t
                at = row * classes
                if get_uint8(places.counted, row) == 0:
                    continue
                part = np.float64(get_float(places.gradient, at + target))
                if tiny:
                    part = math.exp(_log_share(places, row, target) - best)
                part = np.float32(weight * part / share)
                for k in range(classes):
                    p = get_float(places.gradient, at + k)
                    put_float(places.gradient, at + k, part * p)
                own = get_float(places.gradient, at + target)
                put_float(places.gradient, at + target, own - part)
        return loss, digest

    return membrane, mean_softmax


@njit
def _log_share(places, row, target):
    """Return the logarithm of the target's softmax at a row, in float64."""
    at = row * places.classes
    top = -math.inf
    for k in range(places.classes):
        top = max(top, np.float64(get_float(places.output, at + k)))
    total = 0.0
    for k in range(places.classes):
        total += math.exp(np.float64(get_float(places.output, at + k)) - top)
    return np.float64(get_float(places.output, at + target)) - top - math.log(total)


_MEMBRANE, _MEAN_SOFTMAX = _compile(source_digest())
_ARGUMENTS = (types.NamedUniTuple(int64, len(_Places._fields), _Places), float64, *[int64] * 3)
_run_membrane = Kernel(_MEMBRANE, "loss of training", _ARGUMENTS)
_run_mean_softmax = Kernel(_MEAN_SOFTMAX, "loss of training", (*_ARGUMENTS, float64[::1]))


@not_compiled
def readout_loss(
    kind: str, output: Tensor, targets: Tensor, counted: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the mean negative log-likelihood of a readout, and its scores.

    ``membrane``: ``-log softmax(output_t)[target_t]``, the mean over the counted steps of all
    samples. ``mean_softmax``: ``-log of the mean over the counted steps of softmax(output_t)``
    at the target, the mean over the samples.

    Parameters
    ----------
    kind
        One of ``KINDS``.
    output
        float32 (batch, time, class) on the CPU; the loss is differentiable in it, once.
    targets
        int64 (batch, time) for ``membrane``, (batch,) for ``mean_softmax``: classes from 0.
    counted
        bool (batch, time): the steps that count.

    Returns
    -------
    tuple
        The loss; and scores without a gradient whose largest is the answer: ``output`` itself, or
        the mean softmax (batch, class).

    Raises
    ------
    InputError
        Another kind, shapes that do not fit, a target that is no class.
    """
    check_known("loss", kind, KINDS, "engine")
    batch, steps, classes = output.shape
    fits = (batch, steps) if kind == "membrane" else (batch,)
    if tuple(targets.shape) != fits or tuple(counted.shape) != (batch, steps):
        raise InputError(
            f"engine: targets {tuple(targets.shape)} and counted {tuple(counted.shape)} for output "
            f"{tuple(output.shape)}; they are {fits} and {(batch, steps)}"
        )
    if output.dtype != torch.float32 or output.device.type != "cpu":
        raise InputError(f"engine: output is {output.dtype} on {output.device}, not float32 on CPU")
    if targets.numel() and not 0 <= int(targets.min()) <= int(targets.max()) < classes:
        raise InputError(
            f"engine: targets {int(targets.min())} to {int(targets.max())}; there are {classes} "
            f"classes, 0 to {classes - 1}"
        )
    made = _ReadoutLoss.apply(output, kind, targets, counted)
    assert isinstance(made, tuple)
    value, scores = made
    return value, output.detach() if kind == "membrane" else scores


class _ReadoutLoss(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, output: Tensor, kind: str, targets: Tensor, counted: Tensor
    ) -> tuple[Tensor, Tensor]:
        values = output.detach().contiguous()
        batch, steps, classes = values.shape
        gradient = torch.from_numpy(aligned((batch, steps, classes), clear=False))
        scores = torch.empty(batch, classes)
        wanted = targets.detach().to(torch.int64).contiguous()
        counts = counted.contiguous().view(torch.uint8)
        places = _Places(
            values.data_ptr(), gradient.data_ptr(), wanted.data_ptr(), counts.data_ptr(),
            scores.data_ptr(), steps, classes,
        )  # fmt: skip
        per_step = kind == "membrane"
        ready(_run_membrane if per_step else _run_mean_softmax)
        total = max(int(counted.sum()) if per_step else batch, 1)
        parts = shares(batch, get_threads())
        sums = [0.0] * len(parts)

        def run(number: int, low: int, high: int) -> None:
            room = aligned((_TILE * (classes + 2) + LANES,))
            where = room.ctypes.data
            if per_step:
                sums[number] = _run_membrane.call(places, 1 / total, low, high, where)[0]
            else:
                means = np.zeros(classes)
                sums[number] = _run_mean_softmax.call(places, 1 / total, low, high, where, means)[0]

        run_shares(run, parts)
        ctx.save_for_backward(gradient)
        ctx.mark_non_differentiable(scores)
        ctx.set_materialize_grads(False)
        return torch.tensor(sum(sums) / total), scores

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outside: Tensor | None) -> tuple[Tensor | None, None, None, None]:  # type: ignore[override]
        (gradient,) = ctx.saved_tensors
        if outside[0] is None:
            return None, None, None, None
        factor = float(outside[0])
        return gradient if factor == 1.0 else gradient * factor, None, None, None
