"""What becomes of a stream in a rendition: it is copied where nothing asks for more, encoded where something does."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from fanfold.errors import UnsupportedVideo
from fanfold.kinds.video.media import Media, Stream
from fanfold.kinds.video.recipe import AUDIO_CODECS, COPIED_CODECS, VIDEO_CODECS, Rendition

LEAST_SIDE = 16
"""The smallest side of a picture that every encoder takes."""


LATE_S = Fraction(1, 10)
"""By how much a sound may begin later than the presentation, for players to pass it by."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How large the pictures of a rendition are."""

    width: int
    height: int
    shape: Fraction
    """The width of a pixel for its height."""

    @property
    def pixels(self) -> int:
        return self.width * self.height


def copies_video(media: Media, rendition: Rendition) -> bool:
    """Tell whether the pictures of the source serve as they are."""
    video = media.video
    if video is None or rendition.reshapes:
        return False
    if rendition.format in ("webm", "hls") and (video.first < video.begins or video.last >= video.ends):
        # Their players show every picture that there is: those that only others need, too.
        return False
    if rendition.format == "webm" and video.turn:
        # And those of WebM turn nothing.
        return False
    return video.codec in VIDEO_CODECS[rendition.format] and rendition.video in ("auto", video.codec)


def fills(media: Media, stream: Stream, rendition: Rendition) -> bool:
    """Tell whether silence comes before a sound: players of HLS begin where all that they play is there."""
    late = stream.begins - media.origin_of(stream)
    return rendition.format == "hls" and late * stream.tick > LATE_S


def copies_audio(media: Media, stream: Stream, rendition: Rendition) -> bool:
    """Tell whether a sound of the source serves as it is."""
    if fills(media, stream, rendition):
        return False
    if stream.codec in COPIED_CODECS.get(rendition.format, ()):
        return rendition.audio == "auto"
    return stream.codec in AUDIO_CODECS[rendition.format] and rendition.audio in ("auto", stream.codec)


def has_video(media: Media, rendition: Rendition) -> bool:
    return media.video is not None and rendition.video != "none"


def has_audio(media: Media, rendition: Rendition) -> bool:
    return bool(media.audio) and rendition.audio != "none"


def shape(video: Stream, rendition: Rendition) -> Shape:
    """Return the size of a rendition's pictures: no larger than the source's, no side odd.

    Raises UnsupportedVideo where they would be too small to encode.
    """
    pixel = Fraction(video.shape) or Fraction(1)
    width, height = video.shown_size
    if video.turn in (90, 270):
        width, height, pixel = height, width, 1 / pixel
    if rendition.width or rendition.height:
        shown = width * pixel
        ratio = min(
            Fraction(rendition.width or shown) / shown, Fraction(rendition.height or height) / height, Fraction(1)
        )
        width, height, pixel = round(shown * ratio / 2) * 2, round(height * ratio / 2) * 2, Fraction(1)
    width, height = width & ~1, height & ~1
    if min(width, height) < LEAST_SIDE:
        raise UnsupportedVideo(
            f"the rendition {rendition.name!r} would have {width} × {height} pixels; a side has at least {LEAST_SIDE}"
        )
    return Shape(width, height, pixel)
