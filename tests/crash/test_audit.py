"""The audit finds what it is there for: a lost row, a doubled one, a changed one, an acknowledgement without a row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from schemas import codec
from sinks.clickhouse.client import Client, connect
from sinks.decode import decoders
from sinks.tables import by_topic
from sinks.values import Arrived as Read
from sinks.values import Partition, Row
from sinks.write import block_of
from still.embedded.stack import Stack
from streams.values import Arrived
from tests.crash import audit, journal, traffic
from tests.crash.journal import Acknowledged
from tests.crash.reference import EVENTS, derive
from tests.crash.twin import CLUSTER, RULES

PARTITION = 2

pytestmark = pytest.mark.parametrize("stack", ["tansu"], indirect=True)  # no broker in it


class Landed(NamedTuple):
    """A database as it must be, the reference beside it, and the oracle's journal."""

    client: Client
    reference: Client
    oracle: Path
    end: int

    def findings(self) -> list[str]:
        """What the audit says of it."""
        found = audit.events(self.client, {PARTITION: self.end}) + audit.oracle(self.client, self.oracle)
        return found + audit.same(self.client, self.reference)


@pytest.fixture(name="landed")
def _landed(stack: Stack, database: str, tmp_path: Path) -> Iterator[Landed]:
    """Some contacts, landed right."""
    sent = [one for number in range(12) for one in traffic.contact(3, number)]
    sent.append(traffic.Sent(b"key", None, b"garbage"))
    values = [one.garbage if one.event is None else codec.encode(one.event) for one in sent]
    log = [Arrived(at, at, one.key, value) for at, (one, value) in enumerate(zip(sent, values, strict=True))]
    made = [
        audit.Reference(connect(stack.clickhouse_url, name)) for name in (f"{database}_landed", f"{database}_reference")
    ]
    for one in made:
        one.fill(CLUSTER, PARTITION, derive(CLUSTER, PARTITION, log, RULES))
    _land_events(made[0], log)
    oracle = tmp_path / "oracle.txt"
    with oracle.open("w", encoding="ascii") as file:
        for arrived in log:
            digest = journal.digest(arrived.value or b"")
            file.write(journal.line(Acknowledged(0, arrived.offset, len(log), PARTITION, arrived.offset, digest)))
    yield Landed(made[0].client, made[1].client, oracle, len(log))
    for one in made:
        one.client.command(f"DROP DATABASE {one.client.database}")


def _land_events(reference: audit.Reference, log: list[Arrived]) -> None:
    place = Partition(CLUSTER, EVENTS, PARTITION)
    reads = [Read(place, one.offset, one.timestamp_us, one.key, one.value) for one in log]
    rows = [(read, row) for read in reads if isinstance(row := decoders(b"key")[EVENTS](read), Row)]
    reference.insert(block_of(by_topic()[EVENTS], rows, reference.take([place]), 0))


def test_what_is_right_passes(landed: Landed) -> None:
    """No finding where nothing is wrong."""
    assert landed.findings() == []


def _sql(text: str) -> Callable[[Client], None]:
    return lambda client: client.command(text.replace("DB", client.database))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (
            _sql("ALTER TABLE DB.conversation_events DELETE WHERE _offset = 7 SETTINGS mutations_sync = 1"),
            "differs is 7",
        ),
        (
            _sql("INSERT INTO DB.conversation_events SELECT * FROM DB.conversation_events WHERE _offset = 5"),
            "differs is 5",
        ),
        (_sql("ALTER TABLE DB.scores DELETE WHERE 1 SETTINGS mutations_sync = 1"), "scores: .* missing"),
        (
            _sql("ALTER TABLE DB.examples DELETE WHERE turn = 0 SETTINGS mutations_sync = 1"),
            "examples: .* rows missing",
        ),
        (_sql("INSERT INTO DB.examples SELECT * FROM DB.examples LIMIT 1"), "examples holds .* the first doubled"),
        (_sql("ALTER TABLE DB.conversations UPDATE events = 99 WHERE 1 SETTINGS mutations_sync = 1"), "not in the ref"),
        (_sql("ALTER TABLE DB.dead_letters DELETE WHERE 1 SETTINGS mutations_sync = 1"), "dead_letters: .* missing"),
    ],
)
def test_what_is_wrong_is_found(landed: Landed, wrong: Callable[[Client], None], says: str) -> None:
    """Each fault is named with its table and the first place of it."""
    wrong(landed.client)
    found = landed.findings()
    assert any(re.search(says, finding) for finding in found), found


def test_a_record_that_was_there_already_is_looked_for_by_its_bytes(landed: Landed) -> None:
    """A broker that had it from a try whose answer was lost confirms it without an offset."""
    first = next(journal.read(landed.oracle))
    lines = landed.oracle.read_text(encoding="ascii").splitlines(keepends=True)
    landed.oracle.write_text(journal.line(first._replace(offset=None)) + "".join(lines[1:]), encoding="ascii")
    assert landed.findings() == []
    with landed.oracle.open("a", encoding="ascii") as file:
        file.write(journal.line(first._replace(offset=None, sha256="0" * journal.DIGITS)))
    assert [finding for finding in landed.findings() if "1 records" in finding and "are missing" in finding]
