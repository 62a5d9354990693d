"""Dead letters are told to people whatever is in them."""

from __future__ import annotations

import pytest

from schemas.logtime import LATEST_US
from still.letters import when


@pytest.mark.parametrize(
    ("time_us", "said"),
    [
        (1_700_000_000_123_000, "2023-11-14T22:13:20+00:00"),
        (-1_000, "1970-01-01T00:00:00+00:00"),
        (LATEST_US, "2299-12-31T23:59:59+00:00"),
        (1_763_900_000_000_000_000, "2299-12-31T23:59:59+00:00"),
        (-(2**62), "1970-01-01T00:00:00+00:00"),
    ],
)
def test_a_time_that_no_calendar_has_is_told_as_the_nearest(time_us: int, said: str) -> None:
    """A letter of an earlier release holds whatever a publisher's clock said; it is shown all the same."""
    assert when(time_us) == said
