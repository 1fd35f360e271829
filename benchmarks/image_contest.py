"""Who works on images: see `contest`."""

from __future__ import annotations

from pathlib import Path

import contest
import pyvips
from contest import CORES, Figures, clock
from local_job import Workers, run, warm

from fanfold.kinds.image.recipe import ImageRecipe

QUALITY = 80
WIDTHS = (320, 800, 1600, 2400)

EVERYTHING = {
    "renditions": [{"name": f"w{width}", "width": width, "format": "webp"} for width in WIDTHS],
    "tiles": {"size": 254, "overlap": 1, "quality": QUALITY},
    "convert": {"format": "jpeg"},
}
"""Every output: metadata, renditions, tiles, the conversion."""


def fanfold_pyramid(path: Path, out: Path, size: int = 254, overlap: int = 1) -> Figures:
    """Deep Zoom: split, two workers, merge, tiles put where they belong."""
    tiles = {"size": size, "overlap": overlap, "quality": QUALITY}
    return _fanfold(path, out, {"metadata": False, "tiles": tiles}, CORES)


def fanfold_renditions(path: Path, out: Path) -> Figures:
    """Four widths of JPEG, one decode."""
    renditions = [{"name": f"w{width}", "width": width, "quality": QUALITY} for width in WIDTHS]
    return _fanfold(path, out, {"metadata": False, "renditions": renditions}, 1)


def fanfold_parts(path: Path, out: Path) -> Figures:
    """Every output by one worker, to see what each part takes for itself."""
    return _fanfold(path, out, EVERYTHING, 1)


def _fanfold(path: Path, out: Path, asked: Figures, processes: int) -> Figures:
    figures: Figures = {}
    warm("image")
    with Workers("image", processes) as workers:
        with clock(figures):
            ran = run(workers, path, ImageRecipe.model_validate(asked), out)
        figures["cpu_s"] = ran.cpu_s
    return figures | {
        "steps_s": ran.seconds,
        "chunks": ran.chunks,
        "parts_s": ran.parts_s,
        "outputs": len(ran.outputs),
    }


def libvips_pyramid(path: Path, out: Path, size: int = 254, overlap: int = 1) -> Figures:
    """The same by libvips' own `dzsave`, from the top down, on two cores."""
    figures: Figures = {}
    pyvips.concurrency_set(CORES)
    with clock(figures):
        image = pyvips.Image.new_from_file(str(path), access="sequential")
        image.dzsave(str(out / "tiles"), tile_size=size, overlap=overlap, suffix=f".jpg[Q={QUALITY},keep=none]")
    return figures


def libvips_renditions(path: Path, out: Path) -> Figures:
    """The same widths as `vipsthumbnail` makes them: each from a decode of its own, as small as JPEG can give it."""
    figures: Figures = {}
    pyvips.concurrency_set(1)
    with clock(figures):
        for width in WIDTHS:
            small = pyvips.Image.thumbnail(str(path), width, height=10_000_000, size="down")
            small.jpegsave(str(out / f"w{width}.jpg"), Q=QUALITY, keep="none")
    return figures


def exact(path: Path, out: Path, size: int, overlap: int) -> Figures:
    """Both pyramids, and how many of their files have the same bytes."""
    mine, theirs = out / "fanfold", out / "libvips"
    mine.mkdir()
    theirs.mkdir()
    made = fanfold_pyramid(path, mine, size, overlap)
    libvips_pyramid(path, theirs, size, overlap)
    names = [str(found.relative_to(theirs)) for found in theirs.rglob("*.*") if found.suffix in (".jpg", ".dzi")]
    same = [name for name in names if _same(mine / name, theirs / name)]
    return {"size": size, "overlap": overlap, "files": made["outputs"], "wanted": len(names), "identical": len(same)}


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and one.read_bytes() == other.read_bytes()


def memory(path: Path, out: Path, convert: str) -> Figures:
    """The most memory that a worker, a split and a merge hold while every output is made."""
    asked = EVERYTHING | {"convert": {"format": convert}}
    figures: Figures = {}
    with Workers("image", CORES) as workers:
        with clock(figures):
            ran = run(workers, path, ImageRecipe.model_validate(asked), out, peaks=True)
        idle = max(workers.idle_bytes)
    peaks = {"worker": ran.worker_peak_bytes, "split": ran.split_peak_bytes, "merge": ran.merge_peak_bytes}
    return figures | {"peaks_bytes": peaks | {"idle": idle}, "outputs": len(ran.outputs)}


if __name__ == "__main__":
    contest.main(
        (fanfold_pyramid, fanfold_renditions, fanfold_parts, libvips_pyramid, libvips_renditions, exact, memory)
    )
