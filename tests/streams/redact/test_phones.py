"""Telephone numbers are found in the ways they are written; dates and counts are none of them."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Messages, Provenance
from streams.dates import dates_in
from streams.redact import redact, redact_text
from streams.redact.patterns import _is_one_word, introduced
from streams.redact.patterns import find as find_in
from streams.redact.phones import phones_in
from streams.settings import RedactSettings
from streams.values import Draft

SECRET = RedactSettings(b"a key for tests only, 32 bytes..")
FORMS = (
    "{0:%m/%d/%Y}", "{0:%d/%m/%Y}", "{0:%m-%d-%Y}", "{0:%d.%m.%Y}", "{0:%Y-%m-%d}", "{0:%Y/%m/%d}", "{0:%m/%d/%y}",
    "{0:%m/%d}", "{0:%m-%d}", "{0:%B} {0:%d} {0:%Y}", "{0:%B} {0:%d}, {0:%Y}", "{0:%d} {0:%B} {0:%Y}",
    "{0:%m/%d/%Y} {0:%d}:30",
)  # fmt: skip
SHORT_FORMS = ("{0:%d %m %y}", "{0:%m/%d}-{0:%m/%d}", "{0:%m/%d} {0:%m/%d}", "{0:%m-%d} {0:%m-%d}")
"""Pairs of digits: no number by form, but one where a word says so (`Tel. 23 45 67 89`)."""

AROUND = ("on {}", "{}", "depart {} returning soon")
WITH_WORD = ("my phone, bought {}", "call me {} at noon", "mobile plan since {}.", "call {}")
DAYS = st.dates(date(1900, 1, 1), date(2079, 12, 31))
SPELLINGS = st.sampled_from(
    [around.format(form) for form in FORMS for around in AROUND + WITH_WORD]
    + [around.format(form) for form in SHORT_FORMS for around in AROUND]
)
PHONES = (
    "0171 2345678", "0171/2345678", "0171-2345678", "030/1234567", "030 1234567", "030/12 34 56 78", "(030) 1234567",
    "020 7946 0958", "06 12 34 56 78", "06-12345678", "06-12 34 56 78", "02/123 45 67", "09 123 4567", "044 668 18 00",
    "+49 171 2345678", "+49 (0)30 1234567", "415-555-2671", "(415) 555-2671", "0512 12 34 56",
)  # fmt: skip


@given(DAYS, SPELLINGS)
def test_dates_are_no_telephone_numbers(day: date, spelling: str) -> None:
    """However a date is written, and whatever stands around it, it stays."""
    text = spelling.format(day)
    assert redact_text(text, [], SECRET)[0] == text


@pytest.mark.parametrize("text", ["06 12 18 items", "06 12 18 24 items", "(1) 20 pieces", "(2024) 15 items"])
def test_counts_are_no_telephone_numbers(text: str) -> None:
    """Neither are a few numbers side by side."""
    assert redact_text(text, [], SECRET)[0] == text


@pytest.mark.parametrize("phone", PHONES)
@pytest.mark.parametrize(
    "around", ["{}", "it is {}.", "in May {} is mine", "05/25/2024 {}", "{} 05/25/2024", "on May 05 2024 {}, thanks"]
)
def test_telephone_numbers_are_found(phone: str, around: str) -> None:
    """With a leading zero or without, next to a date or not, the whole number goes, and the date stays."""
    text = around.format(phone)
    start = text.index(phone)
    assert (start, start + len(phone)) in phones_in(text)
    made = redact_text(text, [], SECRET)[0]
    assert phone not in made
    assert made.replace(made[start : start + len(phone)], phone) == text


def test_text_and_arguments_say_the_same_day() -> None:
    """A flight's date stays in words and arguments; the date of birth goes in both, ambiguous or not."""
    function = {"name": "book", "arguments": json.dumps({"date": "2024-05-25", "dob": "1990-03-12"})}
    messages: Messages = [
        {"role": "user", "content": "Book 05/25/2024. I was born on 03/12/1990, yes, 03-12-1990."},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": function}]},
    ]
    made = redact(Draft("c1", 1, Provenance("k", "t", 0, 0), messages, "closed", 1), SECRET).messages
    arguments = json.loads(made[1]["tool_calls"][0]["function"]["arguments"])
    assert arguments["date"] == "2024-05-25"
    assert "Book 05/25/2024." in made[0]["content"]
    assert "1990" not in repr(made)
    year, month, day = arguments["dob"].split("-")
    assert f"born on {month}/{day}/{year}, yes, {month}-{day}-{year}." in made[0]["content"]
    assert next(found[:3] for found in dates_in(made[0]["content"])) == (2024, 5, 25)


@given(st.from_regex(r"[A-Za-zäß]{0,6}[0-9_]{0,20}[A-Za-z_]{0,4}[0-9]{0,12}", fullmatch=True) | st.text(max_size=20))
def test_names_of_fields_hold_nothing_to_find(text: str) -> None:
    """What is passed over as one word is what the patterns find nothing in: a blank before it changes nothing."""
    if _is_one_word(text):
        assert not introduced(text)
        assert find_in(f" {text}") == []
