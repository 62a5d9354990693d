"""What can go wrong while a query is served, in ClickHouse's own words: number, name, HTTP status."""

import re
from http import HTTPStatus

_MESSAGE = re.compile(r"Code: (\d+)\.\s+(DB::Exception: .*)", re.DOTALL)
_VERSION = re.compile(r"\s*\(version [^()]*(?:\([^()]*\))?\)\s*$")

# ClickHouse's own assignment of error numbers to HTTP statuses; any other number is an internal error.
_FORBIDDEN = {192, 193, 497, 512, 516}
_BAD_REQUEST = {6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376, 427, 441, 675}
_NOT_FOUND = {46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511}
_OTHER = {
    48: HTTPStatus.NOT_IMPLEMENTED,
    76: HTTPStatus.SERVICE_UNAVAILABLE,
    159: HTTPStatus.REQUEST_TIMEOUT,
    194: HTTPStatus.UNAUTHORIZED,
    209: HTTPStatus.SERVICE_UNAVAILABLE,
    229: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    381: HTTPStatus.LENGTH_REQUIRED,
    439: HTTPStatus.SERVICE_UNAVAILABLE,
    676: HTTPStatus.BAD_REQUEST,
    779: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}


class QueryError(Exception):
    """A query failed; carries the number and text that ClickHouse gives such a failure."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text

    @property
    def status(self) -> HTTPStatus:
        """The HTTP status that a ClickHouse server answers with."""
        return status_of(self.code)

    def body(self, version: str) -> str:
        """The error as the body of a response."""
        return f"Code: {self.code}. {self.text} (version {version})\n"


class BodyError(QueryError):
    """The request's body ended early or cannot be unpacked; nothing of it was stored."""


def query_error(message: str) -> QueryError:
    """Reads the engine's message; one without a number becomes code 1002, UNKNOWN_EXCEPTION."""
    found = _MESSAGE.search(message)
    if found is None:
        return QueryError(1002, f"DB::Exception: {message} (UNKNOWN_EXCEPTION)")
    return QueryError(int(found[1]), _VERSION.sub("", found[2]))


def status_of(code: int) -> HTTPStatus:
    """ClickHouse's own table of HTTP statuses by error number."""
    if code in _FORBIDDEN:
        return HTTPStatus.FORBIDDEN
    if code in _BAD_REQUEST:
        return HTTPStatus.BAD_REQUEST
    if code in _NOT_FOUND:
        return HTTPStatus.NOT_FOUND
    return _OTHER.get(code, HTTPStatus.INTERNAL_SERVER_ERROR)
