"""The recipe of a video."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from fanfold.fields import KindRecipe, OutputName, Strict, check_names, duration_s
from fanfold.kinds.video import pcm
from fanfold.speech import ENGINES, UNSPACED, language_of

RESERVED = frozenset({"metadata", "posters", "scenes", "subtitles", "transcript", "keywords", "result"})
"""What other outputs are called."""

VIDEO_CODECS = {
    "mp4": ("h264", "hevc", "av1", "vp9"),
    "mov": ("h264", "hevc"),
    "webm": ("vp9", "av1"),
    "hls": ("h264", "hevc", "av1"),
}
"""What each format holds; the first is what `auto` encodes to."""

AUDIO_CODECS = {"mp4": ("aac", "opus"), "mov": ("aac",), "webm": ("opus",), "hls": ("aac",)}

COPIED_CODECS = {"webm": frozenset({"vorbis"}), "mov": pcm.CODECS}
"""What a format holds besides, where the source has it: it is copied, and nothing is encoded to it."""

LEAST_SEGMENT_S, MOST_SEGMENT_S = 1, 600

LEAST_EVERY_S, MOST_EVERY_S = 1, 3600

Format = Literal["mp4", "mov", "webm", "hls"]


def _segment(text: object) -> str:
    if not LEAST_SEGMENT_S <= duration_s(text) <= MOST_SEGMENT_S:
        raise ValueError(f"a segment lasts from {LEAST_SEGMENT_S} to {MOST_SEGMENT_S} seconds")
    return str(text).strip()


Segment = Annotated[str, BeforeValidator(_segment)]
Side = Annotated[int, Field(ge=2, le=8192)]


class Rendition(Strict):
    """A copy of the video in one format."""

    name: OutputName
    format: Format = "mp4"
    width: Side | None = None
    height: Side | None = None
    video: Literal["auto", "h264", "hevc", "vp9", "av1", "none"] = "auto"
    crf: int | None = Field(default=None, ge=0, le=63)
    audio: Literal["auto", "aac", "opus", "none"] = "auto"
    audio_kbps: int = Field(default=128, ge=16, le=512)

    @model_validator(mode="after")
    def _holds_its_codecs(self) -> Self:
        for given, codecs in ((self.video, VIDEO_CODECS), (self.audio, AUDIO_CODECS)):
            if given not in ("auto", "none", *codecs[self.format]):
                raise ValueError(f"{self.format} holds {' or '.join(codecs[self.format])}, not {given}")
        if self.video == self.audio == "none":
            raise ValueError("a rendition has video, audio or both")
        if self.video == "none" and self.reshapes:
            raise ValueError("`width`, `height` and `crf` are those of pictures, and `video: none` has none")
        if self.crf is not None and self.crf > 51 and self.video_codec in ("h264", "hevc"):
            raise ValueError(f"`crf` goes up to 51 for {self.video_codec}")
        return self

    @property
    def video_codec(self) -> str:
        """What pictures are encoded to, where they are."""
        return VIDEO_CODECS[self.format][0] if self.video == "auto" else self.video

    @property
    def audio_codec(self) -> str:
        """What sound is encoded to, where it is."""
        return AUDIO_CODECS[self.format][0] if self.audio == "auto" else self.audio

    @property
    def reshapes(self) -> bool:
        """Tell whether it asks for pictures that a copy cannot give."""
        return not (self.width is None and self.height is None and self.crf is None)


def _every(text: object) -> str:
    if not LEAST_EVERY_S <= duration_s(str(text)) <= MOST_EVERY_S:
        raise ValueError(f"a poster is taken every {LEAST_EVERY_S} to {MOST_EVERY_S} seconds")
    return str(text).strip()


class Posters(Strict):
    """A sheet of small pictures, one every few seconds."""

    every: Annotated[str, BeforeValidator(_every)] = "10s"
    width: int = Field(default=320, ge=16, le=2048)

    @property
    def every_ms(self) -> int:
        return round(duration_s(self.every) * 1000)


class Transcript(Strict):
    """What is said in the video."""

    language: str = "en"
    engine: str = "embedded"

    @model_validator(mode="after")
    def _is_understood(self) -> Self:
        if self.engine not in ENGINES:
            raise ValueError(f"`engine` is one of {', '.join(ENGINES)}")
        language_of(self.engine, self.language)
        return self

    @property
    def code(self) -> str:
        """What the engine calls the language."""
        return language_of(self.engine, self.language)

    @property
    def space(self) -> str:
        """What stands between two words of the language."""
        return "" if self.code.partition("-")[0] in UNSPACED else " "


class VideoRecipe(KindRecipe):
    """What is made of a video."""

    how: ClassVar[frozenset[str]] = KindRecipe.how | {"pixels"}
    chunk_field: ClassVar[str] = "segment"
    whole: ClassVar[str] = (
        "without a segment the pictures, the sound and the times of a video would not be those of the source"
    )

    segment: Segment = "10s"
    metadata: bool = True
    renditions: tuple[Rendition, ...] = Field(default=(), strict=False, max_length=20)
    posters: Posters | None = None
    scenes: bool = False
    subtitles: Literal["vtt"] | None = None
    transcript: Transcript | None = None
    keywords: int | None = Field(default=None, ge=1, le=1000)
    pixels: int = Field(default=8192 * 4320, ge=1)

    @property
    def segment_s(self) -> Fraction:
        return duration_s(self.segment)

    @model_validator(mode="after")
    def _keywords_have_a_text(self) -> Self:
        if self.keywords and not (self.transcript or self.subtitles):
            raise ValueError("`keywords` are taken from a `transcript`, from `subtitles`, or from both")
        return self

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        check_names((rendition.name for rendition in self.renditions), RESERVED)
        return self
