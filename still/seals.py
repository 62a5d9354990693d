"""Where sealed benchmarks lie: `benchmarks/<name>.json` in the registry, written once and never changed."""

from __future__ import annotations

import re
from typing import Any

import orjson

from sinks.clickhouse.client import Client
from sinks.errors import DamagedRegistry
from sinks.registry import open_registry
from still.errors import UserError
from streams.seal import BenchmarkItem, Seal, TrainingTrace, unchanged

_KEYS = {"name", "label_set", "items", "sha256"}
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
        RegistryUnavailable: no URI that can be served.
        DamagedRegistry: what lies under the name is no seal.
    """
    if not _NAME.fullmatch(seal.name):
        raise UserError(f"benchmark name {seal.name!r} must be letters, digits, dots, hyphens; choose another")
    registry = open_registry(registry_uri)
    files, target = registry.files, f"{registry.root}/benchmarks/{seal.name}.json"
    try:
        if files.exists(target):
            unchanged(seal, _read(files, target))
            return str(target)
        files.makedirs(target.rpartition("/")[0], exist_ok=True)
        files.pipe_file(f"{target}.part", orjson.dumps(seal.to_json(), option=orjson.OPT_INDENT_2))
        files.mv(f"{target}.part", target)
    except OSError as error:
        raise UserError(f"registry {registry_uri} cannot be written: {error}; set STILL_REGISTRY") from None
    return str(target)


def stored(registry_uri: str) -> list[dict[str, Any]]:
    """All seals, by name, without their item hashes.

    Raises:
        UserError: the registry cannot be read.
        RegistryUnavailable: no URI that can be served.
        DamagedRegistry: a file there is no seal.
    """
    registry = open_registry(registry_uri)
    try:
        found = sorted(registry.files.glob(f"{registry.root}/benchmarks/*.json"))
        seals = [_read(registry.files, path) for path in found]
    except OSError as error:
        raise UserError(f"registry {registry_uri} cannot be read: {error}; set STILL_REGISTRY") from None
    return [{key: value for key, value in seal.items() if key != "item_hashes"} for seal in seals]


def _read(files: Any, path: str) -> dict[str, Any]:
    try:
        seal = orjson.loads(files.cat_file(path))
    except orjson.JSONDecodeError as error:
        raise DamagedRegistry(f"registry file {path} is no seal: {error}; put back a copy or move it away") from error
    if not isinstance(seal, dict) or not seal.keys() >= _KEYS:
        raise DamagedRegistry(
            f"registry file {path} is no seal: it holds {seal!r:.80}; put back a copy or move it away"
        )
    return seal
