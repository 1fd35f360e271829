"""What WebM says of a track (RFC 9559, 5.1.4), taken from what MP4 says of it: its sample entry."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from fractions import Fraction

from fanfold.errors import BrokenVideo
from fanfold.kinds.video import opus
from fanfold.kinds.video.languages import bibliographic
from fanfold.kinds.video.mp4.entries import (
    coded_size,
    decoder_config,
    margins,
    of_picture,
    of_sound,
    pixel_shape,
    shown_size,
)
from fanfold.kinds.video.mp4.muxing import UNDETERMINED
from fanfold.kinds.video.tracks import Whole
from fanfold.kinds.video.webm.blocks import SECOND_NS, Blocks
from fanfold.kinds.video.webm.ebml import element, real, text, unsigned

_UNSPECIFIED = 2
"""Of primaries, transfer and matrix (ITU-T H.273)."""


def entry(whole: Whole, blocks: Blocks, *, is_default: bool) -> bytes:
    """Return the description of a track. Raises BrokenVideo where the source does not describe it."""
    stream = whole.stream
    code = stream.language
    language = code if len(code) == 3 and code.isascii() and code.isalpha() else UNDETERMINED
    parts = [
        unsigned(0xD7, blocks.number),  # TrackNumber
        unsigned(0x73C5, blocks.number),  # TrackUID
        unsigned(0x83, 1 if stream.kind == "video" else 2),  # TrackType
        unsigned(0x88, int(is_default)),  # FlagDefault
        unsigned(0x9C, 0),  # FlagLacing
        text(0x22B59C, bibliographic(language)),
    ]
    if stream.title:
        parts.append(text(0x536E, stream.title))
    try:
        return element(0xAE, *parts, *(_pictures(whole) if stream.kind == "video" else _sound(whole, blocks)))
    except (struct.error, IndexError) as error:
        raise BrokenVideo(f"the description of stream {stream.index} ends within a field") from error


def _pictures(whole: Whole) -> Iterator[bytes]:
    match whole.entry[4:8]:
        case b"vp09":
            yield text(0x86, "V_VP9")
            record = _needed(whole, "vpcC", of_picture)
            profile, level, depth = record[4], record[5], record[6]
            told = (profile, level, depth >> 4, depth >> 1 & 7)
            yield element(0x63A2, b"".join(bytes((at, 1, value)) for at, value in enumerate(told, start=1)))
        case _:
            yield text(0x86, "V_AV1")
            yield element(0x63A2, _needed(whole, "av1C", of_picture))
    if duration_ns := _constant_ns(whole):
        yield unsigned(0x23E383, duration_ns)
    width, height = coded_size(whole.entry)
    parts = [unsigned(0xB0, width), unsigned(0xBA, height)]
    if cut := margins(whole.entry):
        sides = {0x54AA: cut.bottom, 0x54BB: cut.top, 0x54CC: cut.left, 0x54DD: cut.right}
        parts += [unsigned(id, pixels) for id, pixels in sides.items()]
    shape, (shown, high) = pixel_shape(whole.entry), shown_size(whole.entry)
    if shape != 1:
        parts += [unsigned(0x54B0, max(1, round(shown * shape))), unsigned(0x54BA, high)]
    yield element(0xE0, *parts, element(0x55B0, *_colour(whole)))


def _sound(whole: Whole, blocks: Blocks) -> Iterator[bytes]:
    channels, rate = whole.stream.channels, whole.stream.sample_rate
    match whole.entry[4:8]:
        case b"Opus":
            delay = round(Fraction(blocks.delay_ns * opus.RATE, SECOND_NS))
            record = _needed(whole, "dOps", of_sound)
            channels, rate = record[1], opus.RATE
            yield text(0x86, "A_OPUS")
            yield element(0x63A2, _opus_head(record, delay))
            yield unsigned(0x56BB, opus.PREROLL_SAMPLES * SECOND_NS // opus.RATE)
        case _:
            yield text(0x86, "A_VORBIS")
            yield element(0x63A2, decoder_config(_needed(whole, "esds", of_sound)))
    yield unsigned(0x56AA, blocks.delay_ns)
    yield element(0xE1, real(0xB5, rate), unsigned(0x9F, channels))


def _opus_head(record: bytes, delay: int) -> bytes:
    """Return the identification header (RFC 7845, 5.1) for what an MP4 says in another order of bytes."""
    _, channels, _, rate, gain = struct.unpack_from(">BBHIh", record)
    return b"OpusHead" + struct.pack("<BBHIh", 1, channels, delay, rate, gain) + record[10:]


def _needed(whole: Whole, name: str, read: Callable[[bytes, str], bytes]) -> bytes:
    found = read(whole.entry, name)
    if not found:
        raise BrokenVideo(f"the description of stream {whole.stream.index} has no `{name}`")
    return found


def _constant_ns(whole: Whole) -> int:
    """Return how long every picture is shown, 0 where that differs."""
    lengths = {length for one in whole.stored.values() for length in one.samples.durations}
    return round(Fraction(lengths.pop() * SECOND_NS, whole.timescale)) if len(lengths) == 1 else 0


def _colour(whole: Whole) -> Iterator[bytes]:
    """Yield what the numbers of a picture mean, and the display that it was made on (5.1.4.1.28.16)."""
    described, config = of_picture(whole.entry, "colr"), of_picture(whole.entry, "vpcC")
    if described.startswith(b"nclx"):
        primaries, transfer, matrix, full = struct.unpack_from(">HHHB", described, 4)
        yield from _numbers(primaries, transfer, matrix, full >> 7)
    elif config:
        depth, primaries, transfer, matrix = config[6:10]
        yield from _numbers(primaries, transfer, matrix, depth & 1)
    if light := of_picture(whole.entry, "clli"):
        most, average = struct.unpack_from(">HH", light)
        yield unsigned(0x55BC, most)
        yield unsigned(0x55BD, average)
    if display := of_picture(whole.entry, "mdcv"):
        *chromaticities, brightest, darkest = struct.unpack_from(">8HII", display)
        # Green, blue, red and white there; red, green, blue and white here.
        ordered = [chromaticities[at] for at in (4, 5, 0, 1, 2, 3, 6, 7)]
        told = [real(id, value / 50_000) for id, value in enumerate(ordered, start=0x55D1)]
        yield element(0x55D0, *told, real(0x55D9, brightest / 10_000), real(0x55DA, darkest / 10_000))


def _numbers(primaries: int, transfer: int, matrix: int, full: int) -> Iterator[bytes]:
    for id, value in ((0x55B1, matrix), (0x55BA, transfer), (0x55BB, primaries)):
        if value != _UNSPECIFIED:
            yield unsigned(id, value)
    yield unsigned(0x55B9, 2 if full else 1)
