"""Rewrite texts and JSON values with surrogates in place of personal data, and say where the words have moved.

JSON stays JSON: a text that holds an object or array is rewritten leaf by leaf and written back in its own style, and
only if something in it changed. What is no JSON, or too deep in other JSON, is rewritten as text.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from schemas.depth import is_deeper
from streams.redact.known import Known, is_telling, kind_of
from streams.redact.patterns import Kind, find, without_overlaps
from streams.redact.surrogates import Surrogates

NUMERIC: frozenset[Kind] = frozenset({"phone", "zip", "ssn", "card", "customer_id", "birth_date"})
"""Kinds that some tools write as a JSON number."""

MAX_EMBEDDED = 3
"""How often JSON is read in texts of JSON: each may be `MAX_DEPTH` levels, and Python goes down a thousand calls."""

_LONGER = 400
"""By how many characters a short JSON text may grow: surrogates are not as long as what they stand for."""

_ENCODED = re.compile(r"(?:data:[\w/+.;=-]{0,80},)?[A-Za-z0-9+/_-]{256,}={0,2}")
"""Pictures and sounds in base64 are no words: what looks like a number in them is none."""


class Edit(NamedTuple):
    """`text[start:end]` became `made`."""

    start: int
    end: int
    made: str


class Rewriter:
    """Rewrites everything of one conversation; counts what it replaced, by kind."""

    def __init__(self, surrogates: Surrogates, known: Known) -> None:
        self._surrogates = surrogates
        self._known = known
        self._rewritten: dict[str, tuple[list[Edit], tuple[Kind, ...]]] = {}
        self._plain_keys: set[str] = set()
        self._within = 0
        self.counts: Counter[str] = Counter()

    def edits(self, text: str) -> list[Edit]:
        """The replacements that a text needs, in order."""
        if text not in self._rewritten:  # tool results say the same again and again
            places = [] if _is_encoded(text) else without_overlaps([*self._known.find(text), *find(text)])
            edits = [Edit(p.start, p.end, self._surrogates.of(p.kind, text[p.start : p.end])) for p in places]
            self._rewritten[text] = edits, tuple(place.kind for place in places)
        edits, kinds = self._rewritten[text]
        self.counts.update(kinds)
        return edits

    def text(self, text: str) -> str:
        """A plain text, rewritten."""
        return apply(self.edits(text), text)

    def embedded(self, text: str) -> str:
        """A text that may hold JSON, rewritten so that it still does."""
        value = parse(text) if self._within < MAX_EMBEDDED else None
        if value is None:
            return self.text(text)
        self._within += 1
        made = self.value(value)
        self._within -= 1
        return text if made == value else write_like(text, made)

    def value(self, value: Any, kind: Kind | None = None) -> Any:
        """A JSON value, rewritten; `kind` is what the key above it says its leaves are."""
        if isinstance(value, dict):
            return {self.key(key): self.value(inner, kind_of(key, value)) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.value(inner, kind) for inner in value]
        if kind is not None and is_telling(str(value), kind):
            if isinstance(value, str):
                self.counts[kind] += 1
                return self._surrogates.of(kind, value)
            if isinstance(value, int) and kind in NUMERIC:
                self.counts[kind] += 1
                return int(self._surrogates.of(kind, str(value)))
        return self.embedded(value) if isinstance(value, str) else value

    def knows(self, text: str) -> bool:
        """Whether a text says one of the values that the conversation names."""
        return bool(self._known.find(text))

    def key(self, key: str) -> str:
        """Keys are names of fields, save where records are listed by customer or address."""
        if key in self._plain_keys:
            return key
        if "@" in key or (any(char in key for char in "_ ") and self._is_personal(key)):
            return self.text(key)
        self._plain_keys.add(key)
        return key

    def _is_personal(self, key: str) -> bool:
        return any((place.start, place.end) == (0, len(key)) for place in [*self._known.find(key), *find(key)])


def _is_encoded(text: str) -> bool:
    return len(text) >= 256 and " " not in text[:256] and _ENCODED.fullmatch(text) is not None


def words_of(value: Any) -> Iterator[str]:
    """Every text of a JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
    if isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from words_of(inner)


def apply(edits: Sequence[Edit], text: str) -> str:
    """The text with the edits done."""
    made, position = [], 0
    for edit in edits:
        made += [text[position : edit.start], edit.made]
        position = edit.end
    return "".join([*made, text[position:]])


def moved(edits: Sequence[Edit], start: int, end: int) -> tuple[int, int]:
    """Where a span of the text stands after the edits; one that touches an edit takes in the whole of it."""
    shift, new_start, new_end = 0, None, None
    for edit in edits:
        if new_start is None and start < edit.end:
            new_start = min(start, edit.start) + shift
        if end <= edit.start:
            new_end = end + shift
            break
        shift += len(edit.made) - (edit.end - edit.start)
        if end <= edit.end:
            new_end = edit.end + shift
            break
    return start + shift if new_start is None else new_start, end + shift if new_end is None else new_end


def parse(text: str) -> dict[str, Any] | list[Any] | None:
    """The JSON object or array in a text, None where there is none that can be walked safely."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, (dict, list)) and not is_deeper(value) else None


def write_like(text: str, value: Any) -> str:
    """JSON in the style of a text: its spacing, its indent, its way with letters beyond ASCII.

    Without spaces where they would make it much longer than it was: deep lists, indented, grow to many times their
    size, and no topic takes that.
    """
    indent = 2 if "{\n" in text or "[\n" in text else None
    spaced = indent is not None or '": ' in text
    separators = (", " if spaced and indent is None else ",", ": " if spaced else ":")
    made = json.dumps(value, ensure_ascii=text.isascii(), indent=indent, separators=separators)
    if len(made) <= 1.25 * len(text) + _LONGER:
        return made
    return json.dumps(value, ensure_ascii=text.isascii(), separators=(",", ":"))
