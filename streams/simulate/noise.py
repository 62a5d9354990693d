"""Dirt of real keyboards: slips, dropped punctuation, shouting, all lower case. Slot values keep their place.

Pure; every change moves the spans with the text, and slips never touch a slot's value.
"""

from __future__ import annotations

import random
import re

from streams.simulate.grammar import Span

_WORD = re.compile(r"[^\W\d_]{4,}")


def soil(text: str, spans: list[Span], rng: random.Random) -> tuple[str, list[Span]]:
    """The text as a hurried person types it, and its spans again."""
    roll = rng.random()
    if roll < 0.62:
        return text, spans
    if roll < 0.74:
        return _lower(text), spans
    if roll < 0.80:
        return _drop_ending(text, spans), spans
    if roll < 0.82:
        return _shout(text, spans), spans
    for _ in range(1 if roll < 0.94 else 2):
        text, spans = _slip(text, spans, rng)
    return text, spans


def _drop_ending(text: str, spans: list[Span]) -> str:
    kept = max((span.end for span in spans), default=0)
    return text[:kept] + text[kept:].rstrip(".!?")


def _lower(text: str) -> str:
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else text


def _shout(text: str, spans: list[Span]) -> str:
    """Upper case around the slots; letters that grow in upper case (ß) stay."""
    letters = [upper if len(upper := letter.upper()) == 1 else letter for letter in text]
    for span in spans:
        letters[span.start : span.end] = text[span.start : span.end]
    return "".join(letters)


def _slip(text: str, spans: list[Span], rng: random.Random) -> tuple[str, list[Span]]:
    """One letter swapped, dropped or doubled in a word outside all spans."""
    words = [m.span() for m in _WORD.finditer(text) if not any(s.start < m.end() and m.start() < s.end for s in spans)]
    if not words:
        return text, spans
    start, end = words[int(rng.random() * len(words))]
    at = start + 1 + int(rng.random() * (end - start - 2))
    old = text[at : at + 2]
    new = (old[::-1], old[0], old[0] + old)[int(rng.random() * 3)]
    shift = len(new) - len(old)
    moved = [Span(s.start + shift, s.end + shift, s.label) if s.start >= end else s for s in spans]
    return text[:at] + new + text[at + 2 :], moved
