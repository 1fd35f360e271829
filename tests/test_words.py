"""Words are found however they are written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fanfold.words import LETTERS_LIMIT, words


def test_case_punctuation_and_the_kind_of_apostrophe_do_not_count() -> None:
    assert words("“It’s the BEST,” – of_times; 3.5 % STRASSE/Straße ﬁne") == [
        *["it's", "the", "best", "of", "times", "3", "5", "strasse", "strasse", "fine"]
    ]
    assert words("हिन्दी भाषा, naïve") == ["हिन्दी", "भाषा", "naïve"]
    assert words("") == words("…—!'_") == []
    assert words("'tis rock 'n' roll’") == ["tis", "rock", "n", "roll"]


@given(st.text())
def test_a_word_is_its_own_word(text: str) -> None:
    found = words(text)
    assert all(0 < len(word) <= LETTERS_LIMIT for word in found)
    assert words(" ".join(found)) == found
