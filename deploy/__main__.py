"""``srnn-deploy``, which ``python -m srnn.deploy`` starts too."""

from __future__ import annotations

import sys

from ..export.entry import start


def main() -> int:
    """Run the command and return its exit code."""
    return start("srnn-deploy", f"{__package__}.cli")


if __name__ == "__main__":
    sys.exit(main())
