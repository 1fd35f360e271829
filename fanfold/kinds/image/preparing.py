"""Preparation: an image that can only be read from the top down is read once, by one worker, a little at a time.

A JPEG with restart markers is searched for them. Anything else becomes plain pixels in the work bucket. Whoever needs a
rectangle of it then reads just that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyvips

from fanfold.kinds.image import limits, restarts
from fanfold.kinds.image.headers import Header, Reader
from fanfold.kinds.image.pixels import decoding, in_memory, loaded, normalised
from fanfold.kinds.image.places import BLOCK_WIDTH
from fanfold.kinds.image.recipe import ImageRecipe
from fanfold.kinds.image.restarts import Groups
from fanfold.kinds.image.streams import of_source
from fanfold.model import Desk, Json, Source

STRIP_PIXELS = 4 << 20
"""What is written at once, at least one row."""


def prepare(source: Source, recipe: ImageRecipe, header: Header, desk: Desk) -> Mapping[str, Json]:
    """Write an image as strips of blocks. Raises BrokenImage, NotAnImage, TooManyPixels."""
    stream = of_source(source)
    with decoding(header.format, stream):
        opened = loaded(stream, header.format)
        orientation = opened.get("orientation") if opened.get_typeof("orientation") else 1
        orientation = orientation if 1 <= orientation <= 8 else 1
        groups = restarts.read_groups(Reader(source).read) if header.format == "jpeg" else None
        if groups and splits(recipe, groups):
            return _find(source, groups, orientation, desk)
        limits.check(recipe, opened.width, opened.height, source.size_bytes)
        if not header.streams:
            limits.check_unstreamed(header.format, opened.width, opened.height)
        frames = opened.get("n-pages") if header.format in ("gif", "webp") and opened.get_typeof("n-pages") else 1
        image = normalised(opened)
        written = write(image, "strip", desk)
    return {**written, "orientation": orientation, "frames": frames}


def splits(recipe: ImageRecipe, groups: Groups) -> bool:
    """Tell whether a JPEG is cut between its restart markers: into bands as wide as it is."""
    return groups.width * max(2 * recipe.tile_size, groups.rows) <= limits.SPAN_SIDE**2


def _find(source: Source, groups: Groups, orientation: int, desk: Desk) -> Mapping[str, Json]:
    """Find the restart markers of a JPEG, instead of decoding it."""
    desk.write("places", restarts.offsets(restarts.find(source, groups)))
    return {
        "width": groups.width,
        "height": groups.height,
        "groups": groups.to_json(),
        "orientation": orientation,
        "frames": 1,
    }


def write(image: pyvips.Image, name: str, desk: Desk) -> Mapping[str, Json]:
    """Write the pixels, some rows at a time, as blocks one behind the other; return what `places` asks for."""
    rows = max(1, min(image.height, STRIP_PIXELS // image.width))
    row_bytes = image.width * image.bands
    strip = memoryview(bytearray(rows * row_bytes))
    held = written = 0
    failure: Exception | None = None

    def flush() -> None:
        nonlocal held, written
        desk.write(f"{name}-{written:05}", b"".join(_blocks(strip[:held], image.width, image.bands)))
        held, written = 0, written + 1

    def take(data: bytes) -> int:
        nonlocal failure, held
        try:
            left = memoryview(data)
            while left:
                taken = left[: len(strip) - held]
                strip[held : held + len(taken)] = taken
                held, left = held + len(taken), left[len(taken) :]
                if held == len(strip):
                    flush()
        except Exception as error:  # noqa: BLE001 - libvips calls this: what is raised here would be lost
            failure = error
            return -1
        return len(data)

    target = pyvips.TargetCustom()
    target.on_write(take)
    try:
        image.rawsave_target(target)
    finally:
        if failure:
            raise failure
    if held:
        flush()
    return {"width": image.width, "height": image.height, "bands": image.bands, "rows": rows}


def _blocks(strip: memoryview, width: int, bands: int) -> Iterator[memoryview]:
    """Yield whole rows cut into blocks."""
    whole = in_memory(strip, width, len(strip) // (width * bands), bands)
    for left in range(0, width, BLOCK_WIDTH):
        block = whole.crop(left, 0, min(BLOCK_WIDTH, width - left), whole.height)
        yield memoryview(block.write_to_memory())
