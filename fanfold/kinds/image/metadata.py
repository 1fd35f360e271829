"""What `metadata.json` says of an image."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyvips

from fanfold.kinds.image import embedded, impressions
from fanfold.kinds.image.headers import Header
from fanfold.kinds.image.pixels import blobs
from fanfold.kinds.image.tallies import CHANNELS, Tally
from fanfold.model import Source

UNRECORDED = frozenset({"histogram"})
"""What is too much for a record."""


def described(
    source: Source, header: Header, whole: tuple[int, int], frames: int, tally: Tally, small: pyvips.Image
) -> dict[str, Any]:
    """Return what is said of an image.

    whole: width and height, upright. tally: of all its pixels. small: its rendition `recipe.SMALL`.
    """
    return {
        "format": header.format,
        "bytes": source.size_bytes,
        "width": whole[0],
        "height": whole[1],
        "stored_width": header.width,
        "stored_height": header.height,
        "mode": "+".join(_mode(CHANNELS[len(tally.histogram)])),
        "pages": header.pages,
        "other_pages": [list(sides) for sides in header.other_pages],
        "frames": frames,
        **embedded.read(blobs(source, header.format)),
        **impressions.described(small),
        **tally.described(),
    }


def _mode(channels: tuple[str, ...]) -> list[str]:
    colours = ["grey" if channels[0] == "grey" else "rgb"]
    return [*colours, "alpha"] if channels[-1] == "alpha" else colours


def text(said: Mapping[str, Any]) -> bytes:
    """Return the object that says it; a histogram takes a line for each channel."""
    rest = {name: value for name, value in said.items() if name not in UNRECORDED}
    written = json.dumps(rest, indent=2, ensure_ascii=False).removesuffix("\n}")
    rows = ",\n".join(f'    "{name}": {json.dumps(counts)}' for name, counts in said["histogram"].items())
    return f'{written},\n  "histogram": {{\n{rows}\n  }}\n}}\n'.encode()
