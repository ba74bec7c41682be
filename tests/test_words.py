"""Plain technical English: words that a reader stumbled over stay out of code and pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from paths import ROOT

FORBIDDEN = (
    r"anew",
    r"at hand",
    r"hands? down",
    r"lateral",
    r"looks? upwards?",
    r"mend(?:s|ed|ing)?",
    r"neuron programs?",
    r"of no matter",
    r"some \d+",
    r"stands? in the way",
    r"under way",
    r"way (?:ahead|back)",
    r"what a mouthful",
    r"what is taken for what",
    r"(?:a|one) label an? (?:step|sample|sequence)",
)
"""Poetic, invented or misleading; CONTRIBUTING.md names the terms to use instead."""
WORDS = re.compile(rf"\b(?:{'|'.join(FORBIDDEN)})\b", re.IGNORECASE)

CHECKED = (
    "benchmarks",
    "deploy",
    "docs",
    "export",
    "package",
    "simulate",
    "tasks",
    "tests",
    "train",
    "zoo",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "pyproject.toml",
)
"""Folders and files that are read."""


def texts() -> Iterator[Path]:
    """Yield the files to read."""
    for name in CHECKED:
        path = ROOT / name
        inside = path.rglob("*") if path.is_dir() else [path]
        yield from (
            file
            for file in inside
            if file.suffix in {".py", ".md", ".toml"} and file != Path(__file__)
        )


def test_no_forbidden_words() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{number}: {match.group()}"
        for file in texts()
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        for match in WORDS.finditer(line)
    ]
    assert not found, "\n".join(found)


def test_every_checked_path_exists() -> None:
    assert all((ROOT / name).exists() for name in CHECKED)


def test_whole_words_only() -> None:
    assert WORDS.search("start Anew")
    assert WORDS.search("some 30 minutes")
    assert not WORDS.search("recommended amendment, a collateral, in some cases, handsdown")
