"""The catalog of topics and schemas, read once from `topics.yaml` and `avro/`.

A schema id is fixed for life: the catalog is the registry where no Schema Registry is configured.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

import yaml
from fastavro import parse_schema

from schemas.errors import UnknownTopic

FOLDER = Path(__file__).parent
NAMESPACE = "stillstream"


@dataclass(frozen=True, slots=True)
class Topic:
    """One entry of topics.yaml; `versions` maps a schema version to its id, `partitions` None = the shared count."""

    name: str
    purpose: str
    record: str
    key: str
    versions: dict[int, int]
    partitions: int | None
    retention_ms: int
    cleanup: Literal["delete", "compact"]
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    personal_data: bool

    @property
    def newest(self) -> int:
        """The newest schema version."""
        return max(self.versions)

    @property
    def schema_id(self) -> int:
        """The id that writers put in front of every record."""
        return self.versions[self.newest]


@cache
def topics() -> dict[str, Topic]:
    """All topics by name, without prefix."""
    raw: dict[str, dict[str, Any]] = yaml.safe_load((FOLDER / "topics.yaml").read_text(encoding="utf-8"))
    return {name: _topic(name, entry) for name, entry in raw.items()}


def _topic(name: str, entry: dict[str, Any]) -> Topic:
    partitions = None if entry["partitions"] == "shared" else int(entry["partitions"])
    lists = {key: tuple(entry[key]) for key in ("producers", "consumers")}
    return Topic(name=name, **{**entry, **lists, "partitions": partitions})


def topic(name: str) -> Topic:
    """The topic of this name.

    Raises:
        UnknownTopic: topics.yaml does not name it.
    """
    try:
        return topics()[name]
    except KeyError:
        raise UnknownTopic(f"topic {name!r} is not in schemas/topics.yaml; it knows {sorted(topics())}") from None


@cache
def schema(record: str, version: int) -> dict[str, Any]:
    """The parsed Avro schema of a record's version, ready for fastavro."""
    return cast("dict[str, Any]", parse_schema(raw_schema(record, version)))


def raw_schema(record: str, version: int) -> dict[str, Any]:
    """The Avro schema of a record's version as it stands in its file."""
    text = (FOLDER / "avro" / f"{record}.v{version}.avsc").read_text(encoding="utf-8")
    return cast("dict[str, Any]", json.loads(text))


def newest_schema(record: str) -> dict[str, Any]:
    """The newest parsed schema of a record: what writers use and readers resolve to."""
    return schema(record, of_record(record).newest)


@cache
def by_schema_id() -> dict[int, tuple[str, int]]:
    """Every known schema id with its record and version."""
    return {id_: (t.record, version) for t in topics().values() for version, id_ in t.versions.items()}


@cache
def of_record(record: str) -> Topic:
    """The one topic that carries this record."""
    return next(t for t in topics().values() if t.record == record)
