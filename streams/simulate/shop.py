"""The shop's own data, read once: its tools, which scenario uses which, and the models of the teacher."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import orjson

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Scenario:
    """How an intent is served: the tool, its arguments with the slots that say them, the fields of its answer."""

    intent: str
    tool: str
    arguments: dict[str, str]
    result: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Teacher:
    """A model that answers now; prices in US dollars for a million tokens."""

    name: str
    share: float
    prompt_price: float
    cached_price: float
    completion_price: float
    latency_ms: float
    bad_share: float


@dataclass(frozen=True, slots=True)
class Shop:
    """Lantern & Loom. `weights` are cumulative, in the order of `intents`."""

    policy: str
    tools: list[dict[str, Any]]
    scenarios: dict[str, Scenario]
    intents: tuple[str, ...]
    weights: tuple[float, ...]
    teachers: tuple[Teacher, ...]
    values: dict[str, list[str]]


@cache
def shop() -> Shop:
    """The one shop there is."""
    raw = tomllib.loads((FOLDER / "shop.toml").read_text(encoding="utf-8"))
    tools = orjson.loads((FOLDER / "tools.json").read_bytes())
    parameters = {tool["function"]["name"]: tool["function"]["parameters"]["required"] for tool in tools}
    scenarios = {
        intent: Scenario(
            intent=intent,
            tool=entry["tool"],
            arguments={name: raw["spoken"].get(name, name) for name in parameters[entry["tool"]]},
            result=tuple(entry["result"]),
        )
        for intent, entry in raw["scenarios"].items()
    }
    return Shop(
        policy=raw["policy"],
        tools=tools,
        scenarios=scenarios,
        intents=tuple(scenarios),
        weights=tuple(accumulate(float(entry["weight"]) for entry in raw["scenarios"].values())),
        teachers=tuple(Teacher(name, **entry) for name, entry in raw["teachers"].items()),
        values={key: raw[key] for key in ("codes", "carriers", "mail_hosts")},
    )
