"""``python -m srnn.train``, which ``torchrun -m srnn.train`` starts too."""

from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":
    code = main()
    if "torch" in sys.modules:
        from .parallel import launched, leave

        if launched():
            leave(code)
    sys.exit(code)
