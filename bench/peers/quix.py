"""quixstreams: at-least-once, its own commit after a flush that checks every delivery; as strong as ours in that.

Weaker than ours: the source's commit follows all partitions together, and nothing recognises the repeats of a crash.
"""

from __future__ import annotations

from quixstreams import Application

from bench.peers.work import PRODUCER, add_field, job


def main() -> None:
    """Copy until ended."""
    work = job()
    app = Application(
        broker_address=work.bootstrap_servers,
        consumer_group=work.target,
        auto_offset_reset="earliest",
        processing_guarantee="at-least-once",
        commit_interval=1.0,
        auto_create_topics=False,
        loglevel="WARNING",
        state_dir=work.folder,
        producer_extra_config=PRODUCER,
    )
    source = app.topic(work.source, value_deserializer="bytes", key_deserializer="bytes")
    target = app.topic(work.target, value_serializer="bytes", key_serializer="bytes")
    app.dataframe(source).apply(add_field).to_topic(target)
    app.run()


if __name__ == "__main__":
    main()
