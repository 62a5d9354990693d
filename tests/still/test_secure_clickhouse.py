"""ClickHouse over TLS with a user: through a proxy that ends TLS and checks the login, before the embedded engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from sinks.errors import Misconfigured
from still import wiring
from still.embedded.stack import Stack
from still.settings import load
from tests.tls_proxy import tls_proxy

PASSWORD = "made-up-5518"


@pytest.fixture(autouse=True)
def _proxy(stack: Stack, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    port = urlsplit(stack.clickhouse_url).port
    assert port is not None
    with tls_proxy(port, ("still", PASSWORD), tmp_path) as (url, ca):
        values = {"URL": url, "USER": "still", "PASSWORD": PASSWORD, "CA": str(ca)}
        for name, value in values.items():
            monkeypatch.setenv(f"STILL_CLICKHOUSE_{name}", value)
        monkeypatch.setenv("STILL_DATABASE", database)
        yield


def test_statements_blocks_and_queries_pass(database: str) -> None:
    """A table is made, a compressed block lands and is read back over https."""
    client = wiring.clickhouse(load())
    client.command(f"CREATE TABLE {database}.t (a UInt8) ENGINE = MergeTree ORDER BY a")
    client.insert("t", client.encode("t", ["a"], ["UInt8"], [[1, 2, 3]]))
    assert client.rows(f"SELECT sum(a) AS s FROM {database}.t") == [{"s": 6}]
    client.close()


def test_wrong_password_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused login is final, is said in ClickHouse's words, and shows no password."""
    monkeypatch.setenv("STILL_CLICKHOUSE_PASSWORD", "another-7713")
    with pytest.raises(Misconfigured, match="Authentication failed") as refused:
        wiring.clickhouse(load(), wait_s=60.0)
    assert "another-7713" not in f"{refused.value} {refused.value.__cause__}"


def test_foreign_authority_is_refused_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A server whose certificate comes from nobody that we trust is no ClickHouse of ours."""
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    monkeypatch.setenv("STILL_CLICKHOUSE_CA", str(tmp_path / "other.pem"))
    with pytest.raises(Misconfigured, match="certificate is not from an authority that we trust"):
        wiring.clickhouse(load(), wait_s=60.0)
