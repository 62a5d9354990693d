"""Which number in front of bytes means which schema: a fixed one of topics.yaml, or the one of a Schema Registry.

A process binds its numbers once, at its start; without that the fixed ones count. Pure: whoever asks a registry passes
a function in. Bytes under a fixed number stay readable beside a registry, so that one can be put before a filled log.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from fastavro import parse_schema
from fastavro.schema import SchemaParseException, UnknownType

from schemas import catalog
from schemas.errors import Undecodable, UnknownSchema

MAGIC = 0
HEADER = struct.Struct(">bI")

Ask = Callable[[int], dict[str, Any] | None]
"""The schema under a number as JSON, or None where there is none."""


@dataclass(frozen=True, slots=True)
class Writer:
    """The schema that bytes were written with; `version` None = one that our catalog does not hold."""

    record: str
    version: int | None
    schema: dict[str, Any]


class Wire:
    """The numbers of one process: by record what it writes, by number what it reads."""

    def __init__(self, ids: Mapping[str, Mapping[int, int]], ask: Ask | None = None) -> None:
        """`ids` gives each version of each record its number; `ask` is tried once for any other."""
        self.headers = {record: HEADER.pack(MAGIC, versions[max(versions)]) for record, versions in ids.items()}
        self._own = {id_: (record, version) for record, versions in ids.items() for version, id_ in versions.items()}
        self._ask = ask
        self._writers: dict[tuple[int, str], Writer] = {}

    def writer_of(self, schema_id: int, record: str) -> Writer:
        """What wrote bytes of this record under this number.

        Raises:
            UnknownSchema: neither the catalog nor the registry holds it.
            Undecodable: it is the schema of another record.
            RegistryAway: the registry must be asked and does not answer.
        """
        found = self._writers.get((schema_id, record))
        if found is None:
            found = self._writers[schema_id, record] = self._find(schema_id, record)
        return found

    def _find(self, schema_id: int, record: str) -> Writer:
        held = self._own.get(schema_id)
        fixed = catalog.by_schema_id().get(schema_id)
        if held is not None and held[0] == record:
            return _known(*held)
        asked = None if self._ask is None or held is not None else _parsed(self._ask(schema_id))
        if asked is not None and asked.record == record:
            return asked
        if fixed is not None and fixed[0] == record:
            return _known(*fixed)
        if other := [*(found[0] for found in (held, fixed) if found), *([asked.record] if asked else [])]:
            raise Undecodable(f"bytes hold a {other[0]}, expected a {record}")
        known = sorted(self._own)
        raise UnknownSchema(f"schema id {schema_id} is unknown here (known: {known}); upgrade this reader")


def _known(record: str, version: int) -> Writer:
    return Writer(record, version, catalog.schema(record, version))


def _parsed(schema: dict[str, Any] | None) -> Writer | None:
    """A registry's answer; None where it is none, or nothing that we could ever read."""
    if schema is None:
        return None
    try:
        parsed = cast("dict[str, Any]", parse_schema(schema))
    except (SchemaParseException, UnknownType):
        return None
    return Writer(str(parsed.get("name", "")).removeprefix(f"{catalog.NAMESPACE}."), None, parsed)


@cache
def fixed() -> Wire:
    """The numbers of topics.yaml: they mean the same everywhere and for ever."""
    return Wire({topic.record: topic.versions for topic in catalog.topics().values()})


_bound: list[Wire] = []


def bind(wire: Wire | None) -> None:
    """Let this process write and read by these numbers from now on; None = the fixed ones again."""
    _bound[:] = [] if wire is None else [wire]


def bound() -> Wire:
    """The numbers of this process."""
    if not _bound:
        _bound.append(fixed())
    return _bound[0]
