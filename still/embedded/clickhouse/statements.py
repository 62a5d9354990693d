"""One request against the engine: which way its statement runs, and what comes of it.

Rows of the common formats are handed out block by block in bounded memory. Formats with a head or a foot
(JSON, Parquet, ...) would repeat them for every block, so a query in one of them is written to a file first.
Rows of an INSERT are put into a file too, and the engine selects them from there: chDB's own ways of feeding rows
(`send_insert`, FROM INFILE) report success although nothing landed where the table's end fails, e.g. by a constraint
or a full disk (seen with 26.9); an INSERT ... SELECT runs whole inside the engine and tells.
"""

import contextlib
import errno
import itertools
import tempfile
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from still.embedded.clickhouse.encodings import unpacked
from still.embedded.clickhouse.engine import Done, Engine, RunOptions, quoted
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
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})


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
        rows = head[insert.data_start :]
        # What follows the format's name in a URL can only be blanks, where the rows are in the body.
        begun = (rows,) if rows.strip() or not request.query else ()
        return _insert(engine, spool, request, insert, itertools.chain(begun, data))
    text = b"\n".join(part for part in (head, b"".join(data)) if part)
    if not text.strip():
        raise QueryError(62, "DB::Exception: Empty query. (SYNTAX_ERROR)")
    statement = read_statement(with_client_query_ids(text))
    if statement.count > 1:
        raise QueryError(62, "DB::Exception: Syntax error: Multi-statements are not allowed. (SYNTAX_ERROR)")
    return _query(engine, spool, request, statement)


def _insert(engine: Engine, spool: Path, request: Request, insert: InsertHead, pieces: Iterable[bytes]) -> Answer:
    format_name = insert.format or request.default_format or "Values"
    options = _options(request, b"INSERT")
    if format_name.lower() == "values":
        values = b"".join(pieces)
        _refuse_more_statements(values)
        pieces = (values,)
        if request.parameters:
            # The engine puts parameters only into a statement that it parses whole.
            statement = insert.statement + b" VALUES " + values
            return Answer(done=engine.run(request.scope, request.query_id, statement, options))
    with _spool_file(spool, pieces) as path:
        statement = insert.statement + f"\nSELECT * FROM file({quoted(path)}, {quoted(format_name)})".encode()
        return Answer(done=engine.run(request.scope, request.query_id, statement, options))


def _refuse_more_statements(values: bytes) -> None:
    """What stands after the semicolon that ends VALUES would be ignored by the engine."""
    if b";" in values and read_statement(values).count > 1:
        raise QueryError(27, "DB::Exception: Cannot read data after semicolon. (CANNOT_PARSE_INPUT_ASSERTION_FAILED)")


@contextlib.contextmanager
def _spool_file(spool: Path, pieces: Iterable[bytes]) -> Iterator[str]:
    """All of a body in a file without a name; a body that ends early raises before the engine hears of it."""
    try:
        with tempfile.TemporaryFile(dir=spool) as file:
            file.writelines(pieces)
            file.flush()
            file.seek(0)
            # Not the file's own path: the engine would read braces and stars in it as a pattern.
            yield f"/dev/fd/{file.fileno()}"
    except OSError as error:
        if error.errno not in _NO_SPACE:
            raise
        raise QueryError(243, f"DB::Exception: Cannot keep the rows in {spool}: {error}. (NOT_ENOUGH_SPACE)") from None


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
