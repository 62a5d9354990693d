"""Publishers that use transactions: what one takes back is in no table, and where a transaction ends is no loss."""

from __future__ import annotations

import pytest
from confluent_kafka import Producer

from schemas import codec
from schemas.records import ConversationEvent
from tests.crash.pipeline import EVENTS, Pipeline
from tests.crash.test_pipeline import stopped
from tests.streams.log import eventually, write

WITHIN_S = 90.0


def _event(contact: str) -> tuple[bytes, bytes]:
    messages = [{"role": "user", "content": "where is my order?"}]
    event = ConversationEvent(f"{contact}-0", contact, "conversation", messages=messages)
    return contact.encode(), codec.encode(event)


@pytest.mark.apache
@pytest.mark.timeout(300)
@pytest.mark.parametrize("stack", ["apache"], indirect=True)
def test_what_a_publisher_takes_back_is_in_no_table(pipeline: Pipeline) -> None:
    """Of an aborted transaction nothing lands, no conversation either; all else does, and nothing is told as gone."""
    running = pipeline.both()
    topic = pipeline.prefix + EVENTS
    producer = Producer({"bootstrap.servers": pipeline.bootstrap_servers, "transactional.id": topic})
    producer.init_transactions(WITHIN_S)
    for contact, end in (("back", producer.abort_transaction), ("kept", producer.commit_transaction)):
        producer.begin_transaction()
        key, value = _event(contact)
        producer.produce(topic, value, key, partition=0)
        producer.flush(WITHIN_S)
        end(WITHIN_S)
    write(pipeline.bootstrap_servers, topic, [_event(contact) for contact in ("later", "last", "end")])
    eventually(lambda: pipeline.counts()["conversations"] >= 4, WITHIN_S, "what was committed")
    assert stopped(*running) == [0, 0]
    found = pipeline.client.rows(f"SELECT conversation_id FROM {pipeline.database}.conversation_events")
    assert sorted(row["conversation_id"] for row in found) == ["end", "kept", "last", "later"]
    counts = pipeline.counts()
    assert (counts["conversations"], counts["dead.letters"]) == (4, 0)
    assert "records_gone" not in (pipeline.folder / "worker.log").read_text()
