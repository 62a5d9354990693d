"""The Faust worker: one registered agent per stage, fed with chunks, acknowledging in order what is durable.

The only file, with `consumer`, that knows Faust. Rules (each for a measured trap of Faust 0.15.3): `noack` streams, one
agent per topic with concurrency 1, no `take`, no tables, no exactly_once, raw values, and an unexpected exception never
reaches Faust, which would acknowledge the failed record: it ends the process before anything is acknowledged.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import faust
import structlog
import uvloop
from confluent_kafka import KafkaException
from faust.auth import SASLCredentials, SSLCredentials

from schemas.errors import RegistryError
from schemas.exits import FAIL_STOP, STOPPED_LATE, TRIPPED
from streams.chunk import Chunk
from streams.consumer import MEASURE_EVERY_S, ChunkTransport
from streams.errors import StreamError, TooManyRejected
from streams.metrics import Metrics
from streams.stage import Stage
from streams.tls import context_of
from streams.worker_settings import Signals, WorkerSettings

log = structlog.get_logger()

COLLECT_AFTER = 50_000
"""Containers that may be new before Python looks for cycles among them; a chunk has some thousands."""


class Runner:
    """Runs one stage in its own thread, so that the event loop, and with it group membership, never waits for work."""

    def __init__(self, stage: Stage, metrics: Metrics, tripped: Callable[[str], None]) -> None:
        self.stage = stage
        self._metrics = metrics
        self._tripped = tripped
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=stage.name)

    async def run(self, stream: Any) -> None:
        """The agent: chunk after chunk, each acknowledged once it is settled."""
        async for event in stream.noack().events():
            chunk: Chunk = event.value
            await self._call(self.stage.settle, chunk, first=chunk.first, partition=chunk.partition)
            event.ack()
            self._note(chunk)

    async def assign(self, partitions: Sequence[int]) -> None:
        """Tell the stage which partitions are its own."""
        await self._call(self.stage.assign, partitions)

    async def tick(self) -> None:
        """Let the stage do what time alone causes."""
        await self._call(self.stage.tick, time.time_ns() // 1000)

    async def _call(self, work: Any, argument: Any, **where: int) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, work, argument)
        except TooManyRejected as error:
            log.critical("ceiling_reached", stage=self.stage.name, topic=self.stage.topic, reason=str(error), **where)
            self._tripped(str(error))
            _exit(TRIPPED)
        except Exception as error:  # noqa: BLE001 - whatever it is, the process ends before anything is acknowledged
            log.critical("fail_stop", stage=self.stage.name, topic=self.stage.topic, reason=told(error),
                         trace=traceback.format_tb(error.__traceback__), **where)  # fmt: skip
            _exit(FAIL_STOP)

    def _note(self, chunk: Chunk) -> None:
        self._metrics.add("records_consumed", len(chunk.arrived), topic=self.stage.topic)
        self._metrics.add("chunks_acknowledged", 1, topic=self.stage.topic)
        log.debug("chunk_acknowledged", topic=chunk.topic, partition=chunk.partition, first=chunk.first, end=chunk.end,
                  bytes=chunk.bytes)  # fmt: skip


def told(error: Exception) -> str:
    """Why, for the log: in our words where the stream itself is at fault, else without, for they may quote a record.

    What customers say, or an unexpected value that holds it, belongs into no log.
    """
    if isinstance(error, StreamError | RegistryError | KafkaException):
        return str(error)
    return f"{type(error).__name__}; its message may quote a record and is left out"


def build(settings: WorkerSettings, stages: Sequence[Stage], metrics: Metrics, signals: Signals) -> Any:
    """The Faust app with one agent per stage."""
    (settings.folder / "worker").mkdir(parents=True, exist_ok=True)
    app = faust.App(settings.group, **_options(settings))
    app.transport = ChunkTransport(app.conf.broker_consumer, app)
    app.transport.buffer_bytes = settings.buffer_bytes
    app.transport.metrics = metrics
    runners = {settings.topic_prefix + stage.topic: Runner(stage, metrics, signals.tripped) for stage in stages}
    for name, runner in runners.items():
        topic = app.topic(name, key_serializer="raw", value_serializer="raw")
        app.agent(topic, name=runner.stage.name, concurrency=1)(runner.run)
    app.task(_ticking(app, list(runners.values()), settings.idle_check_s, signals.beat))
    app.timer(MEASURE_EVERY_S, name="measure")(_measuring(app))
    _follow_assignment(app, runners, signals.ready)
    return app


def run(app: Any, settings: WorkerSettings) -> None:
    """Run the app in this process until SIGTERM or SIGINT; does not return, the exit status tells how it ended.

    What lives now lives for good, so the collector of cycles need not look at it again; and records are no cycles, so
    that it may look seldom: at its defaults it takes a third of a worker's time with small records.
    """
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)
    _Worker(app, settings.stop_within_s).execute_from_commandline()


class _Worker(faust.Worker):
    """Faust's worker with a deadline for a stop that hangs, for example on a broker that is gone."""

    def __init__(self, app: Any, stop_within_s: float) -> None:
        super().__init__(app, loglevel="WARNING", quiet=True, redirect_stdouts=False)
        self.spinner = None
        self._deadline = threading.Timer(stop_within_s, _exit, (STOPPED_LATE,))
        self._deadline.daemon = True

    def _flag_as_shutdown_by_signal(self) -> None:
        super()._flag_as_shutdown_by_signal()
        log.info("worker_stopping")
        if not self._deadline.is_alive():
            self._deadline.start()


def _options(settings: WorkerSettings) -> dict[str, Any]:
    return {
        "broker": "kafka://" + settings.bootstrap_servers.replace(",", ";kafka://"),
        "broker_credentials": _credentials(settings.kafka_options),
        "datadir": settings.folder / "worker",
        "store": "memory://",
        "autodiscover": False,
        "web_enabled": False,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "consumer_auto_offset_reset": "earliest",
        "consumer_group_instance_id": settings.instance_id,
        "broker_session_timeout": settings.session_timeout_s,
        "broker_heartbeat_interval": settings.session_timeout_s / 4,
        "broker_commit_interval": 1.0,
        "broker_commit_every": None,
        "broker_max_poll_records": 20_000,
        "consumer_max_fetch_size": 1_048_576,
        "stream_buffer_maxsize": sys.maxsize,  # bytes bound it; by count a full queue holds up the other stages' too
        "stream_wait_empty": True,
        "worker_redirect_stdouts": False,
    }


def _credentials(options: Mapping[str, str]) -> SASLCredentials | SSLCredentials | None:
    """The client's security settings in Faust's words; None = plain text without a login."""
    context = context_of(options)
    if mechanism := options.get("sasl.mechanism"):
        user, password = options["sasl.username"], options["sasl.password"]
        return SASLCredentials(username=user, password=password, ssl_context=context, mechanism=mechanism)
    return None if context is None else SSLCredentials(context)


def _follow_assignment(app: Any, runners: dict[str, Runner], ready: threading.Event) -> None:
    async def revoked(_app: Any, partitions: set[Any], **_: Any) -> None:
        ready.clear()
        await _tell(runners, ())
        log.info("partitions_revoked", partitions=_names(partitions))

    async def assigned(_app: Any, partitions: set[Any], **_: Any) -> None:
        await _tell(runners, partitions)
        ready.set()
        log.info("worker_ready", partitions=_names(partitions))

    # Faust holds handlers weakly unless they are bound to the app.
    app.still_handlers = (app.on_partitions_revoked.connect(revoked), app.on_partitions_assigned.connect(assigned))


async def _tell(runners: dict[str, Runner], partitions: Any) -> None:
    for topic, runner in runners.items():
        await runner.assign(sorted(tp.partition for tp in partitions if tp.topic == topic))


def _ticking(app: Any, runners: Sequence[Runner], every_s: float, beat: Callable[[], None]) -> Any:
    async def tick() -> None:
        # Not Faust's timer: that one complains when a tick waits for a chunk in work.
        while not app.should_stop:
            await asyncio.sleep(every_s)
            for runner in runners:
                if not (app.rebalancing or app.should_stop):
                    await runner.tick()  # in the stage's thread, behind the chunk in work
            beat()

    return tick


def _measuring(app: Any) -> Any:
    async def measure() -> None:
        await app.consumer.measure()

    return measure


def _names(partitions: Any) -> list[str]:
    return sorted(f"{tp.topic}[{tp.partition}]" for tp in partitions)


def _exit(status: int) -> None:
    """End now, without a commit: neither Faust's shutdown nor Python's may acknowledge what is not done."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
