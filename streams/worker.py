"""One worker process from its settings: producer, stages, Faust app; checks what must be there before it starts."""

from __future__ import annotations

from functools import partial
from typing import Any

from confluent_kafka.admin import AdminClient

from schemas import catalog
from streams import agents, assembly_keys
from streams.assembly_store import AssemblyStore
from streams.deliver import Delivery
from streams.errors import WrongPartitions
from streams.look_back import LookBack
from streams.metrics import Metrics, NoMetrics, Unprefixed
from streams.produce import ProduceSettings
from streams.stage import Log, Stage
from streams.stage_assemble import AssembleStage
from streams.stage_distill import DistillStage
from streams.topics import MAX_MESSAGE_BYTES, cluster_id_of, partition_counts
from streams.worker_settings import Signals, StageName, WorkerSettings

LINGER_MS = 5
"""A stage waits for the confirmation of each chunk, so that lingering longer gains nothing."""


def run(settings: WorkerSettings, signals: Signals, metrics: Metrics | None = None) -> None:
    """Run until SIGTERM or SIGINT. Ends by SystemExit.

    Raises:
        BrokerUnavailable: nobody answers at the start.
        WrongPartitions: a topic is missing.
    """
    check_topics(settings)
    app = build(settings, metrics or NoMetrics(), signals)
    agents.run(app, settings)


def build(settings: WorkerSettings, metrics: Metrics, signals: Signals) -> Any:
    """The Faust app of these settings; the broker's cluster id is asked once, here. Each stage has its own delivery."""
    shown = Unprefixed(metrics, settings.topic_prefix)
    current = partial(cluster_id_of, settings.bootstrap_servers, settings.kafka_options)
    cluster = current()

    def log() -> Log:
        delivery = Delivery(_produce_settings(settings), shown, settings.give_up_after_s)
        return Log(cluster, settings.topic_prefix, delivery, shown, current)

    return agents.build(settings, [_stage(name, settings, log()) for name in settings.stages], shown, signals)


def check_topics(settings: WorkerSettings) -> None:
    """See that all topics are there: a worker makes none, for it does not know how many partitions they should have.

    Raises:
        BrokerUnavailable: nobody answers.
        WrongPartitions: a topic is missing.
    """
    there = partition_counts(
        AdminClient({"bootstrap.servers": settings.bootstrap_servers, "log_level": 0, **settings.kafka_options})
    )
    missing = [name for topic in catalog.topics() if (name := settings.topic_prefix + topic) not in there]
    if missing:
        raise WrongPartitions(
            f"topics {', '.join(missing)} are not on {settings.bootstrap_servers}; run `still init` first"
        )


def _stage(name: StageName, settings: WorkerSettings, log: Log) -> Stage:
    if name == "distill":
        back = LookBack(settings.bootstrap_servers, settings.topic_prefix + DistillStage.topic, settings.kafka_options)
        return DistillStage(log, back.before, settings.distill, settings.limits)
    store = AssemblyStore(
        settings.bootstrap_servers, settings.topic_prefix + assembly_keys.TOPIC, settings.kafka_options
    )
    return AssembleStage(log, store.load, settings.assemble, settings.redact, settings.limits)


def _produce_settings(settings: WorkerSettings) -> ProduceSettings:
    return ProduceSettings(
        settings.bootstrap_servers,
        client_id="still-worker",
        linger_ms=LINGER_MS,
        max_message_bytes=MAX_MESSAGE_BYTES,
        options=settings.kafka_options,
    )
