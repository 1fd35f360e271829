"""Where the pixels of a large image lie, as JSON for a layout: `rasters` reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fanfold.kinds.image.tiff.reading import Page
from fanfold.model import Part, PartObject

BLOCK_WIDTH = 4096
"""How wide the blocks of a strip are that a preparation writes."""

PLAIN, FLAT = "plain", "flat"
"""The image itself, and, where the tiles have no alpha and the image does, the image on white."""

TALLY = "tally"
"""The object of a part that says what was counted in its rectangle."""


def of_page(page: Page) -> dict[str, Any]:
    """Return where a TIFF's page has its pixels."""
    return {"tiff": page.to_json(), "orientation": page.orientation if 1 <= page.orientation <= 8 else 1}


def of_preparation(part: Part) -> dict[str, Any]:
    """Return what a preparation left."""
    facts = part.facts
    if "groups" in facts:
        places = part.objects["places"]
        return {
            "jpeg": facts["groups"],
            "places": [places.key, places.size_bytes],
            "orientation": facts["orientation"],
        }
    strips = [part.objects[name] for name in sorted(part.objects)]
    sides = BLOCK_WIDTH, facts["rows"]
    return of_blocks((facts["width"], facts["height"]), facts["bands"], sides, strips, facts["orientation"])


def of_blocks(
    whole: tuple[int, int], bands: int, sides: tuple[int, int], objects: Sequence[PartObject], orientation: int = 1
) -> dict[str, Any]:
    """Return where blocks of these sides lie: see `rasters.Blocks`."""
    stored = [[one.key, one.size_bytes] for one in objects]
    return {"blocks": [*whole, bands, *sides], "objects": stored, "orientation": orientation}
