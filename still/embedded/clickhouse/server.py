"""ClickHouse's HTTP interface over the engine, on loopback: one thread for each client connection.

The standard library's server, because every request ends in a blocking call of the engine: an event loop would
hand each one to a thread anyway (0.1 ms more), and plain blocking reads and writes are the back-pressure.
"""

import contextlib
import secrets
import socket
import sys
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog

from still.embedded.clickhouse.bodies import Body
from still.embedded.clickhouse.encodings import Packer, packer_for
from still.embedded.clickhouse.engine import Engine
from still.embedded.clickhouse.errors import QueryError
from still.embedded.clickhouse.hangups import HangUps
from still.embedded.clickhouse.request import Form, Request, read_form, read_request
from still.embedded.clickhouse.response_headers import content_type_of, summary_of
from still.embedded.clickhouse.statements import Answer, answer
from still.embedded.ports import LOOPBACK

log = structlog.get_logger(__name__)

_ALIVE = {"/ping", "/replicas_status"}


class ClickHouseServer(ThreadingHTTPServer):
    """Serves one engine; counts the requests at work, so that a stop can wait for them."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, engine: Engine, spool: Path) -> None:
        self.engine = engine
        self.spool = spool
        self._hang_ups = HangUps(engine.cancel)
        self._at_work = 0
        self._stopping = False
        self._changed = threading.Condition()
        super().__init__((LOOPBACK, port), _Handler)

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Counts one request for as long as the context lasts."""
        with self._changed:
            self._at_work += 1
        try:
            yield
        finally:
            with self._changed:
                self._at_work -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def watching(self, connection: socket.socket, request: Request) -> Iterator[None]:
        """Cancels the request's query when its client goes away, where the client asks for that."""
        if request.cancel_on_close:
            with self._hang_ups.watched(connection, request.query_id):
                yield
        else:
            yield

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no error of ours; anything else is told with its traceback."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    def refuse_when_stopping(self) -> None:
        """Raises the error that a request gets once the stop has begun."""
        if self._stopping:
            raise QueryError(236, "DB::Exception: The embedded engine is stopping; nothing was done. (ABORTED)")

    def stop_taking(self) -> None:
        """Takes no new connections, and no new requests on the old ones."""
        self._stopping = True
        self.shutdown()

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Waits until no request is at work; False when the time is up first."""
        with self._changed:
            return self._changed.wait_for(lambda: self._at_work == 0, timeout_s)


class _Handler(BaseHTTPRequestHandler):
    """One client connection, kept alive over many requests."""

    server: ClickHouseServer
    protocol_version = "HTTP/1.1"
    server_version = "Stillstream"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = 1 << 16  # headers and a small body leave in one segment

    def do_GET(self) -> None:
        """Queries that only read, and the liveness pages."""
        url = urlsplit(self.path)
        if url.path in _ALIVE or (url.path == "/" and not url.query):
            self._send_whole(HTTPStatus.OK, b"Ok.\n", {"Content-Type": "text/html; charset=UTF-8"})
        elif url.path != "/":
            self._send_whole(HTTPStatus.NOT_FOUND, f"There is no handle {url.path}\n".encode(), {})
        else:
            self._serve(url.query, read_only=True)

    def do_HEAD(self) -> None:
        """Liveness only."""
        self._send_whole(HTTPStatus.OK, b"", {})

    def do_POST(self) -> None:
        """Every statement."""
        self._serve(urlsplit(self.path).query, read_only=False)

    def handle_expect_100(self) -> bool:
        """Lets the client send its body now: the answer must not wait in the buffer."""
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, the base class's name
        """Keeps the access log silent: clients have the query id and the errors."""

    def _serve(self, query_string: str, *, read_only: bool) -> None:
        with self.server.at_work():
            try:
                self._respond(query_string, read_only=read_only)
                # Here, not when the connection is next looked at: a stop waits for requests at work only.
                self.wfile.flush()
            except ConnectionError:
                self.close_connection = True

    def _respond(self, query_string: str, *, read_only: bool) -> None:
        body: Body | None = None
        request: Request | None = None
        try:
            self.server.refuse_when_stopping()
            transfer = self.headers.get("Transfer-Encoding", "")
            body = Body(self.rfile, self.headers.get("Content-Length"), transfer)
            form = self._form(body)
            request = read_request(query_string, self.headers, read_only=read_only, form=form)
            with self.server.watching(self.connection, request):
                result = self._answer(request, body)
                with contextlib.closing(result.pieces):
                    self._send(request, result)
        except QueryError as error:
            self._send_error(error, request)
        self._drain(body)

    def _form(self, body: Body) -> Form | None:
        content_type = self.headers.get("Content-Type", "")
        if not content_type.startswith("multipart/form-data"):
            return None
        return read_form(content_type, b"".join(body.pieces()))

    def _answer(self, request: Request, body: Body) -> Answer:
        encoding = self.headers.get("Content-Encoding", "").strip().lower()
        pieces = iter(()) if body.is_consumed else body.pieces()
        return answer(self.server.engine, self.server.spool, request, pieces, encoding)

    def _send(self, request: Request, result: Answer) -> None:
        first = next(result.pieces, b"")
        second = next(result.pieces, None)
        packing = packer_for(request.accepts) if first else None
        headers = self._headers(request, result)
        if packing is not None:
            headers["Content-Encoding"] = packing[0]
        packer = None if packing is None else packing[1]
        if second is None:
            whole = first if packer is None else packer.compress(first) + packer.flush()
            self._send_whole(HTTPStatus.OK, whole, headers)
        else:
            self._send_chunked([first, second], result.pieces, packer, headers)

    def _send_chunked(
        self, first: list[bytes], more: Iterator[bytes], packer: Packer | None, headers: dict[str, str]
    ) -> None:
        tag = secrets.token_hex(8)
        self._start(HTTPStatus.OK, headers | {"Transfer-Encoding": "chunked", "X-ClickHouse-Exception-Tag": tag})
        failed = False
        try:
            for piece in first:
                self._chunk(piece, packer)
            for piece in more:
                self._chunk(piece, packer)
        except QueryError as error:
            # The status has gone out already: the text says it, and the missing last chunk.
            failed = True
            text = error.body(self.server.engine.version)
            length = len(text.encode())
            self._chunk(f"\r\n__exception__\r\n{tag}\r\n{text}{length} {tag}\r\n__exception__\r\n".encode(), packer)
        if packer is not None:
            self._chunk(packer.flush(), None)
        if failed:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, piece: bytes, packer: Packer | None) -> None:
        packed = piece if packer is None else packer.compress(piece)
        if packed:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(packed), packed))

    def _headers(self, request: Request, result: Answer) -> dict[str, str]:
        headers = self._server_headers(request.query_id) | {"X-ClickHouse-Summary": summary_of(result.done)}
        if result.format is not None:
            headers["X-ClickHouse-Format"] = result.format
            headers["Content-Type"] = content_type_of(result.format)
        return headers

    def _server_headers(self, query_id: str) -> dict[str, str]:
        engine = self.server.engine
        return {
            "X-ClickHouse-Query-Id": query_id.encode("ascii", "backslashreplace").decode().replace("\n", " "),
            "X-ClickHouse-Server-Display-Name": engine.host_name,
            "X-ClickHouse-Timezone": engine.timezone,
        }

    def _send_error(self, error: QueryError, request: Request | None) -> None:
        headers = self._server_headers(request.query_id if request else "") | {
            "X-ClickHouse-Exception-Code": str(error.code),
            "Content-Type": "text/plain; charset=UTF-8",
        }
        self._send_whole(error.status, error.body(self.server.engine.version).encode(errors="replace"), headers)

    def _send_whole(self, status: HTTPStatus, body: bytes, headers: dict[str, str]) -> None:
        self._start(status, headers | {"Content-Length": str(len(body))})
        self.wfile.write(body)

    def _start(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _drain(self, body: Body | None) -> None:
        """Reads what the engine did not want, so that the client gets its answer before the connection goes on."""
        if body is None:
            self.close_connection = True
            return
        if body.is_consumed:
            return
        self.wfile.flush()
        self.close_connection = True
        with contextlib.suppress(QueryError, OSError):
            for _ in body.pieces():
                pass
