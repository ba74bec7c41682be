"""The session of a worker; what kills and hangs do to it is in ``test_watchdog.py``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest
from srnn.deploy.lava import session
from waiting import wait_until


def test_a_parent_is_lost_when_it_is_gone_and_not_before() -> None:
    assert not session.is_orphan(os.getppid(), patience=0.05)
    assert session.is_orphan(os.getppid() + 1, patience=60)


def test_a_parent_that_goes_a_little_later_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal comes with the end of a thread, before that of the process."""
    living, gone = os.getppid(), threading.Event()
    monkeypatch.setattr(session.os, "getppid", lambda: living + gone.is_set())
    threading.Timer(0.1, gone.set).start()
    assert session.is_orphan(living, patience=60)


@pytest.mark.skipif(not session.PROC.is_dir(), reason="needs /proc")
def test_children_that_ended_are_known_with_their_signal() -> None:
    with (
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as killed,
        subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"]) as ended,
        subprocess.Popen([sys.executable, "-c", "raise SystemExit(143)"]) as told,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as living,
    ):
        killed.kill()
        wait_until(
            lambda: {killed.pid, ended.pid, told.pid} <= session.dead_children(os.getpid()).keys()
        )
        dead = session.dead_children(os.getpid())
        assert dead[killed.pid] == signal.SIGKILL
        assert dead[told.pid] == signal.SIGTERM
        assert dead[ended.pid] == 0
        assert living.pid not in dead
        living.communicate(b"\n")
