"""Check a Lambda package: its size, and that what is compiled is compiled for the function's machine.

Usage: check.py DIRECTORY MACHINE, MACHINE being aarch64 or x86_64.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

LIMIT_BYTES = 262_144_000
"""250 MB unzipped (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)."""

FUNCTIONS = "aarch64"
"""What the functions run on."""

MACHINES = {"aarch64": 183, "x86_64": 62}
"""e_machine in the ELF header (https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html)."""


def unzipped_bytes(root: Path) -> int:
    """Return the sum of the sizes of all files under `root`."""
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


def machine(path: Path) -> int | None:
    """Return the e_machine of an ELF file, None for any other file."""
    with path.open("rb") as file:
        header = file.read(20)
    if header[:4] != b"\x7fELF" or len(header) < 20:
        return None
    order = "<" if header[5] == 1 else ">"
    return int(struct.unpack_from(order + "H", header, 18)[0])


def complaints(root: Path, wanted: str) -> list[str]:
    """Return what is wrong with the package in `root`, one line each."""
    found = []
    size = unzipped_bytes(root)
    # Only what Lambda runs must fit: the same package made for another machine, to try it there, may be larger.
    if size > LIMIT_BYTES and wanted == FUNCTIONS:
        found.append(f"{root} has {size} bytes unzipped; Lambda's limit is {LIMIT_BYTES}: prune more of it")
    for path in sorted(root.rglob("*.so*")):
        if path.is_file() and (its := machine(path)) not in (None, MACHINES[wanted]):
            found.append(f"{path} is compiled for machine {its}; the function's is {MACHINES[wanted]} ({wanted})")
    return found


if __name__ == "__main__":
    root = Path(sys.argv[1])
    if wrong := complaints(root, sys.argv[2]):
        sys.exit("\n".join(wrong))
    print(f"{root.name}: {unzipped_bytes(root)} bytes unzipped, {LIMIT_BYTES} allowed")
