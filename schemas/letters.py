"""Dead letters and their replays: how a letter is made, how a replay travels, how a stage knows one. Pure.

A replay is a record of the source topic whose headers say which letter it repeats, for which stage, and where the
record first lay. Whatever comes of it keeps that first position, with `attempt` raised: so its letter, should it fail
again, is a new one, and so its rows are told from others by their exact key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from schemas.ids import stable_id
from schemas.records import DeadLetter

Headers = Mapping[str, bytes]

ATTEMPT = "attempt"
LETTER = "replay-of"
STAGE = "replay-stage"
_ORIGIN = ("origin-cluster", "origin-topic", "origin-partition", "origin-offset")
_REPLAY = frozenset({ATTEMPT, LETTER, STAGE, *_ORIGIN})

CUT_BYTES = "still-cut-bytes"
CUT_SHA256 = "still-cut-sha256"
"""Headers of a letter that could not hold its record whole: size and sha256 of the value as it came."""
_CUT = frozenset({CUT_BYTES, CUT_SHA256})

MAX_BYTES = 15_000_000
"""Largest key, value and headers that a letter holds whole; the topic takes messages of 16 MB.

The key counts twice, for the letter lies under it too.
"""
KEPT_BYTES = 10_000
"""What is kept of the key, of the value and of the headers where all together are larger."""
MAX_DETAIL = 2_000
_DIGITS = 19
"""As many as a 64-bit number has; Python refuses to read numbers of thousands."""


class Position(NamedTuple):
    """Where a record lay when it was first read, without topic prefix, and how often it was replayed since."""

    cluster_id: str
    topic: str
    partition: int
    offset: int
    attempt: int = 0


class Taken(NamedTuple):
    """A record as a stage took it; `timestamp` in microseconds."""

    position: Position
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Replay:
    """What the headers of a replayed record say."""

    letter: str
    stage: str
    origin: Position


def replay_of(headers: Headers) -> Replay | None:
    """The replay that these headers announce; None for a record published directly, whatever a publisher named so."""
    if LETTER not in headers:
        return None
    try:
        cluster, topic = (headers[name].decode() for name in _ORIGIN[:2])
        partition, offset = _count(headers[_ORIGIN[2]], 2**31), _count(headers[_ORIGIN[3]], 2**63)
        origin = Position(cluster, topic, partition, offset, _count(headers[ATTEMPT], 2**31))
        return Replay(headers[LETTER].decode(), headers[STAGE].decode(), origin) if origin.attempt else None
    except (KeyError, ValueError):
        return None


def attempt_of(headers: Headers) -> int:
    """How often the record was tried before."""
    replay = replay_of(headers)
    return replay.origin.attempt if replay else 0


def is_for_another(headers: Headers, stage: str) -> bool:
    """Whether this is the replay of a letter of another stage: here the record has had its effect already."""
    replay = replay_of(headers)
    return replay is not None and replay.stage != stage


def replay_headers(letter: DeadLetter) -> dict[str, bytes]:
    """The headers under which a letter's record goes back to its topic."""
    kept = {name: value for name, value in letter.headers.items() if name not in _CUT}
    origin = (letter.cluster_id, letter.topic, letter.partition, letter.offset)
    return {
        **kept,
        ATTEMPT: b"%d" % (letter.attempt + 1),
        LETTER: letter.dead_letter_id.encode(),
        STAGE: letter.stage.encode(),
        **{name: str(value).encode() for name, value in zip(_ORIGIN, origin, strict=True)},
    }


def letter_of(taken: Taken, stage: str, reason: str, detail: str) -> DeadLetter:
    """The letter of a refused record; the same record, stage and attempt make the same `dead_letter_id`."""
    replay = replay_of(taken.headers)
    first = replay.origin if replay else taken.position
    headers = _published(taken.headers) if replay else dict(taken.headers)
    key, value, headers = _fitting(taken.key, taken.value, headers)
    return DeadLetter(
        dead_letter_id=stable_id(*first[:4], stage, first.attempt),
        stage=stage,
        reason=reason,
        detail=detail[:MAX_DETAIL],
        cluster_id=first.cluster_id,
        topic=first.topic,
        partition=first.partition,
        offset=first.offset,
        key=key,
        value=value,
        failed_at=taken.timestamp,
        headers=headers,
        attempt=first.attempt,
    )


def digest_of(letter: DeadLetter) -> tuple[str | None, int]:
    """sha256 and size of the value as it came, also where only its beginning is held; (None, 0) = there was none."""
    if is_cut(letter):
        return letter.headers[CUT_SHA256].decode(errors="replace"), _size(letter)
    if letter.value is None:
        return None, 0
    return hashlib.sha256(letter.value).hexdigest(), len(letter.value)


def is_cut(letter: DeadLetter) -> bool:
    """Whether the letter holds only the beginning of its value."""
    size = letter.headers.get(CUT_BYTES, b"")
    return CUT_SHA256 in letter.headers and size.isdigit() and len(size) <= _DIGITS


def _size(letter: DeadLetter) -> int:
    return int(letter.headers[CUT_BYTES])


def _published(headers: Headers) -> dict[str, bytes]:
    """The headers as the record had them before its replay."""
    return {name: value for name, value in headers.items() if name not in _REPLAY}


def _fitting(
    key: bytes | None, value: bytes | None, headers: dict[str, bytes]
) -> tuple[bytes | None, bytes | None, dict[str, bytes]]:
    """Key, value and headers as they are, or cut to what the topic takes, with size and sha256 of the whole value."""
    headers = {name: held for name, held in headers.items() if name not in _CUT}  # a publisher's say nothing of a cut
    size = 2 * len(key or b"") + len(value or b"") + sum(map(_header_bytes, headers.items()))
    if size <= MAX_BYTES:
        return key, value, headers
    short, kept = key and key[:KEPT_BYTES], _short(headers)
    if value is None:
        return short, None, kept
    digest = hashlib.sha256(value).hexdigest().encode()
    return short, value[:KEPT_BYTES], {**kept, CUT_BYTES: b"%d" % len(value), CUT_SHA256: digest}


def _short(headers: dict[str, bytes]) -> dict[str, bytes]:
    """The headers that fit into KEPT_BYTES, the first ones first."""
    kept: dict[str, bytes] = {}
    room = KEPT_BYTES
    for header in headers.items():
        if _header_bytes(header) <= room:
            room -= _header_bytes(header)
            kept[header[0]] = header[1]
    return kept


def _header_bytes(header: tuple[str, bytes]) -> int:
    return len(header[0].encode()) + len(header[1])


def _count(text: bytes, limit: int) -> int:
    if not text.isdigit() or len(text) > _DIGITS or int(text) >= limit:
        raise ValueError(text)
    return int(text)
