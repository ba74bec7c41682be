"""``python -m srnn.train``, which ``torchrun -m srnn.train`` starts too."""

from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
