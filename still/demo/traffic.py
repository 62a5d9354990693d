"""The demo's traffic: customers of the fictional shop, published once, and labels of others to judge and certify by.

Everything is a function of fixed seeds, so a second run finds in ClickHouse what the first one left and adds nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson

from schemas.records import TASKS, Split, Task
from sinks.clickhouse.client import Client
from still.capture import open_publisher
from still.errors import UserError
from still.labels import Overrides, import_labels
from still.settings import Settings
from streams.bulk import publish_each
from streams.simulate.benchmark import ground_truth
from streams.simulate.settings import SimulateSettings
from streams.simulate.simulate import simulate

START_US = 1_793_520_000_000_000  # 2026-11-01T08:00:00Z: a fixed day makes equal events in every run
TRAFFIC_SEED = 7
LABELLED: dict[Split, tuple[int, tuple[Task, ...]]] = {
    "benchmark": (8, TASKS),
    "development": (9, ("intent", "entities", "safety")),
}
"""Seed and tasks of the labelled file of each side; what has no right and wrong answers cannot be certified."""
LANDED_WITHIN_S = 120.0
_POLL_S = 0.5

Tell = Callable[[float], None]
"""Hears the share that is done, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Amount:
    """How many contacts there are of production, and of the customers behind either labelled file."""

    conversations: int
    benchmark: int
    development: int


def publish_traffic(settings: Settings, amount: int, tell: Tell) -> set[str]:
    """Publish the contacts' events as an agent service would; the ids of the conversations."""
    told: set[str] = set()
    with open_publisher(settings) as publisher:
        for receipt in publish_each(publisher, simulate(SimulateSettings(START_US, amount), TRAFFIC_SEED)):
            told.add(receipt.conversation_id)
            tell(len(told) / amount)
    return told


def traffic_ids(amount: int) -> set[str]:
    """The ids of the conversations without publishing them."""
    return {event.conversation_id for event in simulate(SimulateSettings(START_US, amount), TRAFFIC_SEED)}


def landed(client: Client, wanted: set[str]) -> set[str]:
    """Which of these conversations are in ClickHouse."""
    sql = f"SELECT DISTINCT conversation_id FROM {client.database}.newest_conversations"  # noqa: S608 - a name of ours
    return wanted & {row["conversation_id"] for row in client.rows(sql)}


def await_landed(client: Client, wanted: set[str], tell: Tell) -> None:
    """Return when all of these conversations, and what was made of them, are in ClickHouse.

    Raises:
        UserError: some are not after two minutes.
    """
    sql = f"SELECT DISTINCT conversation_id FROM {client.database}.scores"  # noqa: S608 - a name of ours
    deadline = time.monotonic() + LANDED_WITHIN_S
    while missing := wanted - {row["conversation_id"] for row in client.rows(sql)}:
        if time.monotonic() > deadline:
            raise UserError(
                f"{len(missing)} of {len(wanted)} conversations, e.g. {min(missing)}, are not in ClickHouse after "
                f"{LANDED_WITHIN_S:.0f} s; see `still status` and the logs in the folder"
            )
        tell(1 - len(missing) / len(wanted))
        time.sleep(_POLL_S)


def import_ground_truth(settings: Settings, side: Split, amount: int) -> int:
    """Write the labelled file of one side's customers into the folder and import it; how many items it has."""
    file = settings.folder / "demo" / f"{side}.jsonl"
    _write(file, side, amount)
    (audit,) = import_labels([file], settings, "jsonl", Overrides(None, side), dry_run=False)
    if audit.faults:
        raise UserError(f"the {side} file is broken: {audit.faults[0]}")
    return audit.examples


def await_items(client: Client, wanted: int) -> None:
    """Return when so many labelled items are in ClickHouse.

    Raises:
        UserError: they are not after two minutes.
    """
    sql = f"SELECT count() AS n FROM {client.database}.examples WHERE origin = 'labelled'"  # noqa: S608
    deadline = time.monotonic() + LANDED_WITHIN_S
    while (found := int(client.rows(sql)[0]["n"])) < wanted:
        if time.monotonic() > deadline:
            raise UserError(f"{found} of {wanted} labelled items are in ClickHouse; see `still status`")
        time.sleep(_POLL_S)


def _write(file: Path, side: Split, amount: int) -> None:
    seed, tasks = LABELLED[side]
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as out:
        for line in ground_truth(SimulateSettings(START_US, amount), seed):
            if line["task"] in tasks:
                out.write(orjson.dumps(line) + b"\n")
