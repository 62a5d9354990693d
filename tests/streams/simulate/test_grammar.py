"""The grammar: templates parse, count and render as their notation says."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.simulate.errors import BadTemplate
from streams.simulate.grammar import Choice, Sequence, Span, Utterance, compile_template, forms, render, slots
from streams.simulate.noise import soil

RULES = {"hello": Choice((("hi",), ("hello",)))}


def _write(sequence: Sequence, values: Mapping[str, str], seed: int = 0) -> Utterance:
    said = Utterance()
    render(sequence, values, random.Random(seed), said)
    return said


def test_forms_counts_every_combination() -> None:
    """Choices multiply, alternatives add, slots count once."""
    assert forms(compile_template("<hello>(, (you|there)|) {name}(!|.|)", RULES)) == 2 * 3 * 3


def test_all_forms_are_reached() -> None:
    """Rendering with many seeds writes each form of a template and no other."""
    template = compile_template("(a|b(c|))(|{x})", {})
    written = {_write(template, {"x": "7"}, seed).text for seed in range(200)}
    assert written == {"a", "a7", "bc", "bc7", "b", "b7"}


def test_spans_hold_the_values_of_their_slots() -> None:
    """A span's characters are exactly the slot's value."""
    said = _write(compile_template("from {a} to {b}.", {}), {"a": "Rome", "b": "Oslo"})
    assert [(said.text[s.start : s.end], s.label) for s in said.spans] == [("Rome", "a"), ("Oslo", "b")]


def test_slots_names_all_that_may_be_asked_for() -> None:
    """Slots inside alternatives count."""
    assert slots(compile_template("({a}|x{b}) {c}", {})) == {"a", "b", "c"}


@pytest.mark.parametrize("template", ["(a|b", "a)", "{a", "<hello", "<nobody>", "a}b", "a>b", "a|b"])
def test_broken_templates_are_refused_by_name(template: str) -> None:
    """A template that cannot be read is quoted in the error."""
    with pytest.raises(BadTemplate, match=r"a|hello|nobody"):
        compile_template(template, RULES)


_VALUES = st.sampled_from(["LL-123456", "Ada Ölberg", "3.4."])


@given(st.integers(0, 10**6), st.text(max_size=12), st.text(max_size=12), _VALUES)
def test_noise_keeps_spans_on_their_values(seed: int, before: str, after: str, value: str) -> None:
    """Whatever noise does to the words around, each span still holds its value, up to case."""
    text = f"{before} where is {value}{after}"
    start = len(before) + 10
    spans = [Span(start, start + len(value), "x")]
    soiled, (span,) = soil(text, spans, random.Random(seed))
    assert soiled[span.start : span.end].lower() == value.lower()
