"""Chat messages as the steps see them: their words counted and folded, the offers of tools in short form."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson

from schemas.records import Tools


@lru_cache(maxsize=1024)
def count_words(text: str) -> int:
    """How many words a text has; remembered, because several rules ask for each text."""
    return len(text.split())


def folded(text: str) -> str:
    """Lower case; letters that a pattern takes for an i or s where case does not count are an i or s here too.

    So words in ASCII that any pattern finds in a text, whatever their case, stand in its folded form as they are.
    """
    lowered = text.lower()
    if lowered.isascii():
        return lowered
    return lowered.replace("i\u0307", "i").replace("\u0131", "i").replace("\u017f", "s")


def brief(tools: Tools | None) -> Tools | None:
    """Tool definitions without prose: names and parameter schemas are what a choice of tool and arguments needs."""
    return None if tools is None else _brief(orjson.dumps(tools))


@lru_cache(maxsize=64)
def _brief(tools: bytes) -> Tools:
    """Keyed by content: the conversations of one agent all offer the same."""
    offers = _listed(orjson.loads(tools))
    return [{"type": "function", "function": _brief_function(tool)} for tool in offers if _function(tool)]


def _listed(tools: Any) -> list[Any]:
    """The offers; none where a conversation of before the edge asked for a list holds something else."""
    return tools if isinstance(tools, list) else []


def _function(tool: Any) -> dict[str, Any]:
    function = tool.get("function") if isinstance(tool, dict) else None
    return function if isinstance(function, dict) and isinstance(function.get("name"), str) else {}


def _brief_function(tool: Any) -> dict[str, Any]:
    function = _function(tool)
    return {"name": function["name"], "parameters": _without_prose(function.get("parameters", {}))}


def _without_prose(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    short = {key: value for key, value in schema.items() if key in _KEPT}
    if isinstance(properties := schema.get("properties"), dict):
        short["properties"] = {name: _without_prose(value) for name, value in properties.items()}
    if "items" in schema:
        short["items"] = _without_prose(schema["items"])
    return short


_KEPT = frozenset({"type", "enum", "required", "format", "anyOf", "const"})


def offered(tools: Tools | None) -> dict[str, dict[str, Any]]:
    """Parameter schemas of the offered tools by name."""
    return {name: _parameters(tool) for tool in _listed(tools) if (name := _function(tool).get("name"))}


def _parameters(tool: Any) -> dict[str, Any]:
    parameters = _function(tool).get("parameters")
    return parameters if isinstance(parameters, dict) else {}
