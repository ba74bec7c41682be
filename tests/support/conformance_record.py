"""Compare traces and count what was compared with what."""

from __future__ import annotations

import json
import platform
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from srnn.export.network import Network
from srnn.export.netx import write_net
from srnn.export.samples import Samples
from srnn.export.trace import Trace, compare

PACKAGES = ("srnn", "lava-nc", "lava-dl", "numpy", "numba", "torch")
SHRUNK = Path("runs") / "conformance"


@dataclass
class Count:
    """Sums over the compared runs of one pair; a neuron-step is one neuron in one step."""

    networks: int = 0
    samples: int = 0
    neuron_steps: int = 0
    values: int = 0
    spikes: int = 0
    mismatches: int = 0


@dataclass
class Record:
    """Counts by the pair that was compared, for example ``kernels = reference``."""

    counts: dict[str, Count] = field(default_factory=lambda: defaultdict(Count))

    def compared(
        self, pair: str, network: Network, inputs: np.ndarray, found: Trace, by: Trace
    ) -> None:
        """Compare two runs of a network, add them to the counts, and fail where they differ.

        The network and its inputs are kept as a file then; Hypothesis shrinks, so that the last
        file kept is of the smallest network found.
        """
        rows = compare(found, by)
        held = sum(
            len(layer.states) + (layer.spikes is not None)
            for trace in (found, by)
            for layer in trace.layers
        )
        assert held == 2 * len(rows), "a quantity is held by one of the traces only"
        np.testing.assert_array_equal(found.lengths, by.lengths)
        different = [row for row in rows if row.different]
        wrong = sum(row.different for row in different) + int((found.output != by.output).sum())
        steps = int(by.lengths.sum())
        count = self.counts[pair]
        count.networks += 1
        count.samples += len(by.lengths)
        count.neuron_steps += steps * sum(layer.size for layer in network.layers)
        count.values += steps * sum(network.layers[row.layer].size for row in rows)
        count.spikes += sum(int(a.spikes.sum()) for a in by.layers if a.spikes is not None)
        count.mismatches += wrong
        if wrong:
            SHRUNK.mkdir(parents=True, exist_ok=True)
            path = SHRUNK / f"{pair.replace(' = ', '-').replace(' ', '-')}.net"
            write_net(path, network, Samples(inputs, by.lengths, None, None, by.output))
            raise AssertionError(
                f"{pair}: {different}; kept as {path}, to be moved to tests/conformance/found"
            )

    def write(self, path: Path) -> None:
        """Write versions and counts as JSON."""
        found = {"python": platform.python_version()}
        for name in PACKAGES:
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                continue
        counts = {pair: asdict(count) for pair, count in sorted(self.counts.items())}
        text = json.dumps({"versions": found, "counts": counts}, indent=2)
        path.write_text(text + "\n", encoding="utf-8")
