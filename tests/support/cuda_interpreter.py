"""Runs checks of ``cuda_cases.py`` in Triton's interpreter: one name per line in, one answer out.

A separate process, since Triton chooses at import how kernels run. The answer is a JSON string:
empty, or the error.
"""

from __future__ import annotations

import json
import os
import sys
import traceback


def main() -> None:
    """Answer until standard input ends."""
    os.environ["TRITON_INTERPRET"] = "1"
    import torch
    from cuda_cases import cases
    from srnn.train import network
    from srnn.train.cuda import load_stack

    # Programs run one after another in Python: torch's threads would only wait.
    torch.set_num_threads(1)
    # The networks of these checks are on the CPU, where the other engine would run them.
    network._stack_on = lambda _: load_stack()
    known = cases()
    for line in sys.stdin:
        check, arguments = known[line.strip()]
        try:
            check("cpu", **arguments)
            answer = ""
        except Exception:  # noqa: BLE001 - the parent reports it
            answer = traceback.format_exc()
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
