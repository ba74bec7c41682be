"""Energy counters: the kernel's files as they are laid out, and machines that have none."""

from __future__ import annotations

from pathlib import Path

import pytest
from srnn.simulate.meter import Meter, find_meters

NO_LIBRARY = "libno-such-library.so"


def zone(folder: Path, name: str, label: str, microjoules: str = "1000000") -> Path:
    made = folder / name
    made.mkdir(parents=True)
    (made / "name").write_text(f"{label}\n")
    (made / "energy_uj").write_text(f"{microjoules}\n")
    (made / "max_energy_range_uj").write_text("5000000\n")
    return made


def test_packages_are_read_and_their_parts_are_not(tmp_path: Path) -> None:
    package = zone(tmp_path, "intel-rapl:0", "package-0")
    zone(tmp_path, "intel-rapl:0:0", "core")
    zone(tmp_path, "intel-rapl:1", "package-1")
    found = find_meters(tmp_path, NO_LIBRARY)
    assert [meter.name for meter in found.meters] == ["package-0", "package-1"]
    assert list(found.missing) == ["NVML"]

    def work() -> None:
        (package / "energy_uj").write_text("3500000\n")

    assert found.measure(work) == pytest.approx({"package-0": 2.5, "package-1": 0.0})


def test_a_counter_that_wraps(tmp_path: Path) -> None:
    package = zone(tmp_path, "intel-rapl:0", "package-0", "4900000")
    found = find_meters(tmp_path, NO_LIBRARY)
    measured = found.measure(lambda: (package / "energy_uj").write_text("100000\n"))
    assert measured["package-0"] == pytest.approx(0.2)
    assert Meter("gpu-0", lambda: 0.0).between(3.0, 4.5) == 1.5


def test_reasons(tmp_path: Path) -> None:
    none = find_meters(tmp_path / "none", NO_LIBRARY)
    assert none.meters == ()
    assert "does not exist" in none.missing["RAPL"]
    assert "no NVIDIA driver" in none.missing["NVML"]
    assert none.measure(lambda: None) == {}
    assert "has no RAPL zone" in find_meters(tmp_path, NO_LIBRARY).missing["RAPL"]
    zone(tmp_path, "intel-rapl:0", "package-0", "not a number")
    assert "invalid literal" in find_meters(tmp_path, NO_LIBRARY).missing["RAPL"]


def test_a_counter_that_cannot_be_read(tmp_path: Path) -> None:
    package = zone(tmp_path, "intel-rapl:0", "package-0")
    (package / "energy_uj").unlink()
    (package / "energy_uj").mkdir()
    assert "Is a directory" in find_meters(tmp_path, NO_LIBRARY).missing["RAPL"]


def test_this_machine_answers_or_says_why() -> None:
    found = find_meters()
    assert found.meters or found.missing
    assert all(joules >= 0 for joules in found.measure(lambda: None).values())
