"""The recipe of an image."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from fanfold.fields import KindRecipe, OutputName, Strict, check_names
from fanfold.recognition import ENGINES

EXTENSIONS = {"jpeg": "jpg", "png": "png", "webp": "webp", "avif": "avif"}

RESERVED = frozenset({"metadata", "tiles", "tiles_files", "converted", "recognised", "result"})
"""What other outputs are called."""

Quality = Annotated[int, Field(ge=1, le=100)]
Side = Annotated[int, Field(ge=1, le=16_383)]
Format = Literal["jpeg", "png", "webp", "avif"]


class Rendition(Strict):
    """A copy of the image that is no larger than a box."""

    name: OutputName
    width: Side | None = None
    height: Side | None = None
    fit: Literal["contain", "cover"] = "contain"
    format: Format = "jpeg"
    quality: Quality = 80
    metadata: Literal["strip", "keep"] = "strip"

    @model_validator(mode="after")
    def _has_a_box(self) -> Self:
        if self.width is None and self.height is None:
            raise ValueError("a rendition has `width`, `height` or both")
        if self.fit == "cover" and (self.width is None or self.height is None):
            raise ValueError("`fit: cover` needs `width` and `height`")
        return self

    @property
    def output(self) -> str:
        return f"{self.name}.{EXTENSIONS[self.format]}"


SMALL = Rendition(name="small", width=32, height=32)
"""What hashes are made of: a rendition, so that they are the same however the image was cut."""


class Tiles(Strict):
    """A Deep Zoom pyramid."""

    layout: Literal["deepzoom"] = "deepzoom"
    size: int = Field(default=254, ge=64, le=4096)
    overlap: int = Field(default=1, ge=0, le=64)
    format: Literal["jpeg", "png", "webp"] = "jpeg"
    quality: Quality = 80

    @model_validator(mode="after")
    def _overlaps_less_than_a_tile(self) -> Self:
        if self.overlap > self.size // 2:
            raise ValueError(f"`overlap` is at most half of `size`, here {self.size // 2}")
        return self


class Convert(Strict):
    """The whole image in another format."""

    format: Format
    quality: Quality = 90
    metadata: Literal["strip", "keep"] = "keep"

    @property
    def output(self) -> str:
        return f"converted.{EXTENSIONS[self.format]}"


class Recognise(Strict):
    """What is recognised in the image, and who does it."""

    what: tuple[Literal["text", "faces"], ...] = Field(default=("text", "faces"), strict=False, min_length=1)
    min_confidence: float = Field(default=0.5, ge=0, le=1)
    engine: str = "embedded"

    @model_validator(mode="after")
    def _names_an_engine(self) -> Self:
        if self.engine not in ENGINES:
            raise ValueError(f"`engine` is one of {', '.join(ENGINES)}")
        if len(set(self.what)) < len(self.what):
            raise ValueError("`what` names something twice")
        return self


class ImageRecipe(KindRecipe):
    """What is made of an image, and how large it may be."""

    how: ClassVar[frozenset[str]] = KindRecipe.how | {"pixels", "pixels_per_byte"}
    whole: ClassVar[str] = "every level of an image is made of the rectangles of the level below it"

    metadata: bool = True
    renditions: tuple[Rendition, ...] = Field(default=(), strict=False, max_length=100)
    tiles: Tiles | None = None
    convert: Convert | None = None
    recognise: Recognise | None = None
    pixels: int = Field(default=5_000_000_000, ge=1)
    pixels_per_byte: int = Field(default=10_000, ge=1)

    @property
    def tile_size(self) -> int:
        """The side of the tiles; without tiles, that of what would be one."""
        return self.tiles.size if self.tiles else 256

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        check_names((rendition.name for rendition in self.renditions), RESERVED)
        return self
