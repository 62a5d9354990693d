"""`python -m bench.assemble [N]`: small turn events through stage assemble, without a broker, on one core.

N events of 300 bytes, four a contact (three turns, then its close), a hundred contacts at a time. Measured by events a
CPU second: the edge alone (decode, check, encode again), and the stage of the worker as it is (decode, check, assemble,
redact, encode conversations and state) with a delivery that only counts. Then the ten functions with the most time of
their own. How the same stages do behind the broker is `bench.transit`'s and `bench.distill`'s to say.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from bench.distill import KEY, Watch
from bench.profile_distill import top
from schemas import codec
from schemas.ceiling import Limits
from schemas.records import ConversationEvent, Usage
from still.front import configure_logs
from streams.assembly_keys import EMPTY
from streams.chunk import MAX_RECORDS, Chunk
from streams.deliver import Outgoing
from streams.metrics import NoMetrics
from streams.receive import receive
from streams.settings import AssembleSettings
from streams.stage import Log
from streams.stage_assemble import AssembleStage
from streams.values import Arrived, Rejected

AT_ONCE = 100
TURNS = 3
ROUNDS = 3
SECOND_US = 1_000_000


class Counted:
    """A delivery that confirms everything and keeps a count."""

    def __init__(self) -> None:
        self.records = 0

    def confirm(self, batch: Sequence[Outgoing]) -> None:
        """Count."""
        self.records += len(batch)


def main() -> None:
    """Measure both, profile the stage; one table and one JSON line."""
    configure_logs()
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    arrived = [*islice(arrivals(), wanted)]
    edge = max(measured(at_the_edge, arrived) for _ in range(ROUNDS))
    stage = max(measured(through_the_stage, arrived) for _ in range(ROUNDS))
    profiler = cProfile.Profile()
    written = profiler.runcall(through_the_stage, arrived)
    size = sum(len(one.value or b"") for one in arrived) // len(arrived)
    print(f"{len(arrived)} events of {size} bytes on average; {written} records written by the stage")
    print(f"decode, check, encode   {edge:8,.0f} events a CPU second")
    print(f"stage assemble          {stage:8,.0f} events a CPU second\n")
    print(f"{'own µs':>8} {'share':>6} {'calls':>7}  function (each event)")
    for own_us, share, calls, name in top(pstats.Stats(profiler), len(arrived)):
        print(f"{own_us:8.2f} {share:6.1%} {calls:7.2f}  {name}")
    print(json.dumps({"events": len(arrived), "bytes_each": size, "edge_per_cpu_s": round(edge),
                      "assemble_per_cpu_s": round(stage), "written": written}))  # fmt: skip


def arrivals() -> Iterator[Arrived]:
    """The log of one partition: contacts side by side, each turn after turn."""
    offset = 0
    for batch in range(1_000_000):
        for number in range(TURNS + 1):
            for contact in range(AT_ONCE):
                event = event_of(f"contact-{batch * AT_ONCE + contact:08}", number)
                yield Arrived(offset, offset * 1000, event.conversation_id.encode(), codec.encode(event))
                offset += 1


def event_of(id_: str, number: int) -> ConversationEvent:
    """A turn of customer and agent, or the close that says how many there were."""
    if number == TURNS:
        return ConversationEvent(f"{id_}-{number}", id_, "closed", sequence=number, tenant="acme")
    said = f"Where is my parcel? It should have come on day {number}, order W{number}4711."
    answer = "Let me look. It is with the carrier and arrives today before noon."
    return ConversationEvent(
        event_id=f"{id_}-{number}",
        conversation_id=id_,
        kind="turn",
        sequence=number,
        occurred_at=1_700_000_000 * SECOND_US + number,
        tenant="acme",
        customer_id=f"customer-{id_}",
        agent="support",
        messages=[{"role": "user", "content": said}, {"role": "assistant", "content": answer}],
        usage=(Usage(model="gpt-4o", prompt_tokens=512, completion_tokens=33),),
    )


def measured(work: Callable[[list[Arrived]], int], arrived: list[Arrived]) -> float:
    """Events a CPU second."""
    watch = Watch()
    work(arrived)
    return watch.rates(len(arrived)).per_cpu_s


def at_the_edge(arrived: list[Arrived]) -> int:
    """Decode, check and encode every event; how many passed."""
    received = (receive(one) for one in arrived)
    return sum(len(codec.encode(one.event)) > 0 for one in received if not isinstance(one, Rejected))


def through_the_stage(arrived: list[Arrived]) -> int:
    """Work the events off as the worker does, chunk by chunk; how many records that writes."""
    counted = Counted()
    log = Log("bench", "", counted, NoMetrics(), lambda: "bench")
    stage = AssembleStage(log, lambda _partition, _cluster: EMPTY, AssembleSettings(), KEY, Limits())
    stage.assign([0])
    for start in range(0, len(arrived), MAX_RECORDS):
        records = tuple(arrived[start : start + MAX_RECORDS])
        stage.settle(Chunk("conversation.events", 0, records, sum(len(one.value or b"") for one in records)))
    return counted.records


if __name__ == "__main__":
    main()
