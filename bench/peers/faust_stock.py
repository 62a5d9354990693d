"""Stock Faust: an agent that awaits nothing but its own send, Faust's own acknowledgement and commit.

Weaker than ours in three ways: not idempotent, a failed send is logged and committed all the same, and Faust 0.15.3 can
commit past an event that is not done.
"""

from __future__ import annotations

import sys
from typing import Any

import faust

from bench.peers.work import Job, add_field, job


def build(work: Job) -> Any:
    """The app with its agent."""
    app = faust.App(
        work.target,
        broker=f"kafka://{work.bootstrap_servers}",
        datadir=work.folder,
        store="memory://",
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
        producer_acks=-1,
        producer_compression_type="lz4",
        producer_linger=0.005,
    )
    source = app.topic(work.source, key_serializer="raw", value_serializer="raw")
    target = app.topic(work.target, key_serializer="raw", value_serializer="raw")

    async def transit(stream: Any) -> None:
        async for event in stream.events():
            await target.send(key=event.key, value=add_field(event.value), partition=event.message.partition)

    app.agent(source, name="transit")(transit)
    return app


if __name__ == "__main__":
    work = job()
    sys.argv = [sys.argv[0], "worker"]
    faust.Worker(build(work), loglevel="WARNING", quiet=True, redirect_stdouts=False).execute_from_commandline()
