"""Dates as people write them."""

import pytest

from streams.dates import dates_in


@pytest.mark.parametrize(
    ("text", "year", "month", "day"),
    [
        ("on May 3", None, 5, 3),
        ("May 20th, 2024 it was", 2024, 5, 20),
        ("am 20. Mai 2024", 2024, 5, 20),
        ("el 20 de mayo de 2024", 2024, 5, 20),
        ("by 2024-05-20", 2024, 5, 20),
        ("05/20/2024", 2024, 5, 20),
        ("20.5.24", 2024, 5, 20),
    ],
)
def test_a_date_is_found_in_every_form(text: str, year: int | None, month: int, day: int) -> None:
    """A year that is not said is unknown."""
    assert [found[:3] for found in dates_in(text)] == [(year, month, day)]


@pytest.mark.parametrize(
    "text", ["in May 2024", "May 1234567", "05/06/2024", "2.5 kg", "room 20", "May 32", "20 apples"]
)
def test_what_is_no_certain_day_is_no_date(text: str) -> None:
    """A month and a year, other numbers, and days that could be months."""
    assert dates_in(text) == ()
