"""Plain HTTP against the shared ClickHouse, as curl would speak it."""

from collections.abc import Iterator

import httpx
import pytest

from still.embedded.stack import Stack


@pytest.fixture(name="http")
def _http(stack: Stack, database: str) -> Iterator[httpx.Client]:
    """A client whose requests go to the test's own database."""
    with httpx.Client(base_url=stack.clickhouse_url, params={"database": database}, timeout=30) as client:
        yield client
