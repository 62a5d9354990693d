"""`python -m bench.transit [--events N] [--runs R] [PEER ...]`: small events through every Python peer, and ours.

One topic on Apache Kafka is filled once with JSON events of 264 bytes (lz4). Each peer runs in a process of its own on
one core, the broker on the other; it adds one field and writes the event to a topic of its own. The rate is read from
outside at that topic, between the first records there and the last, so that start-up does not count and what is not
confirmed does not either. CPU seconds are those of the whole process: their ratio holds on a busy machine too.
Prints a table of medians and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import orjson

from bench.kafka import Meter, apache, make_topic
from schemas import codec
from schemas.records import ConversationEvent
from still.front import configure_logs
from streams.produce import Producer, ProduceSettings

PARTITIONS = 4
EVENT_BYTES = 264
WITHIN_S = 120.0
"""How long one run may take."""
POLL_S = 0.02
REQUIREMENTS = Path(__file__).parent / "peers/requirements.txt"
FOREIGN = Path(".still/bench/peers")


@dataclass(frozen=True)
class Peer:
    """A module of `bench.peers`; `share` of the events is enough to measure a slow one."""

    name: str
    module: str
    share: float = 1.0
    foreign: bool = False
    form: str = "json"

    @property
    def source(self) -> str:
        """The topic with its share of the events, in its form."""
        return f"transit.in.{self.form}.{round(1000 * self.share)}"


PEERS = (
    Peer("limit", "bare"),
    Peer("ours", "ours"),
    Peer("ours, Avro", "ours_avro", 0.4, form="avro"),
    Peer("confluent loop", "confluent"),
    Peer("bytewax", "bytewax_flow", foreign=True),
    Peer("quixstreams", "quix", 0.4, foreign=True),
    Peer("stock faust", "faust_stock", 0.04),
)


@dataclass(frozen=True)
class Rates:
    """Events by wall clock and by CPU second."""

    per_s: float
    per_cpu_s: float


def main() -> None:
    """Fill, run, print."""
    configure_logs()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("peers", nargs="*", metavar="PEER", help="module names of bench.peers; default: all")
    arguments = parser.parse_args()
    peers = [peer for peer in PEERS if not arguments.peers or peer.module in arguments.peers]
    if any(peer.foreign for peer in peers):
        install()
    with apache() as servers:
        for peer in {peer.source: peer for peer in peers}.values():
            fill(servers, peer, round(peer.share * arguments.events))
        measured = {
            # The peers take turns, so that a slow minute of the machine does not hit one of them alone.
            (peer.name, run): measure(servers, peer, round(peer.share * arguments.events), run)
            for run in range(arguments.runs)
            for peer in peers
        }
    report(peers, measured, arguments.runs)


def install() -> None:
    """The environment of the peers that do not resolve beside our pins."""
    done = FOREIGN / REQUIREMENTS.name
    if done.exists() and done.read_text(encoding="utf-8") == REQUIREMENTS.read_text(encoding="utf-8"):
        return
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    subprocess.run(["uv", "venv", "-q", "--allow-existing", "--python", python, str(FOREIGN)], check=True)
    install = ["uv", "pip", "install", "-q", "--python", str(FOREIGN / "bin/python"), "-r", str(REQUIREMENTS)]
    subprocess.run(install, check=True)
    done.write_text(REQUIREMENTS.read_text(encoding="utf-8"), encoding="utf-8")


def events(count: int) -> Iterator[tuple[bytes, bytes]]:
    """Key and JSON value of exactly EVENT_BYTES, with words that compress as chat does."""
    chance = random.Random(1)
    words = [chance.randbytes(chance.randint(1, 5)).hex() for _ in range(2000)]
    for number in range(count):
        key = f"contact-{number % 9973}"
        text = " ".join(chance.choices(words, k=30))
        event = {
            "event_id": f"e{number:09}",
            "conversation_id": key,
            "kind": "turn",
            "sequence": number % 7,
            "text": "",
        }
        event["text"] = text[: EVENT_BYTES - len(orjson.dumps(event))]
        yield key.encode(), orjson.dumps(event)


def avro_events(count: int) -> Iterator[tuple[bytes, bytes]]:
    """The same events as our own Avro records: turns of a chat."""
    for key, value in events(count):
        raw = orjson.loads(value)
        text = raw.pop("text")
        event = ConversationEvent(**raw, tenant="shop", messages=[{"role": "user", "content": text}])
        yield key, codec.encode(event)


def fill(servers: str, peer: Peer, count: int) -> None:
    """The peer's source topic with its events."""
    make_topic(servers, peer.source, PARTITIONS)
    write(servers, peer.source, (events if peer.form == "json" else avro_events)(count))


def write(servers: str, topic: str, records: Iterable[tuple[bytes, bytes]]) -> None:
    """Append keys and values, all confirmed on return."""
    producer = Producer(ProduceSettings(servers))
    batch = producer.batch()
    for key, value in records:
        batch.send(topic, key, value)
    batch.confirm().result()
    producer.close()


def measure(servers: str, peer: Peer, count: int, run: int) -> Rates:
    """One run of one peer: from the first records at its target to the last."""
    target = f"transit.out.{peer.module}.{run}"
    make_topic(servers, target, PARTITIONS)
    python = str(FOREIGN / "bin/python") if peer.foreign else sys.executable
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w+b") as log:
        argv = [python, "-m", f"bench.peers.{peer.module}", servers, peer.source, target, folder]
        process = subprocess.Popen(argv, stdout=log, stderr=log)
        try:
            return _observe(process, Meter(servers, target, PARTITIONS), count)
        except TimeoutError:
            log.seek(0)
            raise SystemExit(f"{peer.name} did not finish:\n{log.read()[-3000:].decode(errors='replace')}") from None
        finally:
            process.kill()
            process.wait()


def _observe(process: subprocess.Popen[bytes], meter: Meter, count: int) -> Rates:
    deadline = time.monotonic() + WITHIN_S
    first = _reach(process, meter, 1, deadline)
    started, cpu = time.perf_counter(), cpu_seconds(process.pid)
    last = _reach(process, meter, count, deadline)
    wall, spent = time.perf_counter() - started, cpu_seconds(process.pid) - cpu
    meter.close()
    return Rates((last - first) / wall, (last - first) / spent)


def _reach(process: subprocess.Popen[bytes], meter: Meter, wanted: int, deadline: float) -> int:
    while (count := meter.count()) < wanted:
        if time.monotonic() > deadline or process.poll() is not None:
            raise TimeoutError
        time.sleep(POLL_S)
    return count


def cpu_seconds(pid: int) -> float:
    """What the process and its threads have used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def report(peers: list[Peer], measured: dict[tuple[str, int], Rates], runs: int) -> None:
    """The table, then JSON."""
    rows = {
        peer.name: Rates(
            median(measured[peer.name, run].per_s for run in range(runs)),
            median(measured[peer.name, run].per_cpu_s for run in range(runs)),
        )
        for peer in peers
    }
    ours = rows.get("ours")
    print(f"{'peer':16}{'events/s':>12}{'per CPU s':>12}{'ours is':>10}{'by CPU':>10}")
    for name, rates in rows.items():
        ratios = (ours.per_s / rates.per_s, ours.per_cpu_s / rates.per_cpu_s) if ours else (1.0, 1.0)
        print(f"{name:16}{rates.per_s:12,.0f}{rates.per_cpu_s:12,.0f}{ratios[0]:9.2f}x{ratios[1]:9.2f}x")
    figures = {name: {"per_s": round(r.per_s), "per_cpu_s": round(r.per_cpu_s)} for name, r in rows.items()}
    print(json.dumps({"runs": runs, "event_bytes": EVENT_BYTES, "transit": figures}))


if __name__ == "__main__":
    main()
