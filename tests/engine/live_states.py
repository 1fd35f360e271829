"""Copies the state of Step Functions while another thread starts executions; ends with 1 when a copy fails.

A process of its own, because patches change the modules they are applied to. Its argument is a patch to leave out.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from tempfile import mkdtemp

from ministack.services import stepfunctions as sf

from fanfold.engine import mend, patches
from fanfold.engine.bodies import Store


def main() -> None:
    left_out = sys.argv[1:]
    folder = Path(mkdtemp())
    mend.mend([patch for patch in patches.every(Store(folder)) if patch.name not in left_out], "")
    folder.rmdir()
    sys.setswitchinterval(1e-5)
    execution = sf._executions["busy"] = {"events": []}

    def work() -> None:
        number = 0
        while True:
            number += 1
            execution[f"key{number % 1000}"] = number
            execution.pop(f"key{(number - 500) % 1000}", None)

    threading.Thread(target=work, daemon=True).start()
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        try:
            sf.get_state()
        except RuntimeError:
            sys.exit(1)


if __name__ == "__main__":
    main()
