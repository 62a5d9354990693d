"""`still worker` and `still sink` as their own processes on a given broker and ClickHouse, for tests that end them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sinks.clickhouse.client import Client, connect
from still.__main__ import main
from still.readiness import is_ready
from tests.streams.log import eventually

READY_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where the processes of one test are: broker, topics, tables, folder."""

    bootstrap_servers: str
    prefix: str
    clickhouse_url: str
    database: str
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """The settings of every command."""
        return {
            "STILL_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "STILL_TOPIC_PREFIX": self.prefix,
            "STILL_CLICKHOUSE_URL": self.clickhouse_url,
            "STILL_DATABASE": self.database,
            "STILL_FOLDER": str(self.folder),
            "STILL_INACTIVITY_SECONDS": "600",
        }

    def prepare(self, patch: pytest.MonkeyPatch) -> None:
        """Let the commands of this process have these settings too, and make topics and tables."""
        for name, value in self.environment.items():
            patch.setenv(name, value)
        assert main(["init"]) == 0

    def client(self) -> Client:
        """ClickHouse."""
        return connect(self.clickhouse_url, self.database)

    def count(self, what: str) -> int:
        """How many rows; `what` is a table with or without a condition."""
        (found,) = self.client().rows(f"SELECT count() AS n FROM {self.database}.{what}")
        return int(found["n"])

    def rows(self, query: str) -> list[dict[str, Any]]:
        """The rows of a query in which {db} is the database."""
        return self.client().rows(query.replace("{db}", self.database))

    def start(self, command: str, more: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start `still COMMAND` and wait until it has its partitions, or has ended."""
        with self.log(command).open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "still", command],
                env={**os.environ, **self.environment, **(more or {})},
                stderr=log,
                stdout=log,
            )
        eventually(
            lambda: is_ready(self.folder, command) or process.poll() is not None, READY_WITHIN_S, f"a ready {command}"
        )
        return process

    @contextmanager
    def running(self, command: str, more: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """The same for as long as the context lasts; then kill -9."""
        process = self.start(command, more)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def log(self, command: str) -> Path:
        """What a command has written."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"{command}.log"
