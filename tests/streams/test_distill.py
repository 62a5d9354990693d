"""Distilling as one pure function, on small conversations and on the public ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from schemas import codec
from schemas.records import TASKS, Conversation, Example, Outcome, Provenance
from schemas.split import split
from streams.bucket import DIFFICULTY, bucket_name, input_hash
from streams.compose import Placed, compose
from streams.decompose import DECOMPOSER
from streams.distill import distill
from streams.importers.source import events_in
from streams.importers.tau2_bench import read_tau2_bench
from streams.importers.tau_bench import read_tau_bench
from streams.redact import redact
from streams.score import SCORER
from streams.settings import DistillSettings, RedactSettings
from tests.streams.conversations import SHOPPING, conversation

DATA = Path(__file__).parents[3] / "shared/data"
SETTINGS = DistillSettings()


def test_derived_records_carry_the_root_provenance() -> None:
    """Score and examples name the event that caused the conversation; each topic counts its own index."""
    distilled = distill(conversation(*SHOPPING), SETTINGS, 17)
    roots = [record.provenance for record in distilled.examples]
    assert [root.index for root in roots] == list(range(len(roots)))
    assert {(root.offset, root.partition, root.previous_offset) for root in roots} == {(41, 2, 17)}
    assert distilled.score.provenance == replace(roots[0], index=0)


def test_replay_makes_the_same_bytes() -> None:
    """The same conversation gives the same records, ids included, and ids are unique."""
    contact = codec.decode(codec.encode(conversation(*SHOPPING)), Conversation)
    first, second = (distill(contact, SETTINGS, None) for _ in range(2))
    assert [codec.encode(e) for e in first.examples] == [codec.encode(e) for e in second.examples]
    assert len({e.example_id for e in first.examples}) == len(first.examples)


@pytest.mark.parametrize(
    ("outcome", "source", "admitted", "reasons"),
    [
        (Outcome(success=True), "teacher", True, ("quality_reached",)),
        (None, "teacher", True, ("quality_reached", "outcome_unknown")),
        (Outcome(success=False), "teacher", False, ("outcome_failed", "quality_below_threshold")),
        (Outcome(success=False), "person", True, ("person_label",)),
    ],
)
def test_admission_and_its_reasons(
    outcome: Outcome | None, source: str, admitted: bool, reasons: tuple[str, ...]
) -> None:
    """A person's label is admitted; otherwise quality must reach the threshold and the outcome must not fail."""
    labels = [{"task": "intent", "message": 3, "target": "cancel", "source": source}]
    examples = distill(conversation(*SHOPPING, outcome=outcome, labels=labels), SETTINGS, None).examples
    intent = next(example for example in examples if example.task == "intent")
    assert (intent.admitted, intent.reasons) == (admitted, reasons)


def test_a_person_too_cannot_label_anothers_turn_as_the_customers() -> None:
    """Such a label is stored with the reason, and not admitted."""
    labels = [{"task": "safety", "message": 5, "target": ["prompt_injection"], "source": "person"}]
    examples = distill(conversation(*SHOPPING, labels=labels), SETTINGS, None).examples
    (found,) = [example for example in examples if example.label_set == "safety:default"]
    assert (found.admitted, found.reasons) == (False, ("not_the_customer", "person_label"))


def test_an_example_names_every_version_that_made_it() -> None:
    """Cutting, difficulty and scoring: with one of them changed, older examples can be told from newer ones."""
    made = distill(conversation(*SHOPPING), SETTINGS, None).examples
    assert {(e.decomposer, e.scorer) for e in made} == {(f"{DECOMPOSER}+{DIFFICULTY}", SCORER)}


def test_threshold_is_the_tracks() -> None:
    """Each task has its own threshold."""
    strict = DistillSettings(min_quality={"response": 1.0, "tools": 0.0}, default_min_quality=0.0)
    contact = conversation(*SHOPPING[:-1], *[{"role": "user", "content": "and my refund?"}])
    admitted = {e.task: e.admitted for e in distill(contact, strict, None).examples}
    assert (admitted["response"], admitted["tools"]) == (False, True)


def test_customers_stay_on_one_side() -> None:
    """The split depends on the customer alone, and its shares are as set."""
    sides = [split(f"customer {n}", 0.1, 0.1) for n in range(4000)]
    assert 0.07 < sides.count("benchmark") / 4000 < 0.13
    assert 0.07 < sides.count("development") / 4000 < 0.13
    contacts = [replace(conversation(*SHOPPING, customer_hash="c-1"), conversation_id=str(n)) for n in range(5)]
    assert len({e.split for contact in contacts for e in distill(contact, SETTINGS, None).examples}) == 1


def test_buckets_have_five_levels() -> None:
    """A slash in a label makes no new level."""
    assert bucket_name("intent", "a/b", "easy", "en", "production") == "intent/a|b/easy/en/production"


def test_hash_sees_through_case_digits_and_space() -> None:
    """Near-identical short texts share a hash; what decides counts: the judged turn, or the whole context."""
    one = [{"role": "user", "content": "Order  12"}, {"role": "user", "content": "YES"}]
    other = [{"role": "user", "content": "order 99"}, {"role": "user", "content": "yes "}]
    assert input_hash("response", one) == input_hash("response", other)
    assert input_hash("response", one) != input_hash("response", one[1:])
    assert input_hash("intent", one) == input_hash("intent", one[1:])


@pytest.fixture(name="tau", scope="module")
def _tau() -> list[Example]:
    """Examples of every third public conversation of tau-bench and tau2-bench."""
    if not DATA.exists():
        pytest.skip("the public data sets do not lie beside the checkout")
    files = [(read_tau_bench, f) for f in sorted((DATA / "tau-bench/dev").glob("*.json"))]
    files += [(read_tau2_bench, f) for f in sorted((DATA / "tau2-bench/dev").glob("*.json"))]
    events = [event for reader, file in files for event in events_in(reader(file))]
    drafts = [compose([Placed(0, event)], 1, Provenance("k", "t", 0, n)) for n, event in enumerate(events[::3])]
    secret = RedactSettings(b"a key for tests only, 32 bytes..")
    contacts = [redact(draft, secret) for draft in drafts if draft is not None]
    assert len(contacts) == len(events[::3]) > 150
    return [example for contact in contacts for example in distill(contact, SETTINGS, None).examples]


@pytest.mark.shared_data
def test_every_task_has_examples_of_every_difficulty(tau: list[Example]) -> None:
    """On the public conversations all five tasks occur, and difficulty takes all its values in each."""
    found = {(example.task, example.difficulty) for example in tau}
    assert found == {(task, level) for task in TASKS for level in ("easy", "medium", "hard")}


@pytest.mark.shared_data
def test_spans_cut_their_words(tau: list[Example]) -> None:
    """Every span lies within the last input message and never overlaps another."""
    for example in (example for example in tau if example.task == "entities"):
        text = example.input[-1]["content"]
        ends = [0, *(span["end"] for span in example.target)]
        assert all(ends[i] <= span["start"] < span["end"] <= len(text) for i, span in enumerate(example.target))


@pytest.mark.shared_data
def test_public_conversations_fill_the_funnel(tau: list[Example]) -> None:
    """Admitted and refused examples both exist, are in English, and fit the wire."""
    assert {example.admitted for example in tau} == {True, False}
    assert sum(example.language == "en" for example in tau) > 0.98 * len(tau)
    assert all(example.reasons for example in tau)
    assert max(len(codec.encode(example)) for example in tau) < 30_000
