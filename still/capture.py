"""Opens the way into Kafka for the commands that publish: broker checked, topics made, errors as a user reads them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from schemas.errors import RegistryError, SchemaError
from still import kafka, schema_ids
from still.errors import UserError
from still.settings import Settings
from streams.errors import StreamError
from streams.produce import Producer
from streams.publisher import Publisher
from streams.topics import MAX_MESSAGE_BYTES, ensure_topics


@contextmanager
def open_publisher(settings: Settings) -> Iterator[Publisher]:
    """A publisher on a broker that answers.

    Raises:
        UserError: it does not, or went away while publishing.
    """
    kafka.reach(settings)
    schema_ids.bind(settings)
    with reported(), Publisher(kafka.produce_settings(settings), topic_prefix=settings.topic_prefix) as publisher:
        _make_topics(settings)
        yield publisher


@contextmanager
def open_producer(settings: Settings) -> Iterator[Producer]:
    """The same for records that are no events, up to the largest that a topic of ours takes."""
    kafka.reach(settings)
    schema_ids.bind(settings)
    with reported():
        producer = Producer(replace(kafka.produce_settings(settings), max_message_bytes=MAX_MESSAGE_BYTES))
        try:
            _make_topics(settings)
            yield producer
        finally:
            producer.close()


@contextmanager
def reported() -> Iterator[None]:
    """Errors of files, records and broker as one line for the user."""
    try:
        yield
    except (StreamError, SchemaError, RegistryError) as error:
        raise UserError(str(error)) from None


def _make_topics(settings: Settings) -> None:
    ensure_topics(kafka.admin(settings), settings.topic_prefix, settings.partitions, settings.replication)
