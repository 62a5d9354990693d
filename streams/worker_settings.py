"""Settings of the worker process; filled by `still`, checked at birth. The customer key stays out of every print."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from schemas.ceiling import Limits
from streams.settings import AssembleSettings, DistillSettings, RedactSettings
from streams.tls import context_of

StageName = Literal["assemble", "distill"]
STAGES: tuple[StageName, ...] = get_args(StageName)
GROUP = "still.worker"


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """One worker process.

    `instance_id` makes its membership static: a worker that is back within `session_timeout_s` keeps its partitions.
    `buffer_bytes` bounds what lies between broker and stages, `give_up_after_s` how long an unreachable broker is tried
    before the process ends (nothing is lost: the source is not acknowledged). `kafka_options` are
    librdkafka's.
    """

    bootstrap_servers: str
    redact: RedactSettings
    stages: tuple[StageName, ...] = STAGES
    topic_prefix: str = ""
    group: str = GROUP
    instance_id: str | None = None
    folder: Path = Path(".still")
    assemble: AssembleSettings = field(default_factory=AssembleSettings)
    distill: DistillSettings = field(default_factory=DistillSettings)
    limits: Limits = field(default_factory=Limits)
    session_timeout_s: float = 6.0
    idle_check_s: float = 1.0
    stop_within_s: float = 9.0
    give_up_after_s: float = 120.0
    buffer_bytes: int = 32_000_000
    kafka_options: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        context_of(self.kafka_options)
        if not self.stages:
            raise ValueError(f"no stages; name some of {', '.join(STAGES)}")
        for stage in self.stages:
            if stage not in STAGES:
                raise ValueError(f"stage {stage!r} is unknown; the worker knows {', '.join(STAGES)}")
        for name in ("session_timeout_s", "idle_check_s", "stop_within_s", "give_up_after_s", "buffer_bytes"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}={getattr(self, name)} must be positive")


@dataclass(frozen=True, slots=True)
class Signals:
    """What a worker lets others know.

    `ready` is set while it has partitions; `beat` is called, about every `idle_check_s`, whenever its event loop and
    every stage have moved; `tripped` hears, before the process ends, why a stage reached its ceiling of refusals.
    """

    ready: threading.Event = field(default_factory=threading.Event)
    beat: Callable[[], None] = lambda: None
    tripped: Callable[[str], None] = lambda _: None
