"""A listing's text, executed: every operation by its name, every result within its width."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

STATE_MAX, HALF, FULL = (1 << 23) - 1, 1 << 23, 1 << 24

COMPUTE = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "shl": lambda x, k: x << k,
    "shr": lambda x, k: x >> k,
    "rtz": lambda x, k: np.where(x < 0, -(-x >> k), x >> k),
    "sat24": lambda x: np.clip(x, -STATE_MAX, STATE_MAX),
    "wrap24": lambda x: x - FULL * (x > HALF) + FULL * (x <= -HALF),
    "gt": lambda x, y: x > y,
    "ge": lambda x, y: x >= y,
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
    "and": lambda x, y: x * y,
    "or": np.maximum,
    "not": lambda x: 1 - x,
    "sel": np.where,
}
"""Operations of a listing, as docs/MICROCODE.md has them."""

OPERATION = re.compile(r"(%\d+) ([suw]\d+) = (\w+) (.+)")


def check(values: Any, width: str, where: str) -> None:
    half = 1 << (int(width[1:]) - 1)
    low, high = {"u": (0, 2 * half - 1), "s": (-half, half - 1), "w": (1 - half, half)}[width[0]]
    assert (values >= low).all(), where
    assert (values <= high).all(), where


class Machine:
    """One layer of a listing, from its text alone."""

    def __init__(self, text: str, layer: str, batch: int) -> None:
        lines = [line.split("#")[0].strip() for line in text.splitlines()]
        lines = [line for line in lines if line]
        assert lines[0] == "listing 2"
        assert lines[-1] == "end"
        (head,) = [line for line in lines if line.startswith(f'layer "{layer}" ')]
        name, size = head.split()[2:]
        self.shape = (batch, int(size))
        self.operations: list[tuple[str, str, str, list[str]]] = []
        self.after: dict[str, str] = {}
        self.widths: dict[str, str] = {}
        self.registers: list[str] = []
        self._read_program(lines[lines.index(f"program {name}") + 1 :])
        values: dict[str, list[int]] = {}
        for line in lines[lines.index(head) + 1 :]:
            if line == "end" or line.startswith("layer "):
                break
            named, span, *given = line.split()
            row = [int(value) for value in given]
            values.setdefault(named, []).extend(row * int(size) if span == "all" else row)
        self.values = {k: np.broadcast_to(np.array(v), self.shape) for k, v in values.items()}
        assert set(self.values) == set(self.widths) - {"a"}
        for named, row in self.values.items():
            check(row, self.widths[named], named)

    def _read_program(self, lines: list[str]) -> None:
        for line in lines:
            word, *rest = line.split()
            if word in {"input", "register", "constant"}:
                self.widths[rest[0]] = rest[1]
                self.registers += rest[:1] if word == "register" else []
            elif word == "next":
                self.after[rest[0]] = rest[2]
            elif word == "counts":
                break
            elif word != "step":
                found = OPERATION.fullmatch(line)
                assert found, line
                target, width, kind, operands = found.groups()
                self.operations.append((target, width, kind, operands.split()))
        assert set(self.after) == set(self.registers)
        used = {name for *_, operands in self.operations for name in operands}
        used |= set(self.after.values())
        made = [target for target, *_ in self.operations]
        assert len(set(made)) == len(made)
        assert set(made) <= used, "each result is used"

    def step(self, total: np.ndarray) -> dict[str, np.ndarray]:
        """Run a step on sums (batch, n), and return the registers."""
        check(total, self.widths["a"], "a")
        values: dict[str, Any] = {**self.values, "a": total}

        def of(name: str) -> Any:
            return values[name] if name in values else np.int64(name)

        for target, width, kind, operands in self.operations:
            values[target] = np.asarray(COMPUTE[kind](*map(of, operands))).astype(np.int64)
            check(values[target], width, f"{target} = {kind}")
        after = {k: np.broadcast_to(of(v), self.shape) for k, v in self.after.items()}
        for name, row in after.items():
            check(row, self.widths[name], name)
        self.values |= after
        return after
