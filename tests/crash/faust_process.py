"""Four ways to consume with Faust, each with one effect that fails once: who loses records.

`python -m tests.crash.faust_process FORMS BOOTSTRAP PREFIX FOLDER`: `stock` runs Faust's own `async for`, `take` and
`noack_take` on a topic each, `ours` a stage under `streams.agents`. An effect is a line in the file of its form.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import faust

from still.front import configure_logs
from still.readiness import announce_when
from streams import agents
from streams.chunk import Chunk
from streams.metrics import NoMetrics
from streams.settings import RedactSettings
from streams.worker_settings import Signals, WorkerSettings

FAILS_AT = b"0"
"""The first record of a fresh partition: where Faust, with nothing committed yet, takes a hole for a beginning."""
STOCK = ("async-for", "take", "noack-take")
OURS = "ours"


class Effect:
    """Appends what it is given to a file; the first time that it is given FAILS_AT, it fails instead."""

    def __init__(self, folder: Path, form: str) -> None:
        self._file = folder / f"{form}.effects"
        self._failed = folder / f"{form}.failed"

    def __call__(self, value: bytes) -> None:
        """Have the effect, or fail once."""
        if value == FAILS_AT and not self._failed.exists():
            self._failed.touch()
            raise OSError("the effect failed, for once")
        with self._file.open("ab") as file:
            file.write(value + b"\n")


class EffectStage:
    """The same effect as a stage of ours."""

    name = OURS
    topic = OURS

    def __init__(self, effect: Effect) -> None:
        self._effect = effect

    def assign(self, partitions: Iterable[int]) -> None:
        """Nothing."""

    def settle(self, chunk: Chunk) -> None:
        """The effect of each record."""
        for arrived in chunk.arrived:
            self._effect(arrived.value or b"")

    def tick(self, now_us: int) -> None:
        """Nothing."""


def _async_for(effect: Effect) -> Callable[[Any], Awaitable[None]]:
    async def agent(stream: AsyncIterator[bytes]) -> None:
        async for value in stream:
            effect(value)

    return agent


def _take(effect: Effect) -> Callable[[Any], Awaitable[None]]:
    async def agent(stream: Any) -> None:
        async for values in stream.take(10, within=0.5):
            for value in values:
                effect(value)

    return agent


def _noack_take(effect: Effect) -> Callable[[Any], Awaitable[None]]:
    async def agent(stream: Any) -> None:
        async for events in stream.noack_take(10, within=0.5):
            for event in events:
                effect(event.value)
                event.ack()

    return agent


def stock(bootstrap_servers: str, prefix: str, folder: Path) -> None:
    """Faust as its documentation has it, at its own defaults but for the quick commit."""
    app = faust.App(
        f"{prefix}stock", broker=f"kafka://{bootstrap_servers}", store="memory://", datadir=folder / "faust",
        web_enabled=False, topic_allow_declare=False, topic_disable_leader=True, autodiscover=False,
        consumer_auto_offset_reset="earliest", broker_commit_interval=0.5, broker_session_timeout=6.0,
        broker_heartbeat_interval=1.5, worker_redirect_stdouts=False,
    )  # fmt: skip
    for form, shape in zip(STOCK, (_async_for, _take, _noack_take), strict=True):
        topic = app.topic(prefix + form, key_serializer="raw", value_serializer="raw")
        app.agent(topic, name=form)(shape(Effect(folder, form)))
    faust.Worker(app, loglevel="WARNING", quiet=True, redirect_stdouts=False).execute_from_commandline()


def ours(bootstrap_servers: str, prefix: str, folder: Path) -> None:
    """The same effect under the rules of `streams.agents`."""
    settings = WorkerSettings(
        bootstrap_servers, RedactSettings(b"a key of tests, 32 bytes long..."), topic_prefix=prefix,
        group=f"{prefix}ours", folder=folder,
    )  # fmt: skip
    signals = Signals()
    announce_when(signals.ready, folder, "worker")
    agents.run(agents.build(settings, [EffectStage(Effect(folder, OURS))], NoMetrics(), signals), settings)


if __name__ == "__main__":
    configure_logs()
    {"stock": stock, "ours": ours}[sys.argv[1]](sys.argv[2], sys.argv[3], Path(sys.argv[4]))
