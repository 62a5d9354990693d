"""Sends the records of dead letters back to the topics they came from, each once, each confirmed.

A replay goes to the partition it came from, unless its conversation lives in another: a repaired key must meet the
other events of its contact. What was replayed before is found by its header and not sent again; should two commands
race, assembly and the sink still count it once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice

from schemas import catalog, codec
from schemas.errors import SchemaError
from schemas.letters import is_cut, replay_headers, replay_of
from schemas.records import RECORDS, ConversationEvent, DeadLetter
from streams.errors import BrokerUnavailable, ImportFault, ProduceError
from streams.importers.event_lines import events_of
from streams.importers.source import parse_lines
from streams.list_letters import Filed, fill
from streams.partition import partition_of
from streams.produce import Delivered, Message, Producer
from streams.read_log import LogReader

TOGETHER = 100
CLOCKS_MS = 3_600_000
"""How far the clocks of a worker and of whoever replayed may lie apart."""
EVENTS = "conversation.events"
CONTENT_TYPE = "content-type"


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one letter: where its record lies now, or why it was not sent."""

    letter: str
    delivered: Delivered | None = None
    fault: str | None = None


def replayed(reader: LogReader, prefix: str, letters: list[Filed]) -> set[str]:
    """The ids of those letters whose records went back to their topic already."""
    wanted = {filed.letter.dead_letter_id for filed in letters}
    found: set[str] = set()
    for topic in _topics(letters):
        oldest_ms = min(filed.logged_at for filed in letters if filed.letter.topic == topic) // 1000
        for partition in reader.partitions(prefix + topic):
            first = reader.since(prefix + topic, partition, oldest_ms - CLOCKS_MS)
            if first is None:
                continue
            for message in reader.read(prefix + topic, partition, first):
                replay = replay_of({name: value for name, value in message.headers() or () if value is not None})
                if replay is not None and replay.letter in wanted:
                    found.add(replay.letter)
    return found


def replay(
    reader: LogReader, producer: Producer, prefix: str, letters: list[Filed], value: bytes | None = None
) -> Iterator[Sent]:
    """Send each letter's record, or `value` in its place, and say what became of it.

    Raises:
        BrokerUnavailable: nobody confirms any more; what was sent is skipped when it is replayed again.
    """
    counts = {topic: len(reader.partitions(prefix + topic)) for topic in _topics(letters)}
    for letter in (filed.letter for filed in letters if filed.letter.topic not in counts):
        yield Sent(letter.dead_letter_id, fault=f"the letter names topic {letter.topic!r}, which is none of ours")
    ready = (filed.letter for filed in fill(reader, prefix, [one for one in letters if one.letter.topic in counts]))
    while some := list(islice(ready, TOGETHER)):
        yield from _confirmed(
            [(one, _begin(producer, outgoing(one, prefix, counts[one.topic], value))) for one in some]
        )


def outgoing(letter: DeadLetter, prefix: str, partitions: int, value: bytes | None = None) -> Message | str:
    """The record that goes back, or why none can."""
    if value is None and is_cut(letter):
        return f"the letter holds only the first {len(letter.value or b'')} bytes; give the record with --value"
    headers = replay_headers(letter)
    if value is not None:
        headers.pop(CONTENT_TYPE, None)
    sent = letter.value if value is None else value
    key = _key(letter, sent, headers.get(CONTENT_TYPE))
    partition = letter.partition if key == letter.key else partition_of(key or b"", partitions)
    return Message(prefix + letter.topic, key, sent, tuple(headers.items()), partition)


def repaired(letter: DeadLetter, name: str, data: bytes) -> bytes:
    """The record in a file, for the topic of a letter: wire format as it is, JSON encoded.

    Raises:
        SchemaError, ImportFault: it holds no such record.
    """
    kind = RECORDS[catalog.topic(letter.topic).record]
    if data[:1] == b"\0":
        if kind is ConversationEvent:
            codec.decode_event(data)
        else:
            codec.decode(data, kind)
        return data
    if kind is not ConversationEvent:
        return codec.encode(codec.decode_json(data, kind))
    for found in events_of(name, parse_lines(name, [data])):
        if isinstance(found, ImportFault):
            raise found
        return codec.encode(found.event)
    raise ImportFault(name, None, "is empty; write the event as JSON")


def _topics(letters: Iterable[Filed]) -> set[str]:
    """The topics that the letters came from; a letter may name any, for anybody may write one."""
    return {filed.letter.topic for filed in letters} & catalog.topics().keys()


def _key(letter: DeadLetter, value: bytes | None, content_type: bytes | None) -> bytes | None:
    """The key that the record's topic wants: an event's conversation, else what it had."""
    if letter.topic != EVENTS or value is None:
        return letter.key
    try:
        return codec.decode_event(value, content_type).conversation_id.encode()
    except SchemaError:
        return letter.key


def _begin(producer: Producer, out: Message | str) -> Future[Delivered] | str:
    if isinstance(out, str):
        return out
    try:
        return producer.send(*out)
    except BrokerUnavailable:
        raise
    except ProduceError as error:
        return str(error)


def _confirmed(begun: Iterable[tuple[DeadLetter, Future[Delivered] | str]]) -> Iterator[Sent]:
    for letter, answer in begun:
        yield Sent(letter.dead_letter_id, fault=answer) if isinstance(answer, str) else _settled(letter, answer)


def _settled(letter: DeadLetter, answer: Future[Delivered]) -> Sent:
    try:
        return Sent(letter.dead_letter_id, answer.result())
    except BrokerUnavailable:
        raise
    except ProduceError as error:
        return Sent(letter.dead_letter_id, fault=str(error))
