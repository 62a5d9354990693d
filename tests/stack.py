"""Fixtures that give a test the embedded stack: one broker and one ClickHouse for the whole session.

Tests share them and stay apart by topic prefix and database, both fresh for each test.
"""

import itertools
import urllib.request
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from confluent_kafka.admin import AdminClient

from still.embedded.stack import Ports, Stack, running_stack
from streams.topics import ensure_topics

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session", name="stack")
def _stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The addresses of a broker and a ClickHouse that run until the session ends."""
    with running_stack(tmp_path_factory.mktemp("stack"), Ports(broker=0, clickhouse=0)) as stack:
        yield stack


@pytest.fixture(name="topic_prefix")
def _topic_prefix() -> str:
    """A prefix that no other test uses for its topics."""
    return f"t{next(_NUMBERS)}."


@pytest.fixture(name="topics")
def _topics(stack: Stack, topic_prefix: str) -> str:
    """The prefix, when our topics are there under it."""
    ensure_topics(AdminClient({"bootstrap.servers": stack.bootstrap_servers, "log_level": 0}), topic_prefix, 4)
    return topic_prefix


@pytest.fixture(name="database")
def _database(stack: Stack) -> Iterator[str]:
    """A fresh, empty database, dropped after the test."""
    name = f"test_{next(_NUMBERS)}"
    _execute(stack, f"CREATE DATABASE {name}")
    yield name
    _execute(stack, f"DROP DATABASE {name}")


def _execute(stack: Stack, statement: str) -> None:
    url = f"{stack.clickhouse_url}/?query={quote(statement)}"
    with urllib.request.urlopen(urllib.request.Request(url, method="POST")):  # noqa: S310, our own loopback server
        pass
