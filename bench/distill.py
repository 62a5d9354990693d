"""`python -m bench.distill [N]`: from consumed `conversations` bytes to confirmed `scores` and `examples`, on one core.

The measured path is the registered agent of `still worker` on the embedded broker, from the first chunk handed over to
the last one acknowledged. The bare loop calls the same functions on the same bytes (decode, distill, encode) without
any broker: the limit. Input: the tau-bench and tau2-bench conversations beside the checkout, assembled and redacted;
where they are absent, simulated customers. Repeated with new ids up to N conversations.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from schemas import codec
from schemas.records import Conversation
from still.embedded.stack import Ports, running_stack
from still.front import configure_logs
from streams import agents
from streams.assemble import Assembler
from streams.chunk import Chunk
from streams.deliver import Delivery
from streams.distill import distill
from streams.importers.source import events_in
from streams.importers.tau2_bench import read_tau2_bench
from streams.importers.tau_bench import read_tau_bench
from streams.metrics import RecordedMetrics
from streams.produce import Producer, ProduceSettings
from streams.redact import redact
from streams.settings import AssembleSettings, DistillSettings, RedactSettings
from streams.simulate.settings import SimulateSettings
from streams.simulate.simulate import simulate
from streams.stage import Log
from streams.stage_distill import DistillStage
from streams.topics import cluster_id_of
from streams.values import Arrived
from streams.worker import LINGER_MS
from streams.worker_settings import Signals, WorkerSettings
from tests.streams.log import PARTITIONS, make_topics

DATA = Path("../shared/data")
KEY = RedactSettings(b"a key of benchmarks, 32 bytes...")
PREFIX = "bench."
LOOPS = 3
BARE = 500


@dataclass(frozen=True)
class Rates:
    """Conversations by wall clock and by CPU second of the whole process; the second holds on a busy machine too."""

    per_s: float
    per_cpu_s: float


class Watch:
    """A wall and a CPU clock, started at birth."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def rates(self, count: int) -> Rates:
        """What `count` conversations since then come to."""
        return Rates(count / (time.perf_counter() - self._wall), count / (time.process_time() - self._cpu))


def main() -> None:
    """Prepare, measure the limit, measure the agent; one table and one JSON line."""
    configure_logs()
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    source, conversations = whole_conversations()
    values = [codec.encode(conversation) for conversation in repeated(conversations, wanted)]
    loops = [bare_loop(values[:BARE]) for _ in range(LOOPS)]
    bare = Rates(statistics.median(loop.per_s for loop in loops), statistics.median(loop.per_cpu_s for loop in loops))
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder), Ports(0, 0)) as stack:
        make_topics(stack.bootstrap_servers, PREFIX)
        fill(stack.bootstrap_servers, values)
        agent, produced = run_agent(stack.bootstrap_servers, Path(folder), len(values))
    figures = {
        "source": source,
        "conversations": len(values),
        "bytes_each": sum(map(len, values)) // len(values),
        "bare_per_s": round(bare.per_s),
        "bare_per_cpu_s": round(bare.per_cpu_s),
        "agent_per_s": round(agent.per_s),
        "agent_per_cpu_s": round(agent.per_cpu_s),
        "ratio_cpu": round(agent.per_cpu_s / bare.per_cpu_s, 2),
        "produced": produced,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    for name, value in figures.items():
        print(f"{name:<18}{value}")
    print(json.dumps(figures))


def whole_conversations() -> tuple[str, list[Conversation]]:
    """Redacted conversations of the public data, else simulated ones."""
    events = list(events_in(_public()))
    source = "tau"
    if not events:
        settings = SimulateSettings(start_us=1_700_000_000_000_000, conversations=500, whole=True)
        source, events = "simulated", list(simulate(settings, 1))
    assembler = Assembler("bench", 0, AssembleSettings(max_bytes=1_000_000_000))
    steps = (
        assembler.take(Arrived(offset, 1_700_000_000_000_000, event.conversation_id.encode(), codec.encode(event)))
        for offset, event in enumerate(events)
    )
    return source, [redact(step.draft, KEY) for step in steps if step.draft is not None]


def _public() -> Iterator[Any]:
    for file in sorted((DATA / "tau-bench" / "dev").glob("*.json")):
        yield from read_tau_bench(file)
    for file in sorted((DATA / "tau2-bench" / "dev").glob("*.json")):
        yield from read_tau2_bench(file)


def repeated(conversations: list[Conversation], wanted: int) -> Iterator[Conversation]:
    """The conversations again and again under new ids and offsets, as one partition's log holds them."""
    for number in range(wanted):
        one = conversations[number % len(conversations)]
        provenance = replace(one.provenance, partition=number % PARTITIONS, offset=number, previous_offset=None)
        yield replace(one, conversation_id=f"{one.conversation_id}-{number}", provenance=provenance)


def bare_loop(values: list[bytes]) -> Rates:
    """Conversations a second of the same functions without a broker."""
    watch = Watch()
    for value in values:
        distilled = distill(codec.decode(value, Conversation), DistillSettings(), None)
        codec.encode(distilled.score)
        for example in distilled.examples:
            codec.encode(example)
    return watch.rates(len(values))


def fill(bootstrap_servers: str, values: list[bytes]) -> None:
    """Write the conversations to their topic."""
    producer = Producer(ProduceSettings(bootstrap_servers))
    batch = producer.batch()
    for number, value in enumerate(values):
        batch.send(f"{PREFIX}conversations", str(number).encode(), value, partition=number % PARTITIONS)
    batch.confirm().result()
    producer.close()


class Timed(DistillStage):
    """The stage of the worker with a watch on its first and last chunk; ends the process's worker when all is done."""

    def __init__(self, log: Log, wanted: int) -> None:
        super().__init__(log, lambda _partition, _end: (), DistillSettings(), WorkerSettings("-", KEY).limits)
        self._left = wanted
        self._wanted = wanted
        self._watch: Watch | None = None
        self.rates = Rates(0.0, 0.0)

    def settle(self, chunk: Chunk) -> None:
        """As the stage's own."""
        self._watch = self._watch or Watch()
        super().settle(chunk)
        self._left -= len(chunk.arrived)
        if self._left == 0:
            self.rates = self._watch.rates(self._wanted)
            os.kill(os.getpid(), signal.SIGTERM)


def run_agent(bootstrap_servers: str, folder: Path, wanted: int) -> tuple[Rates, int]:
    """Let the registered agent work off the topic; its rates and how many records it produced."""
    metrics = RecordedMetrics()
    cluster = cluster_id_of(bootstrap_servers, {})
    delivery = Delivery(ProduceSettings(bootstrap_servers, linger_ms=LINGER_MS), metrics, 30.0)
    stage = Timed(Log(cluster, PREFIX, delivery, metrics, lambda: cluster), wanted)
    settings = WorkerSettings(bootstrap_servers, KEY, topic_prefix=PREFIX, instance_id="bench", folder=folder / "w")
    with contextlib.suppress(SystemExit):  # how Faust's worker ends
        agents.run(agents.build(settings, [stage], metrics, Signals()), settings)
    return stage.rates, sum(count for (name, _), count in metrics.counts.items() if name == "records_produced")


if __name__ == "__main__":
    main()
