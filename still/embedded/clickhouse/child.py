"""The ClickHouse child as the supervisor starts it."""

import http.client
import os
import sys
from pathlib import Path

from still.embedded.child import Child
from still.embedded.ports import LOOPBACK


def clickhouse_child(folder: Path, port: int) -> Child:
    """The engine on `folder`, answering on loopback at `port`."""
    module = ("-m", "still.embedded.clickhouse", "--path", str(folder), "--port", str(port))
    return Child(
        name="clickhouse",
        argv=(sys.executable, *module, "--parent", str(os.getpid())),
        ready=lambda: is_alive(port),
    )


def is_alive(port: int) -> bool:
    """Whether a ClickHouse answers `/ping` on loopback at `port`."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=1.0)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().read() == b"Ok.\n"
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
