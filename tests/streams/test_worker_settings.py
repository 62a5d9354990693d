"""Settings of the worker are checked at birth and keep their secret."""

from __future__ import annotations

from typing import Any

import pytest

from streams.settings import RedactSettings
from streams.worker_settings import WorkerSettings

KEY = RedactSettings(b"a key of tests, 32 bytes long...")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"stages": ()}, "name some of"), ({"stages": ("asemble",)}, "'asemble' is unknown"), ({"buffer_bytes": 0}, "=0")],
)
def test_a_wrong_value_is_named(wrong: dict[str, Any], said: str) -> None:
    """The message quotes the value and what is known."""
    with pytest.raises(ValueError, match=said):
        WorkerSettings("host:9092", KEY, **wrong)


def test_there_is_no_worker_without_a_proper_key() -> None:
    """Redaction needs its secret: a short one refuses to be built."""
    with pytest.raises(ValueError, match="0 bytes"):
        RedactSettings(b"")


def test_secrets_stay_out_of_prints() -> None:
    """Neither the key nor a broker password shows in the representation."""
    settings = WorkerSettings("host:9092", KEY, kafka_options={"sasl.password": "hunter2"})
    assert "tests" not in repr(settings)
    assert "hunter2" not in repr(settings)
