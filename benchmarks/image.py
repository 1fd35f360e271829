# /// script
# requires-python = ">=3.11"
# dependencies = ["fanfold[all]"]
#
# [tool.uv.sources]
# fanfold = { path = "..", editable = true }
# ///
"""Images beside libvips, in one run on equal cores: pyramids, renditions, exactness, memory, and more workers.

`uv run benchmarks/image.py --quick` tries it all on small images; without `--quick` it takes some 30 GB of disk and
half an hour. `--save` writes the plots and figures of docs/benchmarks.md; sections that did not run stay as they are.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import contest
import image_data
import image_report
from contest import CORES, Figures, alternated, pin, say

HERE = Path(__file__).resolve().parent

Sides = tuple[int, int]


@dataclass(frozen=True)
class Scale:
    """How large the images are, in pixels, and how often everybody runs."""

    pyramid: Sides = (20_000, 20_000)
    photo: Sides = (8_660, 5_774)
    memory: Sequence[Sides] = ((20_000, 20_000), (45_000, 45_000))
    grids: Sequence[tuple[int, int]] = ((254, 1), (256, 0), (510, 1), (512, 2))
    rounds: int = 2


QUICK = Scale(
    pyramid=(9_000, 8_000), photo=(4_000, 3_000), memory=((9_000, 8_000), (12_000, 9_000)), grids=((254, 1),), rounds=1
)


@dataclass
class Bench:
    """What every section needs."""

    scale: Scale
    data: Path
    work: Path
    limit_s: float

    def image(self, sides: Sides, form: str) -> Path:
        width, height = sides
        return image_data.write(self.data / f"{width}x{height}.{form}", width, height)

    def contest(self, name: str, **given: object) -> Figures:
        """Run one contestant once."""
        return contest.run("image_contest.py", name, self.work, self.limit_s, **given)

    def both(self, what: str, path: Path) -> Figures:
        """Run fanfold and libvips in turn."""
        return alternated(
            self.scale.rounds,
            {name: partial(self.contest, f"{name}_{what}", path=path) for name in ("fanfold", "libvips")},
        )


def pyramid(bench: Bench) -> Figures:
    """A Deep Zoom pyramid of one image in four forms, beside `dzsave`."""
    width, height = bench.scale.pyramid
    found = {form: bench.both("pyramid", bench.image(bench.scale.pyramid, form)) for form in image_data.SAVED}
    return {"pixels": width * height, "forms": found}


def renditions(bench: Bench) -> Figures:
    """Four widths of a photo, beside `vipsthumbnail`'s way, on one core."""
    width, height = bench.scale.photo
    return {"pixels": width * height, **bench.both("renditions", bench.image(bench.scale.photo, "jpg"))}


def exact(bench: Bench) -> Figures:
    """How many tiles have the bytes of `dzsave`'s, by tile size and overlap."""
    path, grids = bench.image(bench.scale.pyramid, "tif"), []
    for size, overlap in bench.scale.grids:
        grids.append(bench.contest("exact", path=path, size=size, overlap=overlap))
        say(f"  {grids[-1]}")
    width, height = bench.scale.pyramid
    return {"pixels": width * height, "grids": grids}


def memory(bench: Bench) -> Figures:
    """Peaks of memory while every output is made of large JPEGs and PNGs."""
    found = []
    for sides in bench.scale.memory:
        for form, convert in (("jpg", "png"), ("png", "jpeg")):
            path = bench.image(sides, form)
            ran = bench.contest("memory", path=path, convert=convert)
            found.append({"pixels": sides[0] * sides[1], "form": form, "bytes": path.stat().st_size, **ran})
            say(f"  {found[-1]}")
    return {"images": found}


def scaling(bench: Bench) -> Figures:
    """What each part takes for itself, and what that comes to with more workers."""
    found = {}
    for form in image_data.SAVED:
        found[form] = bench.contest("fanfold_parts", path=bench.image(bench.scale.pyramid, form))
    width, height = bench.scale.pyramid
    return {"pixels": width * height, "forms": found}


SECTIONS: dict[str, Callable[[Bench], Figures]] = {
    "pyramid": pyramid,
    "renditions": renditions,
    "exact": exact,
    "scaling": scaling,
    "memory": memory,
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="small images, to see that it works")
    arguments.add_argument("--only", choices=SECTIONS, action="append", help="one section; may be given again")
    arguments.add_argument("--data", type=Path, default=Path(tempfile.gettempdir()) / "fanfold-benchmark")
    arguments.add_argument("--limit", type=float, default=1800, help="seconds that one contestant may take")
    arguments.add_argument("--save", action="store_true", help="write the sections that ran into docs/benchmarks.md")
    given = arguments.parse_args()
    if given.save and given.quick:
        arguments.error("--save keeps figures of large images: leave --quick out")
    pin(CORES)
    given.data.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=given.data) as work:
        bench = Bench(QUICK if given.quick else Scale(), given.data, Path(work), given.limit)
        results = contest.sections(SECTIONS, given.only, bench)
    say("")
    say(image_report.text(results))
    if given.save:
        image_report.save(results, HERE.parent / "docs")


if __name__ == "__main__":
    main()
