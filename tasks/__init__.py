"""Data sets and spike encoders that training, simulator and boards share.

``load("ecg", data_dir)`` gives a ``Task``: three splits of integer inputs with labels, and a
description that travels with the model. No torch here.
"""

from __future__ import annotations

from .arrays import split_from_file
from .base import Split, Task, batches
from .encoders import Encoder, encoder_from_plain
from .errors import DataError
from .event_lists import EventLists
from .metrics import accuracy, confusion
from .registry import TASKS, TaskEntry, load, options_from_text, task_options

__all__ = [
    "TASKS",
    "DataError",
    "Encoder",
    "EventLists",
    "Split",
    "Task",
    "TaskEntry",
    "accuracy",
    "batches",
    "confusion",
    "encoder_from_plain",
    "load",
    "options_from_text",
    "split_from_file",
    "task_options",
]
