"""Where sealed benchmarks lie: `benchmarks/<name>.json` in the registry, written once and never changed."""

from __future__ import annotations

import re
from typing import Any

import fsspec
import orjson

from sinks.clickhouse.client import Client
from still.errors import UserError
from streams.seal import BenchmarkItem, Seal, TrainingTrace, unchanged

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def benchmark_items(client: Client, label_set: str) -> list[BenchmarkItem]:
    """The current benchmark items of a label set. Raises `SinkError`. The database's name is our own setting."""
    rows = client.rows(
        "SELECT example_id, task, label_set, input, target, text_hash, customer_hash "  # noqa: S608
        f"FROM {client.database}.benchmark_items WHERE label_set = {{label_set:String}}",
        {"label_set": label_set},
    )
    return [BenchmarkItem(**row) for row in rows]


def counts(client: Client) -> list[dict[str, Any]]:
    """Benchmark items and their customers per task and label set. Raises `SinkError`."""
    return client.rows(
        "SELECT task, label_set, count() AS items, uniq(customer_hash) AS customers "  # noqa: S608
        f"FROM {client.database}.benchmark_items GROUP BY task, label_set ORDER BY task, label_set"
    )


def training_traces(client: Client) -> list[TrainingTrace]:
    """Everything that training may use, in any label set. Raises `SinkError`."""
    rows = client.rows(
        "SELECT example_id, task, label_set, text_hash, customer_hash "  # noqa: S608
        f"FROM {client.database}.current_examples WHERE split != 'benchmark' AND admitted"
    )
    return [TrainingTrace(**row) for row in rows]


def store(seal: Seal, registry_uri: str) -> str:
    """Write the seal under its name, or find the same one there; returns where it lies.

    Raises:
        CannotSeal: the name is sealed with other content.
        UserError: a bad name, or the registry cannot be written.
    """
    if not _NAME.fullmatch(seal.name):
        raise UserError(f"benchmark name {seal.name!r} must be letters, digits, dots, hyphens; choose another")
    files, root = fsspec.core.url_to_fs(registry_uri)
    target = f"{root.rstrip('/')}/benchmarks/{seal.name}.json"
    try:
        if files.exists(target):
            unchanged(seal, orjson.loads(files.cat_file(target)))
            return str(target)
        files.makedirs(target.rpartition("/")[0], exist_ok=True)
        files.pipe_file(f"{target}.part", orjson.dumps(seal.to_json(), option=orjson.OPT_INDENT_2))
        files.mv(f"{target}.part", target)
    except OSError as error:
        raise UserError(f"registry {registry_uri} cannot be written: {error}; set STILL_REGISTRY") from None
    return str(target)


def stored(registry_uri: str) -> list[dict[str, Any]]:
    """All seals, by name, without their item hashes."""
    files, root = fsspec.core.url_to_fs(registry_uri)
    found = sorted(files.glob(f"{root.rstrip('/')}/benchmarks/*.json"))
    seals = [orjson.loads(files.cat_file(name)) for name in found]
    return [{key: value for key, value in seal.items() if key != "item_hashes"} for seal in seals]
