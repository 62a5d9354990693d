"""What every test has: the embedded stack's fixtures, and logs that no test before it has redirected."""

from collections.abc import Iterator

import pytest
import structlog

from schemas import wire

pytest_plugins = [
    "tests.apache",
    "tests.registry",
    "tests.secure_kafka",
    "tests.stack",
    "tests.up",
]


@pytest.fixture(autouse=True)
def _default_logs() -> Iterator[None]:
    """Commands configure logs on the standard error of their moment, which a captured test takes away with it."""
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def _fixed_numbers() -> Iterator[None]:
    """A process binds the numbers of its schemas once; a test that did leaves nothing behind."""
    yield
    wire.bind(None)
