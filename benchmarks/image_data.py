"""Pictures made of seeds: clouds in colour, edges, and the noise of a camera; neither a bomb nor a drawing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyvips

SAVED: dict[str, dict[str, Any]] = {
    "jpg": {"Q": 85},
    "restarts.jpg": {"Q": 85, "restart_interval": 0},
    "png": {"compression": 1, "filter": "up"},
    "tif": {"tile": True, "tile_width": 512, "tile_height": 512, "compression": "jpeg", "Q": 85, "bigtiff": True},
}
"""How each form is stored, by what its name ends in."""


def drawn(width: int, height: int) -> pyvips.Image:
    """Return a picture that is made as its rows are asked for."""
    bands = []
    for seed in (1, 2, 3):
        clouds = pyvips.Image.perlin(width // 16 + 2, height // 16 + 2, cell_size=64, seed=seed) * 90
        bands.append((clouds + 128).resize(16, kernel="linear").crop(0, 0, width, height))
    cells = pyvips.Image.worley(width // 8 + 2, height // 8 + 2, cell_size=40, seed=9)
    edges = (cells > 12).resize(8, kernel="nearest")
    noise = pyvips.Image.gaussnoise(2048, 2048, sigma=6, mean=0, seed=5).copy_memory()
    noise = noise.replicate(width // 2048 + 1, height // 2048 + 1).crop(0, 0, width, height)
    picture = bands[0].bandjoin(bands[1:]) + edges.crop(0, 0, width, height) / 8 + noise
    return picture.cast("uchar").copy(interpretation="srgb")


def write(path: Path, width: int, height: int) -> Path:
    """Write a picture in the form that its name asks for, unless it is there already; return where."""
    if path.exists():
        return path
    form = path.name.partition(".")[2]
    options = dict(SAVED[form])
    if form == "restarts.jpg":
        options["restart_interval"] = -(-width // 16)
    part = path.with_name(f"part-{path.name}")
    drawn(width, height).write_to_file(str(part), **options)
    part.rename(path)
    return path
