"""What `metadata.json` says of an image."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fanfold.kinds.image.headers import Header


def described(header: Header, sides: tuple[int, int], bands: int, frames: int, size_bytes: int) -> dict[str, Any]:
    """Return what is said of the image itself; `sides`: width and height, upright."""
    return {
        "format": header.format,
        "bytes": size_bytes,
        "width": sides[0],
        "height": sides[1],
        "stored_width": header.width,
        "stored_height": header.height,
        "mode": {1: "grey", 2: "grey+alpha", 3: "rgb", 4: "rgb+alpha"}[bands],
        "pages": header.pages,
        "frames": frames,
    }


def text(said: Mapping[str, Any]) -> bytes:
    """Return the object that says it."""
    return (json.dumps(said, indent=2, ensure_ascii=False) + "\n").encode()
