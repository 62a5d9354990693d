"""The chDB engine behind the HTTP front: connections, and the two ways a statement runs.

A query never meets another's state: a connection is lent to one request at a time, goes back only when the
request succeeded and left no state behind, and is handed out again only for the same database and settings.
A failed one is closed: chDB leaves what a failed query had written in the connection's buffer, and the next
query's answer would begin with it (seen with 26.9). Opening one costs 0.2 ms.
"""

import contextlib
import re
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from still.embedded.clickhouse.chdb_connection import Connection, connect
from still.embedded.clickhouse.errors import QueryError, query_error

_SETTING_NAME = re.compile(r"[A-Za-z_]\w*")
_MOST_IDLE = 32
# As in a server, a lone expression is a syntax error; starting threads to format one row costs 0.3 ms; and an insert
# is stored when it is answered for, without the 50 ms that asynchronous ones gather rows.
_PRELUDE = "SET implicit_select = 0, output_format_parallel_formatting = 0, async_insert = 0"
# Statements that change the connection itself: it is not lent again.
_LEAVES_STATE = frozenset({b"SET", b"USE", b"CREATE", b"DROP"})

# chDB decodes the engine's words strictly, although a query's own bytes may stand in them.
ENGINE_ERRORS = (RuntimeError, UnicodeDecodeError)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a request brings besides its statement: the database and the settings, in order."""

    database: str
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def is_changeable(self) -> bool:
        """Whether a connection in this scope can still be given the next request's query id."""
        return dict(self.settings).get("readonly", "0") in {"0", "2"}


@dataclass(frozen=True, slots=True)
class Done:
    """What a finished statement gives: its answer (empty for most that are no query) and its counts."""

    answer: bytes = b""
    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a statement runs: the format where it names none, its query parameters, its first word."""

    format: str
    parameters: dict[str, str]
    first_word: bytes


class Engine:
    """The one engine of a process, open on one folder."""

    def __init__(self, folder: Path) -> None:
        self._address = str(folder)
        self._lock = threading.Lock()
        self._idle: list[tuple[Scope, Connection]] = []
        # The engine closes with its last connection; this one stays.
        self._anchor = connect(self._address)
        self.version = self._scalar("SELECT version()")
        self.timezone = self._scalar("SELECT timezone()")
        self.host_name = self._scalar("SELECT hostName()")

    def run(self, scope: Scope, query_id: str, statement: bytes, options: RunOptions) -> Done:
        """Runs any statement to its end; the whole answer is in memory."""
        with self._lent(scope, query_id, keep=options.first_word not in _LEAVES_STATE) as connection:
            result = connection.query(statement, options.format, params=options.parameters)
            return Done(
                result.bytes(), result.rows_read(), result.bytes_read(), result.rows_written(), result.bytes_written()
            )

    def stream(self, scope: Scope, query_id: str, statement: bytes, options: RunOptions) -> Generator[bytes]:
        """Runs a query and yields its answer block by block; closing the iterator cancels the query."""
        with self._lent(scope, query_id) as connection:
            result = connection.send_query(statement, options.format, params=options.parameters)
            try:
                for block in result:
                    yield block.bytes()
            finally:
                result.close()

    def cancel(self, query_id: str) -> None:
        """Asks the query with the client's `query_id` to end."""
        kill = f"KILL QUERY WHERE Settings['log_comment'] = {quoted(query_id)} ASYNC"
        self.run(Scope("default"), "cancel", kill.encode(), RunOptions("Null", {}, b"KILL"))

    def cancel_all(self) -> None:
        """Asks every running query to end."""
        self._anchor.query("KILL QUERY WHERE query_id != queryID() ASYNC", "Null")

    def close(self) -> None:
        """Closes the engine: everything acknowledged is in its files already."""
        with self._lock:
            for _, connection in self._idle:
                connection.close()
            self._idle.clear()
            self._anchor.close()

    @contextlib.contextmanager
    def _lent(self, scope: Scope, query_id: str, *, keep: bool = True) -> Iterator[Connection]:
        succeeded = False
        connection: Connection | None = None
        try:
            connection = self._take(scope) or self._open(scope)
            if scope.is_changeable:
                connection.query(f"SET log_comment = {quoted(query_id)}", "Null")
            yield connection
            succeeded = True
        except ENGINE_ERRORS as error:
            raise query_error(_words(error)) from None
        finally:
            if connection is not None:
                self._give_back(scope, connection, keep=succeeded and keep and scope.is_changeable)

    def _take(self, scope: Scope) -> Connection | None:
        with self._lock:
            for i in range(len(self._idle) - 1, -1, -1):
                if self._idle[i][0] == scope:
                    return self._idle.pop(i)[1]
        return None

    def _open(self, scope: Scope) -> Connection:
        with self._lock:
            connection = connect(self._address)
        try:
            connection.query(_PRELUDE, "Null")
            if scope.database != "default":
                connection.query(f"USE {_backticked(scope.database)}", "Null")
            if scope.settings:
                connection.query(f"SET {', '.join(_assignment(*setting) for setting in scope.settings)}", "Null")
        except ENGINE_ERRORS:
            connection.close()
            raise
        return connection

    def _give_back(self, scope: Scope, connection: Connection, *, keep: bool) -> None:
        with self._lock:
            if not keep:
                connection.close()
                return
            self._idle.append((scope, connection))
            if len(self._idle) > _MOST_IDLE:
                self._idle.pop(0)[1].close()

    def _scalar(self, query: str) -> str:
        return str(self._anchor.query(query, "TabSeparated").bytes().decode().strip())


def quoted(text: str) -> str:
    """A string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _words(error: BaseException) -> str:
    """What the engine said; a streamed query's undecodable words are the cause of chDB's error."""
    for said in (error, error.__cause__):
        if isinstance(said, UnicodeDecodeError):
            return said.object.decode(errors="replace")
    return str(error)


def _backticked(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


def _assignment(name: str, value: str) -> str:
    if not _SETTING_NAME.fullmatch(name):
        raise QueryError(115, f"DB::Exception: Unknown setting {name!r}. (UNKNOWN_SETTING)")
    return f"{name} = {quoted(value)}"
