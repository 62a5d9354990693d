"""Reads source files: JSON whole, JSONL line by line, folders as their files; a fault names file and line.

No format lives here. A broken line or item becomes an `ImportFault` value, so that the rest is not lost with it.
"""

from __future__ import annotations

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import orjson

from schemas.depth import refuse_deep
from schemas.errors import InvalidRecord
from schemas.fields import broken, object_of
from schemas.records import ConversationEvent
from streams.errors import ImportFault

_MARK = 4
"""Bytes at the start of a file that can say that no line of it is UTF-8; one bad byte later is its line's fault."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Found:
    """An event and the place that it was read from: `line`, or `item` (`trajectory 3`) of a file without lines."""

    event: ConversationEvent
    file: str
    line: int | None = None
    item: str = ""

    @property
    def place(self) -> str:
        """`file:line`, or `file: item`."""
        if self.line is not None:
            return f"{self.file}:{self.line}"
        return f"{self.file}: {self.item}" if self.item else self.file

    def fault(self, what: str) -> ImportFault:
        """What is wrong with the event, at its place."""
        return ImportFault(self.file, self.line, f"{self.item}: {what}" if self.item else what)


Importer = Callable[[Path], Iterator[Found | ImportFault]]
"""Reads one file; yields its conversations, and in place of each that cannot be read, why."""


@dataclass(frozen=True, slots=True)
class Line:
    """A JSON object of a JSONL file; lines count from 1."""

    number: int
    value: dict[str, Any]


def events_in(items: Iterable[Found | ImportFault]) -> Iterator[ConversationEvent]:
    """The events alone."""
    return (item.event for item in items if isinstance(item, Found))


def files_of(paths: Sequence[Path], suffixes: Sequence[str]) -> list[Path]:
    """The files meant: a folder stands for its own files of these suffixes, by name.

    Raises:
        ImportFault: a path that is not there, or a folder without such a file.
    """
    return [file for path in paths for file in _files_of(path, suffixes)]


def _files_of(path: Path, suffixes: Sequence[str]) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ImportFault(path, None, "is not there; check the path")
    if found := sorted(file for file in path.iterdir() if file.suffix in suffixes and file.is_file()):
        return found
    raise ImportFault(path, None, f"holds no {' or '.join(suffixes)} file; name the files, or the folder they are in")


def read_bytes(file: Path) -> bytes:
    """The file's content.

    Raises:
        ImportFault: it cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise ImportFault(file, None, f"cannot be read: {error.strerror}") from error


def read_json(file: Path) -> Any:
    """The JSON value that the file holds.

    Raises:
        ImportFault: it cannot be read, is no JSON, or nests too deep.
    """
    try:
        value = orjson.loads(read_bytes(file))
        refuse_deep([("the file", value)])
    except orjson.JSONDecodeError as error:
        raise ImportFault(file, error.lineno, broken(error)) from error
    except InvalidRecord as error:
        raise ImportFault(file, None, str(error)) from error
    return value


def read_lines(file: Path) -> Iterator[Line | ImportFault]:
    """The objects of a JSONL file, one at a time; empty lines are skipped, a file without any other is a fault.

    Raises:
        ImportFault: the file cannot be read, or holds no text.
    """
    try:
        with file.open("rb") as lines:
            head = lines.peek(_MARK)
            # UTF-32 has a NUL among its first four bytes, whether it has a mark or not; so has most that is no text.
            if b"\0" in head[:_MARK] or head.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
                raise ImportFault(file, None, f"is no UTF-8 text: it begins {head[:8]!r}; give JSONL saved as UTF-8")
            yield from never_none(file, parse_lines(file, lines), "is empty; give a file with a JSON object a line")
    except OSError as error:
        raise ImportFault(file, None, f"cannot be read: {error.strerror}") from error


def never_none(file: Path, items: Iterator[Item], what: str) -> Iterator[Item | ImportFault]:
    """The items, or, where there is none, the fault that says so: nobody means an empty file."""
    first = next(items, None)
    yield ImportFault(file, None, what) if first is None else first
    yield from items


def parse_lines(name: Path | str, lines: Iterable[bytes]) -> Iterator[Line | ImportFault]:
    """The same of lines that are read already, e.g. standard input; `name` stands in the faults."""
    for number, given in enumerate(lines, start=1):
        raw = given.removeprefix(BOM_UTF8) if number == 1 else given
        if raw.strip():
            yield _line(name, number, raw)


def _line(file: Path | str, number: int, raw: bytes) -> Line | ImportFault:
    try:
        return Line(number, object_of(raw))
    except InvalidRecord as fault:
        return ImportFault(file, number, str(fault))
