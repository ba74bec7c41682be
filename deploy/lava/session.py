"""Ending a whole session of processes: no child and no shared memory stays behind.

Lava starts an OS process for each of its processes and gives them shared memory. When they are
killed, Python's resource tracker, one more process of the session, unlinks that memory once every
other process is gone; it is therefore the last to end.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

PROC = Path("/proc")
SHARED_MEMORY = Path("/dev/shm")
_STATUS = 49
"""Where /proc/PID/stat has what waiting for a process returns, counted from the state."""
SHARED_MEMORY_PREFIX = "psm_"
"""How Python's ``multiprocessing.shared_memory`` names its files."""


def members(session: int) -> list[int]:
    """Return the live processes of a session (zombies excluded), on systems with /proc."""
    found = []
    for entry in PROC.iterdir() if PROC.is_dir() else ():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields and fields[0] not in "ZX" and int(fields[3]) == session:
                found.append(int(entry.name))
    return found


def dead_children(parent: int) -> dict[int, int]:
    """Return the children of a process that have ended without being waited for.

    By their process ids: the signal that ended each, also one that it caught and told by an exit
    code of 128 and the signal, as a worker does; 0 for one that ended by itself.
    """
    found = {}
    for entry in PROC.iterdir() if PROC.is_dir() else ():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields and fields[0] == "Z" and int(fields[1]) == parent:
                code = os.waitstatus_to_exitcode(int(fields[_STATUS]))
                found[int(entry.name)] = -code if code < 0 else max(code - 128, 0)
    return found


def _stat(pid: int) -> list[str]:
    """Return state, parent, group, session, ... of /proc/PID/stat; empty if it is gone."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return []
    return text[text.rindex(")") + 2 :].split()


def shared_memory(pids: list[int]) -> set[Path]:
    """Return the shared memory files that these processes have mapped."""
    names = set()
    for pid in pids:
        try:
            lines = (PROC / str(pid) / "maps").read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            path = Path(line.partition("/")[1] + line.partition("/")[2])
            if path.parent == SHARED_MEMORY and path.name.startswith(SHARED_MEMORY_PREFIX):
                names.add(path)
    return names


def end_session(session: int, patience: float = 5.0) -> None:
    """Kill every process of a session and unlink the shared memory that they held.

    Parameters
    ----------
    session
        Process id of the session's leader.
    patience
        Seconds that the resource tracker gets to clean up by itself.
    """
    if not PROC.is_dir():
        # Without /proc the session's members cannot be listed; they form one process group.
        try:
            os.killpg(session, signal.SIGKILL)
        except ProcessLookupError:
            return
        return
    held = shared_memory(members(session))
    end_others(session)
    deadline = time.monotonic() + patience
    while members(session) and time.monotonic() < deadline:
        time.sleep(0.02)
    for pid in members(session):
        _kill(pid)
    for path in held:
        path.unlink(missing_ok=True)


def end_others(session: int, spare: int | None = None) -> None:
    """Kill a session's processes, except its resource tracker and ``spare``, until none is left."""
    for _ in range(50):
        others = [p for p in members(session) if p != spare and not _is_tracker(p)]
        if not others:
            return
        for pid in others:
            _kill(pid)
        time.sleep(0.02)


def is_orphan(parent: int, patience: float = 1.0) -> bool:
    """Return whether this process has lost its parent, or loses it within ``patience`` seconds.

    The parent-death signal comes when the thread that started this process ends, which may
    be before the parent itself has.
    """
    deadline = time.monotonic() + patience
    while os.getppid() == parent and time.monotonic() < deadline:
        time.sleep(0.02)
    return os.getppid() != parent


def _is_tracker(pid: int) -> bool:
    try:
        return b"resource_tracker" in (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
