"""What the trainer reads: examples of the newest revisions, and how many are fresh.

A watermark is a vector: per cluster and partition of the topic `examples`, the next offset that has not landed. Rows
of a partition land in order, so a row that lands later lies beyond it, whatever the clocks say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

import orjson

from schemas.records import Example, Provenance, Split, Task
from sinks.clickhouse.client import Client
from sinks.examples import Freshness

_JSON = ("input", "tools", "target")
_COLUMNS = [f.name for f in fields(Example) if f.name not in ("provenance", "occurred_at")]
_SELECT = ", ".join(
    [
        *_COLUMNS,
        "toUnixTimestamp64Micro(occurred_at) AS occurred_us",
        "src_cluster, src_topic, src_partition, src_offset, src_index, src_previous_offset, attempt",
    ]
)
_PLACE = "concat(_cluster, '/', toString(_partition))"
_TRACK = "task = {task:String} AND label_set = {label_set:String}"
_AFTER = f"_offset >= transform({_PLACE}, {{places:Array(String)}}, {{offsets:Array(Int64)}}, 0)"


class ClickHouseExamples:
    """Implements the trainer's `ExampleStore`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._view = f"{client.database}.current_examples"

    def examples(
        self, task: Task, label_set: str, *, splits: Sequence[Split], admitted_only: bool, after: str | None
    ) -> Iterator[Example]:
        """Examples of these splits that landed after a watermark (None = all), in a fixed order."""
        rows = self._client.stream(
            f"SELECT {_SELECT} FROM {self._view} WHERE {_TRACK} AND split IN {{splits:Array(String)}} AND {_AFTER}"
            f"{' AND admitted' if admitted_only else ''} ORDER BY example_id",
            {**_track(task, label_set), "splits": list(splits), **_vector(after)},
        )
        return map(_example, rows)

    def benchmark(self, task: Task, label_set: str) -> list[Example]:
        """The ground truth of a track."""
        return list(self.examples(task, label_set, splits=("benchmark",), admitted_only=True, after=None))

    def freshness(self, task: Task, label_set: str, after: str | None) -> Freshness:
        """How many admitted training examples landed after a watermark."""
        (found,) = self._client.rows(
            "SELECT count() AS n, min(toUnixTimestamp64Micro(_ingested_at)) AS oldest"
            f" FROM {self._view} WHERE {_TRACK} AND admitted AND split = 'train' AND {_AFTER}",
            _track(task, label_set) | _vector(after),
        )
        return Freshness(found["n"], found["oldest"] if found["n"] else None)

    def watermark(self) -> str:
        """The place up to which everything is visible now."""
        found = self._client.columns(
            f"SELECT {_PLACE} AS place, max(_offset) + 1 FROM {self._client.database}.examples GROUP BY place"
        )
        places = dict(zip(*found.values, strict=True)) if found.values else {}
        return orjson.dumps(places, option=orjson.OPT_SORT_KEYS).decode()


def _track(task: Task, label_set: str) -> dict[str, Any]:
    return {"task": task, "label_set": label_set}


def _vector(after: str | None) -> dict[str, Any]:
    """The watermark as parameters; a place that it does not name is fresh from offset 0."""
    vector: dict[str, int] = {"": 0, **(orjson.loads(after) if after else {})}
    return {"places": list(vector), "offsets": list(vector.values())}


def _example(row: dict[str, Any]) -> Example:
    values = {name: row[name] for name in _COLUMNS}
    for name in _JSON:
        values[name] = None if values[name] is None else orjson.loads(values[name])
    origin = Provenance(
        cluster_id=row["src_cluster"],
        topic=row["src_topic"],
        partition=row["src_partition"],
        offset=row["src_offset"],
        index=row["src_index"],
        previous_offset=row["src_previous_offset"],
        attempt=row["attempt"],
    )
    values["reasons"] = tuple(values["reasons"])
    return Example(**values, provenance=origin, occurred_at=row["occurred_us"])
