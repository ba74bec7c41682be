"""What a test needs that is not there: skipped by name, a failure where ``CI=true``."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from needs import CHECKS, Need, data_root, needs_of_file, obstacles
from srnn.export import compiling

# Seeded, so that a run says the same twice; neither a compilation inside an example nor a busy
# machine may count as slow.
settings.register_profile(
    "srnn", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("srnn")

# What commands print depends on them: pytest-xdist sets COLUMNS for its workers, and GNU readline,
# which pytest imports, sets both beside Python's back where TERM names a terminal.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)
    os.unsetenv(name)

# A shell starts what runs in the background with SIGINT ignored, nohup with SIGHUP, and so would
# every command that a test starts and stops.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Which test is the first to compile a kernel must not matter to those that read standard error;
# the tests of the line itself begin with an empty set.
compiling._SAID.add("compiling")


@pytest.fixture
def data_dir() -> Path:
    return data_root()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--without",
        default="",
        metavar="NAME,...",
        help="what may be missing with CI=true, of the names in tests/support/needs.py",
    )


def pytest_configure(config: pytest.Config) -> None:
    known = {name or marker for marker, checks in CHECKS.items() for name in checks}
    if unknown := excused(config) - known:
        raise pytest.UsageError(f"--without: {unknown} not among {sorted(known)}")


def excused(config: pytest.Config) -> set[str]:
    return set(filter(None, config.getoption("--without").split(",")))


def failure(needs: list[Need], config: pytest.Config) -> str:
    """Return what CI must have and has not; empty outside CI."""
    if os.environ.get("CI") != "true":
        return ""
    reason = obstacles(need for need in needs if (need[1] or need[0]) not in excused(config))
    return reason and f"CI must have what this needs: {reason}"


class NotImported(pytest.File):
    """A file of tests that cannot be imported here, since it needs what is not there."""

    def collect(self) -> list[pytest.Item]:
        needs = needs_of_file(self.path)
        if reason := failure(needs, self.config):
            pytest.fail(reason)
        pytest.skip(obstacles(needs), allow_module_level=True)


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Collector | None:
    if obstacles(needs_of_file(module_path)):
        return NotImported.from_parent(parent, path=module_path)
    return None


def needs_of_test(item: pytest.Item) -> list[Need]:
    return [
        (mark.name, name)
        for mark in item.iter_markers()
        if mark.name in {*CHECKS, "needs_data"}
        for name in (mark.args or ("",))
    ]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        needs = needs_of_test(item)
        reason = obstacles(needs)
        if reason and not failure(needs, item.config):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if reason := failure(needs_of_test(item), item.config):
        pytest.fail(reason)
