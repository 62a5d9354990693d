"""Known values are found wherever their pattern finds them; looking for them first only saves time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.redact.known import Known

NAMES = st.sampled_from(["Mia", "Mia Kiss", "ilias k", "Zoë", "mia@x.de", "customer-17"])
WORDS = st.sampled_from(
    [
        *"\u0131\u0130\u017f\u212a .,@",
        "Mia",
        "MIA",
        "mia",
        "m\u0131a@x.de",
        "Kiss",
        "kiss",
        "x.de",
        "customer-17",
        "Zoë",
    ]
)


@given(st.lists(NAMES, max_size=3), st.lists(WORDS, max_size=6).map("".join), st.booleans())
def test_no_value_is_passed_over(names: list[str], text: str, born: bool) -> None:
    """Whatever stands around a value, and whichever odd letters spell it: what the pattern finds is found."""
    values = [(name, "email" if "@" in name else "customer_id" if "-" in name else "person") for name in names]
    known = Known([*values, *([("1990-05-20", "birth_date")] if born else [])])  # type: ignore[list-item]
    assert not known._kinds or known.find(text) == known._named(text)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("Ay\u015fe Y\u0131ld\u0131z", "Ay\u015fe Yildiz"),
        ("Selim Isik", "SEL\u0130M I\u015eIK".replace("\u015e", "S")),
        ("Mia Kiss", "m\u0131a ki\u017f\u017f"),
    ],
)
def test_odd_letters_are_the_same_person(value: str, said: str) -> None:
    """A name with a Turkish i, or without, is found as whom it names; it once ended the process."""
    assert [place.kind for place in Known([(value, "person")]).find(f"I am {said}, hello")] == ["person"]
