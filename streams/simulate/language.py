"""Language files, read once and compiled: what customers say, what the shop answers, and the values in between."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from streams.simulate.errors import BadSettings
from streams.simulate.grammar import Choice, compile_template

FOLDER = Path(__file__).parent / "languages"

Phrases = dict[str, Choice]


@dataclass(frozen=True, slots=True)
class Language:
    """One language: `values` fill slots, all others are compiled phrases by name."""

    code: str
    values: dict[str, Any]
    customer: Phrases
    openings: Phrases
    unsafe: Phrases
    give: Phrases
    agent: Phrases
    asks: Phrases
    replies: Phrases


@cache
def available() -> tuple[str, ...]:
    """Codes of the languages that have a file, English first."""
    return tuple(sorted((path.stem for path in FOLDER.glob("*.toml")), key=lambda code: (code != "en", code)))


@cache
def language(code: str) -> Language:
    """The compiled language.

    Raises:
        BadSettings: no such language.
        BadTemplate: a template of its file cannot be read.
    """
    if code not in available():
        raise BadSettings(f"language {code!r} has no file; choose from {', '.join(available())}")
    raw = tomllib.loads((FOLDER / f"{code}.toml").read_text(encoding="utf-8"))
    rules: Phrases = {}
    for name, templates in raw["rules"].items():
        rules[name] = _compile(templates, rules)
    agent = dict(raw["agent"])
    asks, replies = agent.pop("ask"), agent.pop("reply")
    sections = (raw["customer"], raw["openings"], raw["unsafe"], raw["give"], agent, asks, replies)
    return Language(code, raw["values"], *({k: _compile(v, rules) for k, v in s.items()} for s in sections))


def _compile(templates: list[str], rules: Phrases) -> Choice:
    return Choice(tuple(compile_template(template, rules) for template in templates))
