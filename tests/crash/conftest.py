"""What the sink's crash tests have in common."""

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from sinks.clickhouse.client import Client, connect
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.settings import TableSettings
from still.embedded.stack import Stack
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
