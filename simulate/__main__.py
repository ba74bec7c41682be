"""``srnn-simulate``, which ``python -m srnn.simulate`` starts too."""

from __future__ import annotations

import sys

from ..export.entry import start


def main() -> int:
    """Run the command and return its exit code."""
    return start("srnn-simulate", f"{__package__}.cli")


if __name__ == "__main__":
    sys.exit(main())
