"""What every test has: the embedded stack's fixtures, and logs that no test before it has redirected.

No law may fail by the clock: machines are loaded.
"""

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

from schemas import wire

pytest_plugins = [
    "tests.apache",
    "tests.registry",
    "tests.secure_kafka",
    "tests.stack",
    "tests.up",
]

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


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
