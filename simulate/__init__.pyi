from .activity import Activity as Activity
from .simulator import run as run
from .simulator import run_with_activity as run_with_activity
from .streaming import StreamingSimulator as StreamingSimulator
from .tracefile import read_trace as read_trace
