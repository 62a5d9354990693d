"""The one door to ClickHouse: queries, commands and block inserts over HTTP, errors sorted by who must act.

No other file imports clickhouse_connect. Embedded child, server and cluster are reached alike; values always travel as
parameters. One client serves several threads.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver import exceptions
from clickhouse_connect.driver.client import Client as Driver
from clickhouse_connect.driver.transform import NativeTransform

from sinks.errors import LeaseLost, Misconfigured, QueryFailed, Rejected, SinkError, Temporary

_TROUBLE = re.compile(r"\[Errno -?\d+\] ([\w ]+)")
_SILENCE = re.compile(r"\((?:read|connect) timeout=([\d.]+)\)")
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
_UNREADABLE = (
    "the answer holds a value that cannot be read here, such as a time after the year 9999: ask for a time as"
    " toUnixTimestamp64Micro(column), for anything else as toString(column)"
)
# The driver logs what it raises; log or raise, never both.
_DRIVER_LOG = "clickhouse_connect"

COMPRESSION = "lz4"
ANSWER_S = 60.0
"""Without an answer for so long, the outcome counts as unknown."""

VIOLATED_CONSTRAINT = 469
READ_ONLY = 164
# A value of a row is at fault, and other rows may land. A code that stands in neither list stops the sink: a setting, a
# dropped table or a fault of the server is no row's doing, and would make a dead letter of every good one.
DATA = frozenset(
    {
        6,  # CANNOT_PARSE_TEXT
        26,  # CANNOT_PARSE_QUOTED_STRING
        27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED
        38,  # CANNOT_PARSE_DATE
        41,  # CANNOT_PARSE_DATETIME
        53,  # TYPE_MISMATCH
        69,  # ARGUMENT_OUT_OF_BOUND
        70,  # CANNOT_CONVERT_TYPE
        72,  # CANNOT_PARSE_NUMBER
        117,  # INCORRECT_DATA
        128,  # TOO_LARGE_ARRAY_SIZE
        131,  # TOO_LARGE_STRING_SIZE
        190,  # SIZES_OF_ARRAYS_DONT_MATCH
        321,  # VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
        349,  # CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
        376,  # CANNOT_PARSE_UUID
        407,  # DECIMAL_OVERFLOW
        441,  # CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING
        467,  # CANNOT_PARSE_BOOL
        691,  # UNKNOWN_ELEMENT_OF_ENUM
    }
)
_MEND = "this is no row's fault: mend ClickHouse's tables, settings or rights, or run `still init`; then start again"
# Time, room or peers are short, the server is stopping, or the failure has no number of its own (1000 to 1002, such as
# the file system's): the same insert may land later.
TEMPORARY = frozenset(
    {3, 23, 24, 74, 75, 76, 159, 160, 173, 198, 201, 202, 203, 209, 210, 225, 236, 241, 242, 243, 244, 252, 279, 285,
     286, 319, 373, 394, 412, 425, 439, 473, 499, 574, 594, 667, 700, 722, 729, 735, 999, 1000, 1001, 1002}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Columns:
    """A column-oriented result: `values[i]` is the column `names[i]`; without rows there are no columns either."""

    names: tuple[str, ...]
    values: tuple[Sequence[Any], ...]

    @property
    def first(self) -> Sequence[Any]:
        """The first column."""
        return self.values[0] if self.values else ()


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are, and the PEM file of the authority that an https server's certificate must come from.

    `ca` None = the system's authorities.
    """

    user: str = "default"
    password: str = field(default="", repr=False)
    ca: Path | None = None


class Client:
    """Queries and inserts against one database."""

    def __init__(self, driver: Driver, database: str) -> None:
        self._driver = driver
        self.database = database

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The result as dicts; raises like `columns`."""
        found = self.columns(sql, parameters)
        return [dict(zip(found.names, row, strict=True)) for row in zip(*found.values, strict=True)]

    def columns(self, sql: str, parameters: Mapping[str, Any] | None = None, *, read_only: bool = False) -> Columns:
        """The result column by column; parameters as `{name:Type}` in the text.

        `read_only` lets ClickHouse refuse (code 164) whatever would change data, tables or grants.

        Raises:
            QueryFailed: ClickHouse refuses the query, in its words; or its answer holds what no value of Python can.
            Temporary, Misconfigured: see `sinks.errors`.
        """
        try:
            # Where a profile says so already, saying it again would be refused.
            settings = {"readonly": 2} if read_only and not self._is_read_only() else {}
            result = self._driver.query(sql, parameters=dict(parameters or {}), settings=settings, column_oriented=True)
            return Columns(tuple(result.column_names), tuple(result.result_columns))
        except exceptions.Error as error:
            raise _sorted(error, refused=QueryFailed) from error
        except (ValueError, OverflowError) as error:
            raise QueryFailed(f"{_UNREADABLE} ({error})") from error

    def _is_read_only(self) -> bool:
        return bool(self._driver.query("SELECT toUInt8(getSetting('readonly'))").result_rows[0][0])

    def stream(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """The result as dicts, block by block in bounded memory; raises like `columns`."""
        try:
            with self._driver.query_row_block_stream(sql, parameters=dict(parameters or {})) as blocks:
                names = blocks.source.column_names
                for block in blocks:
                    for row in block:
                        yield dict(zip(names, row, strict=True))
        except exceptions.Error as error:
            raise _sorted(error, refused=QueryFailed) from error
        except (ValueError, OverflowError) as error:
            raise QueryFailed(f"{_UNREADABLE} ({error})") from error

    def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement that returns nothing; raises like `columns`."""
        try:
            self._driver.command(sql, parameters=dict(parameters or {}))
        except exceptions.Error as error:
            raise _sorted(error, refused=QueryFailed) from error

    def encode(self, table: str, names: Sequence[str], types: Sequence[str], columns: Sequence[Sequence[Any]]) -> bytes:
        """An INSERT of these columns as one compressed block in Native format: the bytes that `insert` sends.

        Raises:
            Rejected: a value does not fit its column.
        """
        context = self._driver.create_insert_context(
            table,
            list(names),
            self.database,
            column_type_names=list(types),
            column_oriented=True,
            data=list(columns),
        )
        context.compression = COMPRESSION
        # The driver would cut the block by bytes: one insert must be one block, so that it lands whole.
        context.block_row_count = len(columns[0])
        body = b"".join(NativeTransform.build_insert(context))
        if context.insert_exception is not None:
            raise Rejected(f"a value does not fit its column: {context.insert_exception}")
        return body

    def insert(self, table: str, encoded: bytes, token: str | None = None) -> None:
        """Send one encoded INSERT, synchronously; the same block under the same token lands once.

        Raises:
            Temporary: the outcome may be unknown; send the same block with the same token.
            Rejected: nothing landed, and never will as it is.
            LeaseLost: the table's constraint says that the lease is superseded.
            Misconfigured: anything else that no row is to blame for, such as a missing table, column or right.
        """
        settings = {"async_insert": 0, "max_insert_threads": 1, "optimize_on_insert": 0}
        deduplicate = {"insert_deduplicate": 1, "insert_deduplication_token": token} if token else {}
        try:
            # The statement and its table stand at the head of the encoded bytes. Plain bytes the driver sends once more
            # by itself when an answer is lost; a view of them it does not: the caller finds out whether to send again.
            self._driver.raw_insert(
                "",
                insert_block=memoryview(encoded),  # type: ignore[arg-type]
                settings=settings | deduplicate,
                compression=COMPRESSION,
            )
        except exceptions.Error as error:
            raise _sorted(error, refused=Rejected, table=table) from error

    def using_database(self) -> Client:
        """The same client; queries that name no database mean this one, where it exists."""
        if self.columns("SELECT 1 FROM system.databases WHERE name = {name:String}", {"name": self.database}).first:
            self._driver.database = self.database
        return self

    def close(self) -> None:
        """Drop the connections."""
        self._driver.close()


def connect(
    url: str, database: str, *, login: Login | None = None, wait_s: float = 0.0, answer_s: float = ANSWER_S
) -> Client:
    """A client of the ClickHouse at `url` (http:// or https://); `database` need not exist yet.

    Raises:
        Temporary: nobody answers there within `wait_s`.
        Misconfigured: the address or the login is wrong.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Misconfigured(f"ClickHouse url {url!r} is no http(s) address; give e.g. http://127.0.0.1:8123")
    logging.getLogger(_DRIVER_LOG).setLevel(logging.CRITICAL)
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return Client(_driver(url, login or Login(), answer_s), database)
        except exceptions.Error as error:
            failed = _sorted(error, refused=Misconfigured)
            if not isinstance(failed, Temporary) or time.monotonic() >= deadline:
                raise type(failed)(f"ClickHouse at {url}: {failed}", code=failed.code) from error
            time.sleep(0.1)


def _driver(url: str, login: Login, answer_s: float) -> Driver:
    return clickhouse_connect.get_client(
        dsn=url,
        # The driver takes no scheme from the address: https on any port but 8443 would send the password in plain text.
        interface=urlsplit(url).scheme,
        username=login.user,
        password=login.password,
        database="default",
        compress=COMPRESSION,
        connect_timeout=min(5.0, answer_s),
        send_receive_timeout=answer_s,
        # Sessions would make the threads wait for one another.
        autogenerate_session_id=False,
        client_name="stillstream",
        ca_cert=None if login.ca is None else str(login.ca),
    )


def _sorted(error: exceptions.Error, *, refused: type[SinkError], table: str | None = None) -> SinkError:
    code = error.code
    words = _words(error)
    if _UNTRUSTED in str(error):
        return Misconfigured("its certificate is not from an authority that we trust; set STILL_CLICKHOUSE_CA")
    if code is None or code in TEMPORARY:
        return Temporary(words, table=table, code=code)
    if code == VIOLATED_CONSTRAINT:
        return LeaseLost(words, table=table, code=code)
    if refused is QueryFailed:
        return QueryFailed(words, table=table, code=code)
    if refused is Rejected and code in DATA:
        return Rejected(words, table=table, code=code)
    return Misconfigured(f"{words} ({_MEND})" if refused is Rejected else words, table=table, code=code)


def _words(error: exceptions.Error) -> str:
    """ClickHouse's own sentence, or the system's, without the driver's wrapping."""
    if error.code is None and (trouble := _TROUBLE.search(str(error))):
        return f"no answer: {trouble[1]}"
    if error.code is None and (silence := _SILENCE.search(str(error))):
        return f"it does not answer within {float(silence[1]):g} s"
    text = str(error).partition(" (for url ")[0]
    start = text.find("Code: ")
    return exceptions.scrub_error_details(text[max(start, 0) :]).strip()
