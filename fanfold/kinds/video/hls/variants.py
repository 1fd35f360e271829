"""The multivariant playlists of HLS (RFC 8216, 4.3.4): what a player chooses from, by bandwidth, size and language.

Each rendition has one. Several have one together besides, in which a player goes from one to another as its line
allows, for they are cut at the same pictures. Every track of text is a playlist of its own, with the WebVTT output as
its only segment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from fanfold.kinds.video.hls.playlists import Track, playlist
from fanfold.kinds.video.hls.rfc6381 import codec
from fanfold.kinds.video.languages import short
from fanfold.kinds.video.media import Media
from fanfold.kinds.video.mp4.entries import pixel_shape, shown_size
from fanfold.kinds.video.told.webvtt import Text
from fanfold.model import Output

TOGETHER = "index.m3u8"
"""What the playlist of all renditions is called."""

_UNQUOTED = {ord(mark): None for mark in '"\n\r'}

_RANGES: dict[int | None, str] = {16: "PQ", 18: "HLG"}
"""What HDR is called, by its transfer function (ITU-T H.273, 8.2)."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An HLS rendition: the pictures and the sounds that a player is offered."""

    name: str
    tracks: Sequence[Track]

    @property
    def video(self) -> Track | None:
        return next((track for track in self.tracks if track.whole.stream.kind == "video"), None)

    @property
    def sounds(self) -> list[Track]:
        return [track for track in self.tracks if track.whole.stream.kind == "audio"]

    @property
    def choice(self) -> tuple[str, ...]:
        """What tells its group of sounds from others; empty where there is nothing to choose."""
        return tuple(track.version for track in self.sounds) if self.video or len(self.sounds) > 1 else ()


def outputs(media: Media, renditions: Sequence[Shown], texts: Sequence[Text], transfer: int | None) -> Iterator[Output]:
    """Yield the multivariant playlists, and the playlists of text that they name.

    `transfer`: what the source says of the light of its pictures (ITU-T H.273, 8.2), which every rendition keeps.
    """
    light = _RANGES.get(transfer, "")
    for text in texts:
        yield playlist(_playlist_of(text), _of_text(media, text))
    for one in renditions:
        above = [(text, "../") for text in texts]
        yield playlist(f"{one.name}/index.m3u8", _multivariant(media, [(one, "")], above, light))
    if len(renditions) > 1:
        named = [(one, f"{one.name}/") for one in renditions]
        yield playlist(TOGETHER, _multivariant(media, named, [(text, "") for text in texts], light))


def _multivariant(
    media: Media, renditions: Sequence[tuple[Shown, str]], texts: Sequence[tuple[Text, str]], light: str
) -> Iterator[str]:
    """Yield the lines of a playlist of renditions and texts, each with the folder that it is reached through."""
    yield "#EXTM3U"
    yield "#EXT-X-VERSION:7"
    if not any(one.video.whole.copied for one, _ in renditions if one.video):
        yield "#EXT-X-INDEPENDENT-SEGMENTS"
    groups: dict[tuple[str, ...], str] = {}
    for one, folder in renditions:
        if one.choice and one.choice not in groups:
            groups[one.choice] = f"audio-{len(groups) + 1}" if groups else "audio"
            for at, track in enumerate(one.sounds):
                stream = track.whole.stream
                uri = f"{folder}{track.name}.m3u8"
                heard = stream is media.heard
                yield _media("AUDIO", groups[one.choice], stream.title, stream.language, at, uri, is_default=heard)
    for at, (text, folder) in enumerate(texts):
        uri = f"{folder}{_playlist_of(text)}"
        yield _media("SUBTITLES", "text", text.title, text.language, at, uri, is_default=False)
    for one, folder in renditions:
        yield _stream(one, light, groups.get(one.choice, ""), "text" if texts else "")
        yield f"{folder}{(one.video or one.sounds[0]).name}.m3u8"


def _media(kind: str, group: str, title: str, language: str, at: int, uri: str, *, is_default: bool) -> str:
    """Return the tag of a sound or a text; what is no default is heard or shown where somebody chooses it."""
    spoken = "" if language == "und" else short(language).translate(_UNQUOTED)
    name = title.translate(_UNQUOTED) or spoken or kind.lower()
    told = [f"TYPE={kind}", f'GROUP-ID="{group}"', f'NAME="{name} {at + 1}"']
    if spoken:
        told.append(f'LANGUAGE="{spoken}"')
    told.append("DEFAULT=" + ("YES" if is_default else "NO"))
    return "#EXT-X-MEDIA:" + ",".join([*told, "AUTOSELECT=YES", f'URI="{uri}"'])


def _stream(one: Shown, light: str, audio: str, texts: str) -> str:
    """Return the tag of a rendition: what it takes of the line, and what it is."""
    video = one.video
    heard = max(one.sounds, key=lambda track: track.peak, default=None)
    taken = [track for track in (video, heard) if track]
    told = [
        f"BANDWIDTH={sum(track.peak for track in taken)}",
        f"AVERAGE-BANDWIDTH={sum(track.mean for track in taken)}",
    ]
    codecs = sorted({codec(track.whole.entry) for track in one.tracks})
    if all(codecs):
        told.append(f'CODECS="{",".join(codecs)}"')
    if video:
        width, height = _size(video)
        told.append(f"RESOLUTION={width}x{height}")
        if light:
            told.append(f"VIDEO-RANGE={light}")
    told += [f'{name}="{group}"' for name, group in (("AUDIO", audio), ("SUBTITLES", texts)) if group]
    return "#EXT-X-STREAM-INF:" + ",".join(told)


def _size(video: Track) -> tuple[int, int]:
    """Return width and height of pictures as they are looked at."""
    entry, turn = video.whole.entry, video.whole.stream.turn
    width, height = shown_size(entry)
    width = round(width * pixel_shape(entry))
    # What is encoded is turned as it is encoded.
    return (height, width) if video.whole.copied and turn in (90, 270) else (width, height)


def _playlist_of(text: Text) -> str:
    """Return the name of the playlist that shows a text."""
    return text.output.removesuffix("vtt") + "m3u8"


def _of_text(media: Media, text: Text) -> Iterator[str]:
    length = Fraction(media.duration)
    yield "#EXTM3U"
    yield "#EXT-X-VERSION:7"
    yield f"#EXT-X-TARGETDURATION:{max(1, ceil(length))}"
    yield "#EXT-X-PLAYLIST-TYPE:VOD"
    yield f"#EXTINF:{float(length):.6f},"
    yield text.output
    yield "#EXT-X-ENDLIST"
