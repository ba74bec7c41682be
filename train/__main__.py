"""``srnn-train``, which ``python -m srnn.train`` and ``torchrun -m srnn.train`` start too."""

from __future__ import annotations

import sys

from ..export.entry import start


def main() -> int:
    """Run the command and return its exit code."""
    code = start("srnn-train", f"{__package__}.cli")
    if "torch" in sys.modules:
        from .parallel import launched, leave

        if launched():
            leave(code)
    return code


if __name__ == "__main__":
    sys.exit(main())
