"""Dead letters as a person reads them: one line, or everything with the record decoded as far as it can be."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson

from schemas import catalog, codec
from schemas.depth import is_deeper
from schemas.errors import SchemaError
from schemas.letters import digest_of, is_cut
from schemas.logtime import within
from schemas.records import RECORDS, DeadLetter
from streams.list_letters import Filed

HEX_BYTES = 512


def told(filed: Filed) -> dict[str, Any]:
    """Everything but the record itself, as JSON."""
    letter = filed.letter
    return {
        "dead_letter_id": letter.dead_letter_id,
        "stage": letter.stage,
        "reason": letter.reason,
        "detail": letter.detail,
        "attempt": letter.attempt,
        "cluster_id": letter.cluster_id,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "logged_at": when(filed.logged_at),
    }


def told_whole(filed: Filed) -> dict[str, Any]:
    """The letter with its record: `form` says how `value` is to be read (record, json, text, hex, none)."""
    letter = filed.letter
    form, value = readable(letter)
    sha256, size = digest_of(letter)
    return told(filed) | {
        "key": _text(letter.key),
        "headers": {name: _text(held) for name, held in letter.headers.items()},
        "failed_at": when(letter.failed_at),
        "value_bytes": size,
        "value_sha256": sha256,
        "is_cut": is_cut(letter),
        "form": form,
        "value": value,
    }


def readable(letter: DeadLetter) -> tuple[str, Any]:
    """How the record can be read, and the record so."""
    value = letter.value
    if value is None:
        return "none", None
    try:
        return "record", codec.to_json(codec.decode(value, RECORDS[catalog.topic(letter.topic).record]))
    except SchemaError:
        pass
    try:
        if not is_deeper(found := orjson.loads(value)):
            return "json", found
    except orjson.JSONDecodeError:
        pass
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return "hex", value[:HEX_BYTES].hex(" ", 4)
    return ("text", text) if text.isprintable() or not set(text) & _CONTROLS else ("hex", value[:HEX_BYTES].hex(" ", 4))


_CONTROLS = frozenset(chr(code) for code in range(32)) - set("\t\r\n")


def when(time_us: int) -> str:
    """A time in microseconds as ISO 8601, UTC; one beyond 1970 to 2299 as the nearest."""
    return datetime.fromtimestamp(within(time_us) / 1e6, UTC).isoformat(timespec="seconds")


def _text(data: bytes | None) -> str | None:
    """Bytes as text, what is no text escaped."""
    return None if data is None else data.decode(errors="backslashreplace")
