"""Values are found where they are said, and only there."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.decompose.locate import _form, _matches, _plain_places, may_stand_in, places

PIECES = st.sampled_from([*"#@._- aB1\n", "ab", "AB", "a b", "a-b", "w_12", "W12", "!"])
VALUES = st.lists(PIECES, min_size=1, max_size=4).map("".join).map(str.strip).filter(lambda value: len(value) > 1)
NUMBERS = st.lists(st.sampled_from([*"$,.# ", "12", "12.5", "1,250", "W1"]), max_size=6).map("".join)
TEXTS = st.lists(PIECES, max_size=12).map("".join)


@example("#.", "", ".")
@given(VALUES, TEXTS, TEXTS)
def test_plain_search_finds_what_the_pattern_finds(value: str, before: str, after: str) -> None:
    """The short way for ASCII gives what the pattern gives, whatever stands around a value."""
    form, text = _form(value), before + value + after
    if form is not None and not form.words.startswith("#"):
        assert [*_plain_places(form.words, text)] == _matches(value, text)


@pytest.mark.parametrize(
    ("value", "text", "said"),
    [
        ("basic_economy", "Basic economy, please.", ["Basic economy"]),
        ("#W12", "It is W12 or #w12.", ["W12", "#w12"]),
        ("W12", "a#W12, XW12, W12@x, W12.de", ["W12"]),
        ("Zoë", "ZOË here", ["ZOË"]),
        ("2024-05-20", "on May 20th", ["May 20th"]),
        ("1250", "It cost $1,250.", ["$1,250"]),
        ("4155550100", "Call (415) 555 0100", ["(415) 555 0100"]),
        ("--", "Monday -- or Tuesday", []),
        ("yes", "yes", []),
    ],
)
def test_what_is_said_is_found(value: str, text: str, said: list[str]) -> None:
    """Each way of writing a value is known; separators alone, and words that tell nothing, are not looked for."""
    assert [text[place.start : place.end] for place in places(value, text)] == said


@given(VALUES | st.integers(0, 99) | st.sampled_from([12.5, 1250.0]), st.lists(TEXTS | NUMBERS, max_size=3))
def test_what_is_not_looked_for_stands_nowhere(value: str | float, texts: list[str]) -> None:
    """A value that may not stand in the joined texts has no place in any of them."""
    if not may_stand_in(value, "\n".join(texts).lower()):
        assert not any(places(value, text) for text in texts)
