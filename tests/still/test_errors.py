"""What cannot be known is None, and why is told."""

from __future__ import annotations

import pytest

from still.errors import UserError, known


def _refuse() -> int:
    raise UserError("nobody answers")


def test_what_cannot_be_known_is_none_with_its_reason() -> None:
    """An answer comes back as it is, also 0, and nothing is told."""
    told: list[str] = []
    assert known(lambda: 0, told.append) == 0
    assert told == []
    assert known(_refuse, told.append) is None
    assert told == ["nobody answers"]


def test_what_is_no_users_mistake_is_not_hidden() -> None:
    """A fault of ours goes on as it is."""
    with pytest.raises(ZeroDivisionError):
        known(lambda: 1 // 0, print)
