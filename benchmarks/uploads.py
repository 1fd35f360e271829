"""Upload 1 GiB to the embedded engine and read ranges of it: seconds, and the most memory that the engine took."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from fanfold import engine as engines
from fanfold.aws.account import Account
from fanfold.aws.stack import Stack

SIZE = 1 << 30
RANGE = 8 << 20
KEY = "noise.bin"


def peak_bytes(pid: int) -> int:
    """Return the most memory that a process has held (Linux)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / KEY
        with path.open("wb") as made:
            for _ in range(SIZE >> 20):
                made.write(os.urandom(1 << 20))
        began = time.perf_counter()
        copy = Path(folder) / "copy"
        copy.write_bytes(path.read_bytes())
        copied = time.perf_counter() - began
        copy.unlink()
        with engines.session(Path(folder) / "home") as engine:
            stack = Stack.find(Account(region=engine.region, endpoint=engine.endpoint), engine.stack)
            client = stack.account.client("s3")
            before = peak_bytes(engine.pid)
            began = time.perf_counter()
            client.upload_file(str(path), stack.uploads, KEY)
            uploaded = time.perf_counter() - began
            began = time.perf_counter()
            with path.open("rb") as file:
                for start in range(0, SIZE, SIZE // 16):
                    answer = client.get_object(
                        Bucket=stack.uploads, Key=KEY, Range=f"bytes={start}-{start + RANGE - 1}"
                    )
                    file.seek(start)
                    assert answer["Body"].read() == file.read(RANGE)
            ranged = (time.perf_counter() - began) / 16
            peak = peak_bytes(engine.pid)
    share = ranged / uploaded * SIZE / RANGE
    more = (peak - before) >> 20
    print(f"copy of a file of 1 GiB           {copied:8.2f} s")
    print(f"upload of 1 GiB                   {uploaded:8.2f} s    {uploaded / copied:6.1f} x")
    print(f"range of 8 MiB of it              {ranged:8.3f} s    {share:6.1f} x its share of the upload")
    print(f"peak memory of the engine         {peak / SIZE:8.2f} of the object ({more} MiB more than before)")


if __name__ == "__main__":
    main()
