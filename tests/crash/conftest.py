"""What crash tests have in common: either broker, tables and topics for a sink, a pipeline of worker and sink.

Whatever takes `stack` or `running` here is there twice: over Tansu in the test's own tier, over Apache Kafka in the
slow one. A test for one of them says so: `@pytest.mark.parametrize("stack", ["apache"], indirect=True)`.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from sinks.clickhouse.client import Client, connect
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.settings import TableSettings
from still.embedded.stack import Broker, EmbeddedStack, Ports, Stack, embedded_stack
from tests.apache import EITHER, on_either
from tests.crash.commands import Place
from tests.crash.pipeline import SEED, Pipeline
from tests.crash.sinking import PARTITIONS


@pytest.fixture(name="stack", params=EITHER)
def _stack(request: pytest.FixtureRequest, stack: Stack) -> Stack:
    """The session's ClickHouse, and of its brokers either."""
    return on_either(request, stack)


@pytest.fixture(name="running", params=EITHER)
def _running(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedStack]:
    """A stack of this test's own, whose children may be killed or stand still."""
    broker: Broker = "memory" if request.param == "tansu" else "apache"
    with embedded_stack(tmp_path / "stack", Ports(broker=0, clickhouse=0), broker) as running:
        yield running


@pytest.fixture(name="client")
def _client(stack: Stack, database: str, topic_prefix: str) -> Client:
    """ClickHouse with fresh tables, and a broker with fresh topics."""
    client = connect(stack.clickhouse_url, database)
    migrate(client, TableSettings(database=database))
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
    names = ("examples", "conversation.events", "dead.letters")
    for made in admin.create_topics([NewTopic(topic_prefix + n, PARTITIONS, 1) for n in names]).values():
        made.result()
    return client


@pytest.fixture(name="pipeline")
def _pipeline(stack: Stack, topic_prefix: str, database: str, tmp_path: Path) -> Iterator[Pipeline]:
    """A pipeline with its topics and tables."""
    pipeline = Pipeline(stack.bootstrap_servers, topic_prefix, stack.clickhouse_url, database, tmp_path, SEED)
    with pipeline.made():
        yield pipeline


@pytest.fixture(name="place")
def _place(stack: Stack, topic_prefix: str, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Fresh topics and tables, and settings for the commands of this process too."""
    place = Place(stack.bootstrap_servers, topic_prefix, stack.clickhouse_url, database, tmp_path)
    place.prepare(monkeypatch)
    return place


@pytest.fixture(name="quiet")
def _quiet() -> None:
    """Hundreds of short lives need no log."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
