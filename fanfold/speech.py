"""What is said in a sound, and who can tell. Standard library only.

An engine is a module with a function `transcriber() -> Transcriber`; `ENGINES` names it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import NamedTuple, Protocol, cast

RATE = 16_000
"""Samples a second, of all sound that is listened to."""

SAMPLE_BYTES = 2


class Word(NamedTuple):
    """A word as it is written, with the punctuation that follows it, and when it was said."""

    text: str
    start_ms: int
    stop_ms: int
    probability: float


@dataclass(frozen=True, slots=True)
class Engine:
    """What is known of an engine before it is loaded."""

    module: str
    title: str
    """What a transcript calls it."""
    languages: frozenset[str]
    together_s: int
    """Pieces of sound that follow each other are heard as one, up to so many seconds; 0: each by itself."""
    a_line: int
    """How many of those one worker hears."""
    line_s: int
    """How many seconds of sound that mostly is."""
    speed: float
    """Seconds of sound that are heard in a second."""


# https://docs.aws.amazon.com/transcribe/latest/dg/supported-languages.html, those that are read from files.
_OF_TRANSCRIBE = """
ab-GE af-ZA ar-AE ar-SA ast-ES az-AZ ba-RU be-BY bg-BG bn-IN bs-BA ca-ES ckb-IQ ckb-IR cs-CZ cy-WL da-DK de-CH de-DE
el-GR en-AB en-AU en-GB en-IE en-IN en-NZ en-US en-WL en-ZA es-ES es-US et-EE eu-ES fa-IR fi-FI fr-CA fr-FR gl-ES gu-IN
ha-NG he-IL hi-IN hr-HR hu-HU hy-AM id-ID is-IS it-IT ja-JP ka-GE kab-DZ kk-KZ kn-IN ko-KR ky-KG lg-IN lt-LT lv-LV
mhr-RU mi-NZ mk-MK ml-IN mn-MN mr-IN ms-MY mt-MT nl-NL no-NO or-IN pa-IN pl-PL ps-AF pt-BR pt-PT ro-RO ru-RU rw-RW si-LK
sk-SK sl-SI so-SO sr-RS su-ID sv-SE sw-BI sw-KE sw-RW sw-TZ sw-UG ta-IN te-IN th-TH tl-PH tr-TR tt-RU ug-CN uk-UA uz-UZ
vi-VN wo-SN zh-CN zh-HK zh-TW zu-ZA
"""

ENGINES = {
    # Four pieces: beside what they take, the second that the model takes to load is little.
    "embedded": Engine("fanfold.kinds.video.speech.whisper", "whisper tiny.en", frozenset({"en"}), 0, 4, 80, 10),
    # Five minutes: a job has its price and its wait, and 12 hours are 144 jobs, of which AWS runs 250 at once. Its
    # speed is a cautious guess: AWS promises none.
    "transcribe": Engine(
        "fanfold.aws.transcribe", "amazon transcribe", frozenset(_OF_TRANSCRIBE.split()), 300, 1, 290, 4
    ),
}
"""By the name that a recipe gives."""

_USUAL = "ckb-IQ de-DE en-US es-ES fa-IR fr-FR pt-BR sw-TZ zh-CN"
USUAL = {one.partition("-")[0]: one for one in _USUAL.split()}
"""What is meant by a language that is spoken in several ways and named without one: the region that Unicode's CLDR
holds for likely."""

UNSPACED = frozenset({"ja", "th", "zh"})
"""Languages that are written without spaces."""


class Transcriber(Protocol):
    """An engine, ready to work."""

    def words(self, sound: bytes, language: str) -> list[Word]:
        """Return what is said, times counted from the first sample.

        sound: 16 bits a sample, little-endian, mono, RATE samples a second. language: one of the engine's. Raises
        TransientError.
        """
        ...


def transcriber(name: str) -> Transcriber:
    """Return the engine called `name`, one of ENGINES; raise NoSpeechModel where its model is not there."""
    return cast(Transcriber, import_module(ENGINES[name].module).transcriber())


def language_of(engine: str, asked: str) -> str:
    """Return what an engine calls a language; raise ValueError where it has it not, or in several ways."""
    known = ENGINES[engine].languages
    if asked in known:
        return asked
    ways = sorted(one for one in known if one.partition("-")[0] == asked)
    match ways:
        case [one]:
            return one
        case []:
            raise ValueError(f"`engine: {engine}` hears {', '.join(sorted(known))}, not {asked!r}")
        case _ if asked in USUAL:
            return USUAL[asked]
    raise ValueError(f"{asked!r} is spoken in several ways: `language` is one of {', '.join(ways)}")
