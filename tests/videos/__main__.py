"""Make every output of every file below the folders that are named, and compare it with what the whole file says.

Prints how many ended how, what took longest and most, and each file that ended otherwise than in outputs that compare
or in one named error. With `--mutate`, the files are damaged: then outputs are compared with each other, and decoders
must have nothing to say of what was encoded. The exit status is 1 where one ended otherwise.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.videos.mutating import bases, mutated
from tests.videos.running import RECIPE, Ended, end_of

SMALL_BYTES = 2 << 20
"""What is damaged is at most so large."""


def main(words: list[str]) -> int:
    arguments = argparse.ArgumentParser(prog="python -m tests.videos", description=__doc__)
    arguments.add_argument("folders", nargs="*", type=Path)
    arguments.add_argument("--limit", type=float, default=300, help="seconds that making may take, and comparing")
    arguments.add_argument("--memory", type=int, default=3008, help="megabytes that a job may take")
    arguments.add_argument("--speech", action="store_true", help="have a transcript made too")
    arguments.add_argument("--refusals", action="store_true", help="say why a file is refused")
    arguments.add_argument("--mutate", type=int, default=0, metavar="N", help="damage the files N times")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--first", type=int, default=0, metavar="N", help="the number of the first damage")
    arguments.add_argument("--keep", type=Path, help="where damaged files are kept that ended otherwise")
    given = arguments.parse_args(words)
    if not given.folders and not given.mutate:
        arguments.error("name a folder, or --mutate")
    asked = RECIPE | ({"transcript": {"language": "en"}, "keywords": 20} if given.speech else {})
    paths = sorted(path for folder in given.folders for path in folder.rglob("*") if path.is_file())
    began = time.monotonic()
    found = damaged(paths, asked, given) if given.mutate else whole(paths, asked, given)
    report(found)
    say(f"{time.monotonic() - began:.0f} s")
    return any(not one.is_named for one in found.values())


def whole(paths: list[Path], asked: dict[str, object], given: argparse.Namespace) -> dict[str, Ended]:
    """Run a job for each file."""
    found = {}
    for path in paths:
        found[str(path)] = ended = within(end_of(path, asked, given.limit), given.memory)
        tell(str(path), ended, given.refusals)
    return found


def damaged(paths: list[Path], asked: dict[str, object], given: argparse.Namespace) -> dict[str, Ended]:
    """Run a job for each of so many damages: to the files, or to clips that are made."""
    small = {str(path): path.read_bytes() for path in paths if 0 < path.stat().st_size <= SMALL_BYTES}
    small = small if given.folders else bases()
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(given.first, given.first + given.mutate):
            mutation = mutated(small, given.seed, number)
            path = Path(folder) / Path(mutation.base).name
            path.write_bytes(mutation.data)
            ended = within(end_of(path, asked, given.limit, is_sound=False), given.memory)
            name = f"{given.seed}/{number} {mutation.base}: {', '.join(mutation.steps)}"
            found[name] = ended
            tell(name, ended, given.refusals)
            if given.keep and not ended.is_named:
                given.keep.mkdir(parents=True, exist_ok=True)
                (given.keep / f"{given.seed}-{number}-{path.name}").write_bytes(mutation.data)
    return found


def within(ended: Ended, megabytes: int) -> Ended:
    """Return how a job ended: not well, where it took more memory than it may."""
    if ended.grown_bytes <= megabytes * 1e6:
        return ended
    return Ended(f"took {ended.grown_bytes / 1e6:.0f} MB ({ended.how})", False, ended.says, ended.seconds)


def tell(name: str, ended: Ended, refusals: bool) -> None:
    if not ended.is_named or (refusals and ended.how != "outputs"):
        say(f"{name}: {ended.how}: {ended.says}")


def report(found: dict[str, Ended]) -> None:
    """Print the sums."""
    made = [one for one in found.values() if one.how == "outputs"]
    pictures, segments = sum(one.frames for one in made), sum(one.segments for one in made)
    say(f"{len(found):,} files; of those that end in outputs: {pictures:,} pictures, {segments:,} segments")
    for how, count in Counter(one.how for one in found.values()).most_common():
        say(f"{count:6,} {how}")
    for refused, what in ((False, "outputs"), (True, "a refusal")):
        some = {name: one for name, one in found.items() if one.is_named and (one.how != "outputs") == refused}
        if some:
            slow = max(some, key=lambda name: some[name].seconds)
            large = max(some, key=lambda name: some[name].grown_bytes)
            say(f"slowest to {what}: {some[slow].seconds:.2f} s, {slow}")
            say(f"largest for {what}: {some[large].grown_bytes / 1e6:.0f} MB, {large}")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
