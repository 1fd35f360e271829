"""The memory of a process."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def peak_bytes() -> int:
    """Return the most memory that this process has held since its program was loaded."""
    status = Path("/proc/self/status")
    if status.exists():
        # ru_maxrss begins at what the parent held when this process was forked from it.
        return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
