"""A request read into values: where the statement is, its parameters, its settings; no engine, no socket."""

import email
import email.policy
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from urllib.parse import parse_qsl

from still.embedded.clickhouse.engine import Scope
from still.embedded.clickhouse.errors import QueryError

# URL parameters of the interface, and settings that only the front acts on; all others go to the engine.
_NOT_FOR_ENGINE = frozenset(
    {
        "query", "database", "user", "password", "quota_key", "role", "query_id", "default_format", "buffer_size",
        "session_id", "session_timeout", "session_check", "close_session", "compress", "decompress", "stacktrace",
        "wait_end_of_query", "client_protocol_version", "enable_http_compression", "http_zlib_compression_level",
        "send_progress_in_http_headers", "http_headers_progress_interval_ms",
        "cancel_http_readonly_queries_on_client_close", "add_http_cors_header",
    }
)  # fmt: skip
_HEAD_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """What the URL and the headers (and a form, where one was sent) say."""

    query: bytes
    scope: Scope
    parameters: dict[str, str]
    query_id: str
    default_format: str | None
    cancel_on_close: bool
    accepts: str  # content encodings for the response; empty unless compression was asked for


def read_request(query_string: str, headers: Message, *, read_only: bool, form: "Form | None" = None) -> Request:
    """Reads URL parameters and headers; a form's fields count as parameters too.

    Raises:
        QueryError: the client asks for what this front does not do.
    """
    given = dict(parse_qsl(query_string, keep_blank_values=True, errors="surrogateescape"))
    given |= form.fields if form else {}
    if given.get("compress") == "1" or given.get("decompress") == "1":
        raise QueryError(
            48,
            "DB::Exception: compress=1 and decompress=1 (ClickHouse's own block compression) are not supported by the "
            "embedded engine; use Content-Encoding and enable_http_compression=1. (NOT_IMPLEMENTED)",
        )
    _refuse_undecodable(given)
    settings = {k: v for k, v in given.items() if k not in _NOT_FOR_ENGINE and not k.startswith("param_")}
    if read_only:
        settings.setdefault("readonly", "2")
    return Request(
        query=given.get("query", "").encode(errors="surrogateescape"),
        scope=Scope(given.get("database") or headers.get("X-ClickHouse-Database") or "default", _ordered(settings)),
        parameters={k.removeprefix("param_"): v for k, v in given.items() if k.startswith("param_")},
        query_id=given.get("query_id") or headers.get("X-ClickHouse-Query-Id") or str(uuid.uuid4()),
        default_format=given.get("default_format") or headers.get("X-ClickHouse-Format"),
        cancel_on_close=given.get("cancel_http_readonly_queries_on_client_close") == "1",
        accepts=headers.get("Accept-Encoding", "") if given.get("enable_http_compression") == "1" else "",
    )


def _refuse_undecodable(given: dict[str, str]) -> None:
    """The engine's Python interface takes text; only the statement itself goes to it as bytes."""
    for name, value in given.items():
        if _is_broken(name) or (name != "query" and _is_broken(value)):
            raise QueryError(36, f"DB::Exception: Parameter {name!a} is no UTF-8: {value!a}. (BAD_ARGUMENTS)")


def _is_broken(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def _ordered(settings: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """Sorted, so that equal settings are one scope; `readonly` last, because it forbids what follows."""
    return tuple(sorted(settings.items(), key=lambda item: (item[0] == "readonly", item[0])))


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a multipart form: clickhouse-connect sends long queries and parameters as one."""

    fields: dict[str, str]


def read_form(content_type: str, body: bytes) -> Form:
    """Reads a multipart form.

    Raises:
        QueryError: it carries files, which are external tables.
    """
    message = email.message_from_bytes(
        b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body, policy=email.policy.HTTP
    )
    fields = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        if part.get_filename() is not None:
            raise QueryError(
                48, f"DB::Exception: External table {name!r}: the embedded engine takes none. (NOT_IMPLEMENTED)"
            )
        content = part.get_payload(decode=True)
        fields[str(name)] = bytes(content).decode(errors="surrogateescape") if isinstance(content, bytes) else ""
    return Form(fields)


def head_of(body: Iterator[bytes]) -> bytes:
    """As much of the body as can hold a statement's head: all of a short one, its first MiB of a long one."""
    head = b""
    while len(head) < _HEAD_BYTES and (piece := next(body, None)) is not None:
        head += piece
    return head
