"""``srnn-export``, which ``python -m srnn.export`` starts too."""

from __future__ import annotations

import sys

from .entry import start


def main() -> int:
    """Run the command and return its exit code."""
    return start("srnn-export", f"{__package__}.cli")


if __name__ == "__main__":
    sys.exit(main())
