"""What an HTTP front must know of a statement's text: where insert data begins, which format answers.

A lexer over bytes, no parser: the engine judges whether a statement is right. Insert data is never lexed,
so a statement of any size costs its head.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    rb"""(?P<space>\s+|--[^\n]*|\#[!\ ][^\n]*|/\*.*?\*/)
    |(?P<string>'(?:[^'\\]|\\.)*')
    |(?P<quoted>`(?:[^`\\]|\\.)*`|"(?:[^"\\]|\\.)*")
    |(?P<heredoc>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    |(?P<word>[A-Za-z_]\w*)
    |(?P<other>.)""",
    re.DOTALL | re.VERBOSE,
)
_RESULT_WORDS = frozenset({b"SELECT", b"WITH", b"FROM"})


@dataclass(frozen=True, slots=True)
class Token:
    """One significant token: its kind, text, place, and how many brackets are open around it."""

    kind: str
    text: bytes
    start: int
    end: int
    depth: int

    @property
    def keyword(self) -> bytes:
        """The word in capitals; empty for anything but a bare word."""
        return self.text.upper() if self.kind == "word" else b""


@dataclass(frozen=True, slots=True)
class InsertHead:
    """An INSERT whose rows come from the client: the statement without them, their format, where they begin."""

    statement: bytes
    format: str | None
    data_start: int


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement without client data."""

    text: bytes  # without the closing semicolon
    first_word: bytes
    format: str | None
    format_start: int  # where the FORMAT clause begins, or the end of the text
    count: int  # of statements; the HTTP interface takes one

    @property
    def returns_rows(self) -> bool:
        """Whether the engine can hand out its result block by block."""
        return self.first_word in _RESULT_WORDS


def tokens(sql: bytes, start: int = 0) -> Iterator[Token]:
    """The significant tokens of `sql`, lazily."""
    depth = 0
    for match in _TOKEN.finditer(sql, start):
        kind = match.lastgroup or "other"
        if kind == "space":
            continue
        if kind == "tag":
            kind = "heredoc"
        text = match.group()
        if text in b")]}" and kind == "other":
            depth -= 1
        yield Token(kind, text, match.start(), match.end(), depth)
        if text in b"([{" and kind == "other":
            depth += 1


def read_statement(sql: bytes) -> Statement:
    """What the front needs to know of a statement that is not an insert of client data."""
    found = list(tokens(sql))
    ends = [i for i, token in enumerate(found) if token.text == b";" and token.depth == 0]
    count = sum(1 for i, token in enumerate(found) if token.text != b";" and (i == 0 or found[i - 1].text == b";"))
    body = found[: ends[0]] if ends and count == 1 else found
    text = sql[: body[-1].end] if body else b""
    first_word = _first_word(body)
    format_at = _format_clause(body)
    if format_at is None:
        return Statement(text, first_word, None, len(text), count)
    return Statement(text, first_word, body[format_at + 1].text.decode(), body[format_at].start, count)


def _first_word(body: list[Token]) -> bytes:
    """What kind of statement it is: an INSERT may stand behind its WITH."""
    first = next((token.keyword for token in body if token.text != b"("), b"")
    if first != b"WITH":
        return first
    pairs = itertools.pairwise(body)
    is_insert = any(one.keyword == b"INSERT" and two.keyword == b"INTO" and not one.depth for one, two in pairs)
    return b"INSERT" if is_insert else first


def _format_clause(body: list[Token]) -> int | None:
    """Where in the tokens the closing `FORMAT name` stands; a column called format is none."""
    for i in range(len(body) - 2, -1, -1):
        if body[i].keyword == b"FORMAT" and body[i].depth == 0:
            after = body[i + 2].keyword if i + 2 < len(body) else b"SETTINGS"
            named = body[i + 1].kind == "word" and body[i + 1].keyword not in {b"ASC", b"DESC"}
            return i if named and after == b"SETTINGS" else None
    return None


def read_insert(sql: bytes) -> InsertHead | None:
    """The head of an INSERT that takes its rows from the client; None for every other statement."""
    words = tokens(sql)
    first = next(words, None)
    if first is None or first.keyword != b"INSERT":
        return None
    names_target, before, format_start = True, b"", 0  # the table may be called like any keyword
    for token in words:
        if names_target or before == b".":
            names_target = token.keyword in {b"INTO", b"TABLE", b"FUNCTION"}
            before = b""
            continue
        if token.keyword in {b"SELECT", b"WITH", b"FROM"} and (token.depth == 0 or before == b"("):
            return None
        if token.depth == 0 and before == b"FORMAT":
            return InsertHead(sql[:format_start], token.text.decode(), _data_start(sql, token.end))
        if token.depth == 0 and token.keyword == b"VALUES":
            return InsertHead(sql[: token.start], "Values", token.end)
        before, format_start = token.keyword or token.text, token.start
    return InsertHead(sql.rstrip(b"; \t\r\n"), None, len(sql))


def with_client_query_ids(sql: bytes) -> bytes:
    """Lets `query_id` in KILL QUERY and in `system.processes` mean the id that the client gave.

    chDB names queries itself and takes no id from outside, so ours travels in `log_comment`.
    """
    lowered = sql.lower()
    if b"processes" not in lowered and not lowered.lstrip().startswith(b"kill"):
        return sql
    found = list(tokens(sql))
    if found and found[0].keyword == b"KILL":
        return _replaced(sql, [(t.start, t.end, _CLIENT_ID) for t in found if t.text == b"query_id"])
    edits = [
        (schema.start, table.end, _PROCESSES)
        for schema, dot, table in zip(found, found[1:], found[2:], strict=False)
        if schema.text == b"system" and dot.text == b"." and table.text == b"processes"
    ]
    return _replaced(sql, edits)


_CLIENT_ID = b"if(empty(Settings['log_comment']), query_id, Settings['log_comment'])"
_PROCESSES = (
    b"(SELECT * REPLACE (if(empty(Settings['log_comment']), query_id, Settings['log_comment']) AS query_id) "
    b"FROM system.processes)"
)


def _data_start(sql: bytes, position: int) -> int:
    """Where rows begin after `FORMAT name`: blanks, one semicolon and one line end are the statement's."""
    blanks = re.compile(rb"[ \t\f]*;?[ \t\f]*(?:\r?\n)?").match(sql, position)
    return blanks.end() if blanks else position


def _replaced(sql: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for start, end, text in reversed(edits):
        sql = sql[:start] + text + sql[end:]
    return sql
