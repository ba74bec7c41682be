"""The session of a worker; what kills and hangs do to it is in ``test_watchdog.py``."""

from __future__ import annotations

import os
import threading

import pytest
from srnn.deploy.lava import session


def test_a_parent_is_lost_when_it_is_gone_and_not_before() -> None:
    assert not session.is_orphan(os.getppid(), patience=0.05)
    assert session.is_orphan(os.getppid() + 1, patience=60)


def test_a_parent_that_goes_a_little_later_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal comes with the end of a thread, before that of the process."""
    living, gone = os.getppid(), threading.Event()
    monkeypatch.setattr(session.os, "getppid", lambda: living + gone.is_set())
    threading.Timer(0.1, gone.set).start()
    assert session.is_orphan(living, patience=60)
