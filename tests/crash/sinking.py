"""A sink process of a test: started, stopped and killed at will."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from still.embedded.stack import Stack

PARTITIONS = 3
DEADLINE_S = 90.0


@contextmanager
def sink(stack: Stack, topic_prefix: str, database: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Lands the topics of the prefix in the database until the context ends."""
    command = [sys.executable, "-m", "tests.crash.sink_process"]
    where = [stack.bootstrap_servers, topic_prefix, stack.clickhouse_url, database]
    with subprocess.Popen(
        [*command, *where, *options], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.kill()
