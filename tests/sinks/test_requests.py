"""What a ClickHouse server gets to see of an insert: the request itself, as it goes over the wire."""

from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from sinks.clickhouse.client import connect
from still.embedded.stack import Stack
from tests.sinks.proxy import Fault, Faults, proxy


@dataclass(slots=True)
class _Recorded(Faults):
    """Lets everything pass, and keeps the heads of requests."""

    heads: list[bytes] = field(default_factory=list)

    def next_for(self, head: bytes) -> Fault | None:
        """Nothing happens."""
        self.heads.append(head)
        return None


def test_an_insert_says_everything_itself(stack: Stack, database: str) -> None:
    """It is synchronous, one block by one thread, under its token, whatever the server's profile says."""
    direct = connect(stack.clickhouse_url, database)
    direct.command(f"CREATE TABLE {database}.t (a Int64) ENGINE = MergeTree ORDER BY a")
    recorded = _Recorded("t")
    with proxy(stack.clickhouse_url, recorded) as url:
        client = connect(url, database)
        client.insert("t", client.encode("t", ["a"], ["Int64"], [[1, 2]]), "t:token")
    line, *headers = recorded.heads[-1].decode().split("\r\n")
    said = {name: values[0] for name, values in parse_qs(urlsplit(line.split()[1]).query).items()}
    wanted = {
        "async_insert": "0",
        "max_insert_threads": "1",
        "insert_deduplicate": "1",
        "insert_deduplication_token": "t:token",
    }
    assert wanted.items() <= said.items()
    assert line.startswith("POST ")
    assert "content-encoding: lz4" in [header.lower() for header in headers]
    assert direct.columns(f"SELECT a FROM {database}.t ORDER BY a").first == [1, 2]
