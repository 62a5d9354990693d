"""Labelled lines become examples that stay where they are put, redacted with their spans."""

from pathlib import Path
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import customer_hash
from schemas.labelled import labelled_of
from schemas.records import Example
from streams.bucket import DIFFICULTY
from streams.distill import distill
from streams.errors import ImportFault
from streams.label import read_examples
from streams.labelled import DECOMPOSER, LabelledSettings, example_of
from streams.partition import partition_of
from streams.settings import DistillSettings, RedactSettings
from tests.streams.conversations import SHOPPING, conversation

SETTINGS = LabelledSettings(RedactSettings(b"k" * 32), partitions=4)


def _example(settings: LabelledSettings = SETTINGS, **line: Any) -> Example:
    raw = {"task": "intent", "text": "Where is my card?", "target": "card_arrival", **line}
    return example_of(labelled_of(raw, "cards"), "f" * 64, 1, settings)


def test_a_line_becomes_an_admitted_example_with_its_file_as_provenance() -> None:
    """Source, partition, line and reasons are as the import says."""
    example = _example(id="7")
    at = example.provenance
    assert (at.cluster_id, at.topic, at.offset, at.index) == ("file", "labels:" + "f" * 64, 1, 0)
    assert at.partition == partition_of(b"cards/7", 4)
    assert (example.admitted, example.reasons, example.origin) == (True, ("labelled_file",), "labelled")
    assert example.bucket == f"intent/card_arrival/easy/{example.language}/labelled"


def test_spans_follow_the_words_through_redaction() -> None:
    """A name and an address are replaced; what is labelled is still what the span cuts out."""
    text = "My email is maria.lopez@example.org and I want a table at 8 pm"
    start = text.index("8 pm")
    spans = [{"start": start, "end": start + 4, "label": "time"}]
    example = _example(task="entities", text=text, target=spans)
    said = example.input[-1]["content"]
    assert "maria.lopez" not in said
    assert [said[span["start"] : span["end"]] for span in example.target] == ["8 pm"]


def test_one_customer_is_on_one_side() -> None:
    """The split goes by customer, then conversation, then text; a named split and an override win."""
    sides = {_example(text=f"word {n}", customer_id="mia").split for n in range(50)}
    assert len(sides) == 1
    assert len({_example(text=f"word {n}", conversation_id="c").split for n in range(50)}) == 1
    assert {_example(text=f"words{'x' * n}").split for n in range(99)} == {"train", "development", "benchmark"}
    assert _example(split="benchmark").split == "benchmark"
    forced = LabelledSettings(SETTINGS.redact, 4, split="development")
    assert _example(forced, split="benchmark").split == "development"


@given(st.text(min_size=1).filter(str.strip), st.binary(min_size=16, max_size=40))
def test_the_side_of_a_text_depends_on_the_text_only(text: str, key: bytes) -> None:
    """Where no customer is named, another key makes other surrogates and no other split."""
    other = LabelledSettings(RedactSettings(key), partitions=4)
    assert _example(text=text).split == _example(other, text=text).split
    assert _example(text=text, conversation_id="c").split == _example(other, text=text, conversation_id="c").split


def test_a_customers_lines_are_on_the_side_of_their_conversations() -> None:
    """Both go by the keyed hash, so under one key nobody stands on both sides; another key moves customers."""
    shares = DistillSettings(development_share=0.1, benchmark_share=0.1)
    lines = [_example(customer_id=f"customer {n}") for n in range(99)]
    contacts = [conversation(*SHOPPING, customer_hash=customer_hash(f"customer {n}", b"k" * 32)) for n in range(99)]
    assert [line.customer_hash for line in lines] == [contact.customer_hash for contact in contacts]
    assert [line.split for line in lines] == [distill(c, shares, None).examples[0].split for c in contacts]
    other = LabelledSettings(RedactSettings(b"o" * 32), partitions=4)
    assert [line.split for line in lines] != [_example(other, customer_id=f"customer {n}").split for n in range(99)]


def test_an_example_names_every_version_that_made_it() -> None:
    """Reading and difficulty."""
    assert _example().decomposer == f"{DECOMPOSER}+{DIFFICULTY}"


def test_a_broken_line_is_a_fault_and_the_rest_is_read(tmp_path: Path) -> None:
    """`file:line: what`; lines chain within their partition; reading again makes the same."""
    good = [orjson.dumps({"task": "safety", "text": f"text {n}", "target": []}) for n in range(9)]
    file = tmp_path / "mine.jsonl"
    file.write_bytes(b"\n".join([*good[:4], b'{"task": "saf', *good[4:]]))
    found = list(read_examples(file, "jsonl", SETTINGS))
    faults = [str(item) for item in found if isinstance(item, ImportFault)]
    examples = [item for item in found if isinstance(item, Example)]
    assert len(faults) == 1
    assert faults[0].startswith(f"{file}:5: is no JSON")
    assert {example.label_set for example in examples} == {"mine"}
    last: dict[int, int] = {}
    for at in (example.provenance for example in examples):
        assert at.previous_offset == last.get(at.partition)
        last[at.partition] = at.offset
    assert [item for item in read_examples(file, "jsonl", SETTINGS) if isinstance(item, Example)] == examples


def test_another_way_to_read_a_file_is_another_source(tmp_path: Path) -> None:
    """Importing as benchmark what was imported as training data is no repetition."""
    file = tmp_path / "mine.jsonl"
    file.write_bytes(orjson.dumps({"task": "safety", "text": "x", "target": []}))
    benchmark = LabelledSettings(SETTINGS.redact, 4, split="benchmark")
    sources = {
        item.provenance.topic
        for settings in (SETTINGS, benchmark)
        for item in read_examples(file, "jsonl", settings)
        if isinstance(item, Example)
    }
    assert len(sources) == 2
