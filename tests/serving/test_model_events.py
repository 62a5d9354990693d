"""Model events over the real broker: announced once, replayed by every subscriber, restored after a loss."""

from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.records import ModelEvent
from serving.errors import EventsUnavailable
from serving.model_events import KafkaEvents
from serving.subscriber import Subscriber
from sinks.errors import BrokerUnavailable
from sinks.model_events import KafkaAnnouncer
from sinks.registry import open_registry
from still.embedded.stack import Stack
from tests.adapters import event, sealed_folder

A, B = "intent-00001-aaaaaaaa", "intent-00002-bbbbbbbb"


class _Printer:
    """A loader that keeps its calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def load(self, name: str, folder: Path, event: ModelEvent) -> None:
        assert folder.is_dir()
        self.calls.append(f"load {event.adapter or name}")

    def unload(self, name: str) -> None:
        self.calls.append(f"unload {name}")


@pytest.fixture(name="topic")
def _topic(stack: Stack, topic_prefix: str) -> str:
    name = f"{topic_prefix}model.events"
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
    for made in admin.create_topics([NewTopic(name, 1, 1)]).values():
        made.result(10)
    return name


def test_a_subscriber_replays_then_follows(stack: Stack, topic: str, tmp_path: Path) -> None:
    """The champion of now loads at the start; a promotion while it runs switches; rubbish in between is passed over."""
    registry = open_registry(f"file://{tmp_path}/store")
    artifacts = {name: registry.publish(sealed_folder(tmp_path / name, name.encode()), name) for name in (A, B)}
    announcer = KafkaAnnouncer(stack.bootstrap_servers, topic)
    announcer.announce(event(A, artifact=artifacts[A]))
    rubbish = Producer({"bootstrap.servers": stack.bootstrap_servers})
    rubbish.produce(topic, b"\x00rubbish")
    assert rubbish.flush(10) == 0
    printer = _Printer()
    with KafkaEvents(stack.bootstrap_servers, topic) as events:
        subscriber = Subscriber(events, registry, printer, tmp_path / "cache")
        assert subscriber.start().loaded == {("intent", "shop"): A}
        announcer.announce(event(B, artifact=artifacts[B]))
        for _ in range(20):
            if subscriber.step(0.5).loaded == {("intent", "shop"): B}:
                break
    assert printer.calls == [f"load {A}", f"load {B}", f"unload {A}"]


def test_a_lost_topic_is_restored_once(stack: Stack, topic: str, tmp_path: Path) -> None:
    """A broker that came back empty gets every recorded event again, in order, and no event twice."""
    registry, announcer = open_registry(f"file://{tmp_path}/store"), KafkaAnnouncer(stack.bootstrap_servers, topic)
    for kind in ("trained", "evaluated", "promoted"):
        registry.record(event(A, kind))
    assert (registry.restore(announcer), registry.restore(announcer)) == (3, 0)
    with KafkaEvents(stack.bootstrap_servers, topic) as events:
        assert [one.kind for one in events.replay()] == ["trained", "evaluated", "promoted"]


def test_no_broker_is_a_clear_error() -> None:
    """Reading and announcing without a broker fail with what to look at."""
    nobody = "127.0.0.1:1"
    with KafkaEvents(nobody, timeout_s=1.0) as events, pytest.raises(EventsUnavailable, match="start Kafka"):
        list(events.replay())
    with pytest.raises(BrokerUnavailable, match=nobody):
        KafkaAnnouncer(nobody, timeout_s=1.0).announce(event(A))
