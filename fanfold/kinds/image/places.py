"""Where the pixels of a large image lie, as JSON for a layout: `rasters` reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fanfold.kinds.image.tiff.reading import Page
from fanfold.model import Json, Part, PartObject

BLOCK_WIDTH = 4096
"""How wide the blocks of a strip are that a preparation writes."""

PLAIN, FLAT = "plain", "flat"
"""The image itself, and, where the tiles have no alpha and the image does, the image on white."""

TALLY, SEEN = "tally", "seen"
"""The objects of a part that say what was counted in its rectangle, and what was seen in its piece."""


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
    return _of_strips(part, "strip", facts, facts["orientation"])


def of_levels(part: Part) -> list[dict[str, Any]]:
    """Return what was left of an image that was decoded at once: itself, its half, and so on."""
    return [_of_strips(part, f"level-{times}", facts) for times, facts in enumerate(part.facts["levels"])]


def _of_strips(part: Part, name: str, facts: Json, orientation: int = 1) -> dict[str, Any]:
    strips = [part.objects[one] for one in sorted(part.objects) if one.startswith(f"{name}-")]
    sides = BLOCK_WIDTH, facts["rows"]
    return of_blocks((facts["width"], facts["height"]), facts["bands"], sides, strips, orientation)


def of_blocks(
    whole: tuple[int, int], bands: int, sides: tuple[int, int], objects: Sequence[PartObject], orientation: int = 1
) -> dict[str, Any]:
    """Return where blocks of these sides lie: see `rasters.Blocks`."""
    stored = [[one.key, one.size_bytes] for one in objects]
    return {"blocks": [*whole, bands, *sides], "objects": stored, "orientation": orientation}
