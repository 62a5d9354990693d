"""What every peer does to an event, and how it produces: the same for all."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

import orjson

CORE = 1
"""The core that a peer has to itself; the broker has the other."""
PRODUCER: dict[str, str | int | bool] = {
    "acks": "all",
    "enable.idempotence": True,
    "compression.type": "lz4",
    "linger.ms": 5,
    "queue.buffering.max.messages": 200_000,
}


@dataclass(frozen=True)
class Job:
    """From where to where; `folder` is the peer's own."""

    bootstrap_servers: str
    source: str
    target: str
    folder: str


def job() -> Job:
    """The process's arguments; from now on it runs on its own core."""
    os.sched_setaffinity(0, {min(CORE, (os.cpu_count() or 1) - 1)})
    return Job(*sys.argv[1:])


def add_field(value: bytes) -> bytes:
    """The work: parse, add one field, write."""
    event = orjson.loads(value)
    event["seen"] = True
    return orjson.dumps(event)
