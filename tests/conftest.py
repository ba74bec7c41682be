"""Fixtures: where the data lies, and what a missing one means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings
from paths import ROOT

# Seeded, so that a run says the same twice; a compilation inside an example must not count as slow.
settings.register_profile("srnn", derandomize=True, deadline=None)
settings.load_profile("srnn")


def data_root() -> Path:
    """Return the folder of real data: ``SRNN_DATA``, default ``../shared/data``."""
    return Path(os.environ.get("SRNN_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture
def data_dir() -> Path:
    return data_root()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for mark in item.iter_markers("needs_data"):
            folder = data_root() / mark.args[0]
            if folder.exists():
                continue
            if os.environ.get("CI") == "true":
                item.add_marker(pytest.mark.usefixtures("missing_data_in_ci"))
            else:
                item.add_marker(
                    pytest.mark.skip(reason=f"no {mark.args[0]} in SRNN_DATA ({data_root()})")
                )


@pytest.fixture
def missing_data_in_ci() -> None:
    pytest.fail(f"CI must have the test data; none at {data_root()}")
