"""A step that raises refuses its record in words that quote nothing; what is nobody's fault goes on."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from schemas.errors import RegistryAway
from schemas.poison import Poison, unless_poison


def _quoting(record: str) -> None:
    raise KeyError(record)


def test_a_step_that_raises_is_told_by_kind_and_place() -> None:
    """Neither letter nor log holds the exception's own words, which quote the record."""
    with capture_logs() as events:
        found = unless_poison(_quoting, "Bob")
    assert isinstance(found, Poison)
    assert found.detail.startswith("KeyError at test_poison.py:")
    assert [event["event"] for event in events] == ["step_raised"]
    assert "Bob" not in f"{found} {events}"


def test_what_a_step_makes_is_passed_on() -> None:
    """Also nothing."""
    assert unless_poison({"a": None}.get, "a") is None


@pytest.mark.parametrize("error", [MemoryError(), OSError("no room"), RegistryAway("no answer")])
def test_what_may_pass_is_not_the_records(error: Exception) -> None:
    """A full disk, no memory, a registry that is away: no record may be refused for it."""

    def step(_: object) -> None:
        raise error

    with pytest.raises(type(error)):
        unless_poison(step, None)
