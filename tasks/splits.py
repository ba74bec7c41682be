"""Seeded splits, with NumPy's legacy generator, whose stream never changes between versions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .errors import DataError

Indices = npt.NDArray[np.int64]

SEED_MAX = 2**32 - 1


def seeded_permutation(n: int, seed: int) -> Indices:
    """Return a permutation of 0..n-1 that depends on the seed alone."""
    if not 0 <= seed <= SEED_MAX:
        raise DataError(f"seed: {seed} is outside 0..{SEED_MAX}")
    return np.random.RandomState(seed).permutation(n).astype(np.int64)


def hold_out(n: int, count: int, seed: int) -> tuple[Indices, Indices]:
    """Split 0..n-1 at random into ``n - count`` and ``count`` indices, each in ascending order.

    The held-out part is the end of the seeded shuffle.

    Raises
    ------
    DataError
        Nothing would be held out, or nothing would be left.
    """
    if not 1 <= count < n:
        raise DataError(f"validation: {count} sequences of {n}; needs 1..{n - 1}")
    order = seeded_permutation(n, seed)
    return np.sort(order[: n - count]), np.sort(order[n - count :])


def hold_out_groups(
    groups: npt.NDArray[np.int64], count: int, seed: int
) -> tuple[Indices, Indices]:
    """Split samples by whole groups, speakers for example, of which ``count`` are held out.

    ``groups`` (N,): the group of each sample. The groups held out are the end of a seeded
    shuffle; both parts are in ascending order.

    Raises
    ------
    DataError
        No group would be held out, or none would be left.
    """
    names = np.unique(groups)
    if not 1 <= count < len(names):
        raise DataError(f"validation: {count} of {len(names)} groups; needs 1..{len(names) - 1}")
    held = names[seeded_permutation(len(names), seed)[len(names) - count :]]
    out = np.isin(groups, held)
    return np.flatnonzero(~out).astype(np.int64), np.flatnonzero(out).astype(np.int64)


def split_by_fractions(
    targets: npt.NDArray[np.int64], fractions: Sequence[float], seed: int
) -> tuple[Indices, ...]:
    """Split samples at random into parts of given fractions, each in ascending order.

    Targets (N,) are stratified: of every class a part gets its fraction within one sample, and the
    parts' totals are as close to the fractions as that allows. The first part, for training, gets
    at least one sample of every class. Targets (N, T) are divided as one class.

    Raises
    ------
    DataError
        Fractions outside 0..1 or whose sum is not 1, or too few samples for a part.
    """
    if any(not 0 <= fraction <= 1 for fraction in fractions) or abs(sum(fractions) - 1) > 1e-9:
        raise DataError(f"fractions: {list(fractions)} must lie in 0..1 and add up to 1")
    order = seeded_permutation(len(targets), seed)
    labels = targets[order] if targets.ndim == 1 else np.zeros(len(order), dtype=np.int64)
    shares = np.asarray(fractions, dtype=np.float64)
    given = np.zeros(len(shares), dtype=np.int64)
    seen = 0
    parts: list[list[Indices]] = [[np.zeros(0, np.int64)] for _ in shares]
    for label in np.unique(labels):
        members = order[labels == label]
        seen += len(members)
        counts = _class_counts(len(members), shares, shares * seen - given)
        given += counts
        for part, piece in zip(parts, np.split(members, np.cumsum(counts)[:-1]), strict=True):
            part.append(piece)
    for fraction, count in zip(fractions, given, strict=True):
        if fraction > 0 and count == 0:
            raise DataError(
                f"fractions: a part of {fraction:g} of {len(targets)} samples is empty; give more "
                "samples or a larger fraction"
            )
    return tuple(np.sort(np.concatenate(part)) for part in parts)


def _class_counts(
    members: int, shares: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64]
) -> Indices:
    """Divide a class: whole samples first, the rest to the parts that are furthest below target."""
    counts = np.floor(shares * members + 1e-9).astype(np.int64)
    lacking = wanted - counts
    if counts[0] == 0:
        lacking[0] = np.inf
    rest = members - int(counts.sum())
    counts[np.argsort(-lacking, kind="stable")[:rest]] += 1
    return counts
