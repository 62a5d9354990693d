"""The tests of this folder run over either broker; see `tests/apache.py`."""

import pytest

from still.embedded.stack import Stack
from tests.apache import EITHER, on_either


@pytest.fixture(name="stack", params=EITHER)
def _stack(request: pytest.FixtureRequest, stack: Stack) -> Stack:
    """The session's ClickHouse, and of its brokers either."""
    return on_either(request, stack)
