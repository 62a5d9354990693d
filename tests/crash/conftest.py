"""What crash tests have in common: tables and topics for a sink, and a pipeline of worker and sink."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from sinks.clickhouse.client import Client, connect
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.settings import TableSettings
from still.embedded.stack import Stack
from tests.crash.pipeline import SEED, Pipeline
from tests.crash.sinking import PARTITIONS


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


@pytest.fixture(name="pipeline", params=["tansu", pytest.param("apache", marks=[pytest.mark.apache, pytest.mark.slow])])
def _pipeline(
    request: pytest.FixtureRequest, stack: Stack, topic_prefix: str, database: str, tmp_path: Path
) -> Iterator[Pipeline]:
    """A pipeline on either broker, with its topics and tables."""
    broker = stack if request.param == "tansu" else request.getfixturevalue("apache")
    pipeline = Pipeline(broker.bootstrap_servers, topic_prefix, stack.clickhouse_url, database, tmp_path, SEED)
    with pipeline.made():
        yield pipeline
