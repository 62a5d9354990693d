"""One request against the engine: which way its statement runs, and what comes of it.

Rows of the common formats are handed out block by block in bounded memory. Formats with a head or a foot
(JSON, Parquet, ...) would repeat them for every block, so a query in one of them is written to a file first.
"""

import itertools
import tempfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from still.embedded.clickhouse.encodings import unpacked
from still.embedded.clickhouse.engine import Done, Engine, RunOptions
from still.embedded.clickhouse.errors import QueryError
from still.embedded.clickhouse.request import Request, head_of
from still.embedded.clickhouse.sql import InsertHead, Statement, read_insert, read_statement, with_client_query_ids

# Blocks in these formats, one after another, are one answer in the same format.
_BLOCKWISE = frozenset(
    {"native", "tabseparated", "tsv", "tabseparatedraw", "tsvraw", "csv", "rowbinary", "jsoneachrow", "jsonlines",
     "ndjson", "jsoncompacteachrow", "tskv", "lineasstring", "rawblob"}
)  # fmt: skip
_DEFAULT_FORMAT = "TabSeparated"
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the client: pieces of a body in a format, and the counts known before it is sent."""

    format: str | None = None
    pieces: Generator[bytes] = field(default_factory=lambda: _each())  # noqa: PLW0108, defined below
    done: Done = field(default_factory=Done)


def answer(engine: Engine, spool: Path, request: Request, body: Iterator[bytes], encoding: str) -> Answer:
    """Runs the request's statement; `body` and its `encoding` are what the client sent after the head.

    Raises:
        QueryError: as the engine says it.
    """
    data = unpacked(body, encoding)
    head = request.query or head_of(data)
    insert = read_insert(head)
    if insert is not None:
        return _insert(engine, request, head, insert, data)
    text = b"\n".join(part for part in (head, b"".join(data)) if part)
    if not text.strip():
        raise QueryError(62, "DB::Exception: Empty query. (SYNTAX_ERROR)")
    statement = read_statement(with_client_query_ids(text))
    if statement.count > 1:
        raise QueryError(62, "DB::Exception: Syntax error: Multi-statements are not allowed. (SYNTAX_ERROR)")
    return _query(engine, spool, request, statement)


def _insert(engine: Engine, request: Request, head: bytes, insert: InsertHead, data: Iterator[bytes]) -> Answer:
    rows = head[insert.data_start :]
    # What follows the format's name in a URL can only be blanks, where the rows are in the body.
    pieces = itertools.chain((rows,) if rows.strip() or not request.query else (), data)
    format_name = insert.format or request.default_format or "Values"
    if request.parameters and format_name == "Values":
        # The engine puts parameters only into a statement that it parses whole.
        statement = insert.statement + b" VALUES " + b"".join(pieces)
        return Answer(done=engine.run(request.scope, request.query_id, statement, _options(request, b"INSERT")))
    return Answer(done=engine.insert(request.scope, request.query_id, insert.statement, format_name, pieces))


def _query(engine: Engine, spool: Path, request: Request, statement: Statement) -> Answer:
    options = _options(request, statement.first_word)
    format_name = statement.format or options.format
    if not statement.returns_rows or format_name == "Null":
        done = engine.run(request.scope, request.query_id, statement.text, options)
        return Answer(format_name if done.answer else None, _each(done.answer), done)
    if format_name.lower() not in _BLOCKWISE:
        return _spooled(engine, spool, request, statement, options)
    blocks = engine.stream(request.scope, request.query_id, statement.text, options)
    # An error before the first block is still answered with its own status.
    first = next(blocks, None)
    return Answer(format_name, _rejoined(first or b"", blocks))


def _spooled(engine: Engine, spool: Path, request: Request, statement: Statement, options: RunOptions) -> Answer:
    format_name = statement.format or options.format
    with tempfile.TemporaryDirectory(dir=spool) as folder:
        path = Path(folder) / "answer"
        outfile = f"\nINTO OUTFILE '{path}' ".encode()
        clause = statement.text[statement.format_start :] or b"FORMAT " + format_name.encode()
        text = statement.text[: statement.format_start] + outfile + clause
        done = engine.run(request.scope, request.query_id, text, options)
        file = path.open("rb")  # still readable after the folder is gone

    def pieces() -> Generator[bytes]:
        with file:
            while piece := file.read(_PIECE):
                yield piece

    return Answer(format_name, pieces(), done)


def _each(*pieces: bytes) -> Generator[bytes]:
    yield from filter(None, pieces)


def _rejoined(first: bytes, more: Generator[bytes]) -> Generator[bytes]:
    """Both as one; closing it early closes `more`, which cancels the query."""
    if first:
        yield first
    yield from more


def _options(request: Request, first_word: bytes) -> RunOptions:
    return RunOptions(request.default_format or _DEFAULT_FORMAT, request.parameters, first_word)
