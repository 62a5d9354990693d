"""How deep JSON may nest: judged as soon as it is parsed, for whoever walks, quotes or writes it goes down.

orjson reads 1,024 levels and writes 254, Python gives up within a thousand calls, its `repr` too: what nests deeper
than our limit is refused before anything else looks at it. Nothing here recurses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from schemas.errors import TooDeep

MAX_DEPTH = 64
"""Deepest JSON taken: no chat needs more, and JSON writers and recursive readers give up soon after."""


def refuse_deep(named: Iterable[tuple[str, Any]]) -> None:
    """See that none of these values nests too deep.

    Raises:
        TooDeep: one does; gives its name.
    """
    for name, value in named:
        if is_deeper(value):
            raise TooDeep(f"{name:.80} nests JSON deeper than {MAX_DEPTH} levels; flatten it")


def is_deeper(value: Any, limit: int = MAX_DEPTH) -> bool:
    """Whether lists and objects nest deeper than `limit`; without recursion, so that it cannot fail itself."""
    level = [value] if isinstance(value, (dict, list, tuple)) else []
    for _ in range(limit):
        if not level:
            return False
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list, tuple))
        ]
    return bool(level)


def quoted(value: Any, length: int = 80) -> str:
    """The beginning of a value, for an error message; what nests too deep is said to."""
    return f"(more than {MAX_DEPTH} levels)" if is_deeper(value) else f"{value!r:.{length}}"
