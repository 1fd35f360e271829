"""Speech to words: where sound is cut, what is heard in the pieces, and what they are when they are joined."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fanfold.errors import NoSpeechModel, TooMuchSound
from fanfold.kinds.video.recipe import Transcript
from fanfold.kinds.video.speech import cues, hearing, listening, pauses, whisper
from fanfold.kinds.video.speech.pauses import A_SECOND, FRAME, pieces
from fanfold.kinds.video.speech.words import from_bytes, joined, to_bytes
from fanfold.kinds.video.told.keywords import Said, keywords
from fanfold.model import PartObject
from fanfold.speech import ENGINES, RATE, Word

TWO_CITIES = Path(__file__).parents[3] / "samples/two_cities.m4a"

DICKENS = """
It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, it was the
epoch of belief, it was the epoch of incredulity, it was the season of Light, it was the season of Darkness, it was the
spring of hope, it was the winter of despair, we had everything before us, we had nothing before us, we were all going
direct to Heaven, we were all going direct the other way – in short, the period was so far like the present period, that
some of its noisiest authorities insisted on its being received, for good or for evil, in the superlative degree of
comparison only.
"""


def spelled(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def word_errors(said: list[Word]) -> float:
    """Return the word error rate: the least edits that make Dickens of what was heard, by the words of Dickens."""
    wanted, heard = spelled(DICKENS), spelled(" ".join(word.text for word in said))
    row = list(range(len(heard) + 1))
    for number, word in enumerate(wanted, start=1):
        before, row[0] = row[0], number
        for at, other in enumerate(heard, start=1):
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, before + (word != other))
    return row[-1] / len(wanted)


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    with av.open(str(TWO_CITIES)) as found:
        return np.concatenate(list(listening.on_the_clock(found.decode(audio=0), Fraction(0))))


class Desk:
    """Holds the sound for the worker that hears, and what it writes."""

    def __init__(self, sound: np.ndarray) -> None:
        self.data = {"sound": sound.astype("<i2").tobytes()}

    def read(self, made: PartObject, start: int = 0, stop: int | None = None) -> bytes:
        return self.data[made.key][start:stop]

    def write(self, name: str, data: bytes) -> None:
        self.data[name] = data


def heard(sound: np.ndarray, cut: list[pauses.Piece]) -> list[Word]:
    """Return the words of all lines, joined."""
    layout = {"heard": [["sound", len(sound) * 2]]}
    found = []
    for span in hearing.spans([[one.start, one.stop, one.before, one.after] for one in cut], ENGINES["embedded"]):
        desk = Desk(sound)
        facts = hearing.process(Transcript(), layout, span, desk)  # type: ignore[arg-type]
        found.append(from_bytes(desk.data[hearing.WORDS]))
        assert facts == {"words": len(found[-1])}
    return joined(found)


def test_speech_is_heard_whole_and_every_word_at_its_second(sound: np.ndarray) -> None:
    said = heard(sound, list(pieces(pauses.levels(sound))))
    assert word_errors(said) <= 0.05
    # Read off the waveform: where sound sets in behind the pauses, and which words come next.
    seconds = {word.text.strip(".,").lower(): word.start_ms / 1000 for word in reversed(said)}
    assert seconds["it"] == pytest.approx(1.2, abs=0.1)
    assert seconds["worst"] == pytest.approx(3.5, abs=0.2)
    assert all(a.start_ms <= a.stop_ms <= b.start_ms for a, b in pairwise(said))


def test_speech_in_segments_is_heard_as_well(sound: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """In pieces of 6 to 10 seconds, and in pieces that are cut blindly and heard beyond their ends."""
    monkeypatch.setattr(pauses, "SHORTEST_S", 6)
    monkeypatch.setattr(pauses, "LONGEST_S", 10)
    assert word_errors(heard(sound, list(pieces(pauses.levels(sound))))) <= 0.05
    edges, halo = [*range(0, len(sound), 15 * RATE), len(sound)], pauses.HALO_S * RATE
    blind = [pauses.Piece(*cut, min(cut[0], halo), min(len(sound) - cut[1], halo)) for cut in pairwise(edges)]
    assert word_errors(heard(sound, blind)) <= 0.05


@pytest.mark.parametrize("kind", ["noise", "tone", "clicks", "nothing"])
def test_where_nobody_speaks_nothing_is_said(kind: str) -> None:
    chance, seconds = np.random.default_rng(1), np.arange(10 * RATE) / RATE
    made = {
        "noise": chance.normal(0, 3000, len(seconds)),
        "tone": 8000 * np.sin(2 * np.pi * 440 * seconds),
        "clicks": 20_000 * (chance.random(len(seconds)) < 0.0005),
        "nothing": 0 * seconds,
    }[kind].astype(np.int16)
    assert heard(made, list(pieces(pauses.levels(made)))) == []


def test_without_the_model_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    whisper.transcriber.cache_clear()
    monkeypatch.setattr(whisper, "WHEEL", "no_such_wheel")
    with pytest.raises(NoSpeechModel, match="no speech model") as error:
        whisper.transcriber()
    assert "fanfold[speech]" in error.value.remedy


def test_a_model_that_is_another_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    whisper.transcriber.cache_clear()
    monkeypatch.setitem(whisper.FILES, "config.json", "0" * 64)
    with pytest.raises(NoSpeechModel, match="SHA-256"):
        whisper.transcriber()


levels = st.lists(st.tuples(st.integers(1, 900), st.floats(-90, 0)), min_size=1, max_size=40).map(
    lambda runs: np.concatenate([np.full(count, level, np.float32) for count, level in runs])
)


@given(levels)
def test_pieces_lie_one_behind_the_other_and_leave_out_silence_only(heard: np.ndarray) -> None:
    at = 0
    for piece in pieces(heard):
        assert (heard[at // FRAME : piece.start // FRAME] < pauses.SILENCE_DB).all()
        assert piece.start >= at
        assert 0 < piece.stop - piece.start <= pauses.LONGEST_S * RATE
        assert piece.start >= piece.before
        assert piece.stop + piece.after <= len(heard) * FRAME
        assert (piece.before + piece.stop - piece.start + piece.after) / RATE <= 30
        at = piece.stop
    assert (heard[at // FRAME :] < pauses.SILENCE_DB).all()


def test_pieces_are_heard_together_where_the_engine_takes_more() -> None:
    """In their order, with the halos at their ends alone; a long silence is heard by nobody."""
    second = ENGINES["transcribe"].together_s * RATE // 300
    edges = [0, 20, 46, 60, 290, 310, 330, 1000, 1020]
    cut = [[start * second, stop * second, 1, 2] for start, stop in pairwise(edges) if (start, stop) != (330, 1000)]
    found = [span["speech"] for span in hearing.spans(cut, ENGINES["transcribe"])]
    assert found == [[[start * second, stop * second, 1, 2]] for start, stop in ((0, 290), (290, 330), (1000, 1020))]
    alone = [piece for span in hearing.spans(cut, ENGINES["embedded"]) for piece in span["speech"]]
    assert alone == cut


def test_a_language_is_one_that_the_engine_hears() -> None:
    for language, code in (("en", "en-US"), ("de", "de-DE"), ("de-CH", "de-CH"), ("it", "it-IT"), ("ja", "ja-JP")):
        asked = Transcript(language=language, engine="transcribe")
        assert (asked.code, asked.space) == (code, "" if language == "ja" else " ")
    assert Transcript().code == "en"
    for fields, says in (
        ({"language": "de"}, "`engine: embedded` hears en, not 'de'"),
        ({"language": "tlh", "engine": "transcribe"}, "not 'tlh'"),
        ({"language": "ar", "engine": "transcribe"}, "one of ar-AE, ar-SA"),
        ({"engine": "siri"}, "one of embedded, transcribe"),
    ):
        with pytest.raises(ValidationError, match=says):
            Transcript.model_validate(fields)


def test_sound_is_cut_in_the_middle_of_its_pauses() -> None:
    loud, pause = np.full(9 * A_SECOND, -20, np.float32), np.full(A_SECOND, -55, np.float32)
    found = list(pieces(np.concatenate([loud, pause] * 6)))
    assert [piece.stop / RATE for piece in found] == [pytest.approx(19.5, abs=0.1), pytest.approx(39.5, abs=0.1), 60]
    assert all(piece.before == piece.after == 0 for piece in found)


@given(st.lists(st.integers(1, 2000), max_size=8), st.integers(1, 12))
def test_objects_hold_all_samples_whatever_they_came_in(counts: list[int], frames: int) -> None:
    whole = np.arange(sum(counts), dtype=np.int16)
    given = np.split(whole, np.cumsum(counts)[:-1]) if counts else []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listening, "OBJECT_SAMPLES", frames * FRAME)
        made = list(listening.objects(given))
    assert all(len(samples) == frames * FRAME for samples, _ in made[:-1])
    together = np.concatenate([whole[:0], *(samples for samples, _ in made)])
    assert len(together) == -(-len(whole) // FRAME) * FRAME
    assert (together[: len(whole)] == whole).all()
    assert not together[len(whole) :].any()
    for samples, its in made:
        assert (its == pauses.levels(samples)).all()


def frame(start_s: Fraction, values: np.ndarray, rate: int = RATE, layout: str = "mono") -> av.AudioFrame:
    made = av.AudioFrame.from_ndarray(values.astype(np.int16)[None], "s16", layout)
    made.sample_rate, made.time_base = rate, Fraction(1, 90_000)
    made.pts = round(start_s * 90_000)
    return made


def test_sound_lies_on_the_clock_of_the_video() -> None:
    """What precedes zero is left out, a gap is silent, an overlap is said once, a jitter is nothing."""
    ones = np.full(RATE // 2, 1000)
    starts = ("9.75", "10.251", "11.5", "11.75")
    frames = [frame(Fraction(start), number * ones) for number, start in enumerate(starts, start=1)]
    found = np.concatenate(list(listening.on_the_clock(frames, Fraction(10))))
    edges, values = [0, 0.25, 0.75, 1.5, 2.0, 2.25], (1000, 2000, 0, 3000, 4000)
    for (start, stop), value in zip(pairwise(edges), values, strict=True):
        assert (found[round(start * RATE) : round(stop * RATE)] == value).all(), (start, stop)
    assert len(found) == 2.25 * RATE


def test_sound_of_another_shape_is_resampled() -> None:
    tone = 8000 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
    frames = [frame(Fraction(0), tone, 48_000), frame(Fraction(1), np.repeat(tone, 2), 48_000, "stereo")]
    found = np.concatenate(list(listening.on_the_clock(frames, Fraction(0)))).astype(float)
    assert len(found) == pytest.approx(2 * RATE, abs=64)
    for second in (found[500:15_000], found[17_000:31_000]):
        assert np.argmax(np.abs(np.fft.rfft(second))) * RATE / len(second) == pytest.approx(440, abs=2)


def test_sound_that_goes_on_for_days_is_refused() -> None:
    with pytest.raises(TooMuchSound, match=r"12\.1 hours"):
        list(listening.on_the_clock([frame(Fraction(43_500), np.ones(160))], Fraction(0)))


spoken = st.lists(
    st.tuples(st.sampled_from(["a", "A,", "b", "c."]), st.integers(0, 500), st.integers(0, 300)), max_size=30
)


@given(spoken, st.integers(1, 5))
def test_joined_words_follow_each_other(made: list[tuple[str, int, int]], size: int) -> None:
    at, words = 0, []
    for text, gap, length in made:
        words.append(Word(text, at + gap, at + gap + length, 0.5))
        at += gap + length // 2
    found = joined(words[start : start + size] for start in range(0, len(words), size))
    assert from_bytes(to_bytes(found)) == found
    assert all(a.start_ms <= a.stop_ms <= b.start_ms <= b.stop_ms for a, b in pairwise(found))
    if all(a.stop_ms <= b.start_ms for a, b in pairwise(words)):
        assert found == words
    assert all(len(cues.text(cue, " ")) <= cues.MOST_LETTERS for cue in cues.cues(found, " "))
    assert [word for cue in cues.cues(found, " ") for word in cue] == found


def test_a_word_that_two_pieces_heard_is_said_once() -> None:
    one = [Word("we", 0, 300, 1.0), Word("had", 300, 620, 1.0)]
    other = [Word("Had,", 580, 900, 1.0), Word("had", 900, 1200, 1.0)]
    assert [word.text for word in joined([one, other])] == ["we", "had", "had"]


def test_a_sentence_or_a_pause_ends_a_cue() -> None:
    at, made = 0, []
    for text in ["One", "two", "three.", "Four", "five,", "|", "six", "seven"]:
        if text != "|":
            made.append(Word(text, at, at + 400, 1.0))
        at += 900 if text == "|" else 400
    assert [cues.text(cue, " ") for cue in cues.cues(made, " ")] == ["One two three.", "Four five,", "six seven"]


def test_a_language_without_spaces_has_none_between_its_words() -> None:
    made = [Word(text, 600 * at, 600 * at + 600, 1.0) for at, text in enumerate(["今日", "は。", "晴れ"])]
    assert [cues.text(cue, "") for cue in cues.cues(made, "")] == ["今日は。", "晴れ"]


def test_keywords_of_dickens_are_what_it_is_about() -> None:
    found = [one["text"] for one in keywords([("en", [Said(DICKENS, 0)])], 12)]
    assert {"age of wisdom", "epoch of belief", "season of light", "spring of hope", "winter of despair"} < set(found)
    assert not {"was", "it was", "of times", "the"} & set(found)


def test_keywords_are_counted_and_near_repetitions_left_out() -> None:
    text = "The step function starts. Step functions run; a step function's map is a map of maps. Functions are many."
    [first, *rest] = keywords([("eng", [Said(text, 2500)])], 20)
    assert (first["text"], first["count"], first["first_s"]) == ("step function", 3, 2.5)
    assert not any(set(one["text"].split()) <= {"step", "steps", "function", "functions"} for one in rest)


def test_each_language_has_keywords_of_its_own_and_an_unknown_one_has_none() -> None:
    french = "Le chat noir dort sur le toit. Le chat noir est dans la maison et il dort."
    found = keywords([("en", [Said(DICKENS, 0)]), ("und", [Said(french, 0)]), ("tlh", [Said(DICKENS, 0)])], 3)
    assert [one["language"] for one in found] == ["en"] * 3 + ["fr"] * 3
    assert found[3]["text"] == "chat noir"
