"""`still up` of which processes are killed: what outlives it, and what is told as lost."""

from __future__ import annotations

import os
import signal

import pytest

from still import wiring
from still.embedded.stack import read_stack
from tests import adapters
from tests.up import LANDED_S, Runs, await_conversations, count_of, rows_of, send_closed, send_turn

CONTACTS = 30


@pytest.mark.apache
@pytest.mark.timeout(900)
def test_nothing_is_lost_when_everything_is_killed(runs: Runs) -> None:
    """What Apache Kafka confirmed outlives kill -9 of the whole stack: open contacts and events nobody had read yet."""
    up = runs("--broker", "apache", "--without", "trainer")
    settings = up.start()
    cluster = read_stack(up.folder).cluster_id
    send_turn(settings, "where is my parcel?", 0, range(CONTACTS))
    up.until(lambda: count_of(settings, "conversation_events") == CONTACTS, LANDED_S, "first turns landed")
    send_turn(settings, "it was order 17", 1, range(CONTACTS))
    up.kill_everything()
    settings = up.start()
    assert read_stack(up.folder).cluster_id == cluster
    send_closed(settings, 2, range(CONTACTS))
    await_conversations(up, settings, CONTACTS)
    whole = (
        "SELECT uniqExact(conversation_id) AS n FROM stillstream.conversations"
        " WHERE length(JSONExtractArrayRaw(messages)) = 2"
    )
    up.until(lambda: rows_of(settings, whole)[0]["n"] == CONTACTS, LANDED_S, "every contact has both turns")
    up.until(lambda: count_of(settings, "conversation_events") == 3 * CONTACTS, LANDED_S, "each event landed")
    places = (
        "SELECT count() AS rows, uniqExact(_cluster, _partition, _offset) AS places"
        " FROM stillstream.conversation_events"
    )
    assert rows_of(settings, places) == [{"rows": 3 * CONTACTS, "places": 3 * CONTACTS}]


@pytest.mark.timeout(900)
def test_a_killed_broker_is_told_and_the_stack_goes_on(runs: Runs) -> None:
    """After kill -9 of the memory broker topics and model events are there again, the loss is told, new events land."""
    up = runs("--without", "trainer")
    settings = up.start()
    event = adapters.event("intent-00001-3fa9c1d2")
    wiring.registry(settings).record(event)
    wiring.announcer(settings).announce(event)
    send_turn(settings, "where is my parcel?", 0, range(CONTACTS))
    up.until(lambda: count_of(settings, "conversation_events") == CONTACTS, LANDED_S, "the turns landed")
    cluster = read_stack(up.folder).cluster_id
    os.kill(up.pids()["broker"], signal.SIGKILL)
    up.until(lambda: "the broker died and came back empty" in up.said(), LANDED_S, "the loss is told")
    assert f"{CONTACTS} contacts had not become conversations" in up.said()
    assert read_stack(up.folder).cluster_id != cluster
    assert wiring.announcer(settings).announced() == {event.event_id}
    send_turn(settings, "where is my parcel?", 0, range(CONTACTS))
    send_closed(settings, 1, range(CONTACTS))
    await_conversations(up, settings, CONTACTS)
    now = read_stack(up.folder).cluster_id
    made_of = rows_of(settings, "SELECT DISTINCT src_cluster AS cluster FROM stillstream.conversations")
    assert made_of == [{"cluster": now}]
