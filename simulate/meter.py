"""Energy counters of this machine: processors by RAPL through powercap, NVIDIA GPUs by NVML.

Both count joules from an arbitrary start; a measurement is the difference of two readings, and
includes what other programs did on the package or card. Where a counter cannot be read, the reason
is kept for the report.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POWERCAP = Path("/sys/class/powercap")
NVML = "libnvidia-ml.so.1"
_NVML_SUCCESS = 0


@dataclass(frozen=True)
class Meter:
    """One counter: its name, and ``read``, which returns joules.

    ``wraps``: joules after which it starts from 0 again; 0 where it does not.
    """

    name: str
    read: Callable[[], float]
    wraps: float = 0.0

    def between(self, before: float, after: float) -> float:
        """Return the joules between two readings, at most one wrap apart."""
        return after - before + (self.wraps if after < before else 0.0)


@dataclass(frozen=True)
class Meters:
    """The readable counters, and the reason for each kind that cannot be read."""

    meters: tuple[Meter, ...]
    missing: dict[str, str]

    def measure(self, work: Callable[[], object]) -> dict[str, float]:
        """Do the work and return the joules that each counter measured."""
        before = [meter.read() for meter in self.meters]
        work()
        after = [meter.read() for meter in self.meters]
        return {
            meter.name: meter.between(one, two)
            for meter, one, two in zip(self.meters, before, after, strict=True)
        }


def find_meters(powercap: Path = POWERCAP, nvml: str = NVML) -> Meters:
    """Find the counters of this machine.

    Parameters
    ----------
    powercap
        Folder of the kernel's powercap zones.
    nvml
        Name of NVIDIA's management library.
    """
    processors, no_processors = _powercap(powercap)
    cards, no_cards = _cards(nvml)
    missing = {"RAPL": no_processors, "NVML": no_cards}
    return Meters((*processors, *cards), {kind: why for kind, why in missing.items() if why})


def _powercap(folder: Path) -> tuple[list[Meter], str]:
    if not folder.is_dir():
        return [], f"{folder} does not exist: no powercap in this kernel, or hidden by a container"
    found, refused = [], ""
    # Zones below a package, such as core and uncore, are parts of it.
    for zone in sorted(folder.glob("*-rapl:[0-9]*")):
        if zone.name.count(":") != 1:
            continue
        counter = zone / "energy_uj"
        try:
            name = (zone / "name").read_text(encoding="ascii").strip()
            wraps = int((zone / "max_energy_range_uj").read_text(encoding="ascii")) * 1e-6
            _read_microjoules(counter)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            refused = f"{counter}: {reason}"
            continue
        found.append(Meter(name, lambda counter=counter: _read_microjoules(counter), wraps))
    if found:
        return found, ""
    return [], refused or f"{folder} has no RAPL zone"


def _read_microjoules(counter: Path) -> float:
    return int(counter.read_text(encoding="ascii")) * 1e-6


def _cards(name: str) -> tuple[list[Meter], str]:
    try:
        library: Any = ctypes.CDLL(name)
    except OSError:
        return [], f"{name} is not there: no NVIDIA driver"
    if library.nvmlInit_v2() != _NVML_SUCCESS:
        return [], f"{name}: cannot be started"
    count = ctypes.c_uint()
    library.nvmlDeviceGetCount_v2(ctypes.byref(count))
    found = []
    for index in range(count.value):
        handle = ctypes.c_void_p()
        if library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle)) != _NVML_SUCCESS:
            continue
        if _card_millijoules(library, handle) is not None:
            found.append(Meter(f"gpu-{index}", lambda h=handle: _card_joules(library, h)))
    return found, "" if found else f"{name}: none of {count.value} cards counts its energy"


def _card_millijoules(library: Any, handle: ctypes.c_void_p) -> int | None:
    energy = ctypes.c_ulonglong()
    code = library.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(energy))
    return int(energy.value) if code == _NVML_SUCCESS else None


def _card_joules(library: Any, handle: ctypes.c_void_p) -> float:
    energy = _card_millijoules(library, handle)
    if energy is None:
        raise OSError("NVML: the card no longer reports its energy")
    return energy * 1e-3
