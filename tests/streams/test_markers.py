"""Markers say what their patterns say; the stems before them only save time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.markers import FRUSTRATION, REFUSAL, Phrases, refuses

DOTLESS_I, DOTTED_I, LONG_S, KELVIN = "\u0131", "\u0130", "\u017f", "\u212a"
LETTERS = st.text(alphabet=[*"isSkK'\u2019 \n.abtcnouélä", DOTLESS_I, DOTTED_I, LONG_S, KELVIN], max_size=12)


@pytest.mark.parametrize("phrases", [FRUSTRATION, REFUSAL])
@given(data=st.data())
def test_every_phrase_is_found_in_any_case(phrases: Phrases, data: st.DataObject) -> None:
    """Whatever a pattern takes, odd letters for i and s included, holds a stem: none is passed over."""
    said = data.draw(st.from_regex(phrases.pattern))
    text = data.draw(st.sampled_from([said, said.upper(), said.lower(), said.title()]))
    assert phrases.are_in(text) is (phrases.pattern.search(text) is not None)


@pytest.mark.parametrize("phrases", [FRUSTRATION, REFUSAL])
@given(before=LETTERS, said=st.sampled_from("unable|ridiculous|fed up|cannot|leider".split("|")), after=LETTERS)
def test_odd_letters_are_no_way_around(phrases: Phrases, before: str, said: str, after: str) -> None:
    """Letters of another case or script around and in a phrase change nothing that the pattern does not."""
    for odd in (said, said.replace("i", DOTLESS_I), said.replace("i", DOTTED_I), said.replace("s", LONG_S)):
        text = f"{before}{odd}{after}"
        assert phrases.are_in(text) is (phrases.pattern.search(text) is not None)


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("I'm sorry, I can\u2019t help with that.", True),
        ("That is NOT ALLOWED for basic economy.", True),
        ("Das darf ich leider nicht.", True),
        ("No puedo procesar eso.", True),
        ("I can't wait to see it arrive, it is outside already.", False),
        ("Your refund is on its way.", False),
    ],
)
def test_refusals(text: str, refused: bool) -> None:
    """Refusals of three languages are told from texts that only hold their stems."""
    assert refuses(text) is refused
