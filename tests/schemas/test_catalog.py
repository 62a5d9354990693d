"""Topics and schemas are data: these tests iterate over them."""

import re

import pytest

from schemas import catalog
from schemas.compatibility import faults
from schemas.errors import UnknownTopic
from schemas.records import RECORDS

TOPICS = sorted(catalog.topics().values(), key=lambda topic: topic.name)
NAMED = pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)


@NAMED
def test_topic_is_complete(topic: catalog.Topic) -> None:
    """Every topic says its purpose, who writes and who reads it, and carries a record class of ours."""
    assert re.fullmatch(r"[a-z]+\.?[a-z]*", topic.name)
    assert topic.purpose.endswith(".")
    assert topic.producers
    assert topic.consumers
    assert topic.record in RECORDS
    assert topic.retention_ms == -1 or topic.retention_ms >= 86_400_000


def test_schema_ids_are_unique() -> None:
    """No two schema versions share an id, or old bytes would be read as something else."""
    ids = [id_ for topic in TOPICS for id_ in topic.versions.values()]
    assert len(ids) == len(set(ids))


@NAMED
def test_every_version_reads_under_the_newest(topic: catalog.Topic) -> None:
    """An incompatible change fails here with a sentence that says why."""
    newest = catalog.newest_schema(topic.record)
    for version in topic.versions:
        assert faults(catalog.schema(topic.record, version), newest) == []


@NAMED
def test_every_field_says_what_it_is(topic: catalog.Topic) -> None:
    """Every field of every schema has a doc; times say their unit."""
    for field in catalog.newest_schema(topic.record)["fields"]:
        assert field["doc"], field["name"]
        if field["name"].endswith("_at"):
            assert "microseconds" in field["doc"].lower(), field["name"]


@NAMED
def test_fields_match_the_record(topic: catalog.Topic) -> None:
    """Schema and record class name the same fields."""
    names = {field["name"] for field in catalog.newest_schema(topic.record)["fields"]}
    assert names == set(RECORDS[topic.record].__dataclass_fields__)


def test_unknown_names_are_refused() -> None:
    """An unknown topic says which are known."""
    with pytest.raises(UnknownTopic, match=r"conversation\.events"):
        catalog.topic("conversation.event")
