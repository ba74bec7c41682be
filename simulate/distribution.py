"""How a count spreads over the samples of a data set."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Distribution:
    """Mean, standard deviation (of the samples themselves, not of the mean) and quantiles."""

    mean: float
    standard_deviation: float
    smallest: float
    percentile_5: float
    median: float
    percentile_95: float
    largest: float

    def as_dict(self) -> dict[str, float]:
        """Return the numbers by name."""
        return asdict(self)


def distribution(values: npt.ArrayLike) -> Distribution | None:
    """Describe one value per sample, (samples,); None without any."""
    array = np.asarray(values, dtype=np.float64).reshape(-1)
    if array.size == 0:
        return None
    low, middle, high = np.percentile(array, (5, 50, 95)).tolist()
    return Distribution(
        float(array.mean()),
        float(array.std()),
        float(array.min()),
        low,
        middle,
        high,
        float(array.max()),
    )
